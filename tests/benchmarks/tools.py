"""How long suggest, check and plot take by the size of a collection, and how much memory.

    python -m tests.benchmarks.tools [--rows 20000,100000] [--before FOLDER] [--folder DIR]

One store of made-up rows (see made.py) a size. Each question is a process of its own, the program's
command: at first when nothing is kept, then again, and then after a few videos have come and moved.
Beside them stands the same command of another checkout of the project, where one is named, on a
store of the same rows, one after the other. Then the page is opened on the same store, and each
view is asked for over HTTP until it answers. Clocks depend on what else the machine does; CPU
seconds do, too, where threads wait for each other, so that the load is shown beside them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from time import perf_counter, sleep
from typing import Any

from pipeline.config import load
from pipeline.project import Project
from pipeline.web.server import Page
from pipeline.web.site import Site
from store.analysis.kept import FOLDER
from store.table.arrow import rows_from_arrow
from store.table.store import Store
from tests.benchmarks import made
from tests.benchmarks.measure import ROOT, Process, publish, run
from tests.benchmarks.store import PLAIN, apart

SIZES = "20000,100000"
THUMBNAIL_BYTES = 300

# Another checkout may have another form of the table, and fills one of its own with the same rows.
FILL = """
import sys
import pyarrow as pa
from store.table.store import Store
from tests.benchmarks import made
uri, size, thumbnail = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with Store.open(uri, writer=True) as store:
    for start in range(0, size, 10_000):
        firsts = range(start, min(start + 10_000, size), made.BLOCK_ROWS)
        blocks = (made.block(first // made.BLOCK_ROWS) for first in firsts)
        tables = [made.to_arrow(block, thumbnail) for block in blocks]
        store.videos.upsert(pa.concat_tables(tables).combine_chunks())
    store.upkeep(force=True)
"""
NEW_BLOCK = 200_000  # its rows are in no size
FEW = 5
GOALS = {
    20_000: {"suggest": 8, "check": 15, "plot": 25},
    100_000: {"suggest": 45, "check": 90, "plot": 90},
}
AGAIN, FOLLOWING = 1, 2  # seconds, beside the start of the process
MOST_MB = 3_000
TOOLS = ("suggest", "check", "plot")
VIEWS = ("/api/videos", "/api/folders", "/api/suggestions", "/api/review", "/api/map")
NOT_OF_VIEWS = ("cpu_seconds", "peak_mb", "before_seconds", "before_cpu")
SOON_SECONDS = 0.02  # between two requests for a view that is not ready


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default=SIZES, help=f"sizes (default: {SIZES})")
    parser.add_argument("--before", type=Path, help="another checkout, to compare with")
    parser.add_argument("--folder", type=Path, help="where to make the stores (default: temporary)")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for size in map(int, options.rows.split(",")):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            for row in measure(Path(folder), size, options.before):
                rows.append(row)
                publish("tools", rows)


def measure(folder: Path, size: int, before: Path | None) -> Iterator[dict[str, Any]]:
    """Measure each tool on a store of that size."""
    uri = folder / "store"
    fill(folder, size, ROOT)
    if before:
        fill(folder / "before", size, before)
    start = ask(folder, "status")
    for tool in TOOLS:
        old = ask(folder / "before", tool, before) if before else None
        shutil.rmtree(uri / FOLDER, ignore_errors=True)
        yield _row(size, tool, "first", ask(folder, tool), old, GOALS.get(size, {}).get(tool))
        yield _row(size, tool, "again", ask(folder, tool), old, AGAIN, start)
    for tool in TOOLS:  # each took away what the others had learned
        ask(folder, tool)
    yield from apart(views, folder, size, "page opened")
    apart(change, uri)
    for tool in TOOLS:
        yield _row(size, tool, f"{2 * FEW} changed", ask(folder, tool), None, FOLLOWING, start)


def fill(folder: Path, size: int, root: Path) -> None:
    """Make a store of that many rows, by the code of a checkout."""
    (folder / "videos").mkdir(parents=True)
    run(["-c", FILL, str(folder / "store"), str(size), str(THUMBNAIL_BYTES)], cwd=root)


def views(folder: Path, size: int, when: str) -> list[dict[str, Any]]:
    """Open the page, and measure each of its views, at first and again."""
    overrides = [f"data.dir={folder / 'videos'}", f"store.uri={folder / 'store'}"]
    rows = []
    with Project.open(load(ROOT / "config.toml", overrides)) as project, Site(project) as site:
        page = Page(site, "127.0.0.1", 0)
        thread = Thread(target=page.run)
        thread.start()
        try:
            for asked in (when, "again"):
                for view in VIEWS:
                    seconds, sent = get(page.port, view)
                    row = {"rows": size, "command": view, "asked": asked, "seconds": seconds}
                    row |= dict.fromkeys(
                        ("cpu_seconds", "peak_mb", "before_seconds", "before_cpu"), ""
                    )
                    row |= {"load": os.getloadavg()[0], "goal": AGAIN, "reached": seconds <= AGAIN}
                    rows.append({**row, "kb": sent / 1_000})
        finally:
            page.stop()
            thread.join()
    return rows


def get(port: int, address: str) -> tuple[float, int]:
    """Ask for an address until it answers: seconds, and bytes of the answer."""
    began = perf_counter()
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=600)
        connection.request("GET", address)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if answer.status != HTTPStatus.ACCEPTED:
            assert answer.status == HTTPStatus.OK, content
            return perf_counter() - began, len(content)
        sleep(SOON_SECONDS)


def change(uri: Path) -> list[None]:
    """Let a few videos come, and a few unlabeled ones move into a folder."""
    with Store.open(str(uri), writer=True) as store:
        new = rows_from_arrow(made.to_arrow(made.block(NEW_BLOCK, FEW), THUMBNAIL_BYTES))
        loose = [path for path in sorted(store.known()) if "/" not in path][:FEW]
        moved = [
            replace(row, path=f"label00/{path}", label="label00")
            for path, row in store.rows(loose).items()
        ]
        store.upsert([*new, *moved])
        store.remove(loose)
    return []


def ask(folder: Path, tool: str, root: Path = ROOT) -> Process:
    """Run a command of a checkout."""
    flags = ["--out", str(folder / "plot.png")] if tool == "plot" else []
    settings = ["--set", f"data.dir={folder / 'videos'}", "--set", f"store.uri={folder / 'store'}"]
    command = ["-c", PLAIN, "run.py", *settings, tool, "--json", *flags]
    return run(command, cwd=root)


def _row(
    size: int,
    tool: str,
    when: str,
    took: Process,
    old: Process | None,
    goal: float | None,
    start: Process | None = None,
) -> dict[str, Any]:
    seconds = took.wall - (start.wall if start else 0)
    return {
        "rows": size,
        "command": tool,
        "asked": when,
        "seconds": seconds,
        "cpu_seconds": took.cpu,
        "peak_mb": took.peak_mb,
        "before_seconds": old.wall if old else "",
        "before_cpu": old.cpu if old else "",
        "load": os.getloadavg()[0],
        "goal": goal or "",
        "reached": seconds <= goal and took.peak_mb <= MOST_MB if goal else "",
        "kb": len(took.stdout) / 1_000,
    }


if __name__ == "__main__":
    main()
