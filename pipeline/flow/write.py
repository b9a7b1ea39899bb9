"""The end of the line: what the stages made -> rows of the store, in one commit a batch."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pipeline.errors import Stage
from pipeline.flow.catalog import Catalog
from pipeline.flow.claims import Claims
from pipeline.flow.replaced_rows import ReplacedRows
from pipeline.flow.rows import failed_file, known_of, make_row, place_of, read_transcript
from pipeline.outcomes import Failure, Left, Outcome, Result, Reused
from pipeline.records import EmbeddedVideo, VideoFile
from pipeline.source.presence import look_at
from pipeline.speech import Transcript
from store.errors import RecordError
from store.schema import Recipe, Row
from store.table.store import Store

REFUSALS = (RecordError, ValueError, OverflowError)
"""What records and Arrow raise for values that a row cannot hold."""

log = logging.getLogger(__name__)


class FileOutcome(NamedTuple):
    """What became of one file that came to the end of the line.

    Args:
        outcome: the kind of end.
        path: the file's key.
        stage: where it failed, else empty.
        reason: why it failed, else empty.
    """

    outcome: Outcome
    path: str
    stage: str = ""
    reason: str = ""


@dataclass
class _Batch:
    """What one commit changes, and what it means for each file."""

    rows: dict[str, Row] = field(default_factory=dict)
    moved_from: list[str] = field(default_factory=list)
    overwritten: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    outcomes: list[FileOutcome] = field(default_factory=list)

    def add(self, outcome: Outcome, path: str, stage: str = "", reason: str = "") -> None:
        self.outcomes.append(FileOutcome(outcome, path, stage, reason))


class Writer:
    """Writes results to the store and keeps what is known of it in step. For one thread.

    Args:
        store: opened for writing.
        recipe: what made the results.
        moments_recipe: what made the moments of long videos; empty where none are wanted.

    Attributes:
        catalog: what the store holds.
        claims: the files on their way, which end here.
    """

    def __init__(self, store: Store, recipe: Recipe, moments_recipe: str = "") -> None:
        self._store = store
        failed = {failure.path: failure for failure in store.failures()}
        self.catalog = Catalog(store.known(), failed, recipe, moments_recipe)
        self._replaced = ReplacedRows(store, self.catalog)
        self.claims = Claims(self.catalog, self._replaced.row_of)

    def write(self, results: Sequence[Result]) -> list[FileOutcome]:
        """Write results, and then the files that waited for their content.

        Returns:
            One outcome for each result and each file that waited.

        Raises:
            StoreError: the store cannot be written; what was not written is done again by the
                next run.
        """
        outcomes: list[FileOutcome] = []
        while results:
            results = [each for result in results for each in self._for_latest(result)]
            refused = self._commit_all(results, outcomes)
            others = [other for result in refused for other in self._for_heir(result)]
            results = others + [other for result in results for other in self._settle(result)]
        if not self.claims.busy:
            self._replaced.forget()
        return outcomes

    def transcript_of(self, content_hash: str) -> Transcript | None:
        """Read the words of a content from its best row, or from one that was written over.

        Safe in any thread.
        """
        best = self.catalog.best_row("", content_hash)
        row = self._store.rows([best[0]]).get(best[0]) if best is not None else None
        if row is None or row.content_hash != content_hash:
            row = self._replaced.row_of(content_hash)
        return read_transcript(row) if row else None

    def remove(self, paths: Sequence[str]) -> list[FileOutcome]:
        """Remove the rows and failures of files that are gone."""
        rows = self.catalog.rows_among(paths)
        self.catalog.expire(rows)
        if self.claims.busy:
            self._replaced.keep({}, rows)
        self._store.remove(rows)
        self._store.forget_failures(self.catalog.failures_among(paths))
        for path in paths:
            self.catalog.remove(path)
        return [FileOutcome(Outcome.REMOVED, path) for path in rows]

    def mark_offline(self, paths: Sequence[str], *, offline: bool) -> None:
        """Mark rows whose file is out of reach, or is there again."""
        self._store.set_offline(paths, offline=offline)
        for path in paths:
            self.catalog.mark_offline(path, offline=offline)

    def _batch(self, results: Sequence[Result]) -> _Batch:
        batch = _Batch()
        sources = self._read_sources(results)
        for result in results:
            if isinstance(result, Left):
                batch.add(Outcome.LEFT, result.file.path)
            elif isinstance(result, Failure):
                self._add_failure(batch, result)
            elif isinstance(result, EmbeddedVideo):
                self._add_embedded(batch, result, sources)
            else:
                self._add_reused(batch, result, sources)
        return batch

    def _read_sources(self, results: Sequence[Result]) -> dict[str, Row]:
        """Rows that results take parts from, by content."""
        wanted = [r for r in results if isinstance(r, Reused) or _is_part(r)]
        found = [self.catalog.best_row(r.file.path, r.content_hash or "") for r in wanted]
        paths = {best[0] for best in found if best is not None}
        rows = self._store.rows(sorted(paths)) if paths else {}
        replaced = [self._replaced.row_of(r.content_hash or "") for r in wanted]
        return {row.content_hash: row for row in (*replaced, *rows.values()) if row is not None}

    def _add_failure(self, batch: _Batch, failure: Failure) -> None:
        path = failure.file.path
        batch.failures.append(failure)
        batch.add(Outcome.FAILED, path, failure.stage, failure.reason)
        before = self.catalog.hash_of(path)
        if before is not None and before != failure.content_hash and failure.content_hash:
            batch.overwritten.append(path)  # the row is of bytes that no longer exist

    def _add_embedded(self, batch: _Batch, video: EmbeddedVideo, sources: dict[str, Row]) -> None:
        source = sources.get(video.content_hash) if _is_part(video) else None
        if _is_part(video) and source is None:
            _leave(batch, video)
            return
        path = video.file.path
        catalog = self.catalog
        batch.rows[path] = make_row(video, source, catalog.recipe, catalog.moments_recipe)
        batch.add(Outcome.EMBEDDED, path)

    def _add_reused(self, batch: _Batch, result: Reused, sources: dict[str, Row]) -> None:
        source = sources.get(result.content_hash)
        if source is None:
            _leave(batch, result)
            return
        file = result.file
        batch.rows[file.path] = replace(source, **place_of(file), offline=False)
        gone = [path for path in self._gone(result) if path not in batch.moved_from]
        if self.catalog.hash_of(file.path) == result.content_hash:
            batch.add(Outcome.UNCHANGED, file.path)
        elif gone:
            batch.moved_from.append(gone[0])
            batch.add(Outcome.MOVED, file.path)
        else:
            batch.add(Outcome.COPIED, file.path)

    def _gone(self, result: Reused) -> list[str]:
        """Paths of rows of the same bytes whose file is gone: where this one may have come from."""
        root = result.file.root
        others = self.catalog.paths_of(result.content_hash)
        return [p for p in others if p != result.file.path and look_at(root / p) is None]

    def _commit(self, batch: _Batch) -> None:
        failures = [failed_file(failure, self.catalog.recipe) for failure in batch.failures]
        self.catalog.expire([*batch.moved_from, *batch.overwritten])
        self._replaced.keep(batch.rows, batch.overwritten)
        self._store.upsert(batch.rows.values())
        self._store.remove([*batch.moved_from, *batch.overwritten])
        self._store.record_failures(failures)
        resolved = self.catalog.failures_among((*batch.rows, *batch.moved_from))
        if resolved:
            self._store.forget_failures(resolved)
        for path in (*resolved, *batch.moved_from, *batch.overwritten):
            self.catalog.remove(path)
        for path, row in batch.rows.items():
            self.catalog.put(path, known_of(row))
        for failed in failures:
            self.catalog.put_failure(failed)

    def _commit_all(
        self, results: Sequence[Result], outcomes: list[FileOutcome]
    ) -> list[EmbeddedVideo | Reused]:
        """Commit results at once, or, where the store refuses one, each alone.

        Args:
            results: what to write.
            outcomes: gets one outcome for each result.

        Returns:
            The refused results, whose files failed.
        """
        try:
            batch = self._batch(results)
            self._commit(batch)
        except REFUSALS as error:
            if len(results) > 1:
                return [bad for each in results for bad in self._commit_all([each], outcomes)]
            (result,) = results
            if isinstance(result, Failure | Left):
                log.warning("%r: its failure cannot be stored: %s", result.file.path, error)
                outcomes.append(FileOutcome(Outcome.LEFT, result.file.path))
                return []
            reason = f"its row cannot be stored: {error}"
            failure = Failure(result.file, Stage.WRITE, reason, result.content_hash)
            return [*self._commit_all([failure], outcomes), result]
        outcomes += batch.outcomes
        return []

    def _for_heir(self, result: Result) -> list[Result]:
        """What a result is to the next file that waits for its content, if there is one."""
        heir = self.claims.hand_over(result.file, result.content_hash)
        return [_of_file(result, heir)] if heir else []

    def _for_latest(self, result: Result) -> list[Result]:
        """Leave files that a newer state has overtaken, and give what was made of them to others.

        A file may wait for a content whose holder has other bytes by now: it becomes the holder.
        """
        left: list[Result] = []
        while not self.claims.is_latest(result.file, result.content_hash):
            left.append(Left(result.file))
            heirs = self._for_heir(result)
            if not heirs:
                return left
            (result,) = heirs
        return [*left, result]

    def _settle(self, result: Result) -> list[Result]:
        """Results for the files that waited for this content: copies of its row, or its failure."""
        waiting = self.claims.settle(result.file, result.content_hash)
        if isinstance(result, Failure):
            return [_of_file(result, file) for file in waiting]
        return [Reused(file, result.content_hash or "") for file in waiting]


def _of_file(result: Result, file: VideoFile) -> Result:
    """What the result is for another file of the same content."""
    if isinstance(result, EmbeddedVideo):
        return replace(result, task=replace(result.task, file=file))
    return replace(result, file=file)


def _is_part(result: Result) -> bool:
    """Whether only some parts of a row were made."""
    return isinstance(result, EmbeddedVideo) and result.task.source is not None


def _leave(batch: _Batch, result: Result) -> None:
    path = result.file.path
    batch.add(Outcome.LEFT, path)
    log.warning("%r: the row of its content went away; the file is left for the next scan", path)
