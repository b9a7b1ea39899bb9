"""A transcript -> windows of text that fit the text encoder. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from store.schema import Segment


def text_windows(
    segments: Sequence[Segment], fits: Callable[[str], bool], *, first_only: bool = False
) -> tuple[Segment, ...]:
    """Join neighbouring segments as long as their text fits one window.

    A segment that does not fit by itself is cut in two at the space nearest to its middle, until
    the pieces fit. Each piece gets a share of the segment's time by its number of characters.

    Args:
        segments: in order of time.
        fits: tells whether the encoder's window holds a text.
        first_only: return the first window alone.
    """
    windows: list[Segment] = []
    for piece in _pieces(segments, fits):
        joined = _join(windows[-1], piece) if windows else piece
        if windows and fits(joined.text):
            windows[-1] = joined
        elif windows and first_only:
            break
        else:
            windows.append(piece)
    return tuple(windows)


def in_spoken_words(
    windows: Sequence[Segment], transcript: Sequence[Segment]
) -> tuple[Segment, ...]:
    """Give windows of a translation the words that were said there.

    Args:
        windows: of the translation.
        transcript: its segments, in order of time.

    Returns:
        The windows; one in which none of the transcript falls keeps its English.
    """
    return tuple(_in_spoken_words(window, transcript) for window in windows)


def _in_spoken_words(window: Segment, transcript: Sequence[Segment]) -> Segment:
    said = " ".join(each.text.strip() for each in transcript if _overlap(each, window))
    return replace(window, text=said or window.text)


def _overlap(first: Segment, second: Segment) -> bool:
    """Whether two stretches share at least half of the shorter one."""
    shared = min(first.end, second.end) - max(first.start, second.start)
    return shared >= min(first.end - first.start, second.end - second.start) / 2


def _pieces(segments: Sequence[Segment], fits: Callable[[str], bool]) -> Iterator[Segment]:
    for segment in segments:
        text = segment.text.strip()
        if text:
            yield from _cut(Segment(segment.start, segment.end, text), fits)


def _cut(segment: Segment, fits: Callable[[str], bool]) -> Iterator[Segment]:
    text = segment.text
    if len(text) < 2 or fits(text):
        yield segment
        return
    middle = len(text) // 2
    spaces = [index for index, character in enumerate(text) if character.isspace()]
    at = min(spaces, key=lambda index: abs(index - middle), default=middle)
    when = segment.start + (segment.end - segment.start) * at / len(text)
    yield from _cut(Segment(segment.start, when, text[:at].strip()), fits)
    yield from _cut(Segment(when, segment.end, text[at:].strip()), fits)


def _join(first: Segment, second: Segment) -> Segment:
    return Segment(first.start, second.end, f"{first.text} {second.text}")
