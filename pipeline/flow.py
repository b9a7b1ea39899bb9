"""The picture of the whole.

    listing --\
               files --> decode threads --> decoded --> one model stage --> results --> writer
    watcher --/  bounded                 bounded, by bytes too                        (the store)

`scan` compares the folder with the store once; `watch` goes on with what the watcher tells. Both
feed the same line. Here the stages and the store meet; neither knows of the other.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config import Settings
from pipeline.decode import content_hash
from pipeline.discover import Collection, Listing, list_videos, read_stamp
from pipeline.embed import Embedder
from pipeline.errors import ModelError, SettingsError
from pipeline.intake import Intake
from pipeline.journal import Journal
from pipeline.library import Comparison, Library
from pipeline.models import Models
from pipeline.recipe import recipe_of
from pipeline.records import (
    DecodedVideo,
    Failure,
    Reused,
    Segment,
    SpeechStatus,
    Transcript,
    VideoFile,
)
from pipeline.report import Report, dataset_summary, printable
from pipeline.trial import crash_of
from pipeline.watching import Watcher
from pipeline.workers import Channel, Crew, StageTimes
from pipeline.writing import Outcome, Result, Writer
from store.table import Store

log = logging.getLogger(__name__)

COMMIT_ROWS = 64  # a flood of small videos makes few commits,
COMMIT_SECONDS = 0.25  # and a lone one is visible at once
IDLE_SECONDS = 60.0  # of quiet, after which the store is tidied
SETTLING_LOOKS = 5  # at a file that is being written, before a scan leaves it for the next one
FEW_VANISHED = 20  # so many files may vanish at once without a second thought
FAILURES_IN_A_ROW = 20  # of the models, before the run gives up

Intaken = DecodedVideo | Reused | Failure


@dataclass(frozen=True)
class Vanished:
    """Paths whose files are gone."""

    paths: tuple[str, ...]


@dataclass(frozen=True)
class Returned:
    """Paths of offline rows whose files are there again, as they were."""

    paths: tuple[str, ...]


Written = Result | Vanished | Returned


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


@dataclass(frozen=True)
class _Line:
    """Where the feeding thread puts what it finds."""

    files: Channel[VideoFile]
    results: Channel[Written]


class Flow:
    """One run over one collection.

    Args:
        settings: of the run.
        collection: the folder.
        store: opened for writing.
        report: hears of everything.

    Raises:
        SettingsError: the folder or named weights are not there.
        StoreError: the store cannot be read.
    """

    def __init__(
        self, settings: Settings, collection: Collection, store: Store, report: Report
    ) -> None:
        self._settings = settings
        self._collection = collection
        self._store = store
        self._report = report
        failed = {failure.path: failure for failure in store.failures()}
        self._library = Library(store.known(), failed, recipe_of(settings))
        self._writer = Writer(store, self._library, report.heard)
        self._models = Models(settings, report.say)
        self._embedder = Embedder(
            self._models.clip,
            self._models.whisper,
            first_window_only=settings.clip.transcript == "first_window",
        )
        self._crew = Crew()
        self._unchanged = 0
        self._failed_before = 0
        self._reconciled = False
        self._model_failures = 0
        self._moved_device = _note_device(store, collection.root)
        self._journal = Journal(store.scratch("in_hand.json"))
        self._watcher: Watcher | None = None

    def scan(self) -> Summary:
        """Bring the store up to date with the folder, once."""
        began = time.perf_counter()
        listing = self._list()
        self._try_suspects(listing)
        comparison = self._library.compare(listing.videos, self._collection.under)
        self._count(comparison)
        self._report.say(dataset_summary(file.label for file in listing.videos.values()))
        self._run(lambda line: self._feed_scan(line, comparison))
        if not self._crew.stopping.is_set():
            # Not earlier: what is missing here may have landed elsewhere.
            self._drop_missing(_missing(listing, comparison))
            self._store.upkeep()
        return self._summary(time.perf_counter() - began)

    def watch(self) -> Summary:
        """Embed what is there, then what lands, until `stop`."""
        began = time.perf_counter()
        settle = self._settings.watch.settle_seconds
        with Watcher(self._collection, settle_seconds=settle) as self._watcher:
            self._try_suspects(self._list())
            self._run(self._feed_watch)
        return self._summary(time.perf_counter() - began)

    def stop(self) -> None:
        """Take nothing new; finish and write what is in hand. Safe in a signal handler's thread."""
        self._crew.stop()
        if self._watcher is not None:
            self._watcher.wake()

    def abandon(self) -> None:
        """The process is about to leave at once, and not for a crash."""
        self._journal.close()

    def _run(self, feed: Callable[[_Line], None]) -> None:
        try:
            self._start(feed)
            self._crew.join()
        finally:
            self._report.close()
            self._journal.close()

    def _start(self, feed: Callable[[_Line], None]) -> None:
        crew, queue = self._crew, self._settings.queue
        workers = decode_threads(self._settings)
        files: Channel[VideoFile] = crew.channel(workers)
        decoded: Channel[Intaken] = crew.channel(
            queue.items, nbytes=queue.megabytes << 20, producers=workers
        )
        # Kept at a stop: what the models have made is written.
        results: Channel[Written] = crew.channel(4 * COMMIT_ROWS, keep=True)
        intake = Intake(
            self._settings,
            self._library,
            self._models.prepare,
            self._transcript_of,
            self._journal,
        )
        per_batch = max(self._settings.clip.batch_frames // self._settings.clip.frames, 1)
        crew.source("feed", lambda: feed(_Line(files, results)), files)
        crew.stage("decode", intake.take_each, files, decoded, threads=workers, size_of=_nbytes)
        crew.stage("models", self._run_models, decoded, results, most=per_batch)
        crew.sink("write", lambda: self._write(results), results)

    # Feeding the line

    def _try_suspects(self, listing: Listing) -> None:
        """Try each file alone that was in hand when the last run crashed; a guilty one fails."""
        suspects = [listing.videos[p] for p in self._journal.left_over() if p in listing.videos]
        if suspects:
            self._report.say(
                f"The last run was cut short with {len(suspects)} videos in hand: trying each of"
                " them alone."
            )
        for file in suspects:
            signal_name = crash_of(self._settings, file.location)
            if signal_name and self._library.submit(file):
                reason = f"it crashes the process ({signal_name})"
                digest = content_hash(file.location)
                self._writer.write([Failure(file, "crash", reason, digest)])

    def _list(self) -> Listing:
        listing = list_videos(self._collection)
        for problem in listing.problems:
            self._report.say(f"Cannot list {printable(problem.path)} ({problem.reason})")
        return listing

    def _feed_scan(self, line: _Line, comparison: Comparison) -> None:
        if comparison.returned:
            line.results.put(Returned(comparison.returned))
        settle = self._settings.watch.settle_seconds
        settled, fresh = _by_age(comparison.todo, settle)
        self._submit(line, settled)
        for _ in range(SETTLING_LOOKS):
            if not fresh or self._crew.stopping.wait(settle):
                return
            settled, fresh = _look_again(fresh)
            self._submit(line, settled)
        for file in fresh:
            log.warning("%r is still being written: left for the next scan", file.path)

    def _feed_watch(self, line: _Line) -> None:
        assert self._watcher is not None
        missing: set[str] = set()
        self._report.say(f"Watching {self._collection.top}")
        due = time.monotonic()
        while not self._crew.stopping.is_set():
            if time.monotonic() >= due:
                missing.update(self._reconcile(line, self._watcher))
                due = time.monotonic() + self._settings.watch.rescan_seconds
            if missing and not self._library.busy:
                # Not before the line is empty: what is missing here may have landed elsewhere.
                self._put_missing(line, missing)
                missing.clear()
            wait = max(due - time.monotonic(), 0.0)
            changes = self._watcher.changes(timeout=min(wait, 1.0) if missing else wait)
            missing.update(changes.vanished)
            self._submit(line, changes.settled)
            if changes.rescan:
                due = time.monotonic()

    def _reconcile(self, line: _Line, watcher: Watcher) -> Sequence[str]:
        """Compare the folder with what is known; the paths that are missing from it."""
        try:
            listing = self._list()
        except SettingsError as error:
            log.warning("%s; until then its rows are kept", error)
            return ()
        comparison = self._library.compare(listing.videos, self._collection.under)
        log.info("%s", equation(listing, comparison))
        if not self._reconciled:
            self._count(comparison)
            self._reconciled = True
        if comparison.returned:
            line.results.put(Returned(comparison.returned))
        settled, fresh = _by_age(comparison.todo, self._settings.watch.settle_seconds)
        watcher.consider(file.path for file in fresh)
        self._submit(line, settled)
        return _missing(listing, comparison)

    def _count(self, comparison: Comparison) -> None:
        """What needs nothing, for the summary."""
        self._unchanged = len(comparison.unchanged)
        self._failed_before = len(comparison.failed)

    def _submit(self, line: _Line, files: Iterable[VideoFile]) -> None:
        """Put the files that need work into the line."""
        wanted = [file for file in files if self._library.submit(file)]
        self._report.expect(len(wanted))
        for file in wanted:
            if not line.files.put(file):
                return

    def _put_missing(self, line: _Line, missing: Iterable[str]) -> None:
        root = self._collection.root
        gone = tuple(path for path in sorted(missing) if not (root / path).exists())
        if gone:
            line.results.put(Vanished(gone))

    # The other end

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
                f" {result.reason}"
            )

    def _write(self, results: Channel[Written]) -> None:
        is_tidy = True
        while True:
            batch = results.take(COMMIT_ROWS, linger=COMMIT_SECONDS, timeout=IDLE_SECONDS)
            if not batch and is_tidy:
                continue
            began = time.perf_counter()
            self._writer.write([r for r in batch if not isinstance(r, Vanished | Returned)])
            for change in batch:
                if isinstance(change, Vanished):
                    self._drop_missing(change.paths)
                elif isinstance(change, Returned):
                    self._writer.mark_offline(change.paths, False)
            is_tidy = not batch
            self._store.upkeep(force=is_tidy)
            self._crew.note("write", busy=time.perf_counter() - began)

    def _drop_missing(self, missing: Sequence[str]) -> None:
        """Remove the rows of missing files, unless it looks like a drive that is not there."""
        rows = self._library.rows_among(missing)
        doubt = self._doubt(len(rows))
        if not doubt:
            self._writer.remove(missing)
            return
        self._writer.mark_offline(rows, True)
        self._report.say(
            f"{len(rows)} videos are gone, but {doubt}: their rows are kept, as offline."
        )

    def _doubt(self, count: int) -> str:
        """Why the files of so many rows may not have been deleted; empty if there is no doubt."""
        share = self._settings.store.max_vanished
        if not count:
            return ""
        if _is_empty(self._collection.top):
            return f"{self._collection.top} is empty or missing"
        if self._moved_device:
            return f"{self._collection.root} is on another file system than before"
        if count > FEW_VANISHED and count > share * len(self._library):
            return f"that is more than store.max_vanished = {share:g} of all"
        return ""

    def _transcript_of(self, path: str) -> Transcript:
        """The words of a row, for a new speech vector."""
        row = self._store.rows([path])[path]
        return Transcript(
            SpeechStatus(row.speech_status),
            tuple(Segment(each.start, each.end, each.text) for each in row.segments),
            row.language,
            row.language_probability,
        )

    def _summary(self, seconds: float) -> Summary:
        counts = self._report.counts
        return Summary(
            embedded=counts[Outcome.EMBEDDED],
            unchanged=self._unchanged + counts[Outcome.UNCHANGED],
            moved=counts[Outcome.MOVED],
            copied=counts[Outcome.COPIED],
            removed=counts[Outcome.REMOVED],
            failed=self._failed_before + counts[Outcome.FAILED],
            seconds=seconds,
            stages=self._crew.times,
            interrupted=self._crew.stopping.is_set(),
        )


def decode_threads(settings: Settings) -> int:
    """`decode.workers`, or half of the cores: the models take the rest, or feed the GPU."""
    return settings.decode.workers or max((os.cpu_count() or 1) // 2, 1)


def equation(listing: Listing, comparison: Comparison) -> str:
    """How the files on disk add up."""
    return (
        f"{len(listing.videos)} on disk = {len(comparison.unchanged)} embedded"
        f" + {len(comparison.todo)} pending + {len(comparison.failed)} failed"
    )


def _missing(listing: Listing, comparison: Comparison) -> list[str]:
    """What has vanished, not merely is in a folder that could not be listed."""
    return [path for path in comparison.vanished if not listing.may_hide(path)]


def _by_age(
    files: Iterable[VideoFile], settle_seconds: float
) -> tuple[list[VideoFile], list[VideoFile]]:
    """Files that nobody has written to for a while, and those that may still be written."""
    settled: list[VideoFile] = []
    fresh: list[VideoFile] = []
    now = time.time()
    for file in files:
        age = abs(now - file.mtime_ns / 1e9)  # clocks of other machines may be ahead
        (fresh if age < settle_seconds else settled).append(file)
    return settled, fresh


def _look_again(files: Iterable[VideoFile]) -> tuple[list[VideoFile], list[VideoFile]]:
    """Files whose size and time are as they were, and those that change (as they are now)."""
    settled: list[VideoFile] = []
    changing: list[VideoFile] = []
    for file in files:
        stamp = read_stamp(file.location)
        if stamp == (file.size, file.mtime_ns):
            settled.append(file)
        elif stamp is not None:
            changing.append(replace(file, size=stamp[0], mtime_ns=stamp[1]))
    return settled, changing


def _note_device(store: Store, root: Path) -> bool:
    """Remember which file system the folder is on; whether it was on another one before."""
    device = str(os.stat(root).st_dev) if root.exists() else ""
    former = store.recall("device")
    if device and device != former:
        store.remember("device", device)
    return bool(device and former and device != former)


def _is_empty(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except OSError:
        return True


def _nbytes(item: Intaken) -> int:
    return item.nbytes if isinstance(item, DecodedVideo) else 0
