"""A transcript goes through the text encoder in windows: every word once, in order, in time."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.text_windows import in_spoken_words, text_windows
from store.schema import Segment

WORDS = st.text("abcdeé日本", min_size=1, max_size=8)
SPACES = st.sampled_from([" ", "  ", "\n", "\u3000"])
TEXTS = st.lists(st.tuples(WORDS, SPACES), max_size=12).map(
    lambda pairs: "".join(word + space for word, space in pairs)
)


@st.composite
def transcripts(draw: st.DrawFn) -> list[Segment]:
    """Segments one after the other, some without words."""
    texts = draw(st.lists(TEXTS, max_size=8))
    count = 2 * len(texts)
    times = sorted(draw(st.sets(st.floats(0, 1e4), min_size=count, max_size=count)))
    return [Segment(times[2 * i], times[2 * i + 1], text) for i, text in enumerate(texts)]


def at_most(size: int) -> Callable[[str], bool]:
    return lambda text: len(text) <= size


def letters(segments: list[Segment] | tuple[Segment, ...]) -> str:
    return "".join("".join(segment.text.split()) for segment in segments)


LIMITS = st.integers(1, 60)


@given(transcripts(), LIMITS)
def test_no_letter_is_lost_doubled_or_moved(segments: list[Segment], limit: int) -> None:
    assert letters(text_windows(segments, at_most(limit))) == letters(segments)


@given(transcripts(), st.integers(8, 60))
def test_no_word_is_broken_where_a_word_fits(segments: list[Segment], limit: int) -> None:
    words = [word for segment in segments for word in segment.text.split()]
    windows = text_windows(segments, at_most(limit))
    assert [word for window in windows for word in window.text.split()] == words


@given(transcripts(), LIMITS)
def test_every_window_has_words_and_fits(segments: list[Segment], limit: int) -> None:
    for window in text_windows(segments, at_most(limit)):
        assert window.text.strip() == window.text != ""
        assert len(window.text) <= limit


@given(transcripts(), LIMITS)
def test_a_window_ends_only_where_the_next_segment_does_not_fit(
    segments: list[Segment], limit: int
) -> None:
    whole = [segment for segment in segments if len(segment.text.strip()) <= limit]
    texts = {segment.start: segment.text.strip() for segment in whole}
    for window, following in pairwise(text_windows(whole, at_most(limit))):
        assert len(f"{window.text} {texts[following.start]}") > limit


@given(transcripts(), LIMITS)
def test_times_go_forward_within_the_speech(segments: list[Segment], limit: int) -> None:
    windows = text_windows(segments, at_most(limit))
    times = [time for window in windows for time in (window.start, window.end)]
    assert times == pytest.approx(sorted(times))
    spoken = [segment for segment in segments if segment.text.strip()]
    if spoken:
        assert windows[0].start == spoken[0].start
        assert windows[-1].end == spoken[-1].end


@given(transcripts(), LIMITS)
def test_the_first_window_only_is_the_first_of_all(segments: list[Segment], limit: int) -> None:
    fits = at_most(limit)
    assert text_windows(segments, fits, first_only=True) == text_windows(segments, fits)[:1]


def test_what_fits_is_one_window_from_the_first_word_to_the_last() -> None:
    segments = [Segment(1.0, 2.0, " Ask not"), Segment(2.5, 2.6, " "), Segment(3.0, 4.0, "what")]
    assert text_windows(segments, at_most(12)) == (Segment(1.0, 4.0, "Ask not what"),)


def test_a_long_segment_is_cut_at_the_space_nearest_to_its_middle() -> None:
    cut = text_windows([Segment(10.0, 20.0, "aaaa bb cc")], at_most(7))
    assert cut == (Segment(10.0, 14.0, "aaaa"), Segment(14.0, 20.0, "bb cc"))


def test_nothing_said_is_no_window() -> None:
    assert text_windows([], at_most(5)) == ()
    assert text_windows([Segment(0.0, 1.0, " \n")], at_most(5)) == ()


def test_windows_of_a_translation_show_the_words_that_were_said_there() -> None:
    said = [Segment(0, 4, "uno dos"), Segment(4, 7, "tres"), Segment(9, 12, "cuatro")]
    windows = [Segment(0, 5, "one two"), Segment(5, 8, "three"), Segment(20, 21, "five")]
    shown = in_spoken_words(windows, said)
    assert [window.text for window in shown] == ["uno dos", "tres", "five"]
    assert [(window.start, window.end) for window in shown] == [(0, 5), (5, 8), (20, 21)]
