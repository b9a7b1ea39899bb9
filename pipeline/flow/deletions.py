"""Files that are gone: were they deleted, or is their drive not there?"""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.source.listing import Collection
from store.table.store import Store

FEW = 20  # so many may vanish at once without a second thought


class DeletionGuard:
    """Why missing files may not have been deleted.

    Args:
        store: remembers where the folder was.
        collection: the folder.
        max_share: of all rows; more than that, and more than a few, do not vanish at once.
    """

    def __init__(self, store: Store, collection: Collection, max_share: float) -> None:
        self._collection = collection
        self._max_share = max_share
        self._moved = _note_place(store, collection.root)

    def about(self, missing: int, known: int) -> str:
        """The reason for doubt when so many of the known rows are missing; empty for none."""
        if not missing:
            return ""
        if _is_empty(self._collection.top):
            return f"{self._collection.top} is empty or missing"
        if self._moved:
            return f"{self._collection.root} is another folder, or file system, than before"
        if missing > FEW and missing > self._max_share * known:
            return f"that is more than store.max_vanished = {self._max_share:g} of all"
        return ""


def _note_place(store: Store, root: Path) -> bool:
    """Remember which folder it is, and on which file system; whether it was another one before. A
    folder that moved together with its store is the same one."""
    beside = store.scratch("place")
    where = os.path.relpath(root.resolve(), beside.parent.resolve()) if beside else root.resolve()
    place = f"{os.stat(root).st_dev} {where}" if root.exists() else ""
    former = store.get_note("place")
    if place and place != former:
        store.set_note("place", place)
    return bool(place and former and place != former)


def _is_empty(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except OSError:
        return True
