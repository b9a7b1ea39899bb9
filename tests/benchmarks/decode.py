"""What it costs to get 5 frames, and the sound, from a clip: against seeking with OpenCV, and
against decoding everything with PyAV.

    python -m tests.benchmarks.decode [--clip FOLDER] [--runs N]

CPU milliseconds of one thread up to RGB pictures in memory, medians; the sides take turns. Clips
are made on the spot (tests/benchmarks/phone.py), and the real ones of the folder that MEDIA_DIR
names are taken by codec, with the number of those of which OpenCV gives other pictures than the
exact ones, or misses some (`wrong`). `needed` is what cannot be left out by what h264 says of a
frame, decoded alone: keyframes, and what follows on them up to each frame and is referred to.

`--clip` names a folder of CLIP weights for open_clip, to tell how far the vectors of keyframes
differ from those of exact frames. By default it is the tests' CLIP with random weights, whose
figures tell little.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import av
import cv2
import numpy as np

from pipeline.decode.sampling import frame_indices, plan_seeks
from pipeline.decode.video import read_video
from pipeline.errors import Stage, VideoError
from tests.benchmarks.measure import ROOT, publish
from tests.benchmarks.phone import Phone
from tests.support.models import clip_folder

N = 5
MADE = (
    Phone(),
    Phone(keyframe_interval=250),
    Phone(keyframe_interval=250, fps=30),
    Phone(keyframe_interval=250, b_frames=0),
    Phone(width=540, height=960),
    Phone(width=540, height=960, keyframe_interval=250),
)
GOALS = {25: 0.10, 250: 0.50}  # exact over whole, by frames from one keyframe to the next
KEYFRAMES_GOAL = 0.05
SMALL, CLOSE = 32, 3.0  # pixels, grey levels: to tell OpenCV's frames from others of the video
NOTHING = np.zeros((1, 1, 3), np.uint8)

ours = partial(read_video, n_frames=N, prepare=lambda _: NOTHING, max_megapixels=100.0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clip", type=Path, help="a folder of CLIP weights for open_clip")
    parser.add_argument("--runs", type=int, default=3)
    flags = parser.parse_args()
    cv2.setNumThreads(1)
    made = [measure_made(clip, flags.runs) for clip in MADE]
    publish("decode", [row for row, _ in made])
    publish("decode_goals", [goal for _, goals in made for goal in goals])
    real = list(real_clips())
    if real:
        publish("decode_codecs", measure_codecs(real, flags.runs))
    publish("decode_vectors", [measure_vectors(flags.clip, real)])


# Made clips


def measure_made(clip: Phone, runs: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The figures of one clip, and its goals beside what was reached."""
    path = clip.path()
    cost = costs(path, runs, sound=True)
    whole = cost["whole"]
    shares = {f"{side}/whole": cost[side] / whole for side in ("exact", "keyframes")}
    shares |= {"exact/opencv": cost["exact"] / cost["opencv"]}
    milliseconds = {f"{side}_ms": 1e3 * seconds for side, seconds in cost.items()}
    row = {"clip": clip.name, **milliseconds, **shares, "needed/whole": needed(path) / whole}
    goals = {"exact/opencv": 1.0}
    if (clip.width, clip.b_frames > 0) == (1080, True):
        goals |= {"exact/whole": GOALS[clip.keyframe_interval], "keyframes/whole": KEYFRAMES_GOAL}
    return row, [
        {
            "clip": clip.name,
            "figure": name,
            "value": shares[name],
            "at most": goal,
            "reached": shares[name] <= goal,
        }
        for name, goal in goals.items()
    ]


def costs(path: Path, runs: int, *, sound: bool = False) -> dict[str, float]:
    """CPU seconds of each side."""
    sides: dict[str, Callable[[], object]] = {
        "whole": lambda: decode_everything(path),
        "opencv": lambda: seek_with_opencv(path),
        "exact": lambda: ours(path, want_sound=False),
        "keyframes": lambda: ours(path, want_sound=False, at_keyframes=True),
    }
    if sound:
        sides["exact+sound"] = lambda: ours(path, want_sound=True)
    taken: dict[str, list[float]] = defaultdict(list)
    for _ in range(runs):
        for name, work in sides.items():
            taken[name].append(cpu_seconds(work))
    return {name: median(taken[name]) for name in sides}


def cpu_seconds(work: Callable[[], object]) -> float:
    began = process_time()
    work()
    return process_time() - began


def decode_everything(path: Path) -> None:
    """In order; `N` of the frames become RGB, as nearly as the file tells their number."""
    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams.video[0]
        stream.thread_count, stream.thread_type = 1, "NONE"
        wanted = set(frame_indices(max(stream.frames, 1), N))
        frames = enumerate(f for packet in container.demux(stream) for f in decoded(packet))
        for index, frame in frames:
            if index in wanted:
                frame.to_ndarray(format="rgb24", threads=1)


def decoded(packet: Any) -> list[Any]:
    try:
        return list(packet.decode())
    except av.error.FFmpegError:
        return []


def seek_with_opencv(path: Path) -> list[np.ndarray | None]:
    """As the seed's program did: BGR pictures, None for one that it does not get."""
    options = [cv2.CAP_PROP_N_THREADS, 1]
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, options)
    total = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    pictures: list[np.ndarray | None] = []
    for index in np.linspace(0, max(total - 1, 0), N, dtype=int):
        capture.set(cv2.CAP_PROP_POS_FRAMES, int(index))
        pictures.append(capture.read()[1])
    capture.release()
    return pictures


def needed(path: Path) -> float:
    """CPU seconds of decoding what the frames cannot do without, from an mp4 of h264."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_count, stream.thread_type = 1, "NONE"
        found = [packet for packet in container.demux(stream) if packet.size]
        shown = sorted(packet.pts or 0 for packet in found)
        starts = sorted(packet.pts or 0 for packet in found if packet.is_keyframe)
        targets = [shown[i] for i in frame_indices(len(shown), N)]
        order = {packet.pts: i for i, packet in enumerate(found)}
        total = 0.0
        for seek in plan_seeks(targets, starts):
            stream.codec_context.flush_buffers()
            last = max(order[target] for target in seek.targets)
            for packet in found[order[seek.keyframe] : last + 1]:
                if packet.pts in seek.targets or is_referred_to(bytes(packet)):
                    total += cpu_seconds(partial(decoded, packet))
    return total


def is_referred_to(data: bytes) -> bool:
    """By `nal_ref_idc` (ITU-T H.264, 7.4.1) of the first slice; lengths are four bytes in mp4."""
    at = 0
    while data[at + 4] & 31 not in (1, 5):
        at += 4 + int.from_bytes(data[at : at + 4], "big")
    return bool(data[at + 4] & 0x60)


# Real clips


def real_clips() -> Iterator[tuple[str, Path]]:
    """Codec and place of each, where there is a folder of them."""
    folder = Path(os.environ.get("MEDIA_DIR") or ROOT.parent / "shared" / "media")
    manifest = folder / "manifest.jsonl"
    if manifest.exists():
        for entry in map(json.loads, manifest.read_text(encoding="utf-8").splitlines()):
            if entry["kind"] == "video" and "vcodec" in entry:
                yield entry["vcodec"], folder / entry["path"]


def measure_codecs(clips: Sequence[tuple[str, Path]], runs: int) -> list[dict[str, Any]]:
    by_codec: dict[str, list[Path]] = defaultdict(list)
    for codec, path in clips:
        by_codec[codec].append(path)
    return [measure_codec(codec, paths, runs) for codec, paths in sorted(by_codec.items())]


def measure_codec(codec: str, paths: Sequence[Path], runs: int) -> dict[str, Any]:
    """Sums over the clips; beside OpenCV only those of which it gets a frame, be it a wrong one."""
    cost = {path: costs(path, runs) for path in paths}
    pictures = {path: seek_with_opencv(path) for path in paths}
    both = [path for path in paths if any(picture is not None for picture in pictures[path])]
    total = lambda side, of=paths: 1e3 * sum(cost[path][side] for path in of)  # noqa: E731
    over = {path: cost[path]["exact"] / cost[path]["opencv"] for path in both}
    worst = max(over, key=lambda path: over[path], default=None)
    return {
        "codec": codec,
        "clips": len(paths),
        "whole_ms": total("whole"),
        "exact_ms": total("exact"),
        "keyframes_ms": total("keyframes"),
        "read by opencv": len(both),
        "wrong": sum(not are_exact(path, pictures[path]) for path in both),
        "opencv_ms": total("opencv", both),
        "exact/opencv": total("exact", both) / total("opencv", both) if both else "",
        "goal": 1 if both else "",
        "reached": total("exact", both) <= total("opencv", both) if both else "",
        "clips above": sum(ratio > 1 for ratio in over.values()),
        "worst of them": f"{over[worst]:.2f} {worst.name}" if worst and over[worst] > 1 else "",
    }


def are_exact(path: Path, pictures: Sequence[np.ndarray | None]) -> bool:
    """Whether pictures look like the exact frames; colours may be rounded otherwise."""
    small = lambda rgb: cv2.resize(rgb, (SMALL, SMALL), interpolation=cv2.INTER_AREA)  # noqa: E731
    contents = ours(path, want_sound=False, prepare=lambda image: small(np.asarray(image)))
    assert contents.frames is not None
    return all(
        picture is not None
        and np.abs(small(picture[..., ::-1].copy()) - exact.astype(float)).mean() < CLOSE
        for picture, exact in zip(pictures, contents.frames.pixels, strict=True)
    )


# Vectors


def measure_vectors(folder: Path | None, clips: Sequence[tuple[str, Path]]) -> dict[str, Any]:
    """Cosines between the visual vectors of a clip by exact frames and by keyframes; and, to
    measure those by, between those of different clips."""
    from pipeline.models.clip import ClipEncoder
    from store.arrays import unit_length

    named = folder or clip_folder("base")
    encoder = ClipEncoder(f"local-dir:{named}", "", device="cpu", precision="float32")
    paths = [path for _, path in clips] or [clip.path() for clip in MADE]
    exact, keyframes = [], []
    for path in paths:
        pair = [
            both_kinds(path, at_keyframes, encoder.preprocess) for at_keyframes in (False, True)
        ]
        first, second = (unit_length(encoder.encode_frames(pixels).mean(axis=0)) for pixels in pair)
        exact.append(first)
        keyframes.append(second)
    same = np.sum(np.array(exact) * np.array(keyframes), axis=1)
    others = (np.array(exact) @ np.array(exact).T)[~np.eye(len(exact), dtype=bool)]
    return {
        "weights": str(folder) if folder else "random",
        "clips": len(paths),
        "median cosine": float(np.median(same)),
        "10th percentile": float(np.percentile(same, 10)),
        "least": float(same.min()),
        "of different clips, median": float(np.median(others)),
        "of the most alike, 99th percentile": float(np.percentile(others, 99)),
    }


def both_kinds(path: Path, at_keyframes: bool, prepare: Callable[..., np.ndarray]) -> np.ndarray:
    contents = ours(path, want_sound=False, prepare=prepare, at_keyframes=at_keyframes)
    if contents.frames is None:
        raise VideoError(Stage.DECODE, f"{path}: no frames")
    return contents.frames.pixels


if __name__ == "__main__":
    main()
