"""How fast the store is written, searched and exported, by its size, and how much a search finds.

    python -m tests.benchmarks.store [--rows 10000,100000] [--questions 40] [--folder DIR]

One store of made-up rows (see made.py) grows from size to size. Each part runs in a process of its
own, which grows no other's memory; start-ups and exports are the program's own commands. Recall is
that of the first 10 against an exact search (exact.py). Times depend on what else the machine
does: CPU seconds are shown beside them, and beside an export what it takes to fill an array of that
size and write it to a file.

An export of 100,000 rows took 28 to 34 s, 10 s of CPU time and 1.6 GB at its peak, on two cores
under a load of 13. To import torch is 4 s of that CPU time and 0.7 GB; 0.4 GB are pages of the file
that the features lie in, which the system takes back when it needs them. Writing torch's format by
hand, without torch, took 16 s, 5 s and 0.8 GB on the same machine.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from tests.benchmarks.measure import publish, run

SIZES = "10000,100000"
STARTS = 5
DIMENSION = 1024
JUDGED_EXPORT = 1_000_000  # smaller ones are over before the program has started
TORCH_MB = 700  # of a process that has imported it
LARGEST_PICTURES = 100_000  # larger stores get small ones: a million times 6 KB says nothing new

# Only the tests install pandas; wherever it is, pyarrow imports it: 0.15 s and 40 MB.
PLAIN = """
import runpy, sys
class WithoutPandas:
    def find_spec(name, *_):
        if name == "pandas":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, WithoutPandas)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@dataclass(frozen=True)
class Place:
    """Where and how large a benchmark's store is.

    Args:
        folder: holds the store, the exact answers and the exports.
        questions: how many of each kind.
        thumbnail_bytes: bytes of each row's thumbnail.
    """

    folder: Path
    questions: int
    thumbnail_bytes: int

    @property
    def uri(self) -> str:
        return str(self.folder / "store")

    @property
    def answers(self) -> Path:
        return self.folder / "exact.npz"

    def command(self, name: str, *flags: str) -> list[str]:
        """Give the command line as it runs where the project alone is installed."""
        videos = f"data.dir={self.folder / 'videos'}"
        settings = ["--set", videos, "--set", f"store.uri={self.uri}"]
        return ["-c", PLAIN, "run.py", *settings, name, *flags]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default=SIZES, help=f"sizes, ascending (default: {SIZES})")
    parser.add_argument("--questions", type=int, default=40, help="of each kind (default: 40)")
    parser.add_argument("--folder", type=Path, help="where to make the store (default: temporary)")
    options = parser.parse_args()
    sizes = [int(size) for size in options.rows.split(",")]
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        small = max(sizes) <= LARGEST_PICTURES
        place = Place(Path(folder), options.questions, 6_000 if small else 1_000)
        (place.folder / "videos").mkdir()
        measure(place, sizes)


def measure(place: Place, sizes: list[int]) -> None:
    """Measure every figure at every size, and write after each what is known."""
    from tests.benchmarks import store_parts as parts

    figures: dict[str, list[dict[str, Any]]] = {
        "store_fill": [],
        "store_write": apart(parts.write, place, 0),
        "store_query": [],
        "store_export": [],
        "store_start": [],
    }
    for begin, size in zip([0, *sizes], sizes, strict=False):
        figures["store_fill"] += apart(parts.fill, place, begin, size)
        figures["store_query"] += apart(parts.ask, place, size)
        figures["store_start"] += start(place, size)
        figures["store_export"].append(export(place, size))
        figures["store_write"] += apart(parts.write, place, size)
        for name, rows in figures.items():
            publish(name, rows)


def apart(part: Callable[..., list[Any]], *arguments: Any) -> list[Any]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(part, *arguments).result()


def start(place: Place, size: int) -> list[dict[str, Any]]:
    """Measure whole processes; the video is the first row's, whose file need not be there."""
    (video,) = json.loads(run(place.command("query", "--words", "word1", "-k1", "--json")).stdout)
    like = place.command("query", "--json", "--video", video["path"])
    commands = {
        "query --video": like,
        "... with pandas": like[2:],
        "query --words": place.command("query", "--json", "--words", "word7"),
        "status": place.command("status", "--json"),
    }
    rows = []
    for name, command in commands.items():
        runs = [run(command) for _ in range(STARTS)]
        seconds = median(each.wall for each in runs)
        rows.append(
            {
                "rows": size,
                "command": name,
                "seconds": seconds,
                "cpu_seconds": median(each.cpu for each in runs),
                "goal": "1 s" if name == "query --video" else "",
                "reached": seconds <= 1 if name == "query --video" else "",
            }
        )
    return rows


def export(place: Place, size: int) -> dict[str, Any]:
    out = place.folder / "artifacts"
    (plain,) = apart(copy, place, size)
    done = run(place.command("export", "--json", "--out", str(out)))
    facts = json.loads(done.stdout)
    assert facts["labeled"][0] + facts["unlabeled"][0] == size, facts
    for file in out.iterdir():
        file.unlink()
    tensor_mb = size * DIMENSION * 4 / 2**20
    is_judged, is_fast = size >= JUDGED_EXPORT, size / done.wall >= 50_000
    return {
        "rows": size,
        "seconds": done.wall,
        "cpu_seconds": done.cpu,
        "rows_per_second": size / done.wall,
        "over_fill_and_write": done.wall / plain,
        "peak_mb": done.peak_mb,
        "tensor_mb": tensor_mb,
        "goal": "50,000 rows/s, tensor + torch + 1,024 MB" if is_judged else "",
        "reached": is_fast and done.peak_mb - tensor_mb <= TORCH_MB + 1_024 if is_judged else "",
    }


def copy(place: Place, size: int) -> list[float]:
    """Measure seconds to fill an array as large as the features and write it to the disk."""
    file = place.folder / "plain"
    began = perf_counter()
    with file.open("xb") as stream:
        stream.write(memoryview(np.ones((size, DIMENSION), np.float32)).cast("B"))
        stream.flush()
        os.fsync(stream.fileno())
    seconds = perf_counter() - began
    file.unlink()
    return [seconds]


if __name__ == "__main__":
    main()
