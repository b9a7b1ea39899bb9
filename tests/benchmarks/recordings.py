"""Recordings whose words are known, and some in which nobody speaks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from pipeline.demo.videos import RECORDING
from pipeline.speech import SAMPLE_RATE_HZ
from tests.benchmarks.measure import ROOT

PAUSE_SECONDS = 0.7
MINUTES_LONG = 100.0  # seconds at least
JFK = (
    "And so, my fellow Americans, ask not what your country can do for you, ask what you can do for"
    " your country."
)


@dataclass(frozen=True, eq=False)
class Recording:
    """int16 samples `[n]`, mono, 16 kHz; what is said, `""` where nobody speaks."""

    name: str
    samples: np.ndarray
    language: str
    text: str

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ

    @property
    def kind(self) -> str:
        """Which row of a table it belongs to."""
        if not self.text:
            return "nobody speaks"
        return next(name for name, most in LENGTHS.items() if self.seconds <= most)


LENGTHS = {"up to 15 s": 15.0, "15 to 40 s": 40.0, "minutes": float("inf")}


def media_folder() -> Path | None:
    """`MEDIA_DIR`, or the folder beside the project, where it is there."""
    folder = Path(os.environ.get("MEDIA_DIR") or ROOT.parent / "shared" / "media")
    return folder if (folder / "manifest.jsonl").is_file() else None


def entries(folder: Path) -> list[dict[str, object]]:
    """The lines of its manifest."""
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def recordings(every: int = 1) -> list[Recording]:
    """Every so many of the short ones; all that are long, also made of short ones in a row; the
    sound of videos in which nobody speaks. Without a media folder: the one that the demo ships."""
    folder = media_folder()
    if folder is None:
        spoken = [Recording("jfk", read_sound(RECORDING), "en", JFK)]
        return [*spoken, *_in_a_row(spoken * 10), *_silences()]
    spoken = [
        Recording(
            str(e["path"]), read_sound(folder / str(e["path"])), str(e["language"]), str(e["text"])
        )
        for e in entries(folder)
        if e["kind"] == "speech"
    ]
    short = [each for each in spoken if each.kind != "minutes"]
    long = [each for each in spoken if each.kind == "minutes"]
    return [*short[::every], *long, *_in_a_row(short), *_music(folder, every), *_silences()]


def _in_a_row(spoken: list[Recording]) -> Iterator[Recording]:
    """Recordings of one language, a pause between, some minutes of each."""
    pause = np.zeros(round(PAUSE_SECONDS * SAMPLE_RATE_HZ), np.int16)
    ordered = sorted(spoken, key=lambda each: each.language)
    for language, group in groupby(ordered, key=lambda each: each.language):
        row: list[Recording] = []
        for each in group:
            row.append(each)
            if sum(one.seconds for one in row) >= MINUTES_LONG:
                samples = [part for one in row for part in (one.samples, pause)]
                text = " ".join(one.text for one in row)
                name = f"{language}, {len(row)} from {row[0].name}"
                yield Recording(name, np.concatenate(samples), language, text)
                row = []


def _music(folder: Path, every: int) -> Iterator[Recording]:
    quiet = [
        e for e in entries(folder) if e["kind"] == "video" and e.get("speech") == "none"
        and e["has_audio"] and 3 <= float(str(e["duration"])) <= 30
    ]  # fmt: skip
    for entry in quiet[::every]:
        path = str(entry["path"])
        yield Recording(path, read_sound(folder / path), "", "")


def _silences() -> Iterator[Recording]:
    noise = np.random.default_rng(0).normal(0, 30, 10 * SAMPLE_RATE_HZ).astype(np.int16)
    yield Recording("silence", np.zeros(10 * SAMPLE_RATE_HZ, np.int16), "", "")
    yield Recording("faint noise", noise, "", "")


def read_sound(path: Path) -> np.ndarray:
    """int16 `[n]`, mono, 16 kHz."""
    from faster_whisper.audio import decode_audio

    samples = decode_audio(str(path), sampling_rate=SAMPLE_RATE_HZ)
    return (samples * 32768).round().clip(-32768, 32767).astype(np.int16)
