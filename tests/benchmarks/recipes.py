"""Ways from a folder of videos to vectors, each a process of its own, models loaded first:

    python -m tests.benchmarks.recipes sequential|today|program|float FOLDER CLIP WHISPER [DEVICE]

`sequential` is the recipe that the project started from: openai-whisper, then OpenCV, which seeks
to one frame after another, and CLIP on one frame after another. `today` is what one would write now
from the libraries' own examples: faster-whisper's `transcribe` with its defaults, PyAV decoding the
video from start to end, CLIP frame by frame. `program` is a scan, of a store that is not quite new:
the texts that queries are judged by are encoded once for each store. `float` is one with Whisper's
weights as they are, which is how the first two use them. They print JSON.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

FRAMES = 5


def main() -> None:
    name, folder, clip, whisper, *device = sys.argv[1:]
    print(json.dumps(WAYS[name](Path(folder), Path(clip), Path(whisper), *device)))


def sequential(folder: Path, clip: Path, whisper: Path, device: str = "cpu") -> dict[str, Any]:
    import whisper as openai_whisper
    from faster_whisper.audio import decode_audio  # in place of the ffmpeg program: its library

    from tests.benchmarks.openai_weights import load

    model = load(whisper).to(device)

    def listen(path: Path) -> str:
        heard = openai_whisper.transcribe(model, decode_audio(str(path)), fp16=device != "cpu")
        return str(heard["text"]).strip()

    return in_turn(folder, listen, seek_frames, Clip(clip, device))


def today(folder: Path, clip: Path, whisper: Path, device: str = "cpu") -> dict[str, Any]:
    from faster_whisper import WhisperModel

    number = "float32" if device == "cpu" else "float16"
    model = WhisperModel(str(whisper), device=device, compute_type=number)

    def listen(path: Path) -> str:
        segments, _ = model.transcribe(str(path))
        return " ".join(segment.text.strip() for segment in segments)

    return in_turn(folder, listen, decode_frames, Clip(clip, device))


def program(
    folder: Path, clip: Path, whisper: Path, device: str = "cpu", *, weights: str = "auto"
) -> dict[str, Any]:
    from pipeline import config
    from pipeline.flow.flow import Flow
    from pipeline.flow.local import LocalEngine
    from pipeline.flow.progress import Report
    from pipeline.models import unrelated_texts
    from pipeline.models.devices import share_cores, usable_cores
    from pipeline.models.loaded import Models
    from pipeline.project import Project
    from tests.benchmarks.measure import ROOT

    with tempfile.TemporaryDirectory() as scratch:
        overrides = {
            "data.dir": str(folder), "store.uri": f"{scratch}/store", "device": device,
            "clip.model": f"local-dir:{clip}", "whisper.model": str(whisper),
            "whisper.weights": weights,
        }  # fmt: skip
        settings = config.load(ROOT / "config.toml", [f"{k}={v}" for k, v in overrides.items()])
        threads = share_cores(settings, gpu=device != "cpu", cores=usable_cores())
        report = Report()
        models = Models(settings, report.say, threads=threads.per_model, streams=threads.models)
        clip_encoder = models.clip()
        models.whisper()
        of_models = set(os.listdir("/proc/self/task")) - {str(os.getpid())}
        with Project.open_to_scan(settings) as project:
            unrelated = clip_encoder.encode_texts(unrelated_texts.TEXTS)
            note = unrelated_texts.note_of(project.recipe)
            project.store.set_note(note, unrelated_texts.pack(unrelated))
            flow = Flow(project, report, LocalEngine(settings, report.say, models=models))
            used, listening = process_time(), cpu_of(of_models)
            summary = flow.scan()
            cpu = process_time() - used
            stages = {name: asdict(times) for name, times in summary.stages.items()}
            in_models = cpu_of(of_models) - listening + stages["models"]["cpu"]
    return {
        "videos": summary.embedded,
        "failed": summary.failed,
        "seconds": summary.seconds,
        "cpu": cpu,
        "cpu_outside_models": cpu - in_models,
        "stages": stages,
    }


def cpu_of(threads: set[str]) -> float:
    """CPU seconds of threads of this process so far (Linux): Whisper's library has its own."""
    ticks = 0
    for thread in threads:
        fields = Path(f"/proc/self/task/{thread}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Spent:
    """Seconds by stage: `with spent("decode"): ...`"""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        began = perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + perf_counter() - began


def in_turn(
    folder: Path,
    listen: Callable[[Path], str],
    frames_of: Callable[[Path], list[np.ndarray]],
    see: Clip,
) -> dict[str, Any]:
    """One video after the other."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    spent, began, used = Spent(), perf_counter(), process_time()
    for path in paths:
        text = ""
        with spent("listen"), suppress(IndexError):  # what both raise where there is no sound
            text = listen(path)
        with spent("decode"):
            frames = frames_of(path)
        with spent("see"):
            see.frames(frames)
            see.text(text)
    return {
        "videos": len(paths),
        "failed": 0,
        "seconds": perf_counter() - began,
        "cpu": process_time() - used,
        "stages": {stage: {"busy": seconds} for stage, seconds in spent.seconds.items()},
    }


class Clip:
    """CLIP as its examples use it."""

    def __init__(self, folder: Path, device: str) -> None:
        import open_clip

        name = f"local-dir:{folder}"
        self._device = device
        made = open_clip.create_model_and_transforms(name, device=device)
        self._model, _, self._prepare = made
        self._model.eval()
        self._tokenize = open_clip.get_tokenizer(name)

    def frames(self, frames: list[np.ndarray]) -> Any:
        import torch
        from PIL import Image

        with torch.no_grad():
            pictures = [self._prepare(Image.fromarray(frame))[None] for frame in frames]
            encoded = [self._model.encode_image(each.to(self._device)) for each in pictures]
            return torch.cat(encoded).mean(dim=0).cpu()

    def text(self, text: str) -> Any:
        import torch

        with torch.no_grad():
            tokens = self._tokenize([text]).to(self._device)
            return self._model.encode_text(tokens).cpu() if text else None


def seek_frames(path: Path) -> list[np.ndarray]:
    import cv2

    capture = cv2.VideoCapture(str(path))
    total = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    frames = []
    for index in np.linspace(0, total - 1, FRAMES, dtype=int):
        capture.set(cv2.CAP_PROP_POS_FRAMES, int(index))
        there_is_one, bgr = capture.read()
        if there_is_one:
            frames.append(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
    return frames


def decode_frames(path: Path) -> list[np.ndarray]:
    import av

    with av.open(str(path)) as container:
        total = container.streams.video[0].frames
        wanted = set(np.linspace(0, total - 1, FRAMES, dtype=int).tolist())
        return [
            frame.to_ndarray(format="rgb24")
            for index, frame in enumerate(container.decode(video=0))
            if index in wanted
        ]


Way = Callable[..., dict[str, Any]]
WAYS: dict[str, Way] = {
    "sequential": sequential,
    "today": today,
    "program": program,
    "float": partial(program, weights="float"),
}

if __name__ == "__main__":
    main()
