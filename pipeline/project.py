"""Opens a project: settings, the collection of videos, the recipe of its vectors, and the store.

A scan notes in the store which folder it read, so that later commands name files as that scan did,
even if it was given another folder than `data.dir`.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pipeline.errors import SettingsError
from pipeline.models.recipe import moments_recipe_of, recipe_of
from pipeline.models.weights import other_width
from pipeline.settings import Settings
from pipeline.source.listing import Collection, identify_folder, is_folder
from pipeline.source.names import is_listed_folder, is_utf8
from store.table.store import Store

if TYPE_CHECKING:
    from store.analysis.vectors import Vectors
    from store.schema import Recipe

NOTHING_EMBEDDED = "Nothing is embedded yet: run `scan` first."
ALL_OFFLINE = "All videos are offline: connect their drive, and scan."
ALL_OTHER = "All videos were embedded with other settings: `scan` embeds them with these."

_NOTE = "collection"


class Project:
    """Holds what every command works on. Close it, or use it in a `with` block.

    Args:
        settings: values of the configuration.
        store: the open store.
        collection: the folder of videos.
        written: the collection's root as a person wrote it; file names that are shown begin so.
    """

    def __init__(
        self, settings: Settings, store: Store, collection: Collection, written: str
    ) -> None:
        self.settings = settings
        self.store = store
        self.collection = collection
        self.written = written

    @classmethod
    def open(cls, settings: Settings, *, writer: bool = False, as_scanned: bool = False) -> Self:
        """Open the folder of the last scan, or `data.dir` where that setting changed since.

        Args:
            settings: values of the configuration.
            writer: whether the store will be written.
            as_scanned: whether the folder of the last scan counts whatever `data.dir` is.

        Raises:
            StoreError: the store cannot be opened.
        """
        store = open_store(settings, writer=writer)
        try:
            written = _last_scanned(settings, store, always=as_scanned)
        except BaseException:
            store.close()
            raise
        return cls(settings, store, _collection(settings, settings.path(written)), written)

    @classmethod
    def open_to_scan(cls, settings: Settings, place: Path | None = None) -> Self:
        """Open a folder with the store writable, and note the folder in the store.

        Args:
            settings: values of the configuration.
            place: a folder or a video inside `data.dir` or the folder of the last scan, or another
                folder, which is a collection of its own; None for `data.dir`.

        Raises:
            SettingsError: the place or a model does not exist, or the place is a file that no
                listing would hold; no store is made then. Or the store holds vectors of another
                width.
            StoreError: the store cannot be opened.
        """
        collection, written = _locate(settings, place)
        identify_folder(collection)
        if not is_utf8(str(collection.top)):
            raise SettingsError(f"{collection.top}: its name is not valid UTF-8; rename the folder")
        recipe_of(settings)  # refuses names of models before a store is made
        project = cls(
            settings,
            open_store(settings, writer=True),
            collection,
            written,
        )
        try:
            project.check_width()
            note = json.dumps({"configured": settings.data.dir, "scanned": written})
            if project.store.get_note(_NOTE) != note:
                project.store.set_note(_NOTE, note)
        except BaseException:
            project.close()
            raise
        return project

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe that the settings ask for.

        Raises:
            SettingsError: a model, a tag, a language or weights do not exist.
        """
        return recipe_of(self.settings)

    @cached_property
    def moments_recipe(self) -> str:
        """What the settings ask of the moments of long videos; empty for none.

        Raises:
            SettingsError: as for `recipe`.
        """
        return moments_recipe_of(self.settings)

    def check_width(self) -> None:
        """Refuse a CLIP whose vectors are of another width than those in the store.

        Raises:
            SettingsError: they are.
        """
        if problem := self.other_width():
            raise SettingsError(problem)

    def other_width(self) -> str | None:
        """Say that CLIP's vectors are of another width than those in the store, and what to do.

        None where they are not, or it cannot be known yet.

        Raises:
            SettingsError: there is no such model.
            ModelError: its folder cannot be read.
        """
        return other_width(self.settings, self.store.dimension, self.store.uri)

    def why_empty(self, *, offline: bool = False) -> str | None:
        """Say why no row can be compared or exported, and what to do; None where some can.

        Args:
            offline: whether rows count whose file is not there.

        Raises:
            SettingsError: a model of the settings does not exist.
            StoreError: the store cannot be read.
        """
        facts = self.store.facts()
        if not facts.rows:
            return NOTHING_EMBEDDED
        if offline and facts.offline:
            return None
        if facts.offline == facts.rows:
            return ALL_OFFLINE
        if facts.recipes.get(self.recipe):
            return None
        return self.other_width() or ALL_OTHER

    def vectors(self, columns: Sequence[str] = ()) -> Vectors:
        """Read the vectors of every row that is of the recipe and not offline.

        Args:
            columns: names of other columns to read with them.

        Raises:
            StoreError: the store cannot be read.
        """
        from store.analysis.vectors import read_vectors

        return read_vectors(self.store, self.recipe, columns)

    def shown(self, path: str) -> str:
        """Show a row's path as the artifacts do: the root as written, and the path."""
        return f"{self.written.rstrip('/')}/{path}"

    def rows_of(self, written: str, paths: Iterable[str]) -> set[str]:
        """Choose the paths that a person means: of one row, or of all rows below a folder.

        Args:
            written: a path as `shown` gives it, a row's path, or a file or folder on disk.
            paths: the paths to choose from.
        """
        named = {written.rstrip("/"), self.key_of(Path(written))}
        named.add(written.removeprefix(self.shown("")).rstrip("/"))
        return {
            path
            for path in paths
            if path in named or any(name and path.startswith(f"{name}/") for name in named)
        }

    def folders(self) -> set[str]:
        """List the names of the top folders on disk; each is a label."""
        try:
            with os.scandir(self.collection.root) as entries:
                names = {entry.name for entry in entries if is_folder(entry)}
        except OSError:  # an unplugged drive: its folders are not known
            return set()
        return {name for name in names if is_listed_folder(name)}

    def key_of(self, file: Path) -> str | None:
        """Find the row's path of a file in the collection; None for any other file."""
        return _key_in(self.collection.root, file)


def open_store(settings: Settings, *, writer: bool = False) -> Store:
    """Open the store that the settings name.

    Raises:
        StoreError: it cannot be opened.
    """
    return Store.open(settings.store_uri, writer=writer, options=settings.store_options)


def _last_scanned(settings: Settings, store: Store, *, always: bool = False) -> str:
    """Read which folder was scanned last; unless `always`, `data.dir` where that changed since."""
    note = json.loads(store.get_note(_NOTE) or "{}")
    same = note.get("configured") == settings.data.dir or (always and "scanned" in note)
    return str(note["scanned"]) if same else settings.data.dir


def _locate(settings: Settings, place: Path | None) -> tuple[Collection, str]:
    """Find the collection to scan, and its root as a person wrote it."""
    configured = settings.data.dir
    if place is None:
        return _collection(settings, settings.path(configured)), configured
    with open_store(settings) as store:
        last = _last_scanned(settings, store)
    for written in dict.fromkeys((configured, last)):
        root = settings.path(written)
        under = _key_in(root, place)
        if under is not None:
            return _collection(settings, root, "" if under == "." else under), written
    if place.is_file():
        raise SettingsError(
            f"{place}: is not in {settings.path(last)}: put it there, or scan the folder that it is"
            f" in: `scan {shlex.quote(str(place.parent))}`"
        )
    return _collection(settings, place.absolute()), place.absolute().as_posix()


def _collection(settings: Settings, root: Path, under: str = "") -> Collection:
    return Collection(root, tuple(settings.data.extensions), under)


def _key_in(root: Path, file: Path) -> str | None:
    for candidate in (file.absolute(), _without_links(file)):
        for known in (root, _without_links(root)):
            if candidate.is_relative_to(known):
                return candidate.relative_to(known).as_posix()
    return None


def _without_links(path: Path) -> Path:
    """Follow the links in a path, as far as the system tells where they lead."""
    try:
        return Path(os.path.realpath(path))
    except OSError:
        return path.absolute()
