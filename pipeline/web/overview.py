"""The light columns of all rows at one version of the table: what lists and filters are made of.

They are read once a version, about 150 bytes a row, so that a page of a list takes no look into
the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.web.records import Filters, Order, Video, key_of, time_of
from store.analysis.vectors import read_rows
from store.table.snapshot import Snapshot

COLUMNS = (
    "content_hash",
    "duration_seconds",
    "width",
    "height",
    "language",
    "speech_status",
    "offline",
    "embedded_at",
    "mtime_ns",
)
SELECTIONS_KEPT = 16


class Overview:
    """The rows of one version, in path order.

    Args:
        snapshot: the table at that version; None where there is none yet.
        before: an earlier version, of which the keys are taken over.

    Raises:
        StoreError: the store cannot be read.
    """

    def __init__(self, snapshot: Snapshot | None, before: Overview | None = None) -> None:
        self._before = before.key_of_path if before is not None else {}
        self.snapshot = snapshot
        self.version = snapshot.version if snapshot else 0
        self._rows = read_rows(snapshot, COLUMNS).combine_chunks()
        self.select = lru_cache(SELECTIONS_KEPT)(self._select)

    def __len__(self) -> int:
        return len(self._rows)

    @cached_property
    def paths(self) -> list[str]:
        """The path of each row."""
        return list(self._column("path").to_pylist())

    @cached_property
    def contents(self) -> list[str]:
        """The content hash of each row."""
        return list(self._column("content_hash").to_pylist())

    @cached_property
    def key_of_path(self) -> dict[str, str]:
        """The key of each row, by path; most are known from the version before."""
        known, self._before = self._before, {}
        return {path: known.get(path) or key_of(path) for path in self.paths}

    @cached_property
    def keys(self) -> list[str]:
        """The key of each row."""
        return list(self.key_of_path.values())

    @cached_property
    def place_of_key(self) -> dict[str, int]:
        """The place of each row, by key."""
        return {key: place for place, key in enumerate(self.keys)}

    @cached_property
    def place_of_path(self) -> dict[str, int]:
        """The place of each row, by path."""
        return {path: place for place, path in enumerate(self.paths)}

    @cached_property
    def places_of_content(self) -> dict[str, list[int]]:
        """The places of the rows of each content, in path order."""
        places: dict[str, list[int]] = {}
        for place, content in enumerate(self.contents):
            places.setdefault(content, []).append(place)
        return places

    @cached_property
    def folders(self) -> dict[str | None, int]:
        """How many rows that are not offline each folder has; None for the unlabeled ones."""
        return self._counted("label")

    @cached_property
    def languages(self) -> dict[str | None, int]:
        """In how many rows that are not offline each language is spoken."""
        return self._counted("language")

    @cached_property
    def offline(self) -> int:
        """How many rows are offline."""
        return int(pc.sum(self._column("offline")).as_py() or 0)

    @cached_property
    def what_is_shown(self) -> str:
        """A mark that changes with contents and vectors, and stays when files only move."""
        online = self._rows.filter(pc.invert(self._column("offline")))
        sorted_rows = online.select(["content_hash", "embedded_at"]).sort_by("content_hash")
        digest = blake2b("".join(sorted_rows.column("content_hash").to_pylist()).encode())
        digest.update(np.sort(sorted_rows.column("embedded_at").to_numpy()).tobytes())
        return digest.hexdigest()

    def content_of(self, path: str) -> str | None:
        """The content hash of a row; None where there is no such row."""
        place = self.place_of_path.get(path)
        return None if place is None else self.contents[place]

    def row_ids(self, places: Sequence[int]) -> np.ndarray:
        """Row ids in the snapshot, uint64 `[n]`."""
        ids: np.ndarray = self._column("_rowid").take(pa.array(places, pa.int64())).to_numpy()
        return ids

    def labels(self, places: Sequence[int]) -> list[str | None]:
        """The folder of each of these rows; None for an unlabeled one."""
        return list(self._column("label").take(pa.array(places, pa.int64())).to_pylist())

    def videos(self, places: Sequence[int] | np.ndarray) -> list[Video]:
        """Describe the rows of these places."""
        return [_video(row) for row in self._rows.take(pa.array(places, pa.int64())).to_pylist()]

    def _select(self, filters: Filters, order: Order = "path") -> np.ndarray:
        """Choose rows: places, int64 `[n]`, in this order; equals in path order."""
        places = np.flatnonzero(self._mask(filters))
        if order == "path":
            return places
        column = "mtime_ns" if order == "new" else "duration_seconds"
        values = self._column(column).to_numpy()[places]
        chosen: np.ndarray = places[np.argsort(-values, kind="stable")]
        return chosen

    def _mask(self, filters: Filters) -> np.ndarray:
        """bool `[n]`: the rows that fulfil the filters."""
        parts, only = [pc.equal(self._column("offline"), filters.offline)], filters.only
        label = self._column("label")
        if only.label is not None:
            parts.append(pc.is_in(label, pa.array(sorted(only.labels), pa.string())))
        if only.unlabeled:
            parts.append(pc.is_null(label))
        if only.language is not None:
            parts.append(pc.equal(self._column("language"), only.language.lower()))
        if only.min_seconds is not None:
            parts.append(pc.greater_equal(self._column("duration_seconds"), only.min_seconds))
        if only.max_seconds is not None:
            parts.append(pc.less_equal(self._column("duration_seconds"), only.max_seconds))
        if only.since is not None:
            nanoseconds = int(only.since.timestamp() * 1e9)
            parts.append(pc.greater_equal(self._column("mtime_ns"), nanoseconds))
        whole = [pc.fill_null(part, fill_value=False) for part in parts]
        masks = [part.to_numpy(zero_copy_only=False) for part in whole]
        chosen: np.ndarray = np.logical_and.reduce(masks)
        return chosen

    def _counted(self, column: str) -> dict[str | None, int]:
        online = self._column(column).filter(pc.invert(self._column("offline")))
        counts = online.value_counts().to_pylist()
        return {each["values"]: each["counts"] for each in counts}

    def _column(self, name: str) -> pa.Array:
        column = self._rows.column(name)
        return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def _video(row: dict[str, Any]) -> Video:
    path = row["path"]
    return Video(
        key=key_of(path),
        content=row["content_hash"],
        path=path,
        name=path.rpartition("/")[2],
        folder=row["label"],
        seconds=row["duration_seconds"],
        width=row["width"],
        height=row["height"],
        language=row["language"],
        speech=row["speech_status"] == "speech",
        offline=row["offline"],
        embedded_at=row["embedded_at"],
        modified_at=time_of(row["mtime_ns"]),
        thumb=f"/thumb/{row['content_hash']}",
    )
