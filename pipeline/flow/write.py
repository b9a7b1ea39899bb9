"""The end of the line: what the stages made -> rows of the store, in one commit a batch.

The one writer of a run. What it has written the library knows, and the report hears of.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from pipeline.flow.catalog import Catalog
from pipeline.flow.replaced_rows import ReplacedRows
from pipeline.flow.rows import failed_file, known_of, make_row, place_of, read_transcript
from pipeline.records import (
    EmbeddedVideo,
    Failure,
    Outcome,
    Result,
    Reused,
    Transcript,
)
from pipeline.source.listing import Unknown, look_at
from store.schema import Row, Stamp
from store.table.store import Store

log = logging.getLogger(__name__)

Heard = Callable[[Outcome, str, str, str], None]
"""Hears of every file: its outcome, its path, and a failure's stage and reason (else empty)."""


@dataclass
class _Batch:
    """What one commit changes."""

    rows: dict[str, Row] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    moved_from: list[str] = field(default_factory=list)
    overwritten: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


class Writer:
    """Args:
    store: opened for writing.
    library: kept in step with it.
    heard: hears of every file that has come to the end of the line.
    """

    def __init__(self, store: Store, catalog: Catalog, heard: Heard) -> None:
        self._store = store
        self._catalog = catalog
        self._heard = heard
        self._replaced = ReplacedRows(store, catalog)

    def write(self, results: Sequence[Result]) -> None:
        """Write results, and then the files that waited for their content.

        Raises:
            StoreError: the store cannot be written; what was not written is done again by the
                next run.
        """
        while results:
            latest = [r for r in results if self._catalog.is_latest(r.file, r.content_hash)]
            self._commit(self._batch(latest))
            results = [waiting for result in results for waiting in self._settle(result)]
        self._replaced.forget_when_idle()

    def transcript_of(self, content_hash: str) -> Transcript | None:
        """The words of a row of this content, the one nearest to the recipe, or one that was
        written over. Safe in any thread."""
        path = self._catalog.source_for("", content_hash)
        row = self._store.rows([path]).get(path) if path is not None else None
        if row is None or row.content_hash != content_hash:
            row = self._replaced.row_of(content_hash)
        return read_transcript(row) if row else None

    def remove(self, paths: Sequence[str]) -> None:
        """Remove the rows and failures of files that are gone."""
        rows = self._catalog.rows_among(paths)
        self._store.remove(rows)
        self._store.forget_failures(self._catalog.failures_among(paths))
        for path in paths:
            self._catalog.remove(path)
        for path in rows:
            self._heard(Outcome.REMOVED, path, "", "")

    def mark_offline(self, paths: Sequence[str], offline: bool) -> None:
        """Mark rows whose file is out of reach, or is there again."""
        self._store.set_offline(paths, offline)
        for path in paths:
            self._catalog.mark_offline(path, offline)

    def _batch(self, results: Sequence[Result]) -> _Batch:
        batch = _Batch()
        sources = self._read_sources(results)
        for result in results:
            if isinstance(result, Failure):
                self._add_failure(batch, result)
            elif isinstance(result, EmbeddedVideo):
                self._add_embedded(batch, result, sources)
            else:
                self._add_reused(batch, result, sources)
        return batch

    def _read_sources(self, results: Sequence[Result]) -> dict[str, Row]:
        """The rows that results take parts from, by content."""
        wanted = [r for r in results if isinstance(r, Reused) or _is_part(r)]
        found = [self._catalog.source_for(r.file.path, r.content_hash or "") for r in wanted]
        paths = {path for path in found if path is not None}
        rows = self._store.rows(sorted(paths)) if paths else {}
        former = [self._replaced.row_of(r.content_hash or "") for r in wanted]
        return {row.content_hash: row for row in (*former, *rows.values()) if row is not None}

    def _add_failure(self, batch: _Batch, failure: Failure) -> None:
        seen = look_at(failure.file.location)
        if isinstance(seen, Unknown):
            text = "%r cannot be reached (%s): it is left for the next scan"
            log.warning(text, failure.file.path, seen.reason)
        if not isinstance(seen, Stamp):
            return  # it went away before it was read, which is no fault of it
        batch.failures.append(failure)
        former = self._catalog.hash_of(failure.file.path)
        if former is not None and former != failure.content_hash and failure.content_hash:
            batch.overwritten.append(failure.file.path)  # the row is of bytes that are no more

    def _add_embedded(self, batch: _Batch, video: EmbeddedVideo, sources: dict[str, Row]) -> None:
        source = sources.get(video.content_hash) if _is_part(video) else None
        if _is_part(video) and source is None:
            _leave(video)
            return
        path = video.file.path
        batch.rows[path] = make_row(video, source, self._catalog.recipe)
        batch.outcomes[path] = Outcome.EMBEDDED

    def _add_reused(self, batch: _Batch, result: Reused, sources: dict[str, Row]) -> None:
        source = sources.get(result.content_hash)
        if source is None:
            _leave(result)
            return
        file = result.file
        batch.rows[file.path] = replace(source, **place_of(file), offline=False)
        gone = [path for path in self._gone(result) if path not in batch.moved_from]
        if self._catalog.hash_of(file.path) == result.content_hash:
            batch.outcomes[file.path] = Outcome.UNCHANGED
        elif gone:
            batch.moved_from.append(gone[0])
            batch.outcomes[file.path] = Outcome.MOVED
        else:
            batch.outcomes[file.path] = Outcome.COPIED

    def _gone(self, result: Reused) -> list[str]:
        """Rows of the same bytes whose file is not there any more: where it may have come from."""
        root = result.file.root
        others = self._catalog.paths_of(result.content_hash)
        return [p for p in others if p != result.file.path and look_at(root / p) is None]

    def _commit(self, batch: _Batch) -> None:
        failures = [failed_file(failure, self._catalog.recipe) for failure in batch.failures]
        self._replaced.keep(batch.rows, batch.overwritten)
        self._store.upsert(batch.rows.values())
        self._store.remove([*batch.moved_from, *batch.overwritten])
        self._store.record_failures(failures)
        mended = self._catalog.failures_among((*batch.rows, *batch.moved_from))
        if mended:
            self._store.forget_failures(mended)
        for path in (*mended, *batch.moved_from, *batch.overwritten):
            self._catalog.remove(path)
        for path, row in batch.rows.items():
            self._catalog.put(path, known_of(row))
        for failed in failures:
            self._catalog.put_failure(failed)
        self._tell(batch)

    def _tell(self, batch: _Batch) -> None:
        for path, outcome in batch.outcomes.items():
            self._heard(outcome, path, "", "")
        for failure in batch.failures:
            self._heard(Outcome.FAILED, failure.file.path, failure.stage, failure.reason)

    def _settle(self, result: Result) -> list[Result]:
        """The files that waited for this content: with a row of it they are copies, and where it
        failed they fail alike."""
        waiting = self._catalog.settle(result.file, result.content_hash)
        if not isinstance(result, Failure):
            return [Reused(file, result.content_hash) for file in waiting]
        if waiting and not isinstance(look_at(result.file.location), Stamp):
            text = "%r: %r, which was read in its place, went away: it is left for the next scan"
            for file in waiting:
                self._catalog.settle(file, None)
                log.warning(text, file.path, result.file.path)
            return []
        return [replace(result, file=file) for file in waiting]


def _is_part(result: Result) -> bool:
    """Whether only some parts of a row were made."""
    return isinstance(result, EmbeddedVideo) and result.task.source is not None


def _leave(result: Result) -> None:
    path = result.file.path
    log.warning("%r: the row of its content went away; it is left for the next scan", path)
