"""No sample of speech is lost or heard twice, and every time leads back to where it came from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.speech_windows import LONGEST, Stretch, join, lay, tail, video_times
from pipeline.speech import SAMPLE_RATE_HZ, Span, SpeechWindow

GAPS = st.lists(
    st.tuples(st.integers(0, 40 * SAMPLE_RATE_HZ), st.integers(1, 70 * SAMPLE_RATE_HZ)), max_size=6
)


def laid_out(gaps: list[tuple[int, int]]) -> tuple[np.ndarray, list[Stretch]]:
    """Sound in which every sample tells its place (modulo 2**15), and stretches of it."""
    stretches, at = [], 0
    for gap, length in gaps:
        stretches.append((at + gap, at + gap + length))
        at += gap + length
    return (np.arange(at + 1000) % 2**15).astype(np.int16), stretches


@given(GAPS)
def test_every_sample_of_speech_is_in_exactly_one_window(gaps: list[tuple[int, int]]) -> None:
    audio, stretches = laid_out(gaps)
    times_heard = np.zeros(len(audio), dtype=np.uint8)
    for window in lay(audio, stretches):
        for span in window.spans:
            times_heard[span.video_start : span.video_start + span.length] += 1
    is_speech = np.zeros(len(audio), dtype=np.uint8)
    for start, end in stretches:
        is_speech[start:end] = 1
    np.testing.assert_array_equal(times_heard, is_speech)


@given(GAPS)
def test_windows_hold_the_samples_that_their_spans_name(gaps: list[tuple[int, int]]) -> None:
    audio, stretches = laid_out(gaps)
    for window in lay(audio, stretches):
        assert 0 < len(window.samples) <= LONGEST
        named = [audio[s.video_start : s.video_start + s.length] for s in window.spans]
        np.testing.assert_array_equal(window.samples, np.concatenate(named))
        ends = [span.window_start + span.length for span in window.spans]
        assert [span.window_start for span in window.spans] == [0, *ends[:-1]]


@given(GAPS.filter(bool))
def test_windows_joined_are_all_the_speech_in_order(gaps: list[tuple[int, int]]) -> None:
    audio, stretches = laid_out(gaps)
    joined = join(lay(audio, stretches))
    speech = np.concatenate([audio[start:end] for start, end in stretches])
    np.testing.assert_array_equal(joined.samples, speech)
    for span in joined.spans:
        heard = joined.samples[span.window_start : span.window_start + span.length]
        there = audio[span.video_start : span.video_start + span.length]
        np.testing.assert_array_equal(heard, there)


@given(GAPS, st.data())
def test_times_lead_back_to_the_video(gaps: list[tuple[int, int]], data: st.DataObject) -> None:
    audio, stretches = laid_out([(0, SAMPLE_RATE_HZ), *gaps])
    window = data.draw(st.sampled_from(lay(audio, stretches)))
    span = data.draw(st.sampled_from(window.spans))
    inside = sorted(data.draw(st.tuples(*[st.integers(0, span.length)] * 2)))
    times = [(span.window_start + sample) / SAMPLE_RATE_HZ for sample in inside]
    expected = [(span.video_start + sample) / SAMPLE_RATE_HZ for sample in inside]
    start, end = video_times(window, *times)
    assert start <= end
    if 0 < inside[0] < inside[1] < span.length:
        assert [start, end] == pytest.approx(expected, abs=1e-4)


@given(GAPS, st.floats(0, 28))
def test_a_tail_leads_back_to_the_same_samples(gaps: list[tuple[int, int]], until: float) -> None:
    audio, stretches = laid_out([(0, SAMPLE_RATE_HZ), *gaps])
    window = lay(audio, stretches)[-1]
    rest = tail(window, until)
    np.testing.assert_array_equal(rest.samples, window.samples[round(until * SAMPLE_RATE_HZ) :])
    for span in rest.spans:
        there = audio[span.video_start : span.video_start + span.length]
        here = rest.samples[span.window_start : span.window_start + span.length]
        np.testing.assert_array_equal(here, there)
    assert sum(span.length for span in rest.spans) == len(rest.samples)


def seconds(*spans: tuple[float, float, float]) -> SpeechWindow:
    laid = [Span(*(round(value * SAMPLE_RATE_HZ) for value in span)) for span in spans]
    return SpeechWindow(np.zeros(sum(span.length for span in laid), np.int16), tuple(laid))


@pytest.mark.parametrize(
    ("said", "in_video"),
    [
        ((1.0, 9.0), (11.0, 19.0)),
        ((1.0, 10.0), (11.0, 20.0)),  # up to the seam
        ((10.0, 12.0), (600.0, 602.0)),  # from the seam
        ((9.7, 12.0), (600.0, 602.0)),  # begins a little early, in the pause before
        ((1.0, 10.3), (11.0, 20.0)),  # ends a little late, in the pause behind
        ((8.0, 12.0), (18.0, 602.0)),  # goes on over the seam
        ((14.0, 15.0), (604.0, 605.0)),  # up to the end
    ],
)
def test_a_time_at_a_seam_belongs_to_what_was_said(
    said: tuple[float, float], in_video: tuple[float, float]
) -> None:
    window = seconds((0, 10, 10), (10, 600, 5))
    assert video_times(window, *said) == pytest.approx(in_video)


def test_a_long_stretch_is_cut_where_it_is_quietest() -> None:
    audio = np.full(40 * SAMPLE_RATE_HZ, 1000, np.int16)
    audio[27 * SAMPLE_RATE_HZ : round(27.1 * SAMPLE_RATE_HZ)] = 10
    first, second = lay(audio, [(0, len(audio))])
    assert 27.0 <= len(first.samples) / SAMPLE_RATE_HZ <= 27.1
    assert len(first.samples) + len(second.samples) == len(audio)
