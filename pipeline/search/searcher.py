"""From a question to the store's queries, and from what they find to an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import SettingsError, VideoError
from pipeline.project import Project
from pipeline.records import Needs
from pipeline.search import remarks
from pipeline.search.question import Answer, Question
from pipeline.source.presence import Unknown, look_at
from pipeline.terminal import say
from store.retrieval.filter import Filter
from store.retrieval.hits import Hit, nothing_matches
from store.retrieval.queries import Query, Semantic, SimilarTo, Words
from store.retrieval.search import EVERYTHING, search
from store.schema import Row, Stamp

if TYPE_CHECKING:
    import numpy as np

    from pipeline.models.loaded import Models
    from pipeline.models.protocols import ImageTextEncoder


class Searcher:
    """Answer questions about one store. Models are loaded when a question needs them.

    Args:
        project: whose store is searched, and whose settings say which models to load.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._store = project.store
        self._settings = project.settings
        self._models: Models | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether a question with a text or a picture finds CLIP loaded."""
        return self._models is not None and self._models.loaded_clip is not None

    def load(self) -> None:
        """Load CLIP, for the questions to come.

        Raises:
            SettingsError: there is no such model.
            ModelError: its weights or its device cannot be used.
        """
        self._encoder()

    def ask(self, question: Question, *, k: int = 10, only: Filter = EVERYTHING) -> Answer:
        """Find the best videos, without the one that the question shows.

        Args:
            question: what to find.
            k: most hits.
            only: which videos may be found.

        Raises:
            SettingsError: nothing is asked, a file does not exist or is no picture, or a text has
                no words.
            VideoError: the video cannot be embedded.
            ModelError: a model cannot be loaded.
        """
        if question.is_empty:
            raise SettingsError("query: say what to find: --text, --image, --video or --words")
        if self._store.dimension is None:  # a search through nothing needs no model
            return Answer(remark=remarks.EMPTY_STORE)
        example = self._example(question.video) if question.video is not None else None
        is_new = example is not None and example.row is None
        if (question.needs_model or is_new) and self._models is None:  # which takes a while to load
            missing = remarks.on_filter(self._store, only)
            if missing:
                return Answer(remark=missing)
        queries = list(self._queries(question, example))
        hits = tuple(search(self._store, *queries, k=k, only=only))
        if not hits:
            return Answer(remark=remarks.on_nothing(self._store, queries, only))
        remark = remarks.on_hits(hits)
        if example is not None:
            hits = self._certain(hits, example)
        if not nothing_matches(hits):
            return Answer(hits, remark)
        if question.nearest or question.is_example:
            return Answer(hits, remarks.ONLY_NEAREST)
        return Answer(remark=remarks.NOTHING_MATCHES)

    def _certain(self, hits: Sequence[Hit], example: _Example) -> tuple[Hit, ...]:
        """Mark the hits of the example's very content: no other match is as good."""
        copies = self._store.copies(example.content_hash)
        return tuple(
            replace(hit, match=100.0, good=True) if hit.path in copies else hit for hit in hits
        )

    def _queries(self, question: Question, example: _Example | None) -> Iterator[Query]:
        """Yield the queries that need no model first: what is wrong with them shows at once."""
        if question.words is not None:
            yield _words(question.words, some=question.nearest)
        if example is not None:
            yield self._similar(example, question)
        if question.image is not None:
            place = question.places or "picture"
            vector = self._encode_image(question.image)
            yield self._semantic(vector, replace(question, places=place))
        if question.text is not None:
            yield self._text(question.text, question)

    def _text(self, text: str, question: Question) -> Semantic:
        if not text.strip():
            raise SettingsError("--text: there are no words in it")
        vector = self._encoder().encode_texts([text])[0]
        return self._semantic(vector, question, self._unrelated_texts())

    def _semantic(
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

    def _example(self, file: Path) -> _Example:
        """Find a row of the video by its path, or by its content where that is no row's file."""
        key = self._project.key_of(file)
        row = self._store.rows([key]).get(key) if key else None
        if row is not None and not _has_changed(row, file):
            return _Example(file, key, row.content_hash, row)
        _check_file("--video", file)
        from pipeline.decode.content import content_hash

        try:
            content = content_hash(file)
        except VideoError as error:
            raise VideoError(error.stage, f"{file}: {error.reason}") from error
        copies = self._store.copies(content)
        path = min(copies, key=lambda path: copies[path] != self._project.recipe, default=None)
        row = self._store.rows([path]).get(path) if path is not None else None
        return _Example(file, key, content, row)

    def _similar(self, example: _Example, question: Question) -> SimilarTo:
        """Take the vectors of the example's row, or embed a file without one and store nothing."""
        query = SimilarTo.of(example.row) if example.row else self._embed(example.file)
        visual = query.visual if question.in_picture else None
        speech = query.speech if question.in_speech else None
        if visual is None and (speech is None or not speech.any()):
            raise SettingsError(
                f"--video {example.file}: nobody speaks in it; leave --in speech out"
            )
        return replace(query, visual=visual, speech=speech, path=example.key)

    def _embed(self, file: Path) -> SimilarTo:
        from pipeline.stages.one_video import embed_video

        embedded = embed_video(self._settings, file, self._loaded(), Needs(moments=False))
        assert embedded.visual is not None
        assert embedded.speech is not None
        recipe = self._project.recipe
        return SimilarTo(
            embedded.visual.vector, embedded.speech.vector, recipe.visual, recipe.speech
        )

    def _encode_image(self, file: Path) -> np.ndarray:
        """Vector float32 `[d]` of a picture, turned upright."""
        from pipeline.decode.images import read_picture
        from store.arrays import unit_length

        _check_file("--image", file)
        try:
            image = read_picture(file)
        except VideoError as error:
            raise SettingsError(f"--image {file}: {error.reason}") from error
        encoder = self._encoder()
        vector: np.ndarray = unit_length(encoder.encode_frames(encoder.preprocess(image)[None]))[0]
        return vector

    def _unrelated_texts(self) -> np.ndarray:
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
            _ = self._project.recipe  # refuses names of models before a file is read
            self._models = Models(self._settings, say)
        return self._models


@dataclass(frozen=True, eq=False)
class _Example:
    """A video that is asked with.

    Args:
        file: as the question names it.
        key: path that its own row has or would have; None for a file out of the collection.
        content_hash: of its bytes.
        row: a row of this content; None where it has to be embedded.
    """

    file: Path
    key: str | None
    content_hash: str
    row: Row | None


def _has_changed(row: Row, file: Path) -> bool:
    seen = look_at(file)
    return isinstance(seen, Stamp) and seen != row.stamp


def _check_file(flag: str, file: Path) -> None:
    seen = look_at(file)
    if isinstance(seen, Unknown):
        raise SettingsError(f"{flag} {file}: cannot be reached: {seen.reason}")
    if seen is None:
        raise SettingsError(f"{flag} {file}: there is no such file")


def _words(words: str, *, some: bool) -> Words:
    try:
        return Words(words, some=some)
    except ValueError as error:
        raise SettingsError(f"--words {error}") from error
