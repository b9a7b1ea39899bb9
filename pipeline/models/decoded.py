"""What Whisper writes for a window: words with times, and the signs that it went wrong."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from store.schema import Segment

TIMESTAMP_SECONDS = 0.02

# Beyond these a decoding has failed; openai-whisper's thresholds (transcribe.py).
MAX_COMPRESSION_RATIO = 2.4
MIN_MEAN_LOGPROB = -1.0

# A token or two pass that in the company of timestamps, which are easy to guess: "you" in noise.
MIN_WORD_LOGPROB = -3.7
MAX_SEGMENTS_AFTER_END = 1  # more of them are a loop, which the end of the sound does not stop
SEVERAL = 3  # segments, of which half repeat others, are a loop, too

SURE_OF_LANGUAGE = 0.6  # 95% of windows with speech get it, and a third of those without

LANGUAGE_OF_NOISE = "nn"
"""Nynorsk, of which base has hardly heard anything: two thirds of windows of noise get it, and of
227 with words, in 13 languages, none."""

MAX_NO_SPEECH = 0.5
"""Beyond it Whisper holds it for more probable that nobody speaks: 0.52 to 0.98 of noise; of
windows with words half have less than 0.17, one in eleven has more than this."""


@dataclass(frozen=True)
class Language:
    """A language.

    Args:
        code: ISO 639-1.
        probability: from detection; None where the language was given.
    """

    code: str
    probability: float | None = None

    @property
    def is_doubtful(self) -> bool:
        """Whether it was detected with little confidence."""
        return self.probability is not None and self.probability < SURE_OF_LANGUAGE

    @property
    def is_of_noise(self) -> bool:
        """Whether it was detected, and is the one that noise gets."""
        return self.probability is not None and self.code == LANGUAGE_OF_NOISE


@dataclass(frozen=True)
class Decoded:
    """The outcome of decoding one window.

    Args:
        segments: the words, with times in seconds of the window.
        compression_ratio: of the text by zlib; high for repetitions.
        mean_logprob: mean log-probability of a token.
        word_logprob: log-probability of the whole text, with its language and timestamps, divided
            by the number of its words' tokens.
        no_speech: probability that nobody speaks, by the model's first token.
        segments_after_end: number of segments that begin after the end of the window.
        is_cut: whether the limit of tokens ended the text. `segments` are then the ones before the
            last timestamp, and more speech may follow.
        is_loop: whether it was cut and the same words recur up to there.
    """

    segments: tuple[Segment, ...]
    compression_ratio: float
    mean_logprob: float
    word_logprob: float
    no_speech: float
    segments_after_end: int = 0
    is_cut: bool = False
    is_loop: bool = False

    @property
    def until(self) -> float:
        """End of the last word, seconds of the window."""
        return self.segments[-1].end if self.segments else 0.0

    @property
    def never_ends(self) -> bool:
        """Whether the decoder is in a loop, or did not stop at the end of the sound."""
        return self.is_loop or self.segments_after_end > MAX_SEGMENTS_AFTER_END

    @property
    def is_guess(self) -> bool:
        """Whether the words are improbable, or the decoder never came to their end."""
        return (
            self.mean_logprob < MIN_MEAN_LOGPROB
            or self.word_logprob < MIN_WORD_LOGPROB
            or self.never_ends
        )

    @property
    def is_repetition(self) -> bool:
        """Whether the same words recur many times, or half of several segments repeat others."""
        texts = [segment.text for segment in self.segments]
        repeats = len(texts) >= SEVERAL and 2 * len(set(texts)) <= len(texts)
        return repeats or self.compression_ratio > MAX_COMPRESSION_RATIO

    @property
    def goes_round(self) -> bool:
        """Whether it repeats itself, up to its end or without one."""
        return self.is_repetition or self.is_loop


def read_tokens(
    tokens: Sequence[int],
    score: float,
    tokenizer: Any,
    language: Language,
    seconds: float,
    *,
    no_speech: float,
    is_cut: bool,
) -> Decoded:
    """Turn what CTranslate2 decoded into words with times.

    Args:
        tokens: of the words and their timestamps.
        score: mean log-probability of a token, without the end of the text.
        tokenizer: faster-whisper's; of any language, as their words' tokens are the same.
        language: in which it was decoded.
        seconds: length of the window.
        no_speech: probability that nobody speaks, by the model's first token.
        is_cut: whether the limit of tokens ended it.
    """
    from faster_whisper.transcribe import get_compression_ratio

    logprob = score * len(tokens)  # Whisper's mean counts the end of the text, too
    words = sum(token < tokenizer.timestamp_begin for token in tokens)
    text = tokenizer.decode(tokens).strip()
    whole = _up_to_last_timestamp(tokens, tokenizer.timestamp_begin) if is_cut else tokens
    runs = list(_runs(whole, tokenizer, seconds))
    return Decoded(
        tuple(_segments(runs, seconds)),
        get_compression_ratio(text),
        mean_logprob=logprob / (len(tokens) + 1),
        word_logprob=(logprob + math.log(language.probability or 1)) / max(words, 1),
        no_speech=no_speech,
        segments_after_end=sum(run.start >= seconds and bool(run.text) for run in runs),
        is_cut=is_cut,
        is_loop=is_cut and _repeats(text),
    )


def _runs(tokens: Sequence[int], tokenizer: Any, seconds: float) -> Iterator[Segment]:
    """Split tokens at their timestamps: `<0.00> words <7.60><7.60> words <10.60>`."""
    begin = tokenizer.timestamp_begin
    start, words = 0.0, list[int]()
    for token in [*tokens, begin + round(seconds / TIMESTAMP_SECONDS)]:
        if token < begin:
            words.append(token)
            continue
        time = (token - begin) * TIMESTAMP_SECONDS
        yield Segment(start, time, tokenizer.decode(words).strip())
        start, words = time, []


def _segments(runs: Iterable[Segment], seconds: float) -> Iterator[Segment]:
    """Cut what was decoded to the length of its window.

    Left out are segments without a letter or digit, and two kinds that come from the padding: those
    that begin after the end of the window, and repetitions of the segment before that go past it.
    """
    before = ""
    for run in runs:
        end = min(run.end, seconds)
        is_echo = run.text == before and run.end > seconds
        if run.start < end and any(map(str.isalnum, run.text)) and not is_echo:
            yield Segment(run.start, end, run.text)
        before = run.text or before


def _up_to_last_timestamp(tokens: Sequence[int], timestamp_begin: int) -> Sequence[int]:
    """Leave out the words that no timestamp ends, unless there is none at all."""
    last = max((at for at, token in enumerate(tokens) if token >= timestamp_begin), default=0)
    return tokens[: last + 1] if last else tokens


def _repeats(text: str) -> bool:
    """Tell whether a text that fills a pass repeats itself.

    openai-whisper's compression ratio counts bytes. By that, prose of 200 characters is a
    repetition where a character has three bytes: Hindi 2.4, Georgian 2.7. By characters, both are
    1.0, Spanish is 1.4, and a loop 4 or more.
    """
    return len(text) > MAX_COMPRESSION_RATIO * len(zlib.compress(text.encode()))
