"""Lays speech into windows for the speech model, and maps its times back to the video. Pure.

recording  ....[---a---]........[-----b-----].................[--c--]..
windows        [---a---|-----b-----]    [--c--]                at most 28 s each
spans           a, b                     c
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from pipeline.speech import SAMPLE_RATE_HZ, Span, SpeechWindow

# Whisper's 30 s less some room after the last word, without which Whisper may leave the end out.
LONGEST = 28 * SAMPLE_RATE_HZ
CUT_RANGE = 5 * SAMPLE_RATE_HZ  # a long stretch is cut in this range before the limit
CUT_FRAME = SAMPLE_RATE_HZ // 50
SEAM_SECONDS = 0.5  # a time this near to a seam means the seam

Stretch = tuple[int, int]
"""Start and end of some speech in a recording, samples; the end is excluded."""


def lay(audio: np.ndarray, stretches: Iterable[Stretch]) -> tuple[SpeechWindow, ...]:
    """Lay stretches of a recording one after the other into windows.

    A stretch that is longer than a window is cut where it is quietest; none is cut to fill one.

    Args:
        audio: int16 `[n]`, mono, 16 kHz.
        stretches: in order, without overlap.
    """
    windows: list[list[Stretch]] = []
    room = 0
    for start, end in _cut(audio, stretches):
        if end - start > room:
            windows.append([])
            room = LONGEST
        _append(windows[-1], start, end)
        room -= end - start
    return tuple(_window(audio, window) for window in windows)


def join(windows: Sequence[SpeechWindow]) -> SpeechWindow:
    """Join windows, in order, into a longer one.

    Args:
        windows: one or more.
    """
    spans, at = [], 0
    for window in windows:
        spans += [Span(at + s.window_start, s.video_start, s.length) for s in window.spans]
        at += len(window.samples)
    return SpeechWindow(np.concatenate([window.samples for window in windows]), tuple(spans))


def head(window: SpeechWindow, seconds: float) -> SpeechWindow:
    """Cut the end off a window.

    Args:
        window: to take the start of.
        seconds: length of what is left.
    """
    return replace(window, samples=window.samples[: round(seconds * SAMPLE_RATE_HZ)])


def tail(window: SpeechWindow, seconds: float) -> SpeechWindow:
    """Cut the start off a window.

    Args:
        window: to take the rest of.
        seconds: length of what is cut off.
    """
    cut = round(seconds * SAMPLE_RATE_HZ)
    spans = []
    for span in window.spans:
        skip = max(cut - span.window_start, 0)
        if skip < span.length:
            start = max(span.window_start - cut, 0)
            spans.append(Span(start, span.video_start + skip, span.length - skip))
    return SpeechWindow(window.samples[cut:], tuple(spans))


def halves(window: SpeechWindow) -> tuple[SpeechWindow, SpeechWindow]:
    """Cut a window in two near its middle, where it is quietest.

    Args:
        window: longer than the range in which it may be cut, 5 s.
    """
    start = (len(window.samples) - CUT_RANGE) // 2
    cut = (start + _quietest(window.samples[start : start + CUT_RANGE])) / SAMPLE_RATE_HZ
    return head(window, cut), tail(window, cut)


def video_times(window: SpeechWindow, start: float, end: float) -> tuple[float, float]:
    """Map times in a window to times in the video.

    A time up to half a second on the wrong side of a seam means the seam: to the speech model the
    pause there is a second long, where minutes may have been left out, and its times lie anywhere
    in it.

    Args:
        window: that the speech model transcribed.
        start: of something said, seconds of the window.
        end: of something said, seconds of the window.

    Returns:
        Start and end, seconds of the video.
    """
    seam = round(SEAM_SECONDS * SAMPLE_RATE_HZ)
    first, last = round(start * SAMPLE_RATE_HZ), round(end * SAMPLE_RATE_HZ)
    spans = window.spans
    begins = [span.window_start for span in spans]
    before = max(bisect_right(begins, first) - 1, 0)
    after = max(bisect_left(begins, last) - 1, before)
    if before < after and begins[before + 1] - first <= seam:
        before, first = before + 1, begins[before + 1]
    if before < after and last - begins[after] <= seam:
        after, last = after - 1, begins[after]
    return _in_video(spans[before], first), _in_video(spans[after], last)


def _in_video(span: Span, sample: int) -> float:
    return (span.video_start + min(sample - span.window_start, span.length)) / SAMPLE_RATE_HZ


def _append(window: list[Stretch], start: int, end: int) -> None:
    """Add a stretch; one that begins where the last one ends continues it."""
    if window and window[-1][1] == start:
        start, _ = window.pop()
    window.append((start, end))


def _window(audio: np.ndarray, stretches: list[Stretch]) -> SpeechWindow:
    spans, at = [], 0
    for start, end in stretches:
        spans.append(Span(at, start, end - start))
        at += end - start
    # Concatenating copies a single stretch, too; a view would keep the recording in memory.
    samples = np.concatenate([audio[start:end] for start, end in stretches])
    return SpeechWindow(samples, tuple(spans))


def _cut(audio: np.ndarray, stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    for start, end in stretches:
        while end - start > LONGEST:
            limit = start + LONGEST
            middle = limit - CUT_RANGE + _quietest(audio[limit - CUT_RANGE : limit])
            yield start, middle
            start = middle
        if end > start:
            yield start, end


def _quietest(audio: np.ndarray) -> int:
    """Find the middle of the quietest 20 ms."""
    frames = audio[: len(audio) // CUT_FRAME * CUT_FRAME].reshape(-1, CUT_FRAME)
    loudness = np.abs(frames.astype(np.int32)).sum(axis=1)
    return int(loudness.argmin()) * CUT_FRAME + CUT_FRAME // 2
