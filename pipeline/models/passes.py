"""Decides which windows of which clips Whisper transcribes next. Pure.

Clip        the windows that wait, and the words so far
Request     a window for the next pass
Answer      what came of it, and the requests that must follow
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from pipeline.errors import VideoError
from pipeline.models.decoded import MAX_NO_SPEECH, Decoded, Language
from pipeline.models.speech_windows import LONGEST, halves, head, join, tail, video_times
from pipeline.models.whisper import WINDOW, Task
from pipeline.speech import SAMPLE_RATE_HZ, SpeechStatus, SpeechWindow, Transcript
from store.schema import Segment

# Without room after the last word the decoder may run into a loop. Lengths are rounded up to whole
# steps, so that a window's words do not depend on which others are decoded with it.
ROOM = 3 * SAMPLE_RATE_HZ
STEP = SAMPLE_RATE_HZ  # of a length before encoding
DECODED_STEP = 10 * SAMPLE_RATE_HZ  # of a length before decoding
BATCH = 240 * SAMPLE_RATE_HZ  # decoded together; each second takes about 1.2 MB in Whisper base

LONG = 20 * SAMPLE_RATE_HZ  # a window in which the second pass is in two halves

# The rest of a window is worth another pass from this length on: of words that were cut, or else
# of what may be silence, in a second of which Whisper finds "you" after the last sentence.
CUT_SECONDS = 0.25
REMAINDER_SECONDS = 1.5
PROGRESS_SECONDS = 1.0  # a pass must get so far, for passes to come to an end


@dataclass(frozen=True, eq=False)
class Answer:
    """The words of one window, and the requests that must follow.

    An opening has no words, but decides on the language nevertheless.

    Args:
        segments: the words, with times in seconds of the video.
        language: in which they are said.
        follow_ups: the requests that must follow.
        is_opening: whether it is the answer to an opening.
        is_translation: whether the words are a translation.
        translation: the same in English, where that was wanted.
    """

    segments: tuple[Segment, ...]
    language: Language
    follow_ups: tuple[Request, ...] = ()
    is_opening: bool = False
    is_translation: bool = False
    translation: Answer | None = None


@dataclass(eq=False)
class Clip:
    """The state of one clip between passes.

    The first half minute of speech decides on the language, as in Whisper's own recipe: the first
    window with words, unless it is short and another one follows; then both, before any words.
    """

    waiting: list[SpeechWindow]
    language: Language | None
    follow_ups: list[Request] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    translation: list[Segment] = field(default_factory=list)
    error: VideoError | None = None

    def opening(self) -> Request | None:
        """Request the language of the first two windows where the first alone cannot decide."""
        if self.language or len(self.waiting) < 2 or len(self.waiting[0].samples) >= WINDOW // 2:
            return None
        start = join(self.waiting[:2]).samples[:LONGEST]
        return Request(self, SpeechWindow(start, ()))

    def next_requests(self) -> list[Request]:
        """Take out what can be transcribed now: one window until the language is known."""
        follow_ups, self.follow_ups = self.follow_ups, []
        count = len(self.waiting) if self.language else int(not follow_ups)
        now, self.waiting = self.waiting[:count], self.waiting[count:]
        return [*follow_ups, *(Request(self, each) for each in now)]

    def take(self, answer: Answer | VideoError) -> None:
        """Add an answer to one of the requests."""
        if isinstance(answer, VideoError):
            self.error, self.waiting, self.follow_ups = answer, [], []
            return
        words = self.translation if answer.is_translation else self.segments
        words.extend(answer.segments)
        if self.language is None and (answer.segments or answer.is_opening):
            self.language = answer.language
        self.follow_ups.extend(answer.follow_ups)
        if answer.translation is not None:
            self.take(answer.translation)

    def result(self) -> Transcript | VideoError:
        """Return the transcript, or the error."""
        if self.error is not None:
            return self.error
        if not self.segments or self.language is None:
            return Transcript(SpeechStatus.NO_TEXT)
        return Transcript(
            SpeechStatus.SPEECH,
            _in_order(self.segments),
            self.language.code,
            self.language.probability,
            _in_order(self.translation) or None,
        )


@dataclass(frozen=True, eq=False)
class Request:
    """A window to transcribe; its language is detected where the clip has none yet.

    Args:
        clip: that the window belongs to.
        window: the speech.
        is_remainder: whether it is the end of a window, in which the pass before found no words.
        first: the outcome of the first pass, where this is the second.
        task: what Whisper is to write.
    """

    clip: Clip
    window: SpeechWindow
    is_remainder: bool = False
    first: Decoded | None = None
    task: Task = "transcribe"

    @property
    def length(self) -> int:
        """Length to pad it to before it is encoded, samples."""
        if self.first is not None:
            return WINDOW
        return min(math.ceil((len(self.window.samples) + ROOM) / STEP) * STEP, WINDOW)

    def again(self, first: Decoded) -> tuple[Request, ...]:
        """Request a second pass, where one makes sense: padded to 30 s, or in two halves.

        In a remainder, the first pass finds the words if there are any; a second one invents some
        in the silence. A long window is hardly longer with padding; where the decoder ran into a
        loop, halves get it out of it. Halves of one with improbable words have others, no better.

        Args:
            first: the outcome of this one.
        """
        if self.is_remainder or self.first is not None:
            return ()
        if len(self.window.samples) > LONG and first.goes_round:
            return tuple(replace(self, window=half) for half in halves(self.window))
        return (replace(self, first=first),) if self.length < WINDOW else ()

    @property
    def decoded_length(self) -> int:
        """Length to extend its states to before they are decoded, samples."""
        return math.ceil(self.length / DECODED_STEP) * DECODED_STEP


def judge(request: Request, language: Language, decoded: Decoded) -> Answer:
    """Accept what was decoded, ask for a second pass, or drop it.

    A guess in the second pass is dropped, also where Whisper's own recipe keeps it because the
    window is not silent: music and noise give such words. A repetition is dropped if the first
    pass was a guess; otherwise it was said that way. In a doubtful language, a repetition in either
    pass is enough to drop the words. And so is that nobody speaks, by Whisper's own account, where
    the language is the one that noise gets, or a doubtful one in the second pass.

    Args:
        request: what was asked for.
        language: in which it was decoded.
        decoded: the outcome.
    """
    if request.task == "translate":
        return _judge_translation(request, language, decoded)
    clip, window, first = request.clip, request.window, request.first
    may_be_noise = language.is_of_noise or (first is not None and language.is_doubtful)
    is_guess = decoded.is_guess or (may_be_noise and decoded.no_speech > MAX_NO_SPEECH)
    if (is_guess or decoded.is_repetition) and (again := request.again(decoded)):
        return Answer((), language, again)
    goes_round = decoded.goes_round or (first is not None and first.goes_round)
    is_in_doubt = language.is_doubtful or (decoded.is_repetition and first and first.is_guess)
    if is_guess or (goes_round and is_in_doubt):
        return Answer((), language)
    segments = tuple(in_video(window, segment) for segment in decoded.segments)
    rest = _remainder(window, decoded)
    follow_ups = (Request(clip, rest, is_remainder=not decoded.is_cut),) if rest else ()
    return Answer(segments, language, follow_ups)


def _judge_translation(request: Request, language: Language, decoded: Decoded) -> Answer:
    """Accept a translation, ask for a second pass, or drop it.

    That somebody speaks is known, so it may be as improbable as those of small models are; what
    they do wrong is to repeat themselves.
    """
    if decoded.goes_round:
        return Answer((), language, request.again(decoded), is_translation=True)
    segments = tuple(in_video(request.window, segment) for segment in decoded.segments)
    return Answer(segments, language, is_translation=True)


def translation_request(request: Request, answer: Answer, decoded: Decoded) -> Request:
    """Request the translation of the words that an answer has.

    Args:
        request: for the words.
        answer: to it. What it leaves of the window is translated with the words found there.
        decoded: what the answer was made of.
    """
    window = head(request.window, decoded.until) if answer.follow_ups else request.window
    return Request(request.clip, window, first=request.first, task="translate")


def _in_order(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    return tuple(sorted(segments, key=lambda segment: segment.start))


def _remainder(window: SpeechWindow, decoded: Decoded) -> SpeechWindow | None:
    """Cut off the end of a window if its words stop well before it, or were cut.

    Whisper leaves out a sentence that the window breaks off; its own recipe continues from there.
    """
    left = len(window.samples) / SAMPLE_RATE_HZ - decoded.until
    least = CUT_SECONDS if decoded.is_cut else REMAINDER_SECONDS
    if decoded.until < PROGRESS_SECONDS or left <= least:
        return None
    return tail(window, decoded.until)


def in_video(window: SpeechWindow, segment: Segment) -> Segment:
    """Move a segment from times of a window to times of the video."""
    return Segment(*video_times(window, segment.start, segment.end), segment.text)


def batches(requests: Sequence[Request]) -> Iterator[list[Request]]:
    """Group windows that are decoded at the same length, in batches of bounded size.

    Args:
        requests: in any order.

    Yields:
        Batches in which windows that are encoded at the same length stand side by side.
    """
    by_length: dict[int, list[Request]] = defaultdict(list)
    for request in sorted(requests, key=lambda request: request.length):
        by_length[request.decoded_length].append(request)
    for length, same in by_length.items():
        size = max(BATCH // length, 1)
        yield from (same[at : at + size] for at in range(0, len(same), size))
