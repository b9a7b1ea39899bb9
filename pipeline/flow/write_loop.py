"""The writer's thread: takes what the stages made, commits it in batches, and tidies when idle."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence

import numpy as np

from pipeline.flow.channel import Channel
from pipeline.flow.deletions import DeletionGuard
from pipeline.flow.engine import EncodeTexts
from pipeline.flow.progress import Report
from pipeline.flow.write import FileOutcome, Writer
from pipeline.models import unrelated_texts
from pipeline.outcomes import Outcome, Result, Returned, Vanished, Written
from pipeline.project import Project
from pipeline.records import EmbeddedVideo

COMMIT_ROWS = 64  # a flood of small videos makes few commits,
COMMIT_SECONDS = 0.25  # and a lone one is visible at once
IDLE_SECONDS = 60.0  # of quiet, after which the store is tidied


Landed = Callable[[Mapping[str, np.ndarray]], None]
"""Is given the embedding, float32 `[2d]`, of each row path."""


class WriteLoop:
    """Commits what comes out of a channel until it ends.

    Args:
        project: with its store open for writing.
        writer: writes its batches.
        report: is given every file's outcome.
        text_encoder: gives CLIP's `encode_texts` where CLIP is loaded, else None.
        landed: is given the embeddings of unlabeled videos that were written; None for nobody.
    """

    def __init__(
        self,
        project: Project,
        writer: Writer,
        report: Report,
        text_encoder: Callable[[], EncodeTexts | None],
        landed: Landed | None = None,
    ) -> None:
        self._landed = landed
        self._project = project
        self._writer = writer
        self._report = report
        self._text_encoder = text_encoder
        max_share = project.settings.store.max_vanished
        self._guard = DeletionGuard(project.store, project.collection, writer.catalog, max_share)

    def run(self, results: Channel[Written], note_times: Callable[..., None]) -> None:
        """Write until the channel ends.

        Args:
            results: what to write.
            note_times: is given the seconds that each batch took, as `busy` and `cpu`.
        """
        is_tidy = True
        while True:
            batch = results.take(COMMIT_ROWS, linger=COMMIT_SECONDS, timeout=IDLE_SECONDS)
            if not batch and is_tidy:
                continue
            began, used = time.perf_counter(), time.thread_time()
            if batch:
                self.write(batch)
                self._project.store.upkeep()
                is_tidy = False
            else:
                is_tidy = not self.tidy(idle=True)  # what is too young to go now goes next time
            note_times(busy=time.perf_counter() - began, cpu=time.thread_time() - used)
            del batch  # its pictures, while it waits for the next

    def write(self, batch: Sequence[Written]) -> None:
        """Commit one batch: files first, since what is missing may have landed elsewhere."""
        results = [r for r in batch if not isinstance(r, Vanished | Returned)]
        outcomes = self._writer.write(results)
        self._record(outcomes)
        if self._landed is not None:
            written = {each.path for each in outcomes if each.outcome is Outcome.EMBEDDED}
            self._landed(dict(_unlabeled(results, written)))
        for notice in batch:
            if isinstance(notice, Vanished):
                self.drop_missing(notice.paths)
            elif isinstance(notice, Returned):
                self._writer.mark_offline(notice.paths, offline=False)

    def tidy(self, *, idle: bool = False) -> bool:
        """Do what has time until no video waits; whether there was something to do."""
        self._guard.note_drives()
        store, note = self._project.store, unrelated_texts.note_of(self._project.recipe)
        encode = self._text_encoder()
        if encode is not None and store.get_note(note) is None:
            store.set_note(note, unrelated_texts.pack(encode(unrelated_texts.TEXTS)))
        return store.upkeep(idle=idle)

    def drop_missing(self, missing: Sequence[str]) -> None:
        """Remove the rows of files that are still missing, unless their drive seems to be away."""
        catalog = self._writer.catalog
        known = {*catalog.rows_among(missing), *catalog.failures_among(missing)}
        deleted, doubted = self._guard.judge(sorted(known))
        if deleted:
            self._record(self._writer.remove(deleted))
        for reason, paths in doubted.items():
            rows = catalog.rows_among(paths)
            if rows:
                self._writer.mark_offline(rows, offline=True)
                text = f"{len(rows)} videos are missing, but {reason}"
                self._report.say(f"{text}: their rows are kept, as offline.")

    def _record(self, outcomes: Sequence[FileOutcome]) -> None:
        for each in outcomes:
            self._report.record(*each)


def _unlabeled(
    results: Sequence[Result], written: Container[str]
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the path and the embedding of each whole video that is in no folder."""
    for result in results:
        if isinstance(result, EmbeddedVideo) and result.file.path in written:
            visual, speech = result.visual, result.speech
            if result.file.label is None and visual is not None and speech is not None:
                yield result.file.path, np.concatenate([visual.vector, speech.vector])
