"""The picture of the whole.

    listing --\
               files --> decode threads --> decoded --> one model stage --> results --> writer
    watcher --/  bounded                 bounded, by bytes too                        (the store)

`scan` compares the folder with the store once; `watch` goes on with what the watcher tells. Both
feed the same line. Here the stages and the store meet; neither knows of the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.errors import ModelError
from pipeline.flow.catalog import Catalog
from pipeline.flow.crash_trial import guilty_among
from pipeline.flow.deletions import DeletionGuard
from pipeline.flow.feed import Feeder, Line, missing_from
from pipeline.flow.heartbeat import Heartbeat, join
from pipeline.flow.intake import Intake
from pipeline.flow.journal import Journal
from pipeline.flow.progress import Report, dataset_summary
from pipeline.flow.workers import Channel, StageGroup, StageTimes
from pipeline.flow.write import Writer
from pipeline.models import unrelated_texts
from pipeline.models.devices import expects_gpu, share_cores, usable_cores
from pipeline.models.loaded import Models
from pipeline.project import Project
from pipeline.records import (
    DecodedVideo,
    Failure,
    Outcome,
    Result,
    Returned,
    Reused,
    Stage,
    Vanished,
    VideoFile,
    Written,
)
from pipeline.source.watcher import Watcher
from pipeline.stages.decode import Decoder
from pipeline.stages.embed import Embedder

COMMIT_ROWS = 64  # a flood of small videos makes few commits,
COMMIT_SECONDS = 0.25  # and a lone one is visible at once
IDLE_SECONDS = 60.0  # of quiet, after which the store is tidied
FAILURES_IN_A_ROW = 20  # of the models, before the run gives up

Intaken = DecodedVideo | Reused | Failure


@dataclass(frozen=True)
class Summary:
    """What a run did: files by outcome, and where the time went."""

    embedded: int
    unchanged: int
    moved: int
    copied: int
    removed: int
    failed: int
    seconds: float
    stages: dict[str, StageTimes]
    interrupted: bool


class Flow:
    """One run over one collection.

    Args:
        project: With its store open for writing.
        report: hears of everything.
        models: loaded before; by default they are loaded when they are needed.

    Raises:
        SettingsError: the folder or named weights are not there.
        StoreError: the store cannot be read.
    """

    def __init__(
        self,
        project: Project,
        report: Report,
        *,
        models: Models | None = None,
    ) -> None:
        settings, store, collection = project.settings, project.store, project.collection
        self._settings = settings
        self._collection = collection
        self._store = store
        self._recipe = project.recipe
        self._report = report
        failed = {failure.path: failure for failure in store.failures()}
        self._catalog = Catalog(store.known(), failed, project.recipe)
        self._writer = Writer(store, self._catalog, report.heard)
        self._threads = share_cores(settings, gpu=expects_gpu(settings), cores=usable_cores())
        self._models = models or Models(
            settings,
            report.say,
            threads=self._threads.per_model,
            streams=self._threads.models,
        )
        self._embedder = Embedder(
            self._models.clip,
            self._models.whisper,
            first_window_only=settings.clip.transcript == "first_window",
        )
        self._stages = StageGroup(self._threads.cores, on_stop=self._wake)
        self._feeder = Feeder(settings, collection, self._catalog, report, self._stages.stopping)
        self._deletion_guard = DeletionGuard(store, collection, settings.store.max_vanished)
        self._model_failures = 0
        self._journal = Journal(store.scratch("in_hand.json"))
        self._heartbeat = Heartbeat()
        self._watcher: Watcher | None = None

    def scan(self) -> Summary:
        """Bring the store up to date with the folder, once."""
        began = time.perf_counter()
        self._try_suspects()
        listing, comparison = self._feeder.look()
        self._report.say(dataset_summary(file.label for file in listing.videos.values()))
        self._run(lambda line: self._feeder.scan(line, comparison))
        if not self._stages.stopping.is_set():
            # Not earlier: what is missing here may have landed elsewhere.
            self._drop_missing(missing_from(listing, comparison))
            self._tidy()
        return self._summary(time.perf_counter() - began)

    def watch(self) -> Summary:
        """Embed what is there, then what lands, until `stop`."""
        began = time.perf_counter()
        settle = self._settings.watch.settle_seconds
        with Watcher(self._collection, settle_seconds=settle) as self._watcher:
            watcher = self._watcher
            self._try_suspects()
            self._run(lambda line: self._feeder.watch(line, watcher))
        return self._summary(time.perf_counter() - began)

    def stop(self) -> None:
        """Take nothing new; finish and write what is in hand. Safe in a signal handler's thread."""
        self._stages.stop()

    def _wake(self) -> None:
        if self._watcher is not None:
            self._watcher.wake()

    def abandon(self) -> None:
        """The process is about to leave at once, and not for a crash."""
        self._journal.close()

    def _run(self, feed: Callable[[Line], None]) -> None:
        try:
            results = self._start(feed)
            fail = lambda file, why: results.put(Failure(file, Stage.DECODE, why))  # noqa: E731
            join(self._stages, self._heartbeat, self._settings.decode.timeout_seconds, fail)
        finally:
            self._report.close()
            self._journal.close()

    def _start(self, feed: Callable[[Line], None]) -> Channel[Written]:
        """Start the stages; returns where their results go."""
        stages, queue, threads = self._stages, self._settings.queue, self._threads
        files: Channel[VideoFile] = stages.channel(threads.decode)
        decoded: Channel[Intaken] = stages.channel(
            queue.items, nbytes=queue.megabytes << 20, producers=threads.decode
        )
        # Kept at a stop: what the models have made is written.
        results: Channel[Written] = stages.channel(
            4 * COMMIT_ROWS, producers=threads.models, keep=True
        )
        intake = Intake(
            self._catalog,
            lambda: Decoder(self._settings, self._models.preprocess()),
            self._writer.transcript_of,
            self._journal,
            self._heartbeat,
        )
        stages.source("feed", lambda: feed(Line(files, results)), files)
        stages.stage(
            "decode", intake.take_each, files, decoded, threads=threads.decode, size_of=_nbytes
        )
        stages.stage(
            "models",
            self._run_models,
            decoded,
            results,
            threads=threads.models,
            most=threads.videos,
            cores=max(threads.per_model, 1),
        )
        stages.sink("write", lambda: self._write(results), results)
        return results

    def _try_suspects(self) -> None:
        """Try the files that were in hand when the last run was cut short; a guilty one fails."""
        suspects = self._suspects()
        if not suspects:
            return
        self._report.say(
            f"The last run was cut short with {len(suspects)} videos in hand: trying them first,"
            " in a process of their own."
        )
        for failure in guilty_among(self._settings, suspects, self._stages.stopping):
            self._catalog.submit(failure.file)
            self._writer.write([failure])

    def _suspects(self) -> list[VideoFile]:
        """Files that were in hand when the last run was cut short, and still need work."""
        left_over = set(self._journal.left_over())
        if not left_over:
            return []
        _, comparison = self._feeder.look()
        return [file for file in comparison.todo if file.path in left_over]

    def _run_models(self, batch: list[Intaken]) -> Iterator[Result]:
        videos = [each for each in batch if isinstance(each, DecodedVideo)]
        yield from (each for each in batch if not isinstance(each, DecodedVideo))
        with self._journal.in_hand([video.task.file.path for video in videos]):
            made = self._embedder.embed(videos) if videos else []
        for result in made:
            self._check_models(result)
            yield result

    def _check_models(self, result: Result) -> None:
        """So many failures in a row are not the videos' fault."""
        self._model_failures = self._model_failures + 1 if isinstance(result, Failure) else 0
        if isinstance(result, Failure) and self._model_failures >= FAILURES_IN_A_ROW:
            raise ModelError(
                f"{self._model_failures} videos in a row failed in the models, the last one with:"
                f" {result.reason}; once that is mended, `python run.py retry` forgets their"
                " failures"
            )

    def _write(self, results: Channel[Written]) -> None:
        is_tidy = True
        while True:
            batch = results.take(COMMIT_ROWS, linger=COMMIT_SECONDS, timeout=IDLE_SECONDS)
            if not batch and is_tidy:
                continue
            began, used = time.perf_counter(), time.thread_time()
            self._writer.write([r for r in batch if not isinstance(r, Vanished | Returned)])
            for change in batch:
                if isinstance(change, Vanished):
                    self._drop_missing(change.paths)
                elif isinstance(change, Returned):
                    self._writer.mark_offline(change.paths, False)
            if batch:
                is_tidy = False
                self._store.upkeep()
            else:
                is_tidy = not self._tidy(idle=True)  # what is too young to go now goes next time
            busy, cpu = time.perf_counter() - began, time.thread_time() - used
            self._stages.note("write", busy=busy, cpu=cpu)

    def _tidy(self, *, idle: bool = False) -> bool:
        """What has time until no video waits; whether there was something to tidy."""
        clip, note = self._models.loaded_clip, unrelated_texts.note_of(self._recipe)
        if clip and self._store.get_note(note) is None:
            vectors = clip.encode_texts(unrelated_texts.TEXTS)
            self._store.set_note(note, unrelated_texts.pack(vectors))
        return self._store.upkeep(idle=idle)

    def _drop_missing(self, missing: Sequence[str]) -> None:
        """Remove the rows of missing files, unless it looks like a drive that is not there."""
        rows = self._catalog.rows_among(missing)
        reason = self._deletion_guard.about(len(rows), len(self._catalog))
        if not reason:
            self._writer.remove(missing)
            return
        self._writer.mark_offline(rows, True)
        self._report.say(
            f"{len(rows)} videos are gone, but {reason}: their rows are kept, as offline."
        )

    def _summary(self, seconds: float) -> Summary:
        counts = self._report.counts
        first = self._feeder.first
        return Summary(
            embedded=counts[Outcome.EMBEDDED],
            unchanged=counts[Outcome.UNCHANGED] + (len(first.unchanged) if first else 0),
            moved=counts[Outcome.MOVED],
            copied=counts[Outcome.COPIED],
            removed=counts[Outcome.REMOVED],
            failed=counts[Outcome.FAILED] + (len(first.failed) if first else 0),
            seconds=seconds,
            stages=self._stages.times,
            interrupted=self._stages.stopping.is_set(),
        )


def _nbytes(item: Intaken) -> int:
    return item.nbytes if isinstance(item, DecodedVideo) else 0
