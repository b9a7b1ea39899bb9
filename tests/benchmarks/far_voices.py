"""Voices at a distance, in wind: how many words go wrong, against openai-whisper.

    python -m tests.benchmarks.far_voices [--whisper FOLDER]

Half a minute each of sentences by several people, dull and with an echo, at levels that differ by
up to 9 dB, in gusts of wind and with a blow here and there, as on a golf course; made of the short
English recordings of the media folder. The wind is 12, 6 or 2 dB below the voices. Errors of words
in percent, after Whisper's own normaliser; this program with and without its voice detector.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.models.transcriber import Transcriber
from pipeline.models.vad import find_speech
from pipeline.speech import SAMPLE_RATE_HZ, Transcript
from tests.benchmarks.measure import publish
from tests.benchmarks.recordings import Recording, recordings
from tests.benchmarks.speech import rate
from tests.support.models import whisper_base

SCENES = 18
WIND_DB = (12, 6, 2)  # below the voices, of one scene after the other
LONGEST_SECONDS = 34
VOICE = 300.0  # root mean square of int16 samples

Hear = Callable[[Recording], str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--whisper", type=Path, metavar="FOLDER", help="default: the tests' base")
    publish("far_voices", list(table(scenes(), contenders(parser.parse_args().whisper))))


def contenders(whisper: Path | None) -> dict[str, Hear]:
    import whisper as openai_whisper

    from tests.benchmarks.openai_weights import load

    folder = whisper or whisper_base()
    ours, model = Transcriber(str(folder), threads=1), load(folder)

    def hear_ours(recording: Recording, *, vad: bool) -> str:
        [heard] = ours.transcribe([find_speech(recording.samples, vad=vad)])
        assert isinstance(heard, Transcript), heard
        return heard.text

    def hear_openai(recording: Recording) -> str:
        samples = recording.samples.astype(np.float32) / np.float32(32768)
        return str(openai_whisper.transcribe(model, samples, fp16=False)["text"])

    return {
        "this program": lambda recording: hear_ours(recording, vad=True),
        "without the detector": lambda recording: hear_ours(recording, vad=False),
        "openai-whisper": hear_openai,
    }


def table(made: Sequence[Recording], hearers: dict[str, Hear]) -> Iterator[dict[str, Any]]:
    """A row for each loudness of the wind."""
    for decibels in WIND_DB:
        same = [each for each in made if each.name.endswith(f"{decibels} dB")]
        errors = {
            name: rate([(each.text, hear(each)) for each in same], by_word=True)
            for name, hear in hearers.items()
        }
        yield {"wind_db_below": decibels, "n": len(same), **errors}


def scenes() -> list[Recording]:
    """The same on every call."""
    first: dict[str, Recording] = {}
    for each in recordings():
        if each.language == "en" and 2 < each.seconds < 9:
            letters = "".join(filter(str.isalpha, each.text.lower()))
            first.setdefault(letters[:25], each)  # one of each sentence
    voices = list(first.values())
    return [_scene(voices, 500 + n, WIND_DB[n % len(WIND_DB)]) for n in range(SCENES)]


def _scene(voices: Sequence[Recording], seed: int, decibels: int) -> Recording:
    rng = np.random.default_rng(seed)
    scene, at, said = np.zeros(LONGEST_SECONDS * SAMPLE_RATE_HZ), 1.0, list[str]()
    for index in rng.choice(len(voices), 4, replace=False):
        voice = voices[index]
        if at + voice.seconds > LONGEST_SECONDS - 1:
            break
        far = _far(voice.samples.astype(float), rng)
        level, start = VOICE * 10 ** (rng.uniform(-6, 3) / 20), int(at * SAMPLE_RATE_HZ)
        scene[start : start + len(far)] += level * far[: len(scene) - start]
        said.append(voice.text)
        at += len(far) / SAMPLE_RATE_HZ + rng.uniform(0.3, 2.5)
    scene = scene[: int(min(at + 1, LONGEST_SECONDS) * SAMPLE_RATE_HZ)]
    scene += VOICE * 10 ** (-decibels / 20) * _wind(len(scene), rng)
    for _ in range(rng.integers(0, 3)):
        start = int(rng.integers(0, len(scene) - SAMPLE_RATE_HZ // 3))
        fade = np.exp(-np.arange(SAMPLE_RATE_HZ // 3) / SAMPLE_RATE_HZ * 60)
        scene[start : start + len(fade)] += 6000 * fade * rng.normal(0, 1, len(fade))
    samples = scene.clip(-32768, 32767).astype(np.int16)
    return Recording(f"{seed}, {decibels} dB", samples, "en", " ".join(said))


def _far(voice: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With an echo of a quarter of a second, dull, and with a root mean square of 1."""
    times = np.arange(SAMPLE_RATE_HZ // 4) / SAMPLE_RATE_HZ
    echo = rng.normal(0, 1, len(times)) * np.exp(-times * 25) * 0.35
    echo[0] = 1
    voice = np.convolve(voice / max(voice.std(), 1), echo)
    hertz = np.fft.rfftfreq(len(voice), 1 / SAMPLE_RATE_HZ)
    bands = np.fft.rfft(voice) / (1 + (hertz / rng.uniform(1800, 3500)) ** 2)
    dull = np.fft.irfft(bands, len(voice))
    return dull / dull.std()


def _wind(count: int, rng: np.random.Generator) -> np.ndarray:
    """In gusts, with a root mean square of 1."""
    bands = np.fft.rfft(rng.normal(0, 1, count))
    bands /= np.maximum(np.fft.rfftfreq(count, 1 / SAMPLE_RATE_HZ), 80)
    gusts = np.interp(np.arange(count), np.linspace(0, count, 12), rng.uniform(0.3, 1.6, 12))
    wind = np.fft.irfft(bands, count) * gusts
    return wind / wind.std()


if __name__ == "__main__":
    main()
