"""Finding work and feeding the line with it: once for `scan`, again and again for `watch`."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline.errors import SettingsError
from pipeline.flow.catalog import Catalog, Comparison
from pipeline.flow.claims import Claims
from pipeline.flow.engine import Line
from pipeline.flow.progress import Report
from pipeline.outcomes import Returned, Vanished
from pipeline.project import Project
from pipeline.records import VideoFile
from pipeline.source.listing import Listing, list_videos
from pipeline.source.presence import Unknown, look_at
from pipeline.source.watcher import Watcher
from pipeline.terminal import printable

log = logging.getLogger(__name__)

LAST = 32  # files of a scan whose order decides whether all threads are busy to its end
SETTLING_LOOKS = 5  # at a file that is being written, before a scan leaves it for the next one


class Feeder:
    """Finds the files that need work, and puts them into a line.

    Args:
        project: its settings and its folder.
        catalog: what the store holds.
        claims: the files that are on their way.
        report: is given what cannot be listed, and the number of files on their way.
        stopping: set when nothing new is to be taken.

    Attributes:
        first: what the first look at the folder found.
    """

    def __init__(
        self,
        project: Project,
        catalog: Catalog,
        claims: Claims,
        report: Report,
        stopping: threading.Event,
    ) -> None:
        self._watch = project.settings.watch
        self._collection = project.collection
        self._catalog = catalog
        self._claims = claims
        self._report = report
        self._stopping = stopping
        self.first: Comparison | None = None

    def look(self) -> tuple[Listing, Comparison]:
        """List the folder and compare it with what is known.

        Raises:
            SettingsError: the folder does not exist.
        """
        listing = list_videos(self._collection)
        for problem in listing.problems:
            self._report.say(f"Cannot list {printable(problem.path)} ({problem.reason})")
        comparison = self._catalog.compare(listing.videos, self._collection.under)
        self.first = self.first or comparison
        return listing, comparison

    def scan(self, line: Line, comparison: Comparison) -> None:
        """Feed what a comparison found; wait a while for files that are still being written."""
        if comparison.returned:
            line.results.put(Returned(comparison.returned))
        settle = self._watch.settle_seconds
        settled, fresh = _by_age(comparison.todo, settle)
        self._submit(line, even_end(settled))
        for _ in range(SETTLING_LOOKS):
            if not fresh or self._stopping.wait(settle):
                return
            settled, fresh = _look_again(fresh)
            self._submit(line, settled)
        for file in fresh:
            log.warning("%r is still being written: left for the next scan", file.path)

    def watch(self, line: Line, watcher: Watcher) -> None:
        """Feed what is there, then what lands, until stopping."""
        missing: set[str] = set()
        self._report.say(f"Watching {self._collection.top}")
        due = time.monotonic()
        while not self._stopping.is_set():
            if time.monotonic() >= due:
                missing.update(self._reconcile(line, watcher))
                due = time.monotonic() + self._watch.rescan_seconds
            if missing and not self._claims.busy:
                # Not before the line is empty: what is missing here may have landed elsewhere.
                line.results.put(Vanished(tuple(sorted(missing))))
                missing.clear()
            wait = max(due - time.monotonic(), 0.0)
            changes = watcher.changes(timeout=min(wait, 1.0) if missing else wait)
            missing.update(changes.vanished)
            self._submit(line, changes.settled)
            if changes.rescan:
                due = time.monotonic()

    def _reconcile(self, line: Line, watcher: Watcher) -> Sequence[str]:
        """Compare the folder with what is known; return the paths that are missing from it."""
        try:
            listing, comparison = self.look()
        except SettingsError as error:
            log.warning("%s; until then its rows are kept", error)
            return ()
        log.info("%s", equation(listing, comparison))
        if comparison.returned:
            line.results.put(Returned(comparison.returned))
        settled, fresh = _by_age(comparison.todo, self._watch.settle_seconds)
        watcher.consider(file.path for file in fresh)
        self._submit(line, settled)
        return comparison.vanished

    def _submit(self, line: Line, files: Iterable[VideoFile]) -> None:
        """Put the files that need work into the line."""
        wanted = [file for file in files if self._claims.submit(file)]
        self._report.expect(len(wanted))
        for file in wanted:
            if not line.files.put(file):
                return


def equation(listing: Listing, comparison: Comparison) -> str:
    """Show how the files on disk add up, on one line."""
    return (
        f"{len(listing.videos)} on disk = {len(comparison.unchanged)} embedded"
        f" + {len(comparison.todo)} pending + {len(comparison.failed)} failed"
    )


def even_end(files: Sequence[VideoFile]) -> list[VideoFile]:
    """Order the last few files by size, the largest first.

    While a long video that comes last is decoded, the other threads have no work (longest
    processing time first, Graham, 1969). The files before keep their order, so that the rate so
    far predicts how long the rest will take.
    """
    return [*files[:-LAST], *sorted(files[-LAST:], key=lambda file: -file.size)]


def _by_age(
    files: Iterable[VideoFile], settle_seconds: float
) -> tuple[list[VideoFile], list[VideoFile]]:
    """Split files into those that nobody has written to for a while, and those being written."""
    settled: list[VideoFile] = []
    fresh: list[VideoFile] = []
    now = time.time()
    for file in files:
        age = abs(now - file.mtime_ns / 1e9)  # clocks of other machines may be ahead
        (fresh if age < settle_seconds else settled).append(file)
    return settled, fresh


def _look_again(files: Iterable[VideoFile]) -> tuple[list[VideoFile], list[VideoFile]]:
    """Split files into those whose size and time have not changed, and the others as they are."""
    settled: list[VideoFile] = []
    changing: list[VideoFile] = []
    for file in files:
        seen = look_at(file.location)
        if seen == file.stamp or isinstance(seen, Unknown):  # reading it will tell why
            settled.append(file)
        elif seen is not None:
            changing.append(replace(file, **seen._asdict()))
    return settled, changing
