"""Queries: words or a video -> vectors -> the most similar rows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config import Settings
from pipeline.discover import read_stamp
from pipeline.errors import SettingsError, VideoError
from pipeline.home import Home
from store.search import Hit, Query, query_like, search
from store.table import Store

if TYPE_CHECKING:
    from pipeline.records import EmbeddedVideo, Transcript


def by_text(store: Store, settings: Settings, text: str, k: int, label: str | None) -> list[Hit]:
    """Videos that show or say what the text says.

    Raises:
        SettingsError: the text is empty.
        ModelError: CLIP cannot be loaded.
    """
    from pipeline.models import Models
    from pipeline.recipe import recipe_of

    if not text.strip():
        raise SettingsError("--text: there are no words in it")
    vector = Models(settings, _say).clip().encode_texts([text])[0]
    recipe = recipe_of(settings)
    query = Query(
        vector,
        vector,
        k=k,
        label=label,
        visual_recipe=recipe.visual,
        speech_recipe=recipe.speech,
        fuse=True,
    )
    return _search(store, query)


def by_video(
    store: Store, settings: Settings, home: Home, file: Path, k: int, label: str | None
) -> list[Hit]:
    """Videos like this one, itself left out. One that is in the store as it is on disk needs no
    model; any other is embedded on the fly, and not stored.

    Raises:
        SettingsError: there is no such file.
        VideoError: it cannot be embedded.
    """
    key = home.key_of(file)
    query = query_like(store, key, k=k + 1, label=label) if key else None
    if key is None or query is None or _has_changed(store, key, file):
        query = _query_for(settings, file, k + 1, label)
    return [hit for hit in _search(store, query) if hit.path != key][:k]


def _has_changed(store: Store, key: str, file: Path) -> bool:
    row = store.rows([key]).get(key)
    stamp = read_stamp(file)
    return row is None or (stamp is not None and stamp != (row.size, row.mtime_ns))


def _query_for(settings: Settings, file: Path, k: int, label: str | None) -> Query:
    from pipeline.recipe import recipe_of

    if not file.is_file():
        raise SettingsError(f"--video {file}: there is no such file")
    recipe = recipe_of(settings)
    embedded = embed(settings, file)
    assert embedded.visual is not None
    assert embedded.speech is not None
    return Query(
        embedded.visual.vector,
        embedded.speech.vector,
        k=k,
        label=label,
        visual_recipe=recipe.visual,
        speech_recipe=recipe.speech,
    )


def embed(settings: Settings, location: Path) -> EmbeddedVideo:
    """Both halves of a video, which is not stored.

    Raises:
        VideoError: it cannot be embedded.
        ModelError: a model cannot be loaded.
    """
    from pipeline.embed import Embedder
    from pipeline.intake import Intake
    from pipeline.journal import Journal
    from pipeline.library import Library
    from pipeline.models import Models
    from pipeline.recipe import recipe_of
    from pipeline.records import Failure, Task, VideoFile

    models = Models(settings, _say)
    intake = Intake(
        settings, Library({}, {}, recipe_of(settings)), models.prepare, _no_words, Journal(None)
    )
    file = VideoFile(location.name, location.absolute(), *(read_stamp(location) or (0, 0)))
    first_only = settings.clip.transcript == "first_window"
    embedder = Embedder(models.clip, models.whisper, first_window_only=first_only)
    (result,) = embedder.embed([intake.decode(Task(file, content_hash=""))])
    if isinstance(result, Failure):
        raise VideoError(result.stage, f"{location}: {result.reason}")
    return result


def _no_words(_: str) -> Transcript:
    raise AssertionError("a whole video is embedded")


def _search(store: Store, query: Query) -> list[Hit]:
    hits = search(store, query)
    if not hits and store.known():
        _say("No video of this recipe: scan the folder first, or see `status`.")
    return hits


def _say(text: str) -> None:
    print(text, file=sys.stderr)
