"""Windows of speech, of several videos at once -> transcripts.

A window is encoded once, at its own length and some room, for its language and its words; windows
of several videos are decoded together. Where the usual signs show that the decoding failed, the
window gets a second pass: padded to 30 s, or in two halves if it is long. Nothing is sampled, so
that a transcript can be repeated. With full windows, the speech of each video goes through
faster-whisper's own recipe instead.

Where a translation is wanted, windows with words in another language than English are decoded a
second time, from the same encoding; with full windows, they are encoded again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pipeline.errors import ModelError, Stage, VideoError
from pipeline.models.decoded import Decoded, Language
from pipeline.models.passes import (
    Answer,
    Clip,
    Request,
    batches,
    in_video,
    judge,
    translation_request,
)
from pipeline.models.speech_windows import join
from pipeline.models.whisper import Whisper, take
from pipeline.speech import ENGLISH, SpeechWindow, Transcript

WHOLE_WINDOWS = 20  # joined with full windows, so that features of hours are never made

_Pass = Callable[[Sequence[Request]], Sequence[Answer]]


class Transcriber:
    """Transcribes speech with a loaded Whisper model.

    Args:
        model: a folder with a model in CTranslate2's format.
        language: a code, or `auto` to detect it for each clip.
        translates: whether transcripts in other languages than English get a translation.
        full_windows: whether to use faster-whisper's own recipe, which takes several times as long.
        device: `cpu`, `cuda` or `cuda:N`.
        compute_type: CTranslate2's number type: `float32`, `int8_float32`, `float16`, ...
        threads: cores that one call uses on a CPU; 0 leaves it to CTranslate2.
        streams: number of calls that may run at the same time, from as many threads.

    Raises:
        ModelError: the weights cannot be found or loaded, or the device cannot be used.
        SettingsError: the model does not know the language, or knows English only and is to
            translate.
    """

    def __init__(
        self,
        model: str,
        *,
        language: str = "auto",
        translates: bool = False,
        full_windows: bool = False,
        device: str = "cpu",
        compute_type: str = "int8_float32",
        threads: int = 0,
        streams: int = 1,
    ) -> None:
        self._whisper = Whisper(model, device, compute_type, threads=threads, streams=streams)
        self._language = None if language == "auto" else self._whisper.language(language)
        if translates:
            self._whisper.check_translates()
        self._translates = translates
        self._full_windows = full_windows

    def transcribe(self, clips: Sequence[Sequence[SpeechWindow]]) -> list[Transcript | VideoError]:
        """Transcribe several clips.

        Args:
            clips: the windows of each clip, as `find_speech` makes them.

        Returns:
            For each clip its transcript; a `VideoError` where Whisper fails on it.

        Raises:
            ModelError: the device failed.
        """
        states = [Clip(list(windows), self._language) for windows in clips]
        if self._full_windows:
            return [self._transcribe_whole(state) for state in states]
        _run(self._detect, [opening for clip in states if (opening := clip.opening())])
        while requests := [request for clip in states for request in clip.next_requests()]:
            _run(self._pass, requests)
        return [clip.result() for clip in states]

    def _transcribe_whole(self, clip: Clip) -> Transcript | VideoError:
        """Transcribe a clip by faster-whisper's own recipe, some minutes of it at a time."""
        while clip.waiting:
            part = join(clip.waiting[:WHOLE_WINDOWS])
            del clip.waiting[:WHOLE_WINDOWS]
            try:
                clip.take(self._answer_whole(part, clip.language))
            except (RuntimeError, ValueError) as error:
                clip.take(_failed(error))
        return clip.result()

    def _answer_whole(self, part: SpeechWindow, known: Language | None) -> Answer:
        segments, language = self._whisper.transcribe(part.samples, known)
        answer = Answer(tuple(in_video(part, each) for each in segments), language)
        if not self._wants_translation(answer):
            return answer
        english, _ = self._whisper.transcribe(part.samples, language, "translate")
        said = tuple(in_video(part, each) for each in english)
        return replace(answer, translation=Answer(said, language, is_translation=True))

    def _detect(self, batch: Sequence[Request]) -> list[Answer]:
        """Detect the languages of openings."""
        detected = self._whisper.detect(self._encode(batch))
        return [Answer((), language, is_opening=True) for language in detected]

    def _pass(self, batch: Sequence[Request]) -> list[Answer]:
        """Transcribe windows that are decoded at the same length."""
        encoded = self._encode(batch)
        languages = self._languages(batch, encoded)
        decoded = self._decode(batch, languages, encoded)
        answers = [judge(*one) for one in zip(batch, languages, decoded, strict=True)]
        return self._with_translations(batch, encoded, decoded, answers)

    def _with_translations(
        self,
        batch: Sequence[Request],
        encoded: Any,
        decoded: Sequence[Decoded],
        answers: list[Answer],
    ) -> list[Answer]:
        """Add translations, where they are wanted, from the encoding that the words are from."""
        places = [at for at, answer in enumerate(answers) if self._wants_translation(answer)]
        if not places:
            return answers
        requests = [translation_request(batch[at], answers[at], decoded[at]) for at in places]
        languages = [answers[at].language for at in places]
        translated = self._decode(requests, languages, take(encoded, places))
        for at, request, each in zip(places, requests, translated, strict=True):
            english = judge(request, answers[at].language, each)
            answers[at] = replace(answers[at], translation=english)
        return answers

    def _wants_translation(self, answer: Answer) -> bool:
        is_foreign = bool(answer.segments) and answer.language.code != ENGLISH
        return self._translates and is_foreign and not answer.is_translation

    def _decode(
        self, batch: Sequence[Request], languages: Sequence[Language], encoded: Any
    ) -> list[Decoded]:
        lengths = [len(request.window.samples) for request in batch]
        tasks = [request.task for request in batch]
        return self._whisper.decode(encoded, languages, lengths, tasks)

    def _encode(self, batch: Sequence[Request]) -> Any:
        samples = [request.window.samples for request in batch]
        lengths = [request.length for request in batch]
        return self._whisper.encode(samples, lengths, batch[0].decoded_length)

    def _languages(self, batch: Sequence[Request], encoded: Any) -> list[Language]:
        known = [request.clip.language for request in batch]
        if all(known):
            return [language for language in known if language]
        detected = self._whisper.detect(encoded)
        return [language or found for language, found in zip(known, detected, strict=True)]


def _run(do: _Pass, requests: Sequence[Request]) -> None:
    """Answer requests in batches, and hand each answer to its clip, in order."""
    answers: dict[Request, Answer | VideoError] = {}
    for batch in batches(requests):
        answers.update(zip(batch, _or_halves(do, batch), strict=True))
    for request in requests:
        request.clip.take(answers[request])


def _or_halves(do: _Pass, batch: Sequence[Request]) -> Sequence[Answer | VideoError]:
    """Run one pass; where it fails, on halves, to save memory and to find the bad window."""
    try:
        return do(batch)
    except (RuntimeError, ValueError) as error:  # what CTranslate2 raises
        if len(batch) > 1:
            middle = len(batch) // 2
            return [*_or_halves(do, batch[:middle]), *_or_halves(do, batch[middle:])]
        return [_failed(error)]


def _failed(error: Exception) -> VideoError:
    """Turn an error of CTranslate2 into one of the clip.

    Raises:
        ModelError: the device failed, not the clip.
    """
    message = str(error)
    if message.startswith(("CUDA", "cuBLAS", "cuDNN")) and "out of memory" not in message:
        raise ModelError(f"Whisper's device failed: {message}") from error
    return VideoError(Stage.SPEECH, f"Whisper failed on it: {message}")
