"""The picture of the whole.

    listing --\
               files --> decode threads --> decoded --> one model stage --> results --> writer
    watcher --/  bounded                 bounded, by bytes too                        (the store)

`scan` compares the folder with the store once; `watch` goes on with what the watcher reports. Both
feed the same line. Between `files` and `results` an engine runs the stages. Here the stages and
the store meet; neither knows of the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pipeline.errors import PipelineError, Stage
from pipeline.flow.catalog import Comparison
from pipeline.flow.crash_trial import guilty_among
from pipeline.flow.engine import Engine, Line, Shared
from pipeline.flow.feed import Feeder
from pipeline.flow.heartbeat import Heartbeat, hung
from pipeline.flow.journal import Journal
from pipeline.flow.local import LocalEngine
from pipeline.flow.progress import Report, dataset_summary
from pipeline.flow.running import FILE as RUNNING
from pipeline.flow.running import Running, RunningNote
from pipeline.flow.workers import StageGroup, StageTimes
from pipeline.flow.write import Writer
from pipeline.flow.write_loop import Landed, WriteLoop
from pipeline.models.fetch import fetch
from pipeline.outcomes import Failure, Outcome
from pipeline.project import Project
from pipeline.records import VideoFile
from pipeline.source.listing import Listing, no_videos
from pipeline.source.watcher import Watcher
from pipeline.terminal import printable

LOOK_SECONDS = 1.0  # between two looks at the threads


@dataclass(frozen=True)
class Summary:
    """What a run did: files by outcome, and where the time went.

    Args:
        embedded: files with new vectors or words.
        unchanged: files that needed nothing.
        moved: files whose row followed them.
        copied: files with the vectors of another one.
        removed: rows whose file is gone.
        failed: files that could not be embedded, in this run or before.
        left: files that were to be embedded, and wait for the next run.
        failures: path and reason of the first files that failed in this run.
        seconds: from start to end.
        loading_seconds: of these, until the models were loaded.
        stages: times of the threads, by stage.
        interrupted: whether it was told to stop.
    """

    embedded: int
    unchanged: int
    moved: int
    copied: int
    removed: int
    failed: int
    left: int
    failures: tuple[tuple[str, str], ...]
    seconds: float
    loading_seconds: float
    stages: dict[str, StageTimes]
    interrupted: bool


class Flow:
    """Runs once over one collection.

    Args:
        project: with its store open for writing.
        report: is given everything that a person should see.
        engine: runs the decode stage and the model stage; threads of this process by default.
        landed: is given the embeddings of unlabeled videos that were written; None for nobody.

    Raises:
        SettingsError: the folder or named weights do not exist.
        StoreError: the store cannot be read.
    """

    def __init__(
        self,
        project: Project,
        report: Report,
        engine: Engine | None = None,
        landed: Landed | None = None,
    ) -> None:
        self._project = project
        self._report = report
        self._engine = engine or LocalEngine(project.settings, report.say)
        self._writer = Writer(project.store, project.recipe, project.moments_recipe)
        encoder = self._engine.text_encoder
        self._write_loop = WriteLoop(project, self._writer, report, encoder, landed)
        self._stages = StageGroup(self._engine.cores, on_stop=self._wake)
        self._feeder = Feeder(
            project, self._writer.catalog, self._writer.claims, report, self._stages.stopping
        )
        self._journal = Journal(project.store.scratch("in_hand.json"))
        self._heartbeat = Heartbeat()
        self._note = RunningNote(project.store.scratch(RUNNING))
        self._command = "scan"
        self._watcher: Watcher | None = None
        self._looked: tuple[Listing, Comparison] | None = None

    def prepare(self, *, watch: bool) -> None:
        """Fetch weights that a run will need, before anything else is done.

        A run without it fetches them when it needs them.

        Args:
            watch: whether the run is a watch, to which something may come at any time.

        Raises:
            SettingsError: the folder does not exist, or the store holds vectors of another width.
            ModelError: the weights are not here and cannot be fetched.
        """
        if not watch:
            self._looked = self._feeder.look()
        if watch or (self._looked and self._looked[1].todo):
            fetch(self._project.settings, self._report.say)
            self._project.check_width()  # of a model that was not here

    def scan(self) -> Summary:
        """Bring the store up to date with the folder, once."""
        began = time.perf_counter()
        self._try_suspects()
        listing, comparison = self._looked or self._feeder.look()
        self._report.say(dataset_summary(file.label for file in listing.videos.values()))
        if not listing.videos:
            self._report.log("warning", no_videos(self._project.collection))
        self._run(lambda line: self._feeder.scan(line, comparison))
        if not self._stages.stopping.is_set():
            # Not earlier: what is missing here may have landed elsewhere.
            self._write_loop.drop_missing(comparison.vanished)
            self._write_loop.tidy()
        return self._summary(time.perf_counter() - began)

    def watch(self) -> Summary:
        """Embed what is there, then what lands, until `stop`."""
        began = time.perf_counter()
        self._command = "watch"
        settle = self._project.settings.watch.settle_seconds
        with Watcher(self._project.collection, settle_seconds=settle) as self._watcher:
            watcher = self._watcher
            self._try_suspects()
            self._run(lambda line: self._feeder.watch(line, watcher))
        return self._summary(time.perf_counter() - began)

    def stop(self) -> None:
        """Take nothing new; finish and write what is in hand. Safe in a signal handler's thread."""
        self._stages.stop()

    def abandon(self) -> None:
        """Note that the process is about to leave at once, and not for a crash."""
        self._journal.close()
        self._engine.abandon()

    def _wake(self) -> None:
        if self._watcher is not None:
            self._watcher.wake()

    def _try_suspects(self) -> None:
        """Try the files that were in hand when the last run was cut short; a guilty one fails."""
        left_over = set(self._journal.left_over())
        if not left_over:
            return
        _, comparison = self._feeder.look()
        suspects = [file for file in comparison.todo if file.path in left_over]
        if not suspects:
            return
        self._looked = None
        self._report.say(
            f"The last run was cut short while it worked on {len(suspects)} videos: trying these"
            " first, in a process of their own."
        )
        for failure in guilty_among(self._project.settings, suspects, self._stages.stopping):
            self._writer.claims.submit(failure.file)
            self._report.expect(1)
            self._write_loop.write([failure])

    def _run(self, feed: Callable[[Line], None]) -> None:
        """Start every thread, and wait for the end of all of them.

        Raises:
            PipelineError: reading a file does not come back.
            BaseException: the first exception of any thread.
        """
        claims, transcript_of = self._writer.claims, self._writer.transcript_of
        shared = Shared(claims, transcript_of, self._journal, self._heartbeat)
        if self._stages.stopping.is_set():  # nothing was opened: suspects stay suspects
            self._report.close()
            return
        try:
            line = self._engine.connect(self._stages, shared)
            self._stages.source("feed", lambda: feed(line), line.files)
            note_times = partial(self._stages.note, "write")
            write = lambda: self._write_loop.run(line.results, note_times)  # noqa: E731
            self._stages.sink("write", write, line.results)
            self._wait(line)
        finally:
            self._report.close()
            self._journal.close()
            self._note.remove()

    def _wait(self, line: Line) -> None:
        """Wait for every thread but those whose reading does not come back.

        Such a thread is lost, with its core: its file fails, what else is in hand is finished, and
        the run ends.
        """
        limit = self._project.settings.decode.timeout_seconds
        why = hung(limit)
        lost: list[VideoFile] = []
        while not self._stages.wait(LOOK_SECONDS):
            self._heartbeat.let_pass(LOOK_SECONDS)
            self._note.write(self._running())
            for thread, file in self._heartbeat.take_silent(limit).items():
                lost.append(file)
                line.results.put(Failure(file, Stage.DECODE, why))
                self._stages.stop()
                self._stages.give_up(thread)
        self._stages.join()
        if lost:
            names = ", ".join(printable(file.path) for file in lost)
            raise PipelineError(f"{names}: {why}; it counts as failed; scan again for the others")

    def _running(self) -> Running:
        done, total, rate = self._report.progress()
        left = (total - done) / rate if rate else None
        return Running(self._command, done, total, rate, left, self._journal.paths)

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
            left=self._report.left,
            failures=tuple(self._report.failures),
            seconds=seconds,
            loading_seconds=self._engine.loading_seconds,
            stages=self._stages.times,
            interrupted=self._stages.stopping.is_set(),
        )
