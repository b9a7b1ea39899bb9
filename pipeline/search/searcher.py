"""Questions of a person -> wishes that the store can search for -> the videos that fulfil them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config import Settings
from pipeline.errors import SettingsError, VideoError
from pipeline.project import Home
from pipeline.source.listing import read_stamp
from store.schema import Row
from store.search.filter import Only
from store.search.search import Hit, Like, Means, Says, Wish, search
from store.table.store import Store

if TYPE_CHECKING:
    import numpy as np

    from pipeline.models.clip import ClipEncoder
    from pipeline.models.loaded import Models
    from pipeline.records import EmbeddedVideo, Recipe, Transcript


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


class Asker:
    """Answers questions about one store. Models are loaded when a question needs them.

    Args:
        store: to search.
        settings: which models its vectors are made with.
        home: the folder that it belongs to.
    """

    def __init__(self, store: Store, settings: Settings, home: Home) -> None:
        self._store = store
        self._settings = settings
        self._home = home
        self._models: Models | None = None

    def ask(self, question: Question, *, k: int = 10, only: Only | None = None) -> list[Hit]:
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
        wishes = list(self._wishes(question))
        own = self._home.key_of(question.video) if question.video else None
        hits = search(self._store, *wishes, k=k + (own is not None), only=only or Only())
        return [hit for hit in hits if hit.path != own][:k]

    def _wishes(self, question: Question) -> Iterator[Wish]:
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

    def _meaning(self, text: str, question: Question) -> Means:
        if not text.strip():
            raise SettingsError("--text: there are no words in it")
        vector = self._clip().encode_texts([text])[0]
        return self._means(vector, question, self._unrelated())

    def _means(
        self, vector: np.ndarray, question: Question, unrelated: np.ndarray | None = None
    ) -> Means:
        recipe = self._recipe()
        return Means(
            vector,
            picture=question.in_picture,
            speech=question.in_speech,
            unrelated=unrelated,
            visual_recipe=recipe.visual,
            speech_recipe=recipe.speech,
        )

    def _like(self, file: Path, question: Question) -> Like:
        """A video that is in the store as it is on disk needs no model; any other is embedded on
        the fly, and not stored."""
        key = self._home.key_of(file)
        row = self._store.rows([key]).get(key) if key else None
        if row is not None and not _has_changed(row, file):
            wish = Like.of(row)
        else:
            wish = self._like_file(file)
        visual = wish.visual if question.in_picture else None
        speech = wish.speech if question.in_speech else None
        if visual is None and (speech is None or not speech.any()):
            raise SettingsError(f"--video {file}: nobody speaks in it; leave --in speech out")
        return replace(wish, visual=visual, speech=speech)

    def _like_file(self, file: Path) -> Like:
        if not file.is_file():
            raise SettingsError(f"--video {file}: there is no such file")
        embedded = embed(self._settings, file, self._loaded())
        assert embedded.visual is not None
        assert embedded.speech is not None
        recipe = self._recipe()
        return Like(embedded.visual.vector, embedded.speech.vector, recipe.visual, recipe.speech)

    def _seen(self, file: Path) -> np.ndarray:
        """The vector of a picture, upright."""
        from PIL import Image, ImageOps

        from pipeline.models.clip import unit

        if not file.is_file():
            raise SettingsError(f"--image {file}: there is no such file")
        try:
            with Image.open(file) as opened:
                image = ImageOps.exif_transpose(opened).convert("RGB")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise SettingsError(f"--image {file}: cannot be read as a picture: {error}") from error
        clip = self._clip()
        vector: np.ndarray = unit(clip.encode_frames(clip.prepare(image)[None]))[0]
        return vector

    def _unrelated(self) -> np.ndarray:
        from pipeline.models import unrelated_texts

        return unrelated_texts.vectors(self._store, self._recipe(), self._clip)

    def _clip(self) -> ClipEncoder:
        return self._loaded().clip()

    def _loaded(self) -> Models:
        from pipeline.models.loaded import Models

        if self._models is None:
            self._models = Models(self._settings, _say)
        return self._models

    def _recipe(self) -> Recipe:
        from pipeline.models.recipe import recipe_of

        return recipe_of(self._settings)


def ask(store: Store, settings: Settings, text: str, *, k: int = 10) -> list[Hit]:
    """Videos of a store that show or say what a text says; CLIP is loaded as the settings say.

    Raises:
        SettingsError: there are no words in it.
        ModelError: CLIP cannot be loaded.
    """
    from pipeline import project

    return Asker(store, settings, project.recalled(store, settings)).ask(Question(text=text), k=k)


def _has_changed(row: Row, file: Path) -> bool:
    stamp = read_stamp(file)
    return stamp is not None and stamp != (row.size, row.mtime_ns)


def _says(words: str, *, some: bool) -> Says:
    try:
        return Says(words, some=some)
    except ValueError as error:
        raise SettingsError(f"--words {error}") from error


def embed(settings: Settings, location: Path, models: Models | None = None) -> EmbeddedVideo:
    """Both halves of a video, which is not stored.

    Raises:
        VideoError: it cannot be embedded.
        ModelError: a model cannot be loaded.
    """
    from pipeline.flow.catalog import Library
    from pipeline.flow.intake import Intake
    from pipeline.flow.journal import Journal
    from pipeline.models.loaded import Models
    from pipeline.models.recipe import recipe_of
    from pipeline.records import Failure, Task, VideoFile
    from pipeline.stages.embed import Embedder

    models = models or Models(settings, _say)
    intake = Intake(
        settings, Library({}, {}, recipe_of(settings)), models.prepare, _no_words, Journal(None)
    )
    file = VideoFile(location.name, location.absolute(), *(read_stamp(location) or (0, 0)))
    first_only = settings.clip.transcript == "first_window"
    embedder = Embedder(models.clip, models.whisper, first_window_only=first_only)
    try:
        (result,) = embedder.embed([intake.decode(Task(file, content_hash=""))])
    except VideoError as error:
        raise VideoError(error.stage, f"{location}: {error.reason}") from error
    if isinstance(result, Failure):
        raise VideoError(result.stage, f"{location}: {result.reason}")
    return result


def _no_words(_: str) -> Transcript:
    raise AssertionError("a whole video is embedded")


def _say(text: str) -> None:
    print(text, file=sys.stderr)
