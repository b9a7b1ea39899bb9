"""What a cluster costs and brings. `python -m tests.benchmarks.cluster [--of overhead,nodes,...]`

- overhead: 24 real clips, models loaded and actors started before: threads of this process against
  a cluster of this machine alone, in turns. Goal: at most 10% slower.
- decoding: CPU seconds of the decode stage, for real clips and for one as a phone makes them.
- nodes: videos whose stages sleep, on 1, 2 and 4 logical nodes of this machine. Goals: 1.9 and 3.5
  times as many videos a second as on one.
- killed: the same on two nodes, of which one is killed in the middle. Goal: at most 10 s lost.
- memory: 20,000 videos that take no time: the driver's memory after 2,000 and at the end. Goal: at
  most 5% more.

Nothing may be spilled to disk in any of them.

On paper: ten machines with a GPU each and ten million clips
------------------------------------------------------------
A GPU such as an RTX 3080 does 52 videos a second with both models (tests/benchmarks/simulation.py),
ten of them 520. Decoding a real clip takes 0.08 s of a core (README.md here), and one of 30 s of
1080x1920, with a keyframe a second, 4.4 times as much (`decoding`, both in one run), 0.36 s: a GPU
wants four cores for it, or 19. Ten million clips then take 10^7 / 520 s: 5.3 hours; with all on one
such machine, two days.

What bounds it, in this order:

- The GPUs, as long as each has its four (19) cores.
- The files: 520 clips of 5 MB are 2.6 GB/s, more than one file server with 10 Gbit/s (1.2 GB/s, 240
  clips a second, 11.6 hours). Each file is read once for its hash and, warm, once to be decoded.
- Frames stay on the node that decoded them where its own embedder takes them; else they are 0.75 MB
  on the network: 390 MB/s at most for 520 videos, a third of a 10 Gbit/s link, spread over ten.
- The driver: three calls of Ray a video, in one process. With stages that take no time and on two
  cores that the workers share it did 82 to 135 videos a second (`memory`): a fifth of what ten GPUs
  want. What it bears on cores of its own has to be measured there; until then it is what may bound
  ten machines first, and two drivers on halves of the collection, each with a store of its own, are
  the way around it.
- The writer: 5,700 rows a second in bulk, ten times what ten GPUs make. Rows of ten million videos
  take 200 GB; compaction rewrites a table below a million rows and only adds above.
- Claims and catalog: 0.4 kB a row in the driver, 4 GB for ten million.
"""

# ruff: noqa: E402 - the memory of threads is arranged before anything starts one

from __future__ import annotations

from store import memory as heap

heap.share_heap()  # as `scan` does

import argparse
import os
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import monotonic, process_time
from typing import Any

import psutil

from pipeline import config
from pipeline.cluster.engine import open_engine
from pipeline.cluster.session import ray_session
from pipeline.flow.engine import Engine
from pipeline.flow.flow import Flow
from pipeline.flow.local import LocalEngine
from pipeline.models.loaded import Models
from pipeline.outcomes import Outcome
from pipeline.project import Project
from pipeline.records import DecodedVideo, Task, VideoFile
from pipeline.settings import Settings
from pipeline.stages.decode import Decoder
from pipeline.stages.read import decode_file, hash_file
from tests.benchmarks import sleeping
from tests.benchmarks.measure import ROOT, publish
from tests.support.flows import Tally
from tests.support.models import clip_folder, whisper_base

MOST_OVERHEAD, MOST_LOST_SECONDS, MOST_GROWTH = 0.10, 10.0, 0.05
LEAST_TIMES = {1: 1.0, 2: 1.9, 4: 3.5}
NODE = {"num_cpus": 4, "object_store_memory": 200 << 20, "include_dashboard": False}
TOKEN = secrets.token_hex(32)  # Ray reads it once in a process
FIRST = 2_000  # videos after which memory is looked at first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--of", default=",".join(MEASURES))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--videos", type=int, default=20_000, help="of memory")
    options = parser.parse_args()
    for name in options.of.split(","):
        with tempfile.TemporaryDirectory(prefix="vv-bench-") as folder, alone(Path(folder)):
            rows = MEASURES[name](Path(folder), options)
            spilled = [f for f in Path(folder).rglob("ray_spilled_objects*/*") if f.is_file()]
        publish(f"cluster_{name}", [row | {"spilled": len(spilled)} for row in rows])


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Ray's folders in this one, a token, and no other machine."""
    values = {
        "TMPDIR": str(folder), "RAY_TMPDIR": str(folder), "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": TOKEN, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }  # fmt: skip
    (folder / "ray").mkdir()
    os.environ.update(values)
    yield


class Times(Tally):
    """When each file came to its end."""

    def __init__(self, at: Callable[[int], None] = lambda _: None) -> None:
        super().__init__()
        self.moments: list[float] = []
        self._at = at

    def record(self, outcome: Outcome, path: str, stage: str = "", reason: str = "") -> None:
        super().record(outcome, path, stage, reason)
        self.moments.append(monotonic())
        self._at(len(self.moments))


def settings_of(videos: Path, store: Path, *overrides: str, clip: str = "small") -> Settings:
    values = {
        "data.dir": str(videos), "store.uri": str(store), "device": "cpu",
        "clip.model": f"local-dir:{clip_folder(clip)}",
        "whisper.model": str(whisper_base()),
    }  # fmt: skip
    flags = [f"{key}={value}" for key, value in values.items()]
    return config.load(ROOT / "config.toml", [*flags, *overrides])


def scan(settings: Settings, engine: Engine, report: Times) -> float:
    """Seconds of a scan."""
    with Project.open_to_scan(settings) as project:
        summary = Flow(project, report, engine).scan()
    assert not summary.failed
    return summary.seconds


def overhead(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Threads against actors; an engine that has scanned a clip has everything loaded."""
    from tests.benchmarks.end_to_end import COUNTS, chosen
    from tests.support.projects import put

    for clip in chosen(COUNTS):
        put(clip, folder / "videos" / clip.name)
    put(max((folder / "videos").iterdir(), key=os.path.getsize), folder / "first" / "a.mp4")
    seconds: dict[str, list[float]] = {"local": [], "ray": []}
    cpu: dict[str, list[float]] = {"local": [], "ray": []}
    settings = settings_of(folder / "videos", folder / "store", clip="base")
    with ray_session(settings) as ray:
        local = LocalEngine(settings, print)
        engines = {"local": local, "ray": open_engine(ray, settings, folder / "videos", print)}
        for name, engine in engines.items():
            scan(
                settings_of(folder / "first", folder / f"first-{name}", clip="base"),
                engine,
                Times(),
            )
        for number in range(options.runs):
            for name, engine in engines.items():
                each = settings_of(folder / "videos", folder / f"{name}-{number}", clip="base")
                began = cpu_seconds()
                seconds[name].append(scan(each, engine, Times()))
                cpu[name].append(cpu_seconds() - began)
    more = median(seconds["ray"]) / median(seconds["local"]) - 1
    told = f"{MOST_OVERHEAD:.0%}: {'reached' if more <= MOST_OVERHEAD else 'NOT REACHED'}"
    return [
        {
            "engine": name,
            "seconds": median(each),
            "all": [round(one, 1) for one in each],
            "cpu_seconds": median(cpu[name]),
            "goal": told,
        }
        for name, each in seconds.items()
    ]


def cpu_seconds() -> float:
    """Of this process and all that it started."""
    own = psutil.Process()
    times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def decoding(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """CPU seconds that it takes to hash and decode a clip, on one core after the other."""
    from tests.benchmarks.end_to_end import COUNTS, chosen
    from tests.benchmarks.phone import Phone

    settings = settings_of(folder, folder, clip="base")
    decoder = Decoder(settings, Models(settings, print).preprocess())
    phone = Phone(fps=30, keyframe_interval=30, sound="speech")  # 30 s of 1080x1920
    kinds = {"real": chosen(COUNTS), "phone": [phone.path()]}
    rows = []
    for kind, clips in kinds.items():
        read(decoder, clips[0])  # what is loaded once
        began = process_time()
        for clip in clips * options.runs:
            read(decoder, clip)
        each = (process_time() - began) / len(clips) / options.runs
        rows.append({"clips": kind, "number": len(clips), "cpu_seconds_each": each})
    return rows


def read(decoder: Decoder, clip: Path) -> None:
    facts = clip.stat()
    file = VideoFile(clip.name, clip, facts.st_size, facts.st_mtime_ns)
    digest = hash_file(file, lambda: None)
    assert isinstance(digest, str)
    made = decode_file(decoder, Task(file, digest), None, lambda: None)
    assert isinstance(made, DecodedVideo), made


def nodes(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    sleeping.act(0.1, 0.025)
    videos = sleeping.make_files(folder / "videos", 300)
    rows: list[dict[str, Any]] = []
    for count in LEAST_TIMES:
        with cluster(count) as started:
            report = Times()
            run_on(started, videos, folder / f"store-{count}", count, report)
        rate = steady_rate(report.moments)
        times = rate / rows[0]["videos_per_second"] if rows else 1.0
        goal = LEAST_TIMES[count]
        reached = "reached" if times >= goal else "NOT REACHED"
        rows.append(
            {
                "nodes": count,
                "videos_per_second": rate,
                "times": times,
                "goal": f"{goal}: {reached}",
            }
        )
    return rows


def killed(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Seconds more than it would take if the other node had done the rest at its pace."""
    sleeping.act(0.1, 0.025)
    videos = sleeping.make_files(folder / "videos", 600)
    moment: list[float] = []
    with cluster(1) as started:

        def kill() -> None:
            (second,) = started.worker_nodes
            moment.append(monotonic())
            started.remove_node(second, allow_graceful=False)

        def at(done: int) -> None:
            if done == 200:
                threading.Thread(target=kill).start()

        report = Times(at)
        run_on(started, videos, folder / "store", 2, report, joining=1)
    before = [each for each in report.moments if each <= moment[0]]
    rate = steady_rate(before) / 2
    ideal = (len(report.moments) - len(before)) / rate
    lost = report.moments[-1] - moment[0] - ideal
    reached = "reached" if lost <= MOST_LOST_SECONDS else "NOT REACHED"
    return [{"videos": len(report.moments), "lost_seconds": lost, "goal": f"10 s: {reached}"}]


def memory(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    sleeping.act(0.0, 0.0)
    videos = sleeping.make_files(folder / "videos", options.videos)
    seen: dict[int, float] = {}

    def at(done: int) -> None:
        if done in (FIRST, options.videos):
            seen[done] = psutil.Process().memory_info().rss / 1e6

    with cluster(1) as started:
        report = Times(at)
        run_on(started, videos, folder / "store", 1, report)
    growth = seen[options.videos] / seen[FIRST] - 1
    reached = "reached" if growth <= MOST_GROWTH else "NOT REACHED"
    return [
        {
            "videos": options.videos,
            "videos_per_second": steady_rate(report.moments),
            "mb_first": seen[FIRST],
            "mb_last": seen[options.videos],
            "goal": f"{MOST_GROWTH:.0%}: {reached}",
        }
    ]


def steady_rate(moments: list[float]) -> float:
    """Videos a second without the start, when what was decoded ahead is embedded, and the end."""
    first, last = 2 * len(moments) // 5, 4 * len(moments) // 5
    return (last - first) / (moments[last] - moments[first])


@contextmanager
def cluster(count: int) -> Iterator[Any]:
    """So many nodes, of four logical cores each, on this machine."""
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args=NODE)
    for _ in range(count - 1):
        started.add_node(**NODE)
    yield started
    started.shutdown()


def run_on(
    started: Any, videos: Path, store: Path, count: int, report: Times, *, joining: int = 0
) -> None:
    """Scan on a cluster, with two decoders and an embedder a node.

    Nodes that join after this process are none that it depends on.
    """
    overrides = [f"ray.address={started.address}", f"ray.decoders={2 * count}"]
    settings = settings_of(videos, store, *overrides, "clip.batch_frames=20")
    with ray_session(settings) as ray:
        for _ in range(joining):
            started.add_node(**NODE)
        scan(settings, open_engine(ray, settings, videos, print), report)


MEASURES: dict[str, Callable[[Path, argparse.Namespace], list[dict[str, Any]]]] = {
    "overhead": overhead,
    "decoding": decoding,
    "nodes": nodes,
    "killed": killed,
    "memory": memory,
}

if __name__ == "__main__":
    main()
