"""Which folder a store belongs to.

A scan remembers it in the store, so that the commands after it name the files as the scan did, also
where it was given another folder than `data.dir`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Settings
from pipeline.source.listing import Collection, is_listed_folder
from store.table.store import Store

_MEMORY = "collection"


@dataclass(frozen=True)
class Home:
    """Args:
    collection: the folder.
    written: its root as a person wrote it; names of files that are shown begin with it.
    """

    collection: Collection
    written: str

    def shown(self, path: str) -> str:
        """A row's path in the form that the artifacts have: the root as written, and the path."""
        return f"{self.written.rstrip('/')}/{path}"

    def rows_of(self, written: str, paths: Iterable[str]) -> set[str]:
        """The paths that a person means: one row, or all below a folder; named as shown, as a
        row's path, or as a file."""
        named = {written.rstrip("/"), self.key_of(Path(written))}
        named.add(written.removeprefix(self.shown("")).rstrip("/"))
        return {
            path
            for path in paths
            if path in named or any(name and path.startswith(f"{name}/") for name in named)
        }

    def folders(self) -> set[str]:
        """The names of the top folders that are there now; each is a label."""
        try:
            with os.scandir(self.collection.root) as entries:
                names = {entry.name for entry in entries if entry.is_dir()}
        except OSError:  # an unplugged drive: nothing is known of it
            return set()
        return {name for name in names if is_listed_folder(name)}

    def key_of(self, file: Path) -> str | None:
        """The row's path of a file in the collection, None for any other."""
        for candidate in (file.absolute(), file.resolve()):
            for root in (self.collection.root, self.collection.root.resolve()):
                if candidate.is_relative_to(root):
                    return candidate.relative_to(root).as_posix()
        return None


def chosen(settings: Settings, folder: Path | None = None) -> Home:
    """The collection of a scan: `data.dir`, a folder in it, or another one."""
    root = settings.path(settings.data.dir)
    home = _home(settings, root, settings.data.dir)
    if folder is None:
        return home
    under = home.key_of(folder)
    if under is None:
        return _home(settings, folder.absolute(), folder.absolute().as_posix())
    part = Collection(root, tuple(settings.data.extensions), "" if under == "." else under)
    return Home(part, settings.data.dir)


def remember(store: Store, settings: Settings, home: Home) -> None:
    """Note the folder in the store, where that is news."""
    note = json.dumps({"configured": settings.data.dir, "scanned": home.written})
    if store.recall(_MEMORY) != note:
        store.remember(_MEMORY, note)


def recalled(store: Store, settings: Settings) -> Home:
    """The folder that the store was last scanned with; `data.dir` where that has changed since."""
    note = json.loads(store.recall(_MEMORY) or "{}")
    same = note.get("configured") == settings.data.dir
    written = note["scanned"] if same else settings.data.dir
    return _home(settings, settings.path(written), written)


def _home(settings: Settings, root: Path, written: str) -> Home:
    return Home(Collection(root, tuple(settings.data.extensions)), written)
