"""How long a scan of an unchanged collection takes, start-up included, and that it opens no file.

    python -m tests.benchmarks.rescan [--files 1000,10000,100000]

The files are empty and the rows are made up: a scan that wanted to open one would fail on it. The
baseline is a plain walk of the same folder that asks for size and time of each file.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import zlib
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.config import load
from pipeline.models.recipe import recipe_of
from store.schema import Row
from store.table.arrow import rows_to_arrow
from store.table.store import Store
from tests.benchmarks.measure import ROOT, publish, run

SIZES = "1000,10000,100000"
GOALS = {100_000: 5.0}  # seconds
FILES_PER_FOLDER = 500
ROWS_PER_COMMIT = 2_000  # few at a time: a process inherits the peak memory of its parent
RUNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", default=SIZES, help=f"how many (default: {SIZES})")
    sizes = parser.parse_args().files.split(",")
    publish("rescan", [measure(int(size)) for size in sizes])


def measure(files: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        collection, uri = Path(folder) / "videos", f"{folder}/store"
        make_files(collection, files)
        make_rows(collection, uri)
        command = ["run.py", "--set", f"data.dir={collection}", "--set", f"store.uri={uri}"]
        scans = [run([*command, "scan", "--json"]) for _ in range(RUNS)]
        for scan in scans:
            found = json.loads(scan.stdout)
            assert (found["unchanged"], found["failed"]) == (files, 0), found
        walk = median(walked(collection) for _ in range(RUNS))
        seconds = median(scan.wall for scan in scans)
        return {
            "files": files,
            "scan_seconds": seconds,
            "scan_cpu_seconds": median(scan.cpu for scan in scans),
            "peak_mb": max(scan.peak_mb for scan in scans),
            "walk_seconds": walk,
            "scan_over_walk": seconds / walk,
            "goal": f"{GOALS[files]:g} s" if files in GOALS else "",
            "reached": seconds <= GOALS[files] if files in GOALS else "",
        }


def make_files(collection: Path, count: int) -> None:
    for number in range(count):
        path = collection / str(number // FILES_PER_FOLDER) / f"{number}.mp4"
        if number % FILES_PER_FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.touch()
        os.utime(path, (1_600_000_000, 1_600_000_000 + number))


def make_rows(collection: Path, uri: str) -> None:
    """One row for each file, as a scan would have left it."""
    recipe = recipe_of(load(ROOT / "config.toml"))
    one = rows_to_arrow([_row(*recipe)])
    paths = sorted(path.relative_to(collection).as_posix() for path in collection.rglob("*.mp4"))
    with Store.open(uri, writer=True) as store:
        for start in range(0, len(paths), ROWS_PER_COMMIT):
            store.videos.upsert(_many(one, collection, paths[start : start + ROWS_PER_COMMIT]))
        store.upkeep(force=True)


def _many(one: pa.Table, collection: Path, paths: list[str]) -> pa.Table:
    """The row, again and again, with what a scan compares set to each file's."""
    rows = one.take(pa.array(np.zeros(len(paths), np.int64)))
    columns = {
        "path": pa.array(paths),
        "label": pa.array([path.partition("/")[0] for path in paths]),
        "content_hash": pa.array([f"{zlib.crc32(path.encode()):032x}" for path in paths]),
        "mtime_ns": pa.array([(collection / path).stat().st_mtime_ns for path in paths]),
    }
    for name, values in columns.items():
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, rows.schema.field(place), values)
    return rows


def walked(collection: Path) -> float:
    began = perf_counter()
    for folder, _, names in os.walk(collection):
        for name in names:
            os.stat(os.path.join(folder, name))
    return perf_counter() - began


def _row(visual: str, transcript: str, speech: str) -> Row:
    vector = np.full(512, 512**-0.5, np.float32)
    return Row(
        path="x",
        label="x",
        content_hash="x",
        size=0,
        mtime_ns=0,
        duration_seconds=1.0,
        width=16,
        height=16,
        visual=vector,
        speech=np.zeros(512, np.float32),
        frame_times=np.zeros(5),
        frame_vectors=np.stack([vector] * 5),
        moment_times=np.zeros(0),
        moment_vectors=np.zeros((0, 512), np.float32),
        moments_recipe=None,
        frames_readable=25,
        frames_total=25,
        thumbnail=b"",
        speech_status="no_audio",
        language=None,
        language_probability=None,
        segments=(),
        translation=None,
        transcript="",
        speech_windows=(),
        speech_vectors=np.zeros((0, 512), np.float32),
        visual_recipe=visual,
        transcript_recipe=transcript,
        speech_recipe=speech,
        embedded_at=datetime.now(UTC),
    )


if __name__ == "__main__":
    main()
