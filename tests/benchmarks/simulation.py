"""Would the rest keep up with a GPU? `python -m tests.benchmarks.simulation [--videos 2000]`

A real scan of a folder of small files: listing, hashing, queues, threads, a real store. Only what
cannot be had here is acted: 16 decode threads sleep for as long as clips took to decode (measured
first, on this machine), and the models sleep for as long as published figures of a GPU say:

- CLIP ViT-B/32 on an RTX 3080: 1,500 pictures or texts a second (README of rom1504/clip-retrieval).
- Whisper on an RTX 3070 Ti, half precision, batches of 8: 13 minutes of audio in 17 s with large-v2
  (README of SYSTRAN/faster-whisper); base is 7 times as fast as large (README of openai/whisper).

Every second video has 10 s of speech. Goal: 50 videos a second, with these models (which by
themselves take no more than 52), and with models that take no time: what bounds the rest.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, process_time, sleep, thread_time
from typing import Any

import numpy as np

from pipeline import config
from pipeline.decode.video import read_video
from pipeline.flow import local
from pipeline.flow.flow import Flow
from pipeline.flow.progress import Report
from pipeline.models.vad import find_speech
from pipeline.project import Project
from pipeline.records import DecodedVideo, Frames, MediaFacts, Task
from pipeline.settings import Settings
from pipeline.speech import SAMPLE_RATE_HZ, Span, SpeechStatus, SpeechWindow, Transcript
from pipeline.stages.decode import Decoder
from store.schema import Segment
from tests.benchmarks.end_to_end import COUNTS, PHONE_SECONDS, chosen
from tests.benchmarks.measure import ROOT, publish
from tests.benchmarks.phone import Phone
from tests.benchmarks.recordings import media_folder
from tests.support.models import clip_folder, whisper_base

DECODE_THREADS = 16
CLIP_SECONDS = 1 / 1500
WHISPER_SECONDS = 17 / (13 * 60) / 7  # for a second of audio
SPOKEN_SECONDS = 10
D, FRAMES, SIDE = 512, 5, 224
GOAL = 50.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=2000)
    options = parser.parse_args()
    decode = [seconds_to_decode(path) for path in clips()]
    print(f"{len(decode)} clips took {np.mean(decode):.3f} s each to decode, on one core")
    with tempfile.TemporaryDirectory() as folder:
        videos = make_files(Path(folder) / "videos", options.videos)
        rows = [
            run(videos, Path(folder) / f"store-{gpu}", decode, gpu=gpu) for gpu in (True, False)
        ]
    publish("simulation", rows)


def clips() -> list[Path]:
    """The clips of the end-to-end benchmark."""
    phone = [Phone(seconds=seconds, fps=30, keyframe_interval=250) for seconds in PHONE_SECONDS]
    return chosen(COUNTS) if media_folder() else [each.path() for each in phone]


def seconds_to_decode(path: Path) -> float:
    """CPU seconds of the decode stage for a clip, voice detector included."""

    def decode() -> None:
        contents = read_video(
            path,
            n_frames=FRAMES,
            want_sound=True,
            prepare=pretend_prepare,
            max_megapixels=100.0,
        )
        if contents.sound is not None:
            find_speech(contents.sound.samples, vad=True)

    decode()  # once to load what it loads
    began = thread_time()
    decode()
    return thread_time() - began


def run(videos: Path, store_uri: Path, decode: Sequence[float], *, gpu: bool) -> dict[str, Any]:
    settings = load(str(videos), str(store_uri))
    vars(local)["Decoder"] = acted(itertools.cycle(decode))
    with Project.open_to_scan(settings) as project:
        report, models = Report(), Models(gpu)
        engine = local.LocalEngine(settings, report.say, models=models)
        scan = Flow(project, report, engine)
        began, used = perf_counter(), process_time()
        summary = scan.scan()
        seconds, cpu = perf_counter() - began, process_time() - used
    rate = summary.embedded / seconds
    acted_models, write = summary.stages["models"], summary.stages["write"]
    return {
        "models": "of a GPU, acted" if gpu else "take no time",
        "videos": summary.embedded,
        "videos_per_second": rate,
        "goal": f"{GOAL:g}: {'reached' if rate >= GOAL else 'NOT REACHED'}",
        "cpu_ms_each": 1000 * cpu / summary.embedded,
        "models_busy": acted_models.busy / seconds,
        "models_queue": acted_models.queued / max(acted_models.takes, 1),
        "videos_a_batch": summary.embedded / max(acted_models.takes, 1),
        "write_busy": write.busy / seconds,
    }


def load(videos: str, store_uri: str) -> Settings:
    overrides = {
        "data.dir": videos, "store.uri": store_uri, "device": "cuda",
        "clip.model": f"local-dir:{clip_folder('small')}", "whisper.model": str(whisper_base()),
        "decode.workers": DECODE_THREADS,
    }  # fmt: skip
    return config.load(ROOT / "config.toml", [f"{k}={v}" for k, v in overrides.items()])


def make_files(folder: Path, count: int) -> Path:
    """Files of different content: the scan reads and hashes them."""
    for number in range(count):
        path = folder / f"label{number % 10}" / f"{number:06}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(number.to_bytes(8, "big") * 4096)
    return folder


def pretend_prepare(picture: Any) -> np.ndarray:
    """CLIP's preprocessing without CLIP: shorter side to 224, middle square."""
    width, height = picture.size
    scale = SIDE / min(width, height)
    small = picture.resize((max(SIDE, round(width * scale)), max(SIDE, round(height * scale))))
    left, top = (small.width - SIDE) // 2, (small.height - SIDE) // 2
    return np.asarray(small.crop((left, top, left + SIDE, top + SIDE)))


def acted(seconds: Any) -> type[Decoder]:
    """A decode stage that sleeps, and hands on as much as a real one."""

    class ActedDecoder(Decoder):
        def decode(self, task: Task, *_: object) -> DecodedVideo:
            sleep(next(seconds))
            spoken = int(task.file.location.stem) % 2 == 0
            samples = np.zeros(SPOKEN_SECONDS * SAMPLE_RATE_HZ, np.int16)
            window = SpeechWindow(samples, (Span(0, 0, len(samples)),))
            return DecodedVideo(
                task, MediaFacts(12.0, 1080, 1920), frames(), (window,) if spoken else (),
                None if spoken else SpeechStatus.NO_SPEECH,
            )  # fmt: skip

    return ActedDecoder


def frames() -> Frames:
    pixels = np.zeros((FRAMES, SIDE, SIDE, 3), np.uint8)
    return Frames(pixels, np.linspace(0, 12, FRAMES), 360, 360, bytes(10_000))


class Models:
    """Stands in for both models and their loading."""

    def __init__(self, gpu: bool) -> None:
        self._gpu = gpu
        self._dice = np.random.default_rng(0)
        self.dimension = D
        self.loaded_clip = None
        self.loading_seconds = 0.0

    def preprocess(self) -> Any:
        return pretend_prepare

    def clip(self) -> Models:
        return self

    def whisper(self) -> Models:
        return self

    def fits(self, text: str) -> bool:
        return len(text.split()) < 60

    def encode_frames(self, pixels: np.ndarray) -> np.ndarray:
        return self._vectors(len(pixels))

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return self._vectors(len(texts))

    def transcribe(self, clips: Sequence[Sequence[SpeechWindow]]) -> list[Transcript]:
        seconds = sum(len(w.samples) for windows in clips for w in windows) / SAMPLE_RATE_HZ
        self._take(WHISPER_SECONDS * seconds)
        said = Segment(0.0, 9.0, "and so my fellow Americans ask not what your country can do")
        return [Transcript(SpeechStatus.SPEECH, (said,), "en", 0.9) for _ in clips]

    def _vectors(self, count: int) -> np.ndarray:
        self._take(CLIP_SECONDS * count)
        vectors = self._dice.standard_normal((count, D)).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _take(self, seconds: float) -> None:
        if self._gpu:
            sleep(seconds)


if __name__ == "__main__":
    main()
