"""Questions of a person -> wishes that the store can search for -> the videos that fulfil them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import SettingsError
from pipeline.project import Project
from pipeline.source.listing import Unknown, look_at
from pipeline.terminal import say
from store.retrieval.filter import Filter
from store.retrieval.hits import Hit
from store.retrieval.queries import Query, Semantic, SimilarTo, Words
from store.retrieval.search import search
from store.schema import Row, Stamp

if TYPE_CHECKING:
    import numpy as np

    from pipeline.models.loaded import Models
    from pipeline.models.protocols import ImageTextEncoder


@dataclass(frozen=True)
class Question:
    """What is looked for: any of these, together.

    Args:
        text: what is shown or said, in other words perhaps.
        image: a file with a picture of it.
        video: a file with a video like it.
        words: the very words that are said.
        places: `picture`, `speech` or `both`: where to look, not for `words`; None for what is
            usual: an image is compared with pictures, all else with both.
        nearest: also what matches less well: some of the words.
    """

    text: str | None = None
    image: Path | None = None
    video: Path | None = None
    words: str | None = None
    places: str | None = None
    nearest: bool = False

    @property
    def is_empty(self) -> bool:
        return all(part is None for part in (self.text, self.image, self.video, self.words))

    @property
    def in_picture(self) -> bool:
        return self.places != "speech"

    @property
    def in_speech(self) -> bool:
        return self.places != "picture"


class Searcher:
    """Answers questions about one store. Models are loaded when a question needs them.

    Args:
        project: Its store is searched; its settings say which models to load.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._store = project.store
        self._settings = project.settings
        self._models: Models | None = None

    def ask(self, question: Question, *, k: int = 10, only: Filter | None = None) -> list[Hit]:
        """The best videos, without the one that was asked with.

        Raises:
            SettingsError: nothing is asked, a file is not there or not a picture, or there are no
                words in a text.
            VideoError: the video cannot be embedded.
            ModelError: a model cannot be loaded.
        """
        if question.is_empty:
            raise SettingsError("query: say what to find: --text, --image, --video or --words")
        if self._store.dimension is None:  # no model is loaded to look through nothing
            return []
        queries = list(self._queries(question))
        own = self._project.key_of(question.video) if question.video else None
        hits = search(self._store, *queries, k=k + (own is not None), only=only or Filter())
        return [hit for hit in hits if hit.path != own][:k]

    def _queries(self, question: Question) -> Iterator[Query]:
        """Those without a model first: what is wrong with them shows at once."""
        if question.words is not None:
            yield _says(question.words, some=question.nearest)
        if question.video is not None:
            yield self._like(question.video, question)
        if question.image is not None:
            place = question.places or "picture"
            yield self._means(self._seen(question.image), replace(question, places=place))
        if question.text is not None:
            yield self._meaning(question.text, question)

    def _meaning(self, text: str, question: Question) -> Semantic:
        if not text.strip():
            raise SettingsError("--text: there are no words in it")
        vector = self._encoder().encode_texts([text])[0]
        return self._means(vector, question, self._unrelated())

    def _means(
        self, vector: np.ndarray, question: Question, unrelated: np.ndarray | None = None
    ) -> Semantic:
        recipe = self._project.recipe
        return Semantic(
            vector,
            picture=question.in_picture,
            speech=question.in_speech,
            unrelated=unrelated,
            visual_recipe=recipe.visual,
            speech_recipe=recipe.speech,
        )

    def _like(self, file: Path, question: Question) -> SimilarTo:
        """A video that is in the store as it is on disk needs no model; any other is embedded on
        the fly, and not stored."""
        key = self._project.key_of(file)
        row = self._store.rows([key]).get(key) if key else None
        if row is not None and not _has_changed(row, file):
            query = SimilarTo.of(row)
        else:
            query = self._like_file(file)
        visual = query.visual if question.in_picture else None
        speech = query.speech if question.in_speech else None
        if visual is None and (speech is None or not speech.any()):
            raise SettingsError(f"--video {file}: nobody speaks in it; leave --in speech out")
        return replace(query, visual=visual, speech=speech)

    def _like_file(self, file: Path) -> SimilarTo:
        from pipeline.stages.one_video import embed_video

        _check_file("--video", file)
        embedded = embed_video(self._settings, file, self._loaded())
        assert embedded.visual is not None
        assert embedded.speech is not None
        recipe = self._project.recipe
        return SimilarTo(
            embedded.visual.vector, embedded.speech.vector, recipe.visual, recipe.speech
        )

    def _seen(self, file: Path) -> np.ndarray:
        """The vector of a picture, upright."""
        from PIL import Image, ImageOps

        from store.arrays import unit_length

        _check_file("--image", file)
        try:
            with Image.open(file) as opened:
                image = ImageOps.exif_transpose(opened).convert("RGB")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise SettingsError(f"--image {file}: cannot be read as a picture: {error}") from error
        encoder = self._encoder()
        vector: np.ndarray = unit_length(encoder.encode_frames(encoder.preprocess(image)[None]))[0]
        return vector

    def _unrelated(self) -> np.ndarray:
        from pipeline.models import unrelated_texts

        kept = self._store.get_note(unrelated_texts.note_of(self._project.recipe))
        if kept is not None:
            return unrelated_texts.unpack(kept)
        return self._encoder().encode_texts(unrelated_texts.TEXTS)

    def _encoder(self) -> ImageTextEncoder:
        return self._loaded().clip()

    def _loaded(self) -> Models:
        from pipeline.models.loaded import Models

        if self._models is None:
            self._models = Models(self._settings, say)
        return self._models


def _has_changed(row: Row, file: Path) -> bool:
    seen = look_at(file)
    return isinstance(seen, Stamp) and seen != row.stamp


def _check_file(flag: str, file: Path) -> None:
    seen = look_at(file)
    if isinstance(seen, Unknown):
        raise SettingsError(f"{flag} {file}: cannot be reached: {seen.reason}")
    if seen is None:
        raise SettingsError(f"{flag} {file}: there is no such file")


def _says(words: str, *, some: bool) -> Words:
    try:
        return Words(words, some=some)
    except ValueError as error:
        raise SettingsError(f"--words {error}") from error
