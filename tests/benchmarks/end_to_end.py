"""Videos per second of a scan, against the same recipe one video at a time.

    python -m tests.benchmarks.end_to_end [--runs 3] [--of real,speech,phone]

Each way (see recipes.py) is a process of its own, runs over the same folder with the same weights
(CLIP with random ones: they take as long as others), one way after the other and round again; the
medians count. Loading the models is not part of it. Collections:

- real: 24 clips of 3 to 40 s from the media folder: half of them speech, a third music and noise,
  the rest without sound.
- speech: the half of them in which somebody speaks clearly.
- phone: made 1080x1920 clips of 5 to 60 s, 250 frames from keyframe to keyframe, half with speech.

Goals: real 8 times as fast as `sequential` and 4 times `today`; speech 4 and 2.2; phone 3 and 2; on
the real clips at most 15% of the CPU time outside the models, and 95% of the cores' time used. That
share is told for Whisper's weights as they are, too (`float`): in 8 bits, as a scan takes them by
default on a CPU, they need half the time, and what is around them has a larger share of less.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from pipeline.models.devices import usable_cores
from tests.benchmarks.measure import publish, run
from tests.benchmarks.phone import Phone
from tests.benchmarks.recipes import WAYS
from tests.benchmarks.recordings import entries, media_folder
from tests.support.models import clip_folder, whisper_base
from tests.support.projects import distinct_copy

SUFFIXES = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"}
COUNTS = {"clear": 12, "none": 9, "no audio": 4}  # 11 of the first kind are there
PHONE_SECONDS = (5, 10, 15, 30, 45, 60)
GOALS = {"real": (8.0, 4.0), "speech": (4.0, 2.2), "phone": (3.0, 2.0)}
CORES = usable_cores()
MOST_OUTSIDE_MODELS, LEAST_USED = 0.15, 0.95


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--of", default=",".join(GOALS), help="collections, with commas between")
    options = parser.parse_args()
    rows, stages = [], []
    for name in options.of.split(","):
        with tempfile.TemporaryDirectory() as folder:
            COLLECTIONS[name](Path(folder))
            results = measure(Path(folder), options.runs)
        rows += [row(name, way, results) for way in WAYS]
        for way in ("program", "float"):
            of = {"collection": name, "way": way}
            stages += [{**of, **stage} for stage in stage_rows(results[way])]
    publish("end_to_end", rows)
    publish("end_to_end_stages", stages)


def measure(folder: Path, runs: int) -> dict[str, list[dict[str, Any]]]:
    """What each way printed, each time; in turns."""
    models = (str(clip_folder("base")), str(whisper_base()))
    printed: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for _ in range(runs):
        for way in WAYS:
            done = run(["-m", "tests.benchmarks.recipes", way, str(folder), *models])
            printed[way].append(json.loads(done.stdout.splitlines()[-1]))
    return printed


def row(collection: str, way: str, results: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """A row of the table, with how much faster the program is, by the clock and by CPU."""
    mine, program = middle(results[way]), middle(results["program"])
    assert not mine["failed"], mine
    times = mine["seconds"] / program["seconds"]
    goal = dict(zip(("sequential", "today"), GOALS[collection], strict=True)).get(way)
    return {
        "collection": collection,
        "way": way,
        "videos": mine["videos"],
        "seconds_each": mine["seconds"] / mine["videos"],
        "cpu_each": mine["cpu"] / mine["videos"],
        "program_is_faster": times,
        "by_cpu": mine["cpu"] / program["cpu"],
        "goal": f"{goal:g}: {'reached' if times >= goal else 'NOT REACHED'}" if goal else "",
    }


def middle(results: list[dict[str, Any]]) -> dict[str, Any]:
    """The run with the median time."""
    return sorted(results, key=lambda each: each["seconds"])[len(results) // 2]


def stage_rows(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where the program's time went; at last the share outside the models and of the cores used."""
    one = middle(results)
    rows = [
        {"stage": stage, **{key: value for key, value in times.items() if key != "takes"}}
        | {"queued": times["queued"] / times["takes"] if times["takes"] else 0.0}
        for stage, times in one["stages"].items()
    ]
    empty = dict.fromkeys(rows[0], "")
    outside = median(each["cpu_outside_models"] / each["cpu"] for each in results)
    used = median(each["cpu"] / (CORES * each["seconds"]) for each in results)
    return [
        *rows,
        empty | {"stage": f"outside the models, goal {MOST_OUTSIDE_MODELS:g}", "cpu": outside},
        empty | {"stage": f"of the cores used, goal {LEAST_USED:g}", "cpu": used},
    ]


def real(folder: Path) -> None:
    """Clips of all kinds of sound; where too few are clear, doubtful speech fills them up."""
    for path in chosen(COUNTS):
        shutil.copy(path, folder / path.name)


def speech(folder: Path) -> None:
    for path in chosen({"clear": COUNTS["clear"]}, doubtful=False):
        shutil.copy(path, folder / path.name)


def chosen(counts: dict[str, int], *, doubtful: bool = True) -> list[Path]:
    source = media_folder()
    if source is None:
        raise SystemExit("there is no folder of real media: set MEDIA_DIR, or --of phone")
    fitting = [
        e for e in entries(source)
        if e["kind"] == "video" and e.get("vcodec") and 3 <= float(str(e["duration"])) <= 40
        and Path(str(e["path"])).suffix in SUFFIXES
    ]  # fmt: skip
    paths: list[Path] = []
    for kind, count in counts.items():
        kinds = [kind, "doubtful"] if kind == "clear" and doubtful else [kind]
        same = [e for wanted in kinds for e in fitting if e.get("speech") == wanted]
        paths += [source / str(e["path"]) for e in same[:count]]
    return paths


def phone(folder: Path) -> None:
    """One in two with speech, the others with music or silence."""
    for number, seconds in enumerate(PHONE_SECONDS * 2):
        sound = "speech" if number % 2 else ("music", "silence")[number // 2 % 2]
        made = Phone(seconds=seconds, fps=30, keyframe_interval=250, sound=sound).path()
        distinct_copy(made, folder / f"{number:02}.mp4", number)


COLLECTIONS: dict[str, Callable[[Path], None]] = {"real": real, "speech": speech, "phone": phone}

if __name__ == "__main__":
    main()
