"""From windows of speech, of several videos at once, to timed words.

    decode threads    listen       audio -> SpeechWindow ...
    model stage       Transcriber  the windows of each video -> Transcript

A window is encoded once, at its own length and a little room, for language and words; windows of
several videos are decoded together. Where the usual signs say that it went wrong, the window gets a
second go, padded to the full 30 s. There is no chance in it: the same speech, the same words.
Or, with full windows, the speech of each video goes through faster-whisper's own recipe whole.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import ModelError, VideoError
from pipeline.models.speech_windows import join, tail, video_times
from pipeline.models.whisper import WINDOW, Decoded, Language, Whisper
from pipeline.records import SAMPLE_RATE_HZ, SpeechStatus, SpeechWindow, Stage, Transcript
from store.schema import Segment

# Without room behind the last word the decoder may run into a loop. Lengths are rounded up to
# whole steps, so that a window's words do not depend on which others are decoded with it.
ROOM = 3 * SAMPLE_RATE_HZ
STEP = SAMPLE_RATE_HZ  # when encoded
DECODED_STEP = 10 * SAMPLE_RATE_HZ  # when decoded
WHOLE_WINDOWS = 20  # ten minutes' features at a time, not of hours
BATCH = 240 * SAMPLE_RATE_HZ  # decoded together; each second takes about 1.2 MB in Whisper base

# An end without words that is worth another pass (in a second of quiet behind the last sentence
# Whisper hears "you"); and what a pass must at least get through.
UNHEARD_SECONDS = 1.5
PROGRESS_SECONDS = 1.0


@dataclass(frozen=True, eq=False)
class _Heard:
    """What one window says, and what is to be heard next of it."""

    segments: tuple[Segment, ...]
    language: Language
    then: _Ask | None = None


@dataclass(eq=False)
class _Clip:
    """How far a clip has got. Its first window that says something decides on the language."""

    waiting: list[SpeechWindow]
    language: Language | None
    more: list[_Ask] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    error: VideoError | None = None

    def next_asks(self) -> list[_Ask]:
        """Take out what can be heard now."""
        more, self.more = self.more, []
        count = len(self.waiting) if self.language else int(not more)
        now, self.waiting = self.waiting[:count], self.waiting[count:]
        return [*more, *(_Ask(self, each) for each in now)]

    def take(self, outcome: _Heard | VideoError) -> None:
        if isinstance(outcome, VideoError):
            self.error, self.waiting, self.more = outcome, [], []
            return
        self.segments.extend(outcome.segments)
        if outcome.segments and self.language is None:
            self.language = outcome.language
        if outcome.then is not None:
            self.more.append(outcome.then)

    def result(self) -> Transcript | VideoError:
        if self.error is not None:
            return self.error
        if not self.segments or self.language is None:
            return Transcript(SpeechStatus.NO_TEXT)
        return Transcript(
            SpeechStatus.SPEECH,
            tuple(sorted(self.segments, key=lambda segment: segment.start)),
            self.language.code,
            self.language.probability,
        )


@dataclass(frozen=True, eq=False)
class _Ask:
    """A window to hear; the language is detected where its clip has none yet.

    Args:
        is_end: it is what was left over of another one.
        first: what was heard in it before, where this is the second go.
    """

    clip: _Clip
    window: SpeechWindow
    is_end: bool = False
    first: Decoded | None = None

    @property
    def length(self) -> int:
        """What to pad it to before it is encoded, samples."""
        if self.first is not None:
            return WINDOW
        return min(math.ceil((len(self.window.samples) + ROOM) / STEP) * STEP, WINDOW)

    @property
    def may_go_again(self) -> bool:
        """A window that fills the 30 s would be heard the same way again. An end has no second go:
        where there are words in it they come at once, and in the quiet after the last one a second
        go finds some."""
        return not self.is_end and self.length < WINDOW

    @property
    def decoded_length(self) -> int:
        """What its states are brought to before they are decoded, samples."""
        return math.ceil(self.length / DECODED_STEP) * DECODED_STEP


class Transcriber:
    """Whisper, loaded.

    Args:
        model: a size (`base`, `large-v3`, ...), a repository of the hub, or a local folder.
        language: a code, or `auto`: detected for each clip.
        full_windows: hear in faster-whisper's own way, which takes several times as long.
        device: `cpu`, `cuda` or `cuda:N`.
        compute_type: CTranslate2's number type: `float32`, `int8_float32`, `float16`, ...
        threads: cores that one call uses on a CPU; 0 leaves it to CTranslate2.
        streams: calls that run at the same time, from as many threads.

    Raises:
        ModelError: the weights cannot be found or loaded, or the device cannot be used.
        SettingsError: the model does not know the language.
    """

    def __init__(
        self,
        model: str,
        *,
        language: str = "auto",
        full_windows: bool = False,
        device: str = "cpu",
        compute_type: str = "int8_float32",
        threads: int = 0,
        streams: int = 1,
    ) -> None:
        self._whisper = Whisper(model, device, compute_type, threads=threads, streams=streams)
        self._language = None if language == "auto" else self._whisper.language(language)
        self._full_windows = full_windows

    def transcribe(self, clips: Sequence[Sequence[SpeechWindow]]) -> list[Transcript | VideoError]:
        """What is said in each clip, of the windows that `listen` made of it.

        A clip that Whisper fails on has a `VideoError` in its place; the others are not touched.

        Raises:
            ModelError: the device failed.
        """
        states = [_Clip(list(windows), self._language) for windows in clips]
        if self._full_windows:
            return [self._hear_whole(state) for state in states]
        while asks := [ask for clip in states for ask in clip.next_asks()]:
            outcomes: dict[_Ask, _Heard | VideoError] = {}
            for batch in _batches(asks):
                outcomes.update(zip(batch, self._hear(batch), strict=True))
            for ask in asks:
                ask.clip.take(outcomes[ask])
        return [clip.result() for clip in states]

    def _hear(self, batch: Sequence[_Ask]) -> Sequence[_Heard | VideoError]:
        """One pass; where it fails, halves of it, for less memory and to tell which it was."""
        try:
            return self._pass(batch)
        except (RuntimeError, ValueError) as error:  # what CTranslate2 raises
            if len(batch) > 1:
                middle = len(batch) // 2
                return [*self._hear(batch[:middle]), *self._hear(batch[middle:])]
            return [_failed(error)]

    def _hear_whole(self, clip: _Clip) -> Transcript | VideoError:
        """A clip in faster-whisper's own way, some minutes of it at a time."""
        while clip.waiting:
            part = join(clip.waiting[:WHOLE_WINDOWS])
            del clip.waiting[:WHOLE_WINDOWS]
            try:
                segments, language = self._whisper.transcribe(part.samples, clip.language)
            except (RuntimeError, ValueError) as error:
                clip.take(_failed(error))
            else:
                clip.take(_Heard(tuple(_in_video(part, each) for each in segments), language))
        return clip.result()

    def _pass(self, batch: Sequence[_Ask]) -> list[_Heard]:
        """Hear windows that are decoded at the same length."""
        samples = [ask.window.samples for ask in batch]
        lengths = [ask.length for ask in batch]
        encoded = self._whisper.encode(samples, lengths, batch[0].decoded_length)
        languages = self._languages(batch, encoded)
        decoded = self._whisper.decode(encoded, languages, [len(window) for window in samples])
        return [self._judge(*one) for one in zip(batch, languages, decoded, strict=True)]

    def _languages(self, batch: Sequence[_Ask], encoded: Any) -> list[Language]:
        known = [ask.clip.language for ask in batch]
        if all(known):
            return [language for language in known if language]
        detected = self._whisper.detect(encoded)
        return [language or found for language, found in zip(known, detected, strict=True)]

    def _judge(self, ask: _Ask, language: Language, decoded: Decoded) -> _Heard:
        """Take what was decoded, or give it a second go.

        What is a guess then is dropped, also where Whisper's own recipe keeps it (it asks for
        silence as well): it is what comes of music and noise. So is a repetition where the first
        go guessed; where it did not, it was said that way.
        """
        window, first = ask.window, ask.first
        if (decoded.is_guess or decoded.is_repetition) and ask.may_go_again:
            return _Heard((), language, _Ask(ask.clip, window, first=decoded))
        if decoded.is_guess or (decoded.is_repetition and first and first.is_guess):
            return _Heard((), language)
        segments = tuple(_in_video(window, segment) for segment in decoded.segments)
        end = _unheard(window, decoded.until)
        return _Heard(segments, language, _Ask(ask.clip, end, is_end=True) if end else None)


def _failed(error: Exception) -> VideoError:
    """What an error of CTranslate2 means for the clip.

    Raises:
        ModelError: the device is at fault, and not what it was given.
    """
    message = str(error)
    if message.startswith(("CUDA", "cuBLAS", "cuDNN")) and "out of memory" not in message:
        raise ModelError(f"Whisper's device failed: {message}") from error
    return VideoError(Stage.SPEECH, f"Whisper failed on it: {message}")


def _unheard(window: SpeechWindow, until: float) -> SpeechWindow | None:
    """The end of a window, where the words stop well before it.

    Whisper leaves out a sentence that the window breaks off, and its own recipe goes on from there.
    """
    left = len(window.samples) / SAMPLE_RATE_HZ - until
    return tail(window, until) if until >= PROGRESS_SECONDS and left > UNHEARD_SECONDS else None


def _in_video(window: SpeechWindow, segment: Segment) -> Segment:
    return Segment(*video_times(window, segment.start, segment.end), segment.text)


def _batches(asks: Sequence[_Ask]) -> Iterator[list[_Ask]]:
    """Windows that are decoded at the same length, as many as go together; short ones first, so
    that those that are encoded at the same length are side by side."""
    by_length: dict[int, list[_Ask]] = defaultdict(list)
    for ask in sorted(asks, key=lambda ask: ask.length):
        by_length[ask.decoded_length].append(ask)
    for length, same in by_length.items():
        size = max(BATCH // length, 1)
        yield from (same[at : at + size] for at in range(0, len(same), size))
