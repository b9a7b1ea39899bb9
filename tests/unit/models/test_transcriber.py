"""Words where somebody speaks, at the right times, and none where nobody does."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipeline.errors import ModelError, VideoError
from pipeline.models.decoded import Decoded, Language, _repeats, read_tokens
from pipeline.models.transcriber import Transcriber
from pipeline.models.vad import find_speech
from pipeline.records import SAMPLE_RATE_HZ, Span, SpeechStatus, SpeechWindow, Transcript
from tests.support.words import ASK_NOT, error_rate, words

pytestmark = pytest.mark.model


def seconds_of(value: float) -> int:
    return round(value * SAMPLE_RATE_HZ)


def is_ask_not(transcript: Transcript | VideoError) -> bool:
    """Whether it is the recording's sentence, give or take two of its 22 words."""
    return isinstance(transcript, Transcript) and error_rate(transcript.text, ASK_NOT) < 0.1


def has_no_words(transcript: Transcript | VideoError) -> bool:
    return transcript == Transcript(SpeechStatus.NO_TEXT)


def tone(*hertz: float, seconds: float = 8) -> np.ndarray:
    times = np.arange(seconds_of(seconds)) / SAMPLE_RATE_HZ
    return sum(6000 / len(hertz) * np.sin(2 * np.pi * f * times) for f in hertz).astype(np.int16)


def noise(loudness: float, seconds: float = 8) -> np.ndarray:
    values = np.random.default_rng(7).normal(0, loudness, seconds_of(seconds))
    return values.clip(-32768, 32767).astype(np.int16)


def sound_of(file: Path) -> np.ndarray:
    resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE_HZ)
    with av.open(file) as container:
        frames = [made for f in container.decode(audio=0) for made in resampler.resample(f)]
    return np.concatenate([frame.to_ndarray()[0] for frame in [*frames, *resampler.resample(None)]])


NASA = (
    "this is the optical and science segment of the webb space telescope in one of the largest "
    "clean rooms in the world at nasa's goddard space flight center in greenbelt maryland"
)
"""What is said in tests/assets/nasa_13013.mp4."""


@pytest.fixture(scope="module")
def jfk(jfk_flac: Path) -> np.ndarray:
    return sound_of(jfk_flac)


@pytest.fixture(scope="module")
def nasa(clips: tuple[Path, ...]) -> np.ndarray:
    return sound_of(next(clip for clip in clips if clip.name == "nasa_13013.mp4"))


def said_at(transcript: Transcript, second: float) -> set[str]:
    """Every two and three words in a row that were said about then, give or take a second."""
    said = " ".join(s.text for s in transcript.segments if s.start - 1 < second < s.end + 1)
    row = words(said)
    return {" ".join(row[i : i + n]) for n in (2, 3) for i in range(len(row))}


@pytest.fixture(scope="module")
def transcriber(whisper_dir: Path) -> Transcriber:
    return Transcriber(str(whisper_dir), threads=2)


def spoken(transcriber: Transcriber, audio: np.ndarray, *, vad: bool = True) -> Transcript:
    [transcript] = transcriber.transcribe([find_speech(audio, vad=vad)])
    assert isinstance(transcript, Transcript)
    return transcript


@pytest.mark.parametrize("vad", [True, False])
def test_words_language_and_times_of_clear_speech(
    transcriber: Transcriber, jfk: np.ndarray, vad: bool
) -> None:
    transcript = spoken(transcriber, jfk, vad=vad)
    assert transcript.status is SpeechStatus.SPEECH
    assert is_ask_not(transcript)
    assert transcript.language == "en"
    assert transcript.language_probability is not None
    assert transcript.language_probability > 0.8
    assert transcript.segments[0].start == pytest.approx(0.3, abs=1)
    assert transcript.segments[-1].end == pytest.approx(10.6, abs=1)


def test_times_are_the_videos_own(transcriber: Transcriber, jfk: np.ndarray) -> None:
    silence = np.zeros(seconds_of(20), np.int16)
    transcript = spoken(transcriber, np.concatenate([silence, jfk, silence]))
    assert is_ask_not(transcript)
    assert transcript.segments[0].start == pytest.approx(20.3, abs=1)
    assert transcript.segments[-1].end == pytest.approx(30.6, abs=1)


def test_a_long_recording_is_heard_whole(
    transcriber: Transcriber, jfk: np.ndarray, nasa: np.ndarray
) -> None:
    """Over four minutes, and the border between pieces that the voice detector hears at a time.

    Two speakers take turns: the same words twice in a window look like a decoder in a loop.
    """
    starts, parts, at = [], [], 0.0
    for gap in (3, 15, 0.5, 30, 4, 20):
        for speaker in (jfk, nasa):
            parts += [np.zeros(seconds_of(gap), np.int16), speaker]
            at += (seconds_of(gap) + len(speaker)) / SAMPLE_RATE_HZ
        starts.append(at - (seconds_of(gap) + len(jfk) + len(nasa)) / SAMPLE_RATE_HZ)
    transcript = spoken(transcriber, np.concatenate(parts))
    assert error_rate(transcript.text, f"{ASK_NOT} {NASA} " * len(starts)) < 0.1
    for start in starts:
        assert said_at(transcript, start + 2) & {"fellow americans", "so my fellow"}
        assert said_at(transcript, start + 10) & {"do for your", "for your country"}


def test_full_windows_give_to_the_word_what_faster_whisper_gives(
    whisper_dir: Path, jfk: np.ndarray, nasa: np.ndarray
) -> None:
    """Two windows, with pauses that the voice detector leaves out; and the times of the video."""
    from faster_whisper import WhisperModel

    gap = np.zeros(seconds_of(6), np.int16)
    audio = np.concatenate([gap, jfk, gap, nasa, gap, jfk])
    stock = WhisperModel(str(whisper_dir), device="cpu", compute_type="float32", cpu_threads=2)
    heard, _ = stock.transcribe(audio.astype(np.float32) / 32768, beam_size=1, vad_filter=True)
    expected = [(each.text.strip(), each.start) for each in heard]
    full = Transcriber(str(whisper_dir), full_windows=True, compute_type="float32", threads=2)
    transcript = spoken(full, audio)
    assert [segment.text for segment in transcript.segments] == [text for text, _ in expected]
    for segment, (_, start) in zip(transcript.segments, expected, strict=True):
        # What begins at a seam began before the pause to faster-whisper, after it to us.
        assert start - 1 < segment.start < start + 7
    assert transcript.language == "en"
    assert full.transcribe([()]) == [Transcript(SpeechStatus.NO_TEXT)]


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(seconds_of(8), np.int16),
        np.zeros(0, np.int16),
        np.zeros(1, np.int16),
        noise(20),
        noise(4000),
        tone(440),
        tone(220, 277, 330, 440),
        tone(*(50 * k for k in range(1, 12))),
    ],
    ids=["silence", "nothing", "one sample", "hiss", "loud noise", "tone", "chord", "hum"],
)
def test_nobody_speaks(transcriber: Transcriber, sound: np.ndarray) -> None:
    windows = find_speech(sound, vad=True)
    assert windows == () or has_no_words(spoken(transcriber, sound))


def test_what_the_voice_detector_mistakes_for_speech_gives_no_word(
    transcriber: Transcriber,
) -> None:
    """A hum that rises and falls four times a second, as syllables do: Whisper loops on it."""
    times = np.arange(seconds_of(12)) / SAMPLE_RATE_HZ
    babble = 4000 * np.sin(2 * np.pi * 150 * times) * (1 + np.sin(2 * np.pi * 4 * times))
    audio = babble.astype(np.int16)
    assert find_speech(audio, vad=True)
    assert has_no_words(spoken(transcriber, audio))


@pytest.mark.parametrize("loudness", [0, 20, 1000, 4000])
def test_noise_without_the_voice_detector_gives_no_word(
    transcriber: Transcriber, loudness: float
) -> None:
    """On every processor: in 8 bits they find different syllables, over and over."""
    sounds = [find_speech(noise(loudness, seconds), vad=False) for seconds in (3, 8, 25)]
    assert all(map(has_no_words, transcriber.transcribe(sounds)))


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


def test_a_window_that_one_pass_does_not_hold_is_the_same_in_a_batch(
    transcriber: Transcriber, jfk: np.ndarray, nasa: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.models.whisper.MAX_TOKENS", 40)
    windows = [find_speech(sound, vad=False) for sound in (nasa, np.concatenate([jfk, nasa]))]
    alone = [transcriber.transcribe([window])[0] for window in windows]
    for together, single in zip(transcriber.transcribe(windows), alone, strict=True):
        assert isinstance(together, Transcript)
        assert isinstance(single, Transcript)
        assert error_rate(together.text, single.text) < 0.1


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
    return read_tokens(tokens, -0.9, tokenizer, language, seconds, is_cut=False)


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


def test_clips_do_not_change_each_other(transcriber: Transcriber, jfk: np.ndarray) -> None:
    clips = [jfk, jfk[: seconds_of(4)], noise(4000), jfk[: seconds_of(10.4)], jfk]
    windows = [find_speech(clip, vad=False) for clip in clips]
    alone = [transcriber.transcribe([window])[0] for window in windows]
    for index, (together, single) in enumerate(
        zip(transcriber.transcribe(windows), alone, strict=True)
    ):
        if index == 2:
            assert has_no_words(together)
            assert has_no_words(single)
            continue
        assert isinstance(together, Transcript)
        assert isinstance(single, Transcript)
        # A product of larger matrices adds up in another order.
        assert error_rate(together.text, single.text) < 0.2
        assert together.language == single.language


def test_a_clip_that_whisper_fails_on_fails_alone(
    transcriber: Transcriber, jfk: np.ndarray
) -> None:
    minute = np.resize(jfk, seconds_of(60))
    too_long = SpeechWindow(minute, (Span(0, 0, len(minute)),))
    good, bad, empty = transcriber.transcribe([find_speech(jfk, vad=True), (too_long,), ()])
    assert is_ask_not(good)
    assert isinstance(bad, VideoError)
    assert bad.stage == "speech"
    assert empty == Transcript(SpeechStatus.NO_TEXT)


class SmallDevice:
    """Whisper on a device with room for so many windows at a time; at 0 it has failed."""

    def __init__(self, whisper: Any, room: int, message: str) -> None:
        self._whisper, self._room, self._message = whisper, room, message
        self.passes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whisper, name)

    def encode(self, windows: Sequence[np.ndarray], lengths: Sequence[int], length: int) -> Any:
        self.passes.append(len(windows))
        if len(windows) > self._room:
            raise RuntimeError(self._message)
        return self._whisper.encode(windows, lengths, length)


def test_a_batch_that_the_device_has_no_room_for_is_halved(
    whisper_dir: Path, jfk: np.ndarray
) -> None:
    clips = [find_speech(jfk, vad=True)] * 4
    transcriber = Transcriber(str(whisper_dir), threads=2)
    message = "CUDA failed with error out of memory"
    small = SmallDevice(transcriber._whisper, 1, message)
    transcriber._whisper = small  # type: ignore[assignment]
    assert all(map(is_ask_not, transcriber.transcribe(clips)))
    assert small.passes == [4, 2, 1, 1, 2, 1, 1]
    small._room = 0
    [failed] = transcriber.transcribe(clips[:1])
    assert isinstance(failed, VideoError)
    assert "out of memory" in failed.reason
    small._message = "CUDA failed with error unspecified launch failure"
    with pytest.raises(ModelError, match="launch failure"):
        transcriber.transcribe(clips)


class ForeignStart(SmallDevice):
    """Whisper that takes whatever is shorter than five seconds for Spanish."""

    def encode(self, windows: Sequence[np.ndarray], lengths: Sequence[int], length: int) -> Any:
        self.is_short = [len(window) < seconds_of(5) for window in windows]
        return self._whisper.encode(windows, lengths, length)

    def detect(self, encoded: Any) -> list[Language]:
        found = self._whisper.detect(encoded)
        return [
            Language("es", 0.9) if is_short else language
            for is_short, language in zip(self.is_short, found, strict=True)
        ]


def test_the_first_half_minute_decides_on_the_language(
    whisper_dir: Path, jfk: np.ndarray, nasa: np.ndarray
) -> None:
    """A greeting in another language, alone in the first window, does not."""
    long = np.concatenate([jfk, nasa, jfk])[: seconds_of(27.5)]
    windows = [SpeechWindow(part, (Span(0, 0, len(part)),)) for part in (jfk[:16_000], long)]
    transcriber = Transcriber(str(whisper_dir), threads=2)
    transcriber._whisper = ForeignStart(transcriber._whisper, 99, "")  # type: ignore[assignment]
    together, alone = transcriber.transcribe([windows, windows[1:]])
    assert isinstance(together, Transcript)
    assert isinstance(alone, Transcript)
    assert together.language == alone.language == "en"
    assert error_rate(together.text, f"and {alone.text}") < 0.2


def test_a_given_language_is_not_detected(whisper_dir: Path, jfk: np.ndarray) -> None:
    transcript = spoken(Transcriber(str(whisper_dir), language="en", threads=2), jfk)
    assert is_ask_not(transcript)
    assert (transcript.language, transcript.language_probability) == ("en", None)


def test_listening_is_the_same_from_several_threads(jfk: np.ndarray) -> None:
    with ThreadPoolExecutor(4) as pool:
        heard = list(pool.map(lambda _: find_speech(jfk, vad=True), range(8)))
    assert {windows[0].spans for windows in heard} == {heard[0][0].spans}


def test_a_long_recording_takes_little_memory_to_listen_to(jfk: np.ndarray) -> None:
    """20 minutes of speech: the windows, and no float32 copy of the recording."""
    audio = np.resize(np.concatenate([jfk, np.zeros(seconds_of(3), np.int16)]), seconds_of(1200))
    tracemalloc.start()
    try:
        windows = find_speech(audio, vad=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - sum(window.samples.nbytes for window in windows) < 1.5 * audio.nbytes
    assert sum(len(window.samples) for window in windows) > 0.7 * len(audio)


class Counted:
    """Whisper, which counts what it encodes and decodes."""

    def __init__(self, whisper: Any) -> None:
        self._whisper = whisper
        self.encoded = 0
        self.tasks: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whisper, name)

    def encode(self, windows: Any, *rest: Any) -> Any:
        self.encoded += len(windows)
        return self._whisper.encode(windows, *rest)

    def decode(self, *given: Any) -> Any:
        self.tasks += given[-1]
        return self._whisper.decode(*given)


def translating(whisper: Path, **options: Any) -> tuple[Transcriber, Counted]:
    transcriber = Transcriber(str(whisper), translates=True, threads=2, **options)
    counted = Counted(transcriber._whisper)
    transcriber._whisper = counted  # type: ignore[assignment]
    return transcriber, counted


def test_words_in_another_language_are_translated_from_the_same_encoding(
    whisper_dir: Path, jfk: np.ndarray
) -> None:
    """Taken for Portuguese, English becomes Portuguese words, and English again in translation."""
    transcriber, counted = translating(whisper_dir, language="pt")
    transcript = spoken(transcriber, jfk)
    assert counted.tasks.count("translate") == 1
    assert counted.encoded == counted.tasks.count("transcribe")
    assert {"seu", "para", "que"} & set(words(transcript.text))
    assert transcript.translation is not None
    english = " ".join(segment.text for segment in transcript.translation)
    assert error_rate(english, ASK_NOT) < 0.2
    assert transcript.translation[0].start == pytest.approx(0.3, abs=1)
    assert transcript.translation[-1].end == pytest.approx(10.6, abs=1)


def test_english_is_not_decoded_twice(whisper_dir: Path, jfk: np.ndarray) -> None:
    transcriber, counted = translating(whisper_dir)
    transcript = spoken(transcriber, jfk)
    assert is_ask_not(transcript)
    assert transcript.translation is None
    assert counted.tasks == ["transcribe"]


def test_full_windows_are_translated_too(whisper_dir: Path, jfk: np.ndarray) -> None:
    transcriber, _ = translating(whisper_dir, language="pt", full_windows=True)
    transcript = spoken(transcriber, jfk)
    assert transcript.translation is not None
    english = " ".join(segment.text for segment in transcript.translation)
    assert error_rate(english, ASK_NOT) < 0.2
