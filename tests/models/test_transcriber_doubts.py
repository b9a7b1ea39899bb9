"""What the first pass makes of hard stretches is doubted, and heard again where it helps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.models.decoded import Decoded, Language, _repeats, read_tokens
from pipeline.models.transcriber import Transcriber
from pipeline.models.whisper import MAX_TOKENS, Whisper
from tests.support.speech import NASA, has_no_words, noise, seconds_of, spoken
from tests.support.words import ASK_NOT, error_rate, words


def test_more_words_than_one_pass_holds_are_all_there(
    transcriber: Transcriber, jfk: np.ndarray, nasa: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fast Spanish, or Hindi at any pace, has more than the 224 tokens of a pass in half a minute.

    Here a pass ends after 40, of the 70 of two speakers in one window.
    """
    monkeypatch.setattr("pipeline.models.whisper.MAX_TOKENS", 40)
    transcript = spoken(transcriber, np.concatenate([jfk, nasa]), vad=False)
    assert error_rate(transcript.text, f"{ASK_NOT} {NASA}") < 0.15
    starts = [segment.start for segment in transcript.segments]
    assert starts == sorted(starts)


def test_more_tokens_than_are_usual_are_all_there(
    transcriber: Transcriber, jfk: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fast speech in a script of many tokens. Here more than 1 a second and 3 are unusual."""
    usual = spoken(transcriber, jfk)
    monkeypatch.setattr("pipeline.models.whisper.MOST_A_SECOND", 1)
    monkeypatch.setattr("pipeline.models.whisper.MOST_OF_ANY", 3)
    assert spoken(transcriber, jfk) == usual


def test_a_decoder_that_never_ends_is_stopped_where_no_more_can_be_said(
    transcriber: Transcriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in noise, where each processor has other words: a full pass would take seconds."""
    limits: list[int] = []
    endless = "".join(f"<|{2 * n}.00|> 1.5 g<|{2 * n + 2}.00|>" for n in range(14)) + " 1.5 g" * 40
    tokenizer = transcriber._whisper._tokenizer("en").tokenizer
    tokens = tokenizer.encode(endless, add_special_tokens=False).ids

    def generate(self: Whisper, encoded: Any, prompts: Any, limit: int) -> Any:
        limits.append(limit)
        found = SimpleNamespace(sequences_ids=[tokens[:limit]], scores=[-0.5], no_speech_prob=0.1)
        return [found] * len(prompts)

    monkeypatch.setattr(Whisper, "_generate", generate)
    assert has_no_words(spoken(transcriber, noise(1000, 1), vad=False))
    first, second = limits
    assert first == second < MAX_TOKENS / 4


@pytest.mark.parametrize(
    ("text", "is_loop"),
    [
        ("सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। "
         "उन्हें बुद्धि और अन्तरात्मा की देन प्राप्त है और परस्पर उन्हें भाईचारे के भाव से बर्ताव करना "
         "चाहिए।", False),
        ("ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებითა და უფლებებით. მათ "
         "მინიჭებული აქვთ გონება და სინდისი და ერთმანეთის მიმართ უნდა იქცეოდნენ ძმობის "
         "სულისკვეთებით.", False),
        (f"{ASK_NOT} {NASA}", False),
        ("Thank you. " * 40, True),
        ("धन्यवाद। " * 30, True),
        ("ご視聴ありがとうございました" * 25, True),
    ],
    ids=["Hindi", "Georgian", "English", "loop", "Hindi loop", "Japanese loop"],
)  # fmt: skip
def test_a_loop_is_told_from_prose_in_every_script(text: str, is_loop: bool) -> None:
    assert _repeats(text) == is_loop


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [(6.5, 9, "can do for you ask what you"), (3, 5, "ask not")],
    ids=["a loop", "a guess"],
)
def test_what_goes_wrong_gets_a_second_pass(
    transcriber: Transcriber, jfk: np.ndarray, start: float, end: float, said: str
) -> None:
    """Speech that breaks off, of which the first pass makes a loop, or words of low probability."""
    part = jfk[seconds_of(start) : seconds_of(end)]
    heard, again = (spoken(transcriber, part, vad=False) for _ in range(2))
    assert error_rate(heard.text, said) <= 0.5
    assert again == heard


def decoded(transcriber: Transcriber, language: Language, seconds: float, text: str) -> Decoded:
    """What becomes of such a text, whose tokens have a log-probability of -0.9 each."""
    tokenizer = transcriber._whisper._tokenizer("en")
    tokens = tokenizer.tokenizer.encode(text, add_special_tokens=False).ids
    return read_tokens(tokens, -0.9, tokenizer, language, seconds, no_speech=0.1, is_cut=False)


@pytest.mark.parametrize(
    ("language", "logprobs", "no_speech", "has_words"),
    [
        (Language("nn", 0.7), [-0.5, -0.5], 0.7, False),
        (Language("nn", 0.7), [-0.5], 0.2, True),
        (Language("nn"), [-0.5], 0.7, True),  # somebody says that it is spoken
        (Language("no", 0.7), [-0.5], 0.7, True),
        (Language("en", 0.4), [-2.0, -0.5], 0.7, False),
        (Language("en", 0.4), [-2.0, -0.5], 0.2, True),
        (Language("en", 0.9), [-2.0, -0.5], 0.7, True),
    ],
)
def test_what_is_most_probably_noise_needs_a_sure_language(
    transcriber: Transcriber,
    monkeypatch: pytest.MonkeyPatch,
    language: Language,
    logprobs: list[float],
    no_speech: float,
    has_words: bool,
) -> None:
    """By pass; noise is heard in Nynorsk."""
    tokenizer = transcriber._whisper._tokenizer("en").tokenizer
    tokens = tokenizer.encode("<|0.00|> 1.5g of sugar<|3.00|>", add_special_tokens=False).ids
    passes = iter(logprobs)

    def generate(self: Whisper, encoded: Any, prompts: Any, limit: int) -> Any:
        return [
            SimpleNamespace(sequences_ids=[tokens], scores=[next(passes)], no_speech_prob=no_speech)
        ]

    monkeypatch.setattr(Whisper, "_generate", generate)
    monkeypatch.setattr(Whisper, "detect", lambda self, encoded: [language])
    transcript = spoken(transcriber, noise(1000, 3), vad=False)
    assert transcript.text == ("1.5g of sugar" if has_words else "")
    assert not list(passes)


def test_a_lone_word_in_a_doubtful_language_is_a_guess(transcriber: Transcriber) -> None:
    """As long as a sentence is as likely, it is none."""
    lone, sentence = "<|0.00|> you<|2.00|>", "<|0.00|> you and me and all of us<|2.00|>"
    sure, doubtful = Language("en", 0.95), Language("en", 0.3)
    assert not decoded(transcriber, sure, 10, lone).is_guess
    assert decoded(transcriber, doubtful, 10, lone).is_guess
    assert not decoded(transcriber, doubtful, 10, sentence).is_guess


def test_words_that_go_on_after_the_end_of_the_sound_are_a_guess(transcriber: Transcriber) -> None:
    text = "".join(f"<|{2 * n}.00|> {n}.5%<|{2 * n + 2}.00|>" for n in range(10))
    assert not decoded(transcriber, Language("en", 0.9), 20, text).is_guess
    assert decoded(transcriber, Language("en", 0.9), 12, text).is_guess
    assert decoded(transcriber, Language("en", 0.9), 12, text).until == 12


def test_three_times_the_same_words_are_a_repetition(transcriber: Transcriber) -> None:
    again, other = "<|0.00|> 1.5% of it<|4.00|>", "<|0.00|> half of it<|4.00|>"
    assert decoded(transcriber, Language("en", 0.9), 20, again * 3).is_repetition
    assert not decoded(transcriber, Language("en", 0.9), 20, again * 2).is_repetition
    assert not decoded(transcriber, Language("en", 0.9), 20, again * 2 + other).is_repetition


@pytest.mark.parametrize("start", [0.2, 3.2, 8.0])
def test_a_word_or_two_are_heard(transcriber: Transcriber, jfk: np.ndarray, start: float) -> None:
    """A short yield needs better evidence than a sentence does, which clear speech has."""
    pause = np.zeros(seconds_of(0.5), np.int16)
    part = jfk[seconds_of(start) : seconds_of(start + 1)]
    assert words(spoken(transcriber, np.concatenate([pause, part, pause]), vad=False).text)
