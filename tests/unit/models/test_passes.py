"""Which window is transcribed next, and what is kept of a pass; without a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.models.decoded import Decoded, Language
from pipeline.models.passes import Answer, Clip, Request, batches, judge, translation_request
from pipeline.speech import SAMPLE_RATE_HZ, Span, SpeechWindow, Transcript
from store.schema import Segment

EN, ES = Language("en", 0.9), Language("es", 0.9)


def window(seconds: float) -> SpeechWindow:
    samples = np.zeros(round(seconds * SAMPLE_RATE_HZ), np.int16)
    return SpeechWindow(samples, (Span(0, 0, len(samples)),))


def clip(*seconds: float, language: Language | None = None) -> Clip:
    return Clip([window(each) for each in seconds], language)


def decoded(*ends: float, logprob: float = -0.3, ratio: float = 1.4, **options: Any) -> Decoded:
    starts = [0.0, *ends[:-1]]
    segments = tuple(Segment(*times, "words") for times in zip(starts, ends, strict=True))
    return Decoded(
        segments, ratio, logprob, **{"word_logprob": logprob, "no_speech": 0.1, **options}
    )


def answer_to(seconds: float, *outcomes: Decoded) -> Answer:
    """The last answer, where each pass asks for the next."""
    request = Request(clip(seconds), window(seconds))
    for outcome in outcomes[:-1]:
        [request] = judge(request, EN, outcome).follow_ups
    return judge(request, EN, outcomes[-1])


def length_of(request: Request | None) -> float:
    return len(request.window.samples) / SAMPLE_RATE_HZ if request else 0.0


def lengths_of(answer: Answer) -> list[float]:
    """Lengths of the windows that must follow, seconds."""
    return [length_of(request) for request in answer.follow_ups]


def test_words_up_to_the_end_need_no_other_pass() -> None:
    answer = answer_to(20, decoded(8.0, 19.0))
    assert [segment.end for segment in answer.segments] == [8.0, 19.0]
    assert answer.follow_ups == ()


@pytest.mark.parametrize("is_cut", [True, False])
def test_what_follows_the_words_is_transcribed_next(is_cut: bool) -> None:
    """After a cut it is speech like any other; otherwise it may well be silence."""
    answer = answer_to(26, decoded(8.0, 20.0, is_cut=is_cut))
    assert len(answer.segments) == 2
    assert lengths_of(answer) == pytest.approx([6])
    assert bool(answer.follow_ups[0].again(decoded(5.0, logprob=-1.2))) is is_cut


def test_a_short_rest_is_worth_a_pass_only_where_words_were_cut() -> None:
    assert lengths_of(answer_to(21, decoded(20.0, is_cut=True))) == pytest.approx([1])
    assert lengths_of(answer_to(21, decoded(20.0))) == []


def test_passes_come_to_an_end() -> None:
    assert lengths_of(answer_to(20, decoded(0.5, is_cut=True))) == []


@pytest.mark.parametrize(
    "bad",
    [
        decoded(9.0, logprob=-1.2),
        decoded(9.0, is_cut=True, is_loop=True),
        decoded(9.0, logprob=-0.9, word_logprob=-4.5),
        decoded(9.0, segments_after_end=4),
    ],
    ids=["improbable", "a loop", "an improbable word among timestamps", "beyond the end"],
)
def test_a_guess_gets_a_second_pass_and_is_dropped_if_it_is_one_again(bad: Decoded) -> None:
    first = answer_to(10, bad)
    assert first.segments == ()
    assert lengths_of(first) == [10]
    assert not answer_to(10, bad, bad).segments
    assert lengths_of(answer_to(10, bad, bad)) == []
    assert answer_to(10, bad, decoded(9.0)).segments


@pytest.mark.parametrize(
    "bad", [decoded(9.0, ratio=3.0), decoded(9.0, is_cut=True, is_loop=True)], ids=["ratio", "loop"]
)
def test_a_loop_in_a_long_window_gets_a_second_pass_in_two_halves(bad: Decoded) -> None:
    """Padded to 30 s, it would be decoded in much the same way."""
    answer = answer_to(26, bad)
    assert answer.segments == ()
    assert lengths_of(answer) == pytest.approx([13, 13], abs=2.6)
    assert sum(lengths_of(answer)) == pytest.approx(26)
    for half in answer.follow_ups:
        [again] = judge(half, EN, bad).follow_ups
        assert again.length == 30 * SAMPLE_RATE_HZ
        assert all(rest.is_remainder for rest in judge(again, EN, bad).follow_ups)


def test_improbable_words_of_a_window_that_fills_the_half_minute_are_dropped() -> None:
    answer = answer_to(28, decoded(9.0, logprob=-1.2))
    assert (answer.segments, answer.follow_ups) == ((), ())


def test_what_was_said_over_and_over_is_kept() -> None:
    repetition = decoded(9.0, ratio=3.0)
    assert answer_to(10, repetition, repetition).segments
    assert not answer_to(10, decoded(9.0, logprob=-1.2), repetition).segments


@pytest.mark.parametrize(
    "bad", [decoded(9.0, ratio=3.0), decoded(9.0, is_cut=True, is_loop=True)], ids=["ratio", "loop"]
)
def test_after_a_repetition_words_in_a_doubtful_language_are_dropped(bad: Decoded) -> None:
    doubtful = Language("nn", 0.4)
    again = Request(clip(10), window(10), first=bad)
    assert not judge(again, doubtful, decoded(9.0)).segments
    assert judge(again, EN, decoded(9.0)).segments
    improbable = Request(clip(10), window(10), first=decoded(9.0, logprob=-1.2))
    assert judge(improbable, doubtful, decoded(9.0)).segments


@pytest.mark.parametrize(
    ("seconds", "language", "length"),
    [
        ((1, 28), None, 28),
        ((14, 20), None, 28),
        ((1,), None, 0),
        ((16, 28), None, 0),
        ((1, 28), ES, 0),
    ],
)
def test_a_short_first_window_does_not_decide_on_the_language_alone(
    seconds: tuple[float, ...], language: Language | None, length: float
) -> None:
    assert length_of(clip(*seconds, language=language).opening()) == length


def test_after_its_opening_a_clip_is_transcribed_in_one_language() -> None:
    state = clip(1, 28, 20)
    state.take(Answer((), ES, is_opening=True))
    assert state.language == ES
    assert len(state.next_requests()) == 3


def test_without_an_opening_the_first_window_with_words_decides() -> None:
    state = clip(20, 28, 28)
    assert len(state.next_requests()) == 1
    state.take(Answer((), ES))
    assert len(state.next_requests()) == 1
    state.take(Answer((Segment(21.0, 22.0, "words"),), EN))
    assert state.language == EN
    assert len(state.next_requests()) == 1


def test_a_batch_is_decoded_at_one_length_and_bounded() -> None:
    state = clip(language=EN)
    requests = [Request(state, window(seconds)) for seconds in (28, 2, 5, 12, 3) * 8]
    made = list(batches(requests))
    assert sorted(map(id, requests)) == sorted(id(each) for batch in made for each in batch)
    for batch in made:
        assert len({request.decoded_length for request in batch}) == 1
        assert len(batch) * batch[0].decoded_length <= 240 * SAMPLE_RATE_HZ
        assert [each.length for each in batch] == sorted(each.length for each in batch)


def translation(seconds: float, words: Decoded) -> Request:
    """What is asked of the translation of a window in which a first pass found words."""
    request = Request(clip(seconds, language=ES), window(seconds))
    return translation_request(request, judge(request, ES, words), words)


def test_an_improbable_translation_is_kept() -> None:
    answer = judge(translation(10, decoded(9.0)), ES, decoded(9.0, logprob=-1.8))
    assert answer.is_translation
    assert [segment.end for segment in answer.segments] == [9.0]
    assert answer.follow_ups == ()


@pytest.mark.parametrize(
    "bad", [decoded(9.0, ratio=3.0), decoded(9.0, is_cut=True, is_loop=True)], ids=["ratio", "loop"]
)
def test_a_translation_that_repeats_itself_gets_a_second_pass_and_is_dropped_if_it_does_again(
    bad: Decoded,
) -> None:
    first = judge(translation(10, decoded(9.0)), ES, bad)
    assert first.segments == ()
    [again] = first.follow_ups
    assert (again.length, again.task) == (30 * SAMPLE_RATE_HZ, "translate")
    second = judge(again, ES, bad)
    assert (second.segments, second.follow_ups) == ((), ())


def test_only_what_has_words_is_translated_and_the_rest_with_its_own() -> None:
    assert length_of(translation(26, decoded(8.0, 20.0))) == pytest.approx(20)
    assert length_of(translation(20, decoded(8.0, 19.0))) == 20


def test_a_translation_stands_beside_the_words() -> None:
    state = clip(20)
    english = Answer((Segment(0.0, 2.0, "words"),), ES, is_translation=True)
    state.take(Answer((Segment(0.0, 2.0, "palabras"),), ES, translation=english))
    transcript = state.result()
    assert isinstance(transcript, Transcript)
    assert (transcript.text, transcript.language) == ("palabras", "es")
    assert transcript.translation == english.segments
