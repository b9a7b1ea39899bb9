"""Tells deleted files from files whose drive is away: both are missing."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from pipeline.flow.catalog import Catalog
from pipeline.source.listing import Collection
from pipeline.source.presence import Unknown, look_at
from store.table.store import Store

FEW = 20  # files that may vanish at once without a second thought
_PLACE, _DRIVES = "place", "drives"  # names of notes in the store


class DeletionGuard:
    """Judges whether missing files were deleted.

    A missing file was, except where

    - the system does not say whether the file exists: rights are missing, a network drive is dead;
    - the file, or a folder above it, is a symbolic link to nothing;
    - the collection's folder, or a folder above the file that was a drive of its own, is empty or
      missing, as the mount point of a drive that is away is;
    - the file was missing when the collection's folder was found to be another one than before;
    - more than a share of all rows, and more than a few, are missing at once.

    Args:
        store: keeps a note of the collection's place and of its drives.
        collection: the folder.
        catalog: what the store holds.
        max_share: share of all rows that may vanish at once.
    """

    def __init__(
        self, store: Store, collection: Collection, catalog: Catalog, max_share: float
    ) -> None:
        self._store = store
        self._collection = collection
        self._catalog = catalog
        self._max_share = max_share
        self._drives = set(json.loads(store.get_note(_DRIVES) or "[]"))
        is_moved = _note_place(store, collection.root)
        self._missing_since_move = set(filter(self._is_absent, catalog.paths() if is_moved else ()))

    def judge(self, missing: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
        """Sort paths that seem to be missing; those of files that exist are left out.

        Returns:
            The deleted ones, and those that may not have been, by the reason for the doubt.
        """
        deleted: list[str] = []
        doubted: defaultdict[str, list[str]] = defaultdict(list)
        away = cache(self._away)  # many files share a folder
        for path in missing:
            seen = look_at(self._collection.root / path)
            if isinstance(seen, Unknown):
                doubted[f"whether they exist is unknown ({seen.reason})"].append(path)
            elif seen is None:
                reason = next(filter(None, map(away, _with_parents(path))), None)
                if reason is None and path in self._missing_since_move:
                    self._missing_since_move.remove(path)
                    reason = (
                        f"{self._collection.root} is not the folder or drive that it was before"
                    )
                (deleted if reason is None else doubted[reason]).append(path)
        rows = self._catalog.rows_among(deleted)
        if len(rows) > max(FEW, self._max_share * len(self._catalog)):
            reason = f"that is more than store.max_vanished = {self._max_share:g} of all"
            doubted[reason] = rows
            deleted = sorted(set(deleted) - set(rows))
        return deleted, doubted

    def note_drives(self) -> None:
        """Note which folders with videos are drives of their own, for when one is away."""
        parents = {path.rpartition("/")[0] for path in self._catalog.paths()}
        folders = {folder for each in parents for folder in _with_parents(each) if folder}
        drives = {folder for folder in folders if self._is_drive(folder)}
        drives |= {folder for folder in self._drives if _is_empty(self._collection.root / folder)}
        if drives != self._drives:
            self._drives = drives
            self._store.set_note(_DRIVES, json.dumps(sorted(drives)))

    def _away(self, key: str) -> str | None:
        """Reason why what is at or below a key may be on a drive that is away."""
        place = self._collection.root / key
        if not key and _is_empty(self._collection.top):
            return f"{self._collection.top} is empty or missing"
        if key and os.path.islink(place) and not os.path.exists(place):
            return "they are behind symbolic links that lead nowhere"
        if key in self._drives and _is_empty(place):
            return f"{key}, which was a drive of its own, is empty or missing"
        return None

    def _is_absent(self, path: str) -> bool:
        return look_at(self._collection.root / path) is None

    def _is_drive(self, folder: str) -> bool:
        place = self._collection.root / folder
        try:
            return os.stat(place).st_dev != os.stat(place.parent).st_dev
        except OSError:
            return False


def _note_place(store: Store, root: Path) -> bool:
    """Note which folder the collection is, and on which file system.

    Returns:
        Whether it was another one before; one that moved together with its store is the same.
    """
    beside, where = store.scratch(_PLACE), os.path.realpath(root)
    if beside:
        where = os.path.relpath(where, os.path.realpath(beside.parent))
    try:
        place = f"{os.stat(root).st_dev} {where}"
    except OSError:
        return False
    before = store.get_note(_PLACE)
    if place != before:
        store.set_note(_PLACE, place)
    return before not in (None, place)


def _with_parents(key: str) -> Iterator[str]:
    """Go from the collection's root, whose key is empty, down to a key."""
    yield ""
    at = key.find("/")
    while at >= 0:
        yield key[:at]
        at = key.find("/", at + 1)
    yield key


def _is_empty(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except OSError:
        return True
