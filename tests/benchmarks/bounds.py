"""What bounds a scan on a CPU, and how near to that it comes.

    python -m tests.benchmarks.bounds [--of real,speech,phone]

The clips of the end-to-end benchmark, one part of the recipe after the other on one core, each over
all clips at once, with nothing else to do and nobody to wait for. A scan cannot be faster than
the sum of that on all cores. Beside it what the processor would need for the same work if it did
nothing but multiply matrices as fast as it multiplies large ones, of float32 or of the 8 bits that
Whisper's weights have, and read weights as fast as it reads a large array: the rest is the
libraries'.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest.mock import patch

import numpy as np

from pipeline.decode import audio, frames
from pipeline.decode.video import Contents, read_video
from pipeline.models.clip import ClipEncoder
from pipeline.models.transcriber import Transcriber
from pipeline.models.vad import find_speech
from tests.benchmarks.end_to_end import COLLECTIONS, CORES
from tests.benchmarks.measure import publish, run
from tests.support.models import clip_folder, whisper_base

FRAMES = 5
BATCH_FRAMES = 40
MEASURE_SECONDS = 2.0
MATRIX, ARRAY = 2048, 50_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--of", default="real,speech,phone", help="collections, commas between")
    names = parser.parse_args().of.split(",")
    core = Core.measured()
    print(
        f"one core, 10^9 a second: {core.flops / 1e9:.0f} operations in float32,"
        f" {core.small / 1e9:.0f} in 8 bits, {core.bytes / 1e9:.1f} bytes read"
    )
    rows = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            COLLECTIONS[name](Path(folder))
            rows += measure(name, Path(folder), core)
    publish("bounds", rows)


@dataclass(frozen=True)
class Core:
    """What one core does in a second at most: operations in float32 and in 8 bits, bytes read from
    memory."""

    flops: float
    small: float
    bytes: float

    @classmethod
    def measured(cls) -> Core:
        import torch

        torch.set_num_threads(1)
        a, b = torch.rand(MATRIX, MATRIX), torch.rand(MATRIX, MATRIX)
        c, d = (torch.randint(-127, 128, (MATRIX, MATRIX), dtype=torch.int8) for _ in range(2))
        layer = torch.ao.nn.quantized.dynamic.Linear(MATRIX, MATRIX)
        array = torch.rand(ARRAY)
        operations = 2 * MATRIX**3
        return cls(
            operations * _rate(lambda: torch.mm(a, b)),
            # The first is slow where there is but AVX2, the second knows no AMX.
            operations * max(_rate(lambda: torch._int_mm(c, d)), _rate(lambda: layer(a))),
            4 * ARRAY * _rate(array.sum),
        )

    def seconds(self, spent: Spent) -> float:
        """What that takes at least."""
        return spent.flops / self.flops + spent.small / self.small + spent.bytes / self.bytes


def _rate(work: Callable[[], Any]) -> float:
    """How often a second."""
    work()
    began, count = perf_counter(), 0
    while (spent := perf_counter() - began) < MEASURE_SECONDS or not count:
        work()
        count += 1
    return count / spent


@dataclass
class Spent:
    """Of one part: seconds, and the work that was in them."""

    seconds: float = 0.0
    flops: float = 0.0
    small: float = 0.0
    bytes: float = 0.0

    @contextmanager
    def __call__(self) -> Any:
        began = perf_counter()
        yield
        self.seconds += perf_counter() - began


@dataclass(eq=False)
class MeteredWhisper:
    """CTranslate2's Whisper, which notes what its encoder and decoder take.

    The work is that of matrix products alone: of each state of the encoder, and, in each step of
    the decoder, all weights, a byte each, and what each window's states have become, in float32.
    """

    model: Any
    width: int
    layers: int
    words: int
    encoder: Spent = field(default_factory=Spent)
    decoder: Spent = field(default_factory=Spent)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def encode(self, features: Any, to_cpu: bool = False) -> Any:
        count, bands, frames = features.shape
        n, d = frames // 2, self.width
        convolutions = 3 * bands * d * frames + 3 * d * d * n
        self.encoder.flops += 2 * count * (convolutions + self.layers * 2 * d * n * n)
        self.encoder.small += 2 * count * self.layers * 12 * d * d * n
        with self.encoder():
            return self.model.encode(features, to_cpu=to_cpu)

    def detect_language(self, states: Any) -> Any:
        self._note_steps(states, 1)
        with self.decoder():
            return self.model.detect_language(states)

    def generate(self, states: Any, *arguments: Any, **options: Any) -> Any:
        with self.decoder():
            results = self.model.generate(states, *arguments, **options)
        self._note_steps(states, 1 + max(len(result.sequences_ids[0]) for result in results))
        return results

    def _note_steps(self, states: Any, steps: int) -> None:
        count, n, d = states.shape
        weights = self.words * d + self.layers * 14 * d * d
        heard = self.layers * 2 * n * d * count
        self.decoder.bytes += steps * (weights + 4 * heard)
        self.decoder.small += 2 * heard * d  # once; that of a step is little


def measure(name: str, folder: Path, core: Core) -> list[dict[str, Any]]:
    paths = sorted(folder.iterdir())
    clip = ClipEncoder(
        f"local-dir:{clip_folder('base')}", "", device="cpu", precision="float32",
        batch_frames=BATCH_FRAMES, threads=1,
    )  # fmt: skip
    reading, pictures, sounds, voices, see = (Spent() for _ in range(5))
    with metered(frames, pictures), metered(audio, sounds), reading():
        contents = [read(path, clip) for path in paths]
    reading.seconds -= pictures.seconds + sounds.seconds
    with voices():
        windows = [find_speech(c.sound.samples, vad=True) if c.sound else () for c in contents]
    pixels = np.concatenate([each.frames.pixels for each in contents if each.frames])
    see.flops = flops_of(clip, pixels[:1]) * len(pixels)
    with see():
        clip.encode_frames(pixels)
    whisper = heard(windows)
    parts = {"FFmpeg's decoders, pictures": pictures, "FFmpeg's decoders, sound": sounds}
    parts |= {"the rest of reading": reading, "voices": voices}
    parts |= {"CLIP": see, "Whisper's encoder": whisper.encoder, "its words": whisper.decoder}
    return rows(name, len(paths), parts, scanned(folder), core)


@contextmanager
def metered(module: Any, spent: Spent) -> Iterator[None]:
    """What a module's calls of FFmpeg's decoders take."""
    decoded = module.decoded

    def timed(*arguments: Any) -> Any:
        with spent():
            return decoded(*arguments)

    with patch.object(module, "decoded", timed):
        yield


def read(path: Path, clip: ClipEncoder) -> Contents:
    return read_video(
        path, n_frames=FRAMES, want_sound=True, prepare=clip.preprocess, max_megapixels=100.0
    )


def flops_of(clip: ClipEncoder, pixels: np.ndarray) -> float:
    """float32 operations of the matrix products."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    torch.backends.mha.set_fastpath_enabled(False)  # it is not counted
    with FlopCounterMode(display=False) as counter:
        clip.encode_frames(pixels)
    torch.backends.mha.set_fastpath_enabled(True)
    return float(counter.get_total_flops())


def heard(windows: list[Any]) -> MeteredWhisper:
    folder = whisper_base()
    transcriber = Transcriber(str(folder), threads=1)
    whisper = transcriber._whisper
    words = len(json.loads((folder / "vocabulary.json").read_text(encoding="utf-8")))
    metered = MeteredWhisper(whisper._model, width=512, layers=6, words=words)  # Whisper base
    whisper._model = metered
    transcriber.transcribe(windows)
    return metered


def scanned(folder: Path) -> dict[str, Any]:
    """What a scan prints, in a process of its own."""
    models = (str(clip_folder("base")), str(whisper_base()))
    done = run(["-m", "tests.benchmarks.recipes", "program", str(folder), *models])
    printed: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return printed


def rows(
    name: str, videos: int, parts: dict[str, Spent], scan: dict[str, Any], core: Core
) -> list[dict[str, Any]]:
    """Seconds of one core a video; of a whole scan, those of the cores that it had."""
    made = []
    for part, spent in parts.items():
        arithmetic = core.seconds(spent) / videos
        made.append(_row(name, part, spent.seconds / videos, arithmetic or None))
    alone = sum(row["core_seconds"] for row in made)
    at_most = sum(row["arithmetic"] or row["core_seconds"] for row in made)
    return [
        *made,
        _row(name, "all of it, alone", alone, at_most),
        _row(name, "a scan", CORES * scan["seconds"] / videos, at_most),
    ]


def _row(name: str, part: str, seconds: float, arithmetic: float | None) -> dict[str, Any]:
    share = arithmetic / seconds if arithmetic else ""
    return {
        "collection": name,
        "part": part,
        "core_seconds": seconds,
        "arithmetic": arithmetic or "",
        "share": share,
    }


if __name__ == "__main__":
    main()
