"""Speech: how much time and how many errors, against faster-whisper as it is.

    python -m tests.benchmarks.speech [--every N] [--beam] [--whisper FOLDER]

Recordings with reference texts, by length, and recordings in which nobody speaks. Error rates by
jiwer after Whisper's own normalisers: of words for English, of characters for other languages.
Every recording is heard by all, one after the other, each with one thread: the CPU time counts.
This program hears up to 8 at a time, as it does in a scan on a CPU, its voice detector included.

Goals: within 0.5 points of greedy's word error rate and 1 point of its character error rate, at
most a third of its time up to 15 s, 60% for minutes; no words where nobody speaks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from pipeline.models.devices import CPU_VIDEOS
from pipeline.models.transcriber import Transcriber
from pipeline.models.vad import find_speech
from tests.benchmarks.measure import publish
from tests.benchmarks.recordings import LENGTHS, Recording, recordings
from tests.support.models import whisper_base

Hearer = Callable[[Sequence[Recording]], list[str]]
KINDS = (*LENGTHS, "nobody speaks")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only one in N")
    parser.add_argument("--beam", action="store_true", help="also with 5 beams")
    parser.add_argument("--whisper", type=Path, metavar="FOLDER", help="default: the tests' base")
    options = parser.parse_args()
    hearers = contenders(options.whisper or whisper_base(), beam=options.beam)
    publish("speech", list(table(recordings(options.every), hearers)))


def contenders(whisper: Path, *, beam: bool) -> dict[str, Hearer]:
    """By name: greedy first, to which the others are compared."""
    from faster_whisper import WhisperModel

    stock = WhisperModel(str(whisper), device="cpu", compute_type="float32", cpu_threads=1)
    ours = Transcriber(str(whisper), threads=1)

    def hear_stock(beams: int) -> Hearer:
        def hear(batch: Sequence[Recording]) -> list[str]:
            return [heard_by(stock, recording, beams) for recording in batch]

        return hear

    def hear_ours(batch: Sequence[Recording]) -> list[str]:
        windows = [find_speech(recording.samples, vad=True) for recording in batch]
        return [transcript.text for transcript in ours.transcribe(windows)]

    hearers = {"greedy": hear_stock(1), "this program": hear_ours}
    return {**hearers, "beam 5": hear_stock(5)} if beam else hearers


def heard_by(model: Any, recording: Recording, beams: int) -> str:
    samples = recording.samples.astype(np.float32) / np.float32(32768)
    segments, _ = model.transcribe(samples, beam_size=beams)
    return " ".join(segment.text.strip() for segment in segments)


@dataclass
class Heard:
    """What one hearer made of some recordings, in how much CPU time."""

    recordings: list[Recording] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __add__(self, other: Heard) -> Heard:
        return Heard(
            self.recordings + other.recordings,
            self.texts + other.texts,
            self.seconds + other.seconds,
        )


def table(spoken: Iterable[Recording], hearers: dict[str, Hearer]) -> Iterator[dict[str, Any]]:
    """A row for each kind of recording and each hearer, and at last for all with words."""
    whole = {name: Heard() for name in hearers}
    ordered = sorted(spoken, key=lambda each: KINDS.index(each.kind))
    for kind, group in groupby(ordered, key=lambda each: each.kind):
        heard = hear_all(kind, list(group), hearers)
        yield from rows(kind, heard)
        if kind in LENGTHS:
            whole = {name: whole[name] + heard[name] for name in hearers}
    yield from rows("all with words", whole)


def hear_all(kind: str, same: list[Recording], hearers: dict[str, Hearer]) -> dict[str, Heard]:
    """By hearer; in turns, so that the machine is as busy for each."""
    heard = {name: Heard() for name in hearers}
    for start in range(0, len(same), CPU_VIDEOS):
        print(f"{kind}: {start} of {len(same)}", file=sys.stderr)
        batch = same[start : start + CPU_VIDEOS]
        for name, hear in hearers.items():
            began = process_time()
            texts = hear(batch)
            heard[name] += Heard(batch, texts, process_time() - began)
    return heard


def rows(kind: str, heard: dict[str, Heard]) -> Iterator[dict[str, Any]]:
    for name, each in heard.items():
        n = len(each.recordings)
        yield {
            "recordings": kind,
            "n": n,
            "by": name,
            "cpu_seconds_each": each.seconds / n,
            "of_greedy": each.seconds / heard["greedy"].seconds,
            **errors(each.recordings, each.texts),
        }


def errors(spoken: Sequence[Recording], heard: Sequence[str]) -> dict[str, Any]:
    """Error rates in percent; where nobody speaks, how many words were heard."""
    if not spoken[0].text:
        false = sum(len(text.split()) for text in heard)
        return {"wer_english": "", "cer_others": "", "false_words": false}
    pairs = list(zip(spoken, heard, strict=True))
    english = [(each.text, text) for each, text in pairs if each.language == "en"]
    others = [(each.text, text) for each, text in pairs if each.language != "en"]
    return {
        "wer_english": rate(english, by_word=True),
        "cer_others": rate(others, by_word=False),
        "false_words": "",
    }


def rate(pairs: Sequence[tuple[str, str]], *, by_word: bool) -> float | str:
    import jiwer
    from whisper.normalizers import BasicTextNormalizer, EnglishTextNormalizer

    if not pairs:
        return ""
    normal = EnglishTextNormalizer() if by_word else BasicTextNormalizer()
    references, heard = ([normal(text) for text in side] for side in zip(*pairs, strict=True))
    measure = jiwer.wer if by_word else jiwer.cer
    return 100 * float(measure(references, heard))


if __name__ == "__main__":
    main()
