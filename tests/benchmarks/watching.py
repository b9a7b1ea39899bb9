"""Does a watch that goes on for long stay as it was? `python -m tests.benchmarks.watching`

Thousands of small videos land in one watch process, in floods of a hundred, every twentieth
with 11 s of speech; light models (a CLIP of two layers, Whisper base). After
each tenth part: resident memory, threads, open files and CPU time of the process, and the store's
size. Goals: at the end no more threads and open files than half way, and at most 5% more memory
than after the first part. (The store's library starts threads of its pool up to the first upkeep.)
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from store.table.store import Store
from tests.benchmarks.measure import ROOT, publish
from tests.support.media import make, make_video
from tests.support.models import clip_folder, whisper_base
from tests.support.projects import UserProject, distinct_copy, eventually

PARTS = 10
FLOOD = 100
SPOKEN_EVERY = 20
GROWTH = 1.05
PATIENCE = 1800.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        publish("watching", measure(Path(folder), options.videos))


def measure(folder: Path, count: int) -> list[dict[str, Any]]:
    """Rows of the table: the process after each part."""
    silent, spoken = folder / "silent.mp4", make(folder, "late_start.mp4")
    make_video(silent, seconds=2, fps=10, width=128, height=96)
    project = UserProject.make(
        folder / "project", clip=clip_folder("small"), whisper=whisper_base()
    )
    with (folder / "log").open("w") as log:
        watch = subprocess.Popen(
            [sys.executable, "run.py", "--config", str(project.config), "watch"],
            cwd=ROOT, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        eventually(lambda: "on disk = " in (folder / "log").read_text())
        rows = []
        for part in range(PARTS):
            began = time.perf_counter()
            for number in range(part * count // PARTS, (part + 1) * count // PARTS):
                clip = spoken if number % SPOKEN_EVERY == 0 else silent
                distinct_copy(clip, project.videos / f"{number:05}.mp4", number)
                if number % FLOOD == FLOOD - 1:
                    settle(project, number + 1)
            settle(project, (part + 1) * count // PARTS)
            rows.append(state(watch.pid, project) | {"seconds": time.perf_counter() - began})
        watch.send_signal(signal.SIGINT)
        assert watch.wait(120) == 0, (folder / "log").read_text()
    finally:
        watch.kill()
        watch.wait()
    return [*rows, verdict(rows[0], rows[PARTS // 2 - 1], rows[-1])]


def settle(project: UserProject, count: int) -> None:
    """Wait until the store has so many rows."""

    def rows() -> int:
        with Store.open(str(project.store)) as store:
            return store.facts().rows

    eventually(lambda: rows() == count, within=PATIENCE, pause=0.5)


def state(pid: int, project: UserProject) -> dict[str, Any]:
    process = psutil.Process(pid)
    used = process.cpu_times()
    files = [entry for entry in project.store.rglob("*") if entry.is_file()]
    with Store.open(str(project.store)) as store:
        rows = store.facts().rows
    return {
        "videos": rows,
        "memory MB": process.memory_info().rss / 1e6,
        "threads": process.num_threads(),
        "open files": process.num_fds(),
        "CPU s": used.user + used.system,
        "store files": len(files),
        "store MB": sum(os.path.getsize(file) for file in files) / 1e6,
    }


def verdict(first: dict[str, Any], half: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
    """The last row: is it as flat as it should be?"""

    def said(name: str, most: float) -> str:
        return "flat" if last[name] <= most else "GROWS"

    flat = {name: said(name, half[name]) for name in ("threads", "open files")}
    words = dict.fromkeys(last, "") | {"videos": "goal"} | flat
    return words | {"memory MB": said("memory MB", GROWTH * first["memory MB"])}


if __name__ == "__main__":
    main()
