"""Whisper: encodes windows of speech, detects their language, and decodes their words.

Whisper's own recipe pads every window to 30 s, encodes it, and encodes it again to detect the
language; on a CPU that is most of its time. CTranslate2 takes shorter features, and one encoding
serves both. What remains is decoding, which takes hardly longer for several windows than for one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from typing import Any, Literal

import numpy as np

from pipeline.errors import SettingsError
from pipeline.models.decoded import TIMESTAMP_SECONDS, Decoded, Language, read_tokens
from pipeline.models.translation import ENGLISH_ONLY, cannot_translate
from pipeline.models.whisper_weights import load_whisper
from pipeline.speech import ENGLISH, SAMPLE_RATE_HZ
from store.schema import Segment

WINDOW = 30 * SAMPLE_RATE_HZ  # the longest input of the encoder, which it was trained on, samples

HOP = 160  # samples from one mel frame to the next
SAMPLES_PER_STATE = 320  # from one state of the encoder's output to the next
TAIL_STATES = 50  # one second
MAX_TOKENS = 224  # of one pass: openai-whisper's limit, half of the decoder's context

# A decoder that never ends takes longest of all. So each window first gets the tokens that may be
# said in it. In the recordings of tests/benchmarks/speech.py they are, with timestamps, at most 6 a
# second in Latin letters and 8 in Sinhala.
MOST_A_SECOND, MOST_OF_ANY = 10, 20

MAX_INITIAL_TIMESTAMP = 1.0  # seconds; the first words begin no later

Task = Literal["transcribe", "translate"]
"""What Whisper is to write: what was said, or the same in English."""


class Whisper:
    """Encodes, detects and decodes with one loaded model.

    Args:
        model: a folder with a model in CTranslate2's format.
        device: `cpu`, `cuda` or `cuda:N`.
        compute_type: CTranslate2's number type: `float32`, `int8_float32`, `float16`, ...
        threads: cores that one call uses on a CPU; 0 leaves it to CTranslate2.
        streams: number of calls that may run at the same time, from as many threads.

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
            # NumPy makes the features; its idle threads would spin on cores of other threads.
            threadpool_limits(threads, user_api="blas")
        self.name = model
        self._whisper = load_whisper(model, device, compute_type, threads, streams)
        self._model = self._whisper.model
        # A folder may lack the file with the number of mel bands, so it is read from the model.
        self._extractor = FeatureExtractor(feature_size=self._model.n_mels)
        self._tokenizers: dict[tuple[str, Task], Any] = {}
        self._suppressed = get_suppressed_tokens(self._tokenizer(ENGLISH), [-1])

    def language(self, code: str) -> Language:
        """Look up a language.

        Args:
            code: ISO 639-1.

        Raises:
            SettingsError: the model does not know it.
        """
        if self._model.is_multilingual:
            known = self._whisper.hf_tokenizer.token_to_id(f"<|{code}|>") is not None
            knows = "does not know this language"
        else:
            known, knows = code == ENGLISH, "knows English only"
        if not known:
            raise SettingsError(f"whisper.language = {code!r}: the model {self.name} {knows}")
        return Language(code)

    def check_translates(self) -> None:
        """Refuse a model that cannot translate.

        Raises:
            SettingsError: it knows English only.
        """
        if not self._model.is_multilingual:
            raise SettingsError(cannot_translate(self.name, ENGLISH_ONLY))

    def encode(self, windows: Sequence[np.ndarray], lengths: Sequence[int], length: int) -> Any:
        """Encode windows that are decoded together; those of equal length share a pass.

        Decoding reads all weights for each token, whether of one window or of ten, and takes only
        windows of equal length. So the states of a shorter window are extended by repeating its
        last ones, which stand for the silence that it was padded with.

        Args:
            windows: int16 `[n]` each.
            lengths: the length to pad each window to before it is encoded, samples; equal lengths
                stand side by side.
            length: the length that the states of all are extended to, samples.

        Returns:
            CTranslate2's array `[windows, states, d]`.
        """
        parts = []
        for same, group in groupby(zip(windows, lengths, strict=True), key=lambda each: each[1]):
            mels = np.stack([self._mel(window, same) for window, _ in group])
            parts.append(self._states(mels, length // SAMPLES_PER_STATE))
        return _storage(np.concatenate(parts))

    def detect(self, encoded: Any) -> list[Language]:
        """Detect the language of each window; a model without others says English.

        Args:
            encoded: from `encode`.
        """
        if not self._model.is_multilingual:
            return [Language(ENGLISH)] * encoded.shape[0]
        best = [ranked[0] for ranked in self._model.detect_language(encoded)]
        return [Language(token[2:-2], probability) for token, probability in best]

    def decode(
        self,
        encoded: Any,
        languages: Sequence[Language],
        lengths: Sequence[int],
        tasks: Sequence[Task],
    ) -> list[Decoded]:
        """Decode windows greedily.

        Args:
            encoded: from `encode`.
            languages: of each window.
            lengths: of each window before padding, samples.
            tasks: what to write of each window.
        """
        prompts = [
            self._tokenizer(language.code, task).sot_sequence
            for language, task in zip(languages, tasks, strict=True)
        ]
        limit = max(map(_most_tokens, lengths))
        results = self._generate(encoded, prompts, limit)
        decoded = [
            self._read(*each, limit) for each in zip(results, languages, lengths, strict=True)
        ]
        cut = [at for at, each in enumerate(decoded) if each.is_cut and not each.never_ends]
        if cut and limit < MAX_TOKENS:
            rest = self._generate(take(encoded, cut), [prompts[at] for at in cut], MAX_TOKENS)
            for at, result in zip(cut, rest, strict=True):
                decoded[at] = self._read(result, languages[at], lengths[at], MAX_TOKENS)
        return decoded

    def _generate(
        self, encoded: Any, prompts: Sequence[Sequence[int]], limit: int
    ) -> Sequence[Any]:
        results: Sequence[Any] = self._model.generate(
            encoded,
            prompts,
            beam_size=1,
            max_length=2 * limit,  # CTranslate2 gives half of it to the words
            return_scores=True,
            return_no_speech_prob=True,
            max_initial_timestamp_index=round(MAX_INITIAL_TIMESTAMP / TIMESTAMP_SECONDS),
            suppress_tokens=self._suppressed,
        )
        return results

    def _read(self, result: Any, language: Language, length: int, limit: int) -> Decoded:
        """Read the tokens of a window; of one that never ends, as many as may be said in it.

        So its words do not depend on the limit, which is that of the longest window beside it.
        """
        (tokens,), (score,) = result.sequences_ids, result.scores
        read = partial(
            read_tokens,
            score=score,
            tokenizer=self._tokenizer(ENGLISH),  # words' tokens are the same in every language
            language=language,
            seconds=length / SAMPLE_RATE_HZ,
            no_speech=result.no_speech_prob,
        )
        if len(tokens) >= (most := _most_tokens(length)):
            start = read(tokens[:most], is_cut=True)
            if start.never_ends:
                return start
        return read(tokens, is_cut=len(tokens) >= limit)

    def transcribe(
        self, samples: np.ndarray, language: Language | None, task: Task = "transcribe"
    ) -> tuple[list[Segment], Language]:
        """Transcribe with faster-whisper's own recipe: 30 s at a time, with the words before.

        Args:
            samples: int16 `[n]`, of any length.
            language: None to detect it.
            task: what to write.

        Returns:
            The segments, with times in seconds from the start, and the language.
        """
        code = language.code if language else None
        found, info = self._whisper.transcribe(
            _float32(samples), language=code, task=task, beam_size=1
        )
        segments = [Segment(each.start, each.end, each.text.strip()) for each in found]
        return segments, language or Language(info.language, info.language_probability)

    def _states(self, mels: np.ndarray, count: int) -> np.ndarray:
        """Encode mel bands `[n, bands, frames]` to states `[n, count, d]`."""
        states = np.asarray(self._model.encode(_storage(mels), to_cpu=True))
        quiet = states[:, -TAIL_STATES:]
        more = np.resize(np.arange(quiet.shape[1]), count - states.shape[1])
        return np.concatenate([states, quiet[:, more]], axis=1)

    def _mel(self, window: np.ndarray, length: int) -> np.ndarray:
        """Compute mel bands, float32 `[bands, frames]`.

        They are padded with zeros, which stand for a faint hiss, as in faster-whisper: after
        digital silence the decoder invents more words.
        """
        mel = self._extractor(_float32(window))[:, : len(window) // HOP]
        return np.pad(mel, ((0, 0), (0, length // HOP - mel.shape[1])))

    def _tokenizer(self, code: str, task: Task = "transcribe") -> Any:
        from faster_whisper.tokenizer import Tokenizer

        if (code, task) not in self._tokenizers:
            self._tokenizers[code, task] = Tokenizer(
                self._whisper.hf_tokenizer, self._model.is_multilingual, task, code
            )
        return self._tokenizers[code, task]


def _most_tokens(length: int) -> int:
    """How many tokens may be said in so many samples."""
    return min(MOST_OF_ANY + math.ceil(MOST_A_SECOND * length / SAMPLE_RATE_HZ), MAX_TOKENS)


def take(encoded: Any, places: Sequence[int]) -> Any:
    """Take some windows of what `Whisper.encode` gave; all of them without a copy."""
    if len(places) == encoded.shape[0]:
        return encoded
    return _storage(np.asarray(encoded)[list(places)])


def _storage(array: np.ndarray) -> Any:
    from ctranslate2 import StorageView

    return StorageView.from_array(np.ascontiguousarray(array))


def _float32(samples: np.ndarray) -> np.ndarray:
    return samples.astype(np.float32) / np.float32(32768)
