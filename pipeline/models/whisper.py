"""Whisper itself: loads the weights, and decodes windows.

Whisper's own recipe encodes every window padded to 30 s, and once more to detect the language;
on a CPU that is most of its time. CTranslate2 takes shorter features, and one encoding for both.
What is left is decoding, which costs hardly more for several windows than for one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from pipeline.errors import SettingsError
from pipeline.models.whisper_weights import load_whisper
from pipeline.records import SAMPLE_RATE_HZ
from store.schema import Segment

WINDOW = 30 * SAMPLE_RATE_HZ  # what the encoder was trained on and takes at most, samples

# openai-whisper's thresholds (transcribe.py) for a decoding that went wrong.
MAX_COMPRESSION_RATIO = 2.4
MIN_MEAN_LOGPROB = -1.0

HOP = 160  # samples from one mel frame to the next
SAMPLES_PER_STATE = 320  # of the encoder's output
TAIL_STATES = 50  # a second's
TIMESTAMP_SECONDS = 0.02
MAX_INITIAL_TIMESTAMP = 1.0  # seconds; the decoder must not begin later than that
MAX_TOKENS = 224  # openai-whisper's limit, half of the decoder's context
TOKENS_PER_SECOND = 12  # no language that Whisper knows is spoken so fast


@dataclass(frozen=True)
class Language:
    """An ISO 639-1 code; `probability` is None where it was given, not detected."""

    code: str
    probability: float | None = None


@dataclass(frozen=True)
class Decoded:
    """What Whisper makes of one window; times in seconds of the window."""

    segments: tuple[Segment, ...]
    compression_ratio: float
    mean_logprob: float
    is_endless: bool = False

    @property
    def until(self) -> float:
        """How far into the window its words go, seconds."""
        return self.segments[-1].end if self.segments else 0.0

    @property
    def is_guess(self) -> bool:
        """Whether nobody said that: Whisper itself does not trust the words, or they had no end
        before there were more than anybody can say in the time."""
        return self.mean_logprob < MIN_MEAN_LOGPROB or self.is_endless

    @property
    def is_repetition(self) -> bool:
        """Whether the same words come again and again."""
        return self.compression_ratio > MAX_COMPRESSION_RATIO


class Whisper:
    """A loaded model.

    Args:
        model: a size (`base`, `large-v3`, ...), a repository of the hub, or a local folder.
        device: `cpu`, `cuda` or `cuda:N`.
        compute_type: CTranslate2's number type: `float32`, `int8_float32`, `float16`, ...
        threads: cores that one call uses on a CPU; 0 leaves it to CTranslate2.
        streams: calls that run at the same time, from as many threads.

    Raises:
        ModelError: the weights cannot be found or loaded, or the device cannot be used.
    """

    def __init__(
        self, model: str, device: str, compute_type: str, *, threads: int = 0, streams: int = 1
    ) -> None:
        from faster_whisper.feature_extractor import FeatureExtractor
        from faster_whisper.transcribe import get_suppressed_tokens
        from threadpoolctl import threadpool_limits

        if threads:
            # NumPy's, which make the features: idle ones spin for a while on cores of others.
            threadpool_limits(threads, user_api="blas")
        self.name = model
        self._whisper = load_whisper(model, device, compute_type, threads, streams)
        self._model = self._whisper.model
        # By the model's own count of mel bands: a folder may lack the file that tells it.
        self._extractor = FeatureExtractor(feature_size=self._model.n_mels)
        self._tokenizers: dict[str, Any] = {}
        self._suppressed = get_suppressed_tokens(self._tokenizer("en"), [-1])

    def language(self, code: str) -> Language:
        """The language of that code, checked.

        Raises:
            SettingsError: the model does not know it.
        """
        if self._model.is_multilingual:
            known = self._whisper.hf_tokenizer.token_to_id(f"<|{code}|>") is not None
            knows = "does not know this language"
        else:
            known, knows = code == "en", "knows English only"
        if not known:
            raise SettingsError(f"whisper.language = {code!r}: the model {self.name} {knows}")
        return Language(code)

    def encode(self, windows: Sequence[np.ndarray], lengths: Sequence[int], length: int) -> Any:
        """Encode windows to be decoded together; those of the same length share a pass.

        Decoding reads all weights for each word, whether of one window or of ten, and takes only
        windows of the same length. So behind the states of a shorter one the last of them, which
        are of the quiet that it was padded with, are repeated: that is quick, and heard as quiet.

        Args:
            windows: int16 `[n]` each.
            lengths: what to pad each to before it is encoded, samples; equal ones side by side.
            length: what the states of all are brought to, samples.
        """
        parts = []
        for same, group in groupby(zip(windows, lengths, strict=True), key=lambda each: each[1]):
            mels = np.stack([self._mel(window, same) for window, _ in group])
            parts.append(self._states(mels, length // SAMPLES_PER_STATE))
        return _storage(np.concatenate(parts))

    def detect(self, encoded: Any) -> list[Language]:
        """The language of each encoded window; English where the model knows no other."""
        if not self._model.is_multilingual:
            return [Language("en")] * encoded.shape[0]
        best = [ranked[0] for ranked in self._model.detect_language(encoded)]
        return [Language(token[2:-2], probability) for token, probability in best]

    def decode(
        self, encoded: Any, languages: Sequence[Language], lengths: Sequence[int]
    ) -> list[Decoded]:
        """Greedily, once; `lengths` are the windows' own, samples."""
        limit = _max_length(max(lengths))
        results = self._model.generate(
            encoded,
            [self._tokenizer(language.code).sot_sequence for language in languages],
            beam_size=1,
            max_length=limit,
            return_scores=True,
            max_initial_timestamp_index=round(MAX_INITIAL_TIMESTAMP / TIMESTAMP_SECONDS),
            suppress_tokens=self._suppressed,
        )
        return [self._decoded(*one, limit) for one in zip(results, lengths, strict=True)]

    def transcribe(
        self, samples: np.ndarray, language: Language | None
    ) -> tuple[list[Segment], Language]:
        """As faster-whisper does it: 30 s at a time, each told what was said before.

        Args:
            samples: int16 `[n]`, of any length; the times are seconds from its start.
            language: None to have it detected.
        """
        code = language.code if language else None
        heard, info = self._whisper.transcribe(_float32(samples), language=code, beam_size=1)
        segments = [Segment(each.start, each.end, each.text.strip()) for each in heard]
        return segments, language or Language(info.language, info.language_probability)

    def _states(self, mels: np.ndarray, count: int) -> np.ndarray:
        """`[n, count, d]`, of mel bands `[n, bands, frames]`."""
        states = np.asarray(self._model.encode(_storage(mels), to_cpu=True))
        quiet = states[:, -TAIL_STATES:]
        more = np.resize(np.arange(quiet.shape[1]), count - states.shape[1])
        return np.concatenate([states, quiet[:, more]], axis=1)

    def _mel(self, window: np.ndarray, length: int) -> np.ndarray:
        """float32 `[bands, frames]`. Zeros, a faint hiss, fill it up as in faster-whisper: behind
        digital silence the decoder hears more words that nobody said."""
        mel = self._extractor(_float32(window))[:, : len(window) // HOP]
        return np.pad(mel, ((0, 0), (0, length // HOP - mel.shape[1])))

    def _tokenizer(self, code: str) -> Any:
        from faster_whisper.tokenizer import Tokenizer

        if code not in self._tokenizers:
            self._tokenizers[code] = Tokenizer(
                self._whisper.hf_tokenizer, self._model.is_multilingual, "transcribe", code
            )
        return self._tokenizers[code]

    def _decoded(self, result: Any, length: int, limit: int) -> Decoded:
        from faster_whisper.transcribe import get_compression_ratio

        tokens = result.sequences_ids[0]
        tokenizer = self._tokenizer("en")  # the words' tokens are the same in every language
        # The score is the mean over the tokens; Whisper counts the end of the text as one more.
        mean_logprob = result.scores[0] * len(tokens) / (len(tokens) + 1)
        return Decoded(
            tuple(_segments(tokens, tokenizer, length / SAMPLE_RATE_HZ)),
            get_compression_ratio(tokenizer.decode(tokens).strip()),
            mean_logprob,
            is_endless=2 * len(tokens) >= limit,
        )


def _storage(array: np.ndarray) -> Any:
    from ctranslate2 import StorageView

    return StorageView.from_array(np.ascontiguousarray(array))


def _float32(samples: np.ndarray) -> np.ndarray:
    return samples.astype(np.float32) / np.float32(32768)


def _segments(tokens: Sequence[int], tokenizer: Any, seconds: float) -> Iterator[Segment]:
    """Split at the timestamps: `<0.00> words <7.60><7.60> words <10.60>`.

    Dropped are what begins behind the end of the window, an echo of the segment before that runs
    on over the end (both were heard in the padding), and what has no letter or digit in it.
    """
    begin = tokenizer.timestamp_begin
    start, words, before = 0.0, list[int](), ""
    for token in [*tokens, begin + round(seconds / TIMESTAMP_SECONDS)]:
        if token < begin:
            words.append(token)
            continue
        time = (token - begin) * TIMESTAMP_SECONDS
        text = tokenizer.decode(words).strip()
        is_echo = text == before and time > seconds
        if start < min(time, seconds) and any(map(str.isalnum, text)) and not is_echo:
            yield Segment(start, min(time, seconds), text)
        start, words, before = time, [], text or before


def _max_length(length: int) -> int:
    """CTranslate2's `max_length` for so many samples: it gives words half of it."""
    seconds = length / SAMPLE_RATE_HZ
    return 2 * min(MAX_TOKENS, 20 + math.ceil(TOKENS_PER_SECOND * seconds))
