"""The models on a GPU give what they give on a CPU, whatever its memory holds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from faster_whisper.audio import decode_audio
from PIL import Image

from pipeline.models.clip import ClipEncoder
from pipeline.models.transcriber import Transcriber
from pipeline.speech import Span, SpeechWindow, Transcript
from store.arrays import unit_length
from tests.support.late import late
from tests.support.pictures import draw
from tests.support.program import ROOT
from tests.support.words import ASK_NOT, error_rate

torch = late("torch")

TEXTS = [
    "a red square",
    "two dogs in a park on a sunny day",
    "",
    "Ask not what your country can do.",
]
# Half precision has 11 bits; what all vectors have in common is taken away first.
NEAR = 1e-3
MANY = 2_000  # frames, of 600 kB each in float32


def encoder(folder: Path, device: str, **options: int) -> ClipEncoder:
    precision = "float32" if device == "cpu" else "float16"
    return ClipEncoder(f"local-dir:{folder}", "", device=device, precision=precision, **options)


def pixels(clip: ClipEncoder, count: int) -> np.ndarray:
    pictures = (Image.fromarray(draw(7 * seed, 320, 240, seed=seed)) for seed in range(count))
    return np.stack([clip.preprocess(picture) for picture in pictures])


def assert_near(some: np.ndarray, others: np.ndarray) -> None:
    mean = others.mean(axis=0)
    cosines = (unit_length(some - mean) * unit_length(others - mean)).sum(axis=1)
    assert (1 - cosines).max() < NEAR


@pytest.fixture
def little_memory() -> Iterator[None]:
    """At most 1 GB of the device for torch."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(1e9 / total)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


def test_half_precision_gives_the_vectors_of_float32(clip_dir: Path) -> None:
    on_cpu, on_gpu = encoder(clip_dir, "cpu"), encoder(clip_dir, "cuda")
    frames = pixels(on_cpu, 16)
    assert_near(on_gpu.encode_frames(frames), on_cpu.encode_frames(frames))
    assert_near(on_gpu.encode_texts(TEXTS), on_cpu.encode_texts(TEXTS))


def test_batches_keep_the_order_of_frames(clip_dir: Path) -> None:
    whole, few = encoder(clip_dir, "cuda"), encoder(clip_dir, "cuda", batch_frames=3)
    frames = pixels(whole, 16)
    assert_near(few.encode_frames(frames), whole.encode_frames(frames))


def test_a_batch_that_the_memory_does_not_hold_is_halved(
    clip_dir: Path, little_memory: None
) -> None:
    greedy, modest = (encoder(clip_dir, "cuda", batch_frames=size) for size in (MANY, 16))
    frames = np.resize(pixels(greedy, 16), (MANY, 224, 224, 3))
    with pytest.raises(torch.OutOfMemoryError):
        torch.empty(MANY * frames[0].size, dtype=torch.float32, device="cuda")
    assert_near(greedy.encode_frames(frames)[:16], modest.encode_frames(frames[:16]))


def test_whisper_hears_the_same_words(whisper_dir: Path, jfk_flac: Path) -> None:
    samples = (decode_audio(str(jfk_flac)) * 32767).astype(np.int16)
    window = SpeechWindow(samples, (Span(0, 0, len(samples)),))
    transcriber = Transcriber(
        str(whisper_dir), language="auto", full_windows=False, device="cuda", compute_type="float16"
    )
    [heard, again] = transcriber.transcribe([[window], [window]])
    assert isinstance(heard, Transcript)
    assert error_rate(heard.text, ASK_NOT) <= 1 / len(ASK_NOT.split())
    assert again == heard


LOSE_THE_DEVICE = """
import sys
import numpy, torch
from pipeline.models.clip import ClipEncoder

clip = ClipEncoder(f"local-dir:{sys.argv[1]}", "", device="cuda", precision="float16")
try:  # an index out of range on the device: after it CUDA refuses all that this process asks for
    torch.ones(3, device="cuda")[torch.tensor([10], device="cuda")].sum().item()
except RuntimeError:
    clip.encode_frames(numpy.zeros((1, 224, 224, 3), numpy.uint8))
"""


def test_a_device_that_is_lost_is_named_and_is_no_failure_of_a_video(clip_dir: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LOSE_THE_DEVICE, clip_dir],
        cwd=ROOT, capture_output=True, encoding="utf-8", timeout=120, check=False,
    )  # fmt: skip
    assert "ModelError: device cuda: it answers no more: " in ended.stderr
