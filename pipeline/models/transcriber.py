"""Windows of speech, of several videos at once -> transcripts.

A window is encoded once, at its own length and some room, for its language and its words; windows
of several videos are decoded together. Where the usual signs show that the decoding failed, the
window gets a second pass, padded to 30 s. Nothing is sampled, so that a transcript can be repeated.
With full windows, the speech of each video goes through faster-whisper's own recipe instead.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import ModelError, VideoError
from pipeline.models.speech_windows import LONGEST, join, tail, video_times
from pipeline.models.whisper import WINDOW, Decoded, Language, Whisper
from pipeline.records import SAMPLE_RATE_HZ, SpeechStatus, SpeechWindow, Stage, Transcript
from store.schema import Segment

# Without room after the last word the decoder may run into a loop. Lengths are rounded up to whole
# steps, so that a window's words do not depend on which others are decoded with it.
ROOM = 3 * SAMPLE_RATE_HZ
STEP = SAMPLE_RATE_HZ  # of a length before encoding
DECODED_STEP = 10 * SAMPLE_RATE_HZ  # of a length before decoding
WHOLE_WINDOWS = 20  # joined with full windows, so that features of hours are never made
BATCH = 240 * SAMPLE_RATE_HZ  # decoded together; each second takes about 1.2 MB in Whisper base

# The rest of a window is worth another pass from this length on: of words that were cut, or else
# of what may be silence, in a second of which Whisper finds "you" after the last sentence.
CUT_SECONDS = 0.25
REMAINDER_SECONDS = 1.5
PROGRESS_SECONDS = 1.0  # a pass must get so far, for passes to come to an end


@dataclass(frozen=True, eq=False)
class _Answer:
    """The words of one window, and the pass over it that must follow.

    An opening has no words, but decides on the language nevertheless.
    """

    segments: tuple[Segment, ...]
    language: Language
    follow_up: _Request | None = None
    is_opening: bool = False


@dataclass(eq=False)
class _Clip:
    """The state of one clip.

    The first half minute of speech decides on the language, as in Whisper's own recipe: the first
    window with words, unless it is short and another one follows; then both, before any words.
    """

    waiting: list[SpeechWindow]
    language: Language | None
    follow_ups: list[_Request] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    error: VideoError | None = None

    def opening(self) -> _Request | None:
        """Request the language of the first two windows where the first alone cannot decide."""
        if self.language or len(self.waiting) < 2 or len(self.waiting[0].samples) >= WINDOW // 2:
            return None
        start = join(self.waiting[:2]).samples[:LONGEST]
        return _Request(self, SpeechWindow(start, ()))

    def next_requests(self) -> list[_Request]:
        """Take out what can be transcribed now: one window until the language is known."""
        follow_ups, self.follow_ups = self.follow_ups, []
        count = len(self.waiting) if self.language else int(not follow_ups)
        now, self.waiting = self.waiting[:count], self.waiting[count:]
        return [*follow_ups, *(_Request(self, each) for each in now)]

    def take(self, answer: _Answer | VideoError) -> None:
        """Add an answer to one of the requests."""
        if isinstance(answer, VideoError):
            self.error, self.waiting, self.follow_ups = answer, [], []
            return
        self.segments.extend(answer.segments)
        if self.language is None and (answer.segments or answer.is_opening):
            self.language = answer.language
        if answer.follow_up is not None:
            self.follow_ups.append(answer.follow_up)

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
class _Request:
    """A window to transcribe; its language is detected where the clip has none yet.

    Args:
        clip: that the window belongs to.
        window: the speech.
        is_remainder: whether it is the end of a window, in which the pass before found no words.
        first: the outcome of the first pass, where this is the second.
    """

    clip: _Clip
    window: SpeechWindow
    is_remainder: bool = False
    first: Decoded | None = None

    @property
    def length(self) -> int:
        """Length to pad it to before it is encoded, samples."""
        if self.first is not None:
            return WINDOW
        return min(math.ceil((len(self.window.samples) + ROOM) / STEP) * STEP, WINDOW)

    @property
    def may_repeat(self) -> bool:
        """Whether a second pass makes sense.

        A window that fills the 30 s would be decoded in the same way. In a remainder, the first
        pass finds the words if there are any; a second one invents some in the silence.
        """
        return not self.is_remainder and self.length < WINDOW

    @property
    def decoded_length(self) -> int:
        """Length to extend its states to before they are decoded, samples."""
        return math.ceil(self.length / DECODED_STEP) * DECODED_STEP


_Pass = Callable[[Sequence[_Request]], Sequence[_Answer]]


class Transcriber:
    """Transcribes speech with a loaded Whisper model.

    Args:
        model: a size (`base`, `large-v3`, ...), a repository of the hub, or a local folder.
        language: a code, or `auto` to detect it for each clip.
        full_windows: whether to use faster-whisper's own recipe, which takes several times as long.
        device: `cpu`, `cuda` or `cuda:N`.
        compute_type: CTranslate2's number type: `float32`, `int8_float32`, `float16`, ...
        threads: cores that one call uses on a CPU; 0 leaves it to CTranslate2.
        streams: number of calls that may run at the same time, from as many threads.

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
        """Transcribe several clips.

        Args:
            clips: the windows of each clip, as `find_speech` makes them.

        Returns:
            For each clip its transcript; a `VideoError` where Whisper fails on it.

        Raises:
            ModelError: the device failed.
        """
        states = [_Clip(list(windows), self._language) for windows in clips]
        if self._full_windows:
            return [self._transcribe_whole(state) for state in states]
        _run(self._detect, [opening for clip in states if (opening := clip.opening())])
        while requests := [request for clip in states for request in clip.next_requests()]:
            _run(self._pass, requests)
        return [clip.result() for clip in states]

    def _transcribe_whole(self, clip: _Clip) -> Transcript | VideoError:
        """Transcribe a clip by faster-whisper's own recipe, some minutes of it at a time."""
        while clip.waiting:
            part = join(clip.waiting[:WHOLE_WINDOWS])
            del clip.waiting[:WHOLE_WINDOWS]
            try:
                segments, language = self._whisper.transcribe(part.samples, clip.language)
            except (RuntimeError, ValueError) as error:
                clip.take(_failed(error))
            else:
                clip.take(_Answer(tuple(_in_video(part, each) for each in segments), language))
        return clip.result()

    def _detect(self, batch: Sequence[_Request]) -> list[_Answer]:
        """Detect the languages of openings."""
        detected = self._whisper.detect(self._encode(batch))
        return [_Answer((), language, is_opening=True) for language in detected]

    def _pass(self, batch: Sequence[_Request]) -> list[_Answer]:
        """Transcribe windows that are decoded at the same length."""
        encoded = self._encode(batch)
        languages = self._languages(batch, encoded)
        lengths = [len(request.window.samples) for request in batch]
        decoded = self._whisper.decode(encoded, languages, lengths)
        return [_judge(*one) for one in zip(batch, languages, decoded, strict=True)]

    def _encode(self, batch: Sequence[_Request]) -> Any:
        samples = [request.window.samples for request in batch]
        lengths = [request.length for request in batch]
        return self._whisper.encode(samples, lengths, batch[0].decoded_length)

    def _languages(self, batch: Sequence[_Request], encoded: Any) -> list[Language]:
        known = [request.clip.language for request in batch]
        if all(known):
            return [language for language in known if language]
        detected = self._whisper.detect(encoded)
        return [language or found for language, found in zip(known, detected, strict=True)]


def _run(do: _Pass, requests: Sequence[_Request]) -> None:
    """Answer requests in batches, and hand each answer to its clip, in order."""
    answers: dict[_Request, _Answer | VideoError] = {}
    for batch in _batches(requests):
        answers.update(zip(batch, _or_halves(do, batch), strict=True))
    for request in requests:
        request.clip.take(answers[request])


def _or_halves(do: _Pass, batch: Sequence[_Request]) -> Sequence[_Answer | VideoError]:
    """Run one pass; where it fails, on halves, to save memory and to find the bad window."""
    try:
        return do(batch)
    except (RuntimeError, ValueError) as error:  # what CTranslate2 raises
        if len(batch) > 1:
            middle = len(batch) // 2
            return [*_or_halves(do, batch[:middle]), *_or_halves(do, batch[middle:])]
        return [_failed(error)]


def _judge(request: _Request, language: Language, decoded: Decoded) -> _Answer:
    """Accept what was decoded, ask for a second pass, or drop it.

    A guess in the second pass is dropped, also where Whisper's own recipe keeps it because the
    window is not silent: music and noise give such words. A repetition is dropped if the first
    pass was a guess; otherwise it was said that way.
    """
    clip, window, first = request.clip, request.window, request.first
    if (decoded.is_guess or decoded.is_repetition) and request.may_repeat:
        return _Answer((), language, _Request(clip, window, first=decoded))
    if decoded.is_guess or (decoded.is_repetition and first and first.is_guess):
        return _Answer((), language)
    segments = tuple(_in_video(window, segment) for segment in decoded.segments)
    rest = _remainder(window, decoded)
    follow_up = _Request(clip, rest, is_remainder=not decoded.is_cut) if rest else None
    return _Answer(segments, language, follow_up)


def _failed(error: Exception) -> VideoError:
    """Turn an error of CTranslate2 into one of the clip.

    Raises:
        ModelError: the device failed, not the clip.
    """
    message = str(error)
    if message.startswith(("CUDA", "cuBLAS", "cuDNN")) and "out of memory" not in message:
        raise ModelError(f"Whisper's device failed: {message}") from error
    return VideoError(Stage.SPEECH, f"Whisper failed on it: {message}")


def _remainder(window: SpeechWindow, decoded: Decoded) -> SpeechWindow | None:
    """Cut off the end of a window if its words stop well before it, or were cut.

    Whisper leaves out a sentence that the window breaks off; its own recipe continues from there.
    """
    left = len(window.samples) / SAMPLE_RATE_HZ - decoded.until
    least = CUT_SECONDS if decoded.is_cut else REMAINDER_SECONDS
    if decoded.until < PROGRESS_SECONDS or left <= least:
        return None
    return tail(window, decoded.until)


def _in_video(window: SpeechWindow, segment: Segment) -> Segment:
    return Segment(*video_times(window, segment.start, segment.end), segment.text)


def _batches(requests: Sequence[_Request]) -> Iterator[list[_Request]]:
    """Group windows that are decoded at the same length, in batches of bounded size.

    Those that are encoded at the same length stand side by side.
    """
    by_length: dict[int, list[_Request]] = defaultdict(list)
    for request in sorted(requests, key=lambda request: request.length):
        by_length[request.decoded_length].append(request)
    for length, same in by_length.items():
        size = max(BATCH // length, 1)
        yield from (same[at : at + size] for at in range(0, len(same), size))
