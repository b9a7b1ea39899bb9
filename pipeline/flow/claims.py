"""Who is at work on what: the files on their way down the line, and who embeds which content.

Each content is embedded once: the first file that claims it is its holder, and files of the same
content wait until the holder has come to the end of the line.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.flow.catalog import Catalog
from pipeline.outcomes import Reused
from pipeline.records import Needs, Task, VideoFile
from store.schema import Row


@dataclass
class _Claim:
    """A content that is being embedded, by its holder, and the files that wait for it."""

    holder: VideoFile
    waiting: list[VideoFile] = field(default_factory=list)


class Claims:
    """Decides for each file whether to embed it, to reuse a row or to wait. Safe in any thread.

    Args:
        catalog: what the store holds.
        replaced_row: gives the row of a content that this run wrote over, or None.
    """

    def __init__(self, catalog: Catalog, replaced_row: Callable[[str], Row | None]) -> None:
        self._catalog = catalog
        self._replaced_row = replaced_row
        self._claims: dict[str, _Claim] = {}
        self._in_line: Counter[str] = Counter()  # states of a file on their way, by path
        self._latest: dict[str, VideoFile] = {}  # the newest of them
        self._lock = threading.Lock()

    def submit(self, file: VideoFile) -> bool:
        """Note that a file goes down the line; False if it is there already, or needs nothing."""
        with self._lock:
            if self._latest.get(file.path) == file or self._catalog.needs_nothing(file):
                return False
            self._latest[file.path] = file
            self._in_line[file.path] += 1
            return True

    @property
    def busy(self) -> bool:
        """Whether files are on their way."""
        with self._lock:
            return bool(self._latest)

    def claim(self, file: VideoFile, content_hash: str) -> Task | Reused | None:
        """Decide what to do with a file whose content is known.

        Args:
            file: as it was submitted.
            content_hash: of its bytes.

        Returns:
            A task, which makes this file the holder of the content; or a row to reuse; or None
            where another file holds the content: this one then follows from `settle`.
        """
        with self._lock:
            source, needs = self._source(file, content_hash)
            if not needs:
                return Reused(file, content_hash)
            if content_hash in self._claims:
                self._claims[content_hash].waiting.append(file)
                return None
            self._claims[content_hash] = _Claim(file)
            return Task(file, content_hash, needs, source if needs != Needs() else None)

    def hand_over(self, file: VideoFile, content_hash: str | None) -> VideoFile | None:
        """Give up a content that a file holds; the next file that waits for it becomes the holder.

        Returns:
            The new holder; None where no file waits, or this one does not hold the content.
        """
        with self._lock:
            claim = self._held(file, content_hash)
            if claim is None:
                return None
            if not claim.waiting:
                del self._claims[content_hash or ""]
                return None
            claim.holder = claim.waiting.pop(0)
            return claim.holder

    def is_latest(self, file: VideoFile, content_hash: str | None) -> bool:
        """Whether no newer state of this file went down the line after it.

        A newer state that waits for this content does not count: the file was touched while it was
        embedded.
        """
        with self._lock:
            latest = self._latest.get(file.path, file)
            claim = self._claims.get(content_hash or "")
            return latest == file or (claim is not None and latest in claim.waiting)

    def settle(self, file: VideoFile, content_hash: str | None) -> list[VideoFile]:
        """Note that a file has come to the end of the line; return those that waited for it."""
        with self._lock:
            self._in_line[file.path] -= 1
            if self._in_line[file.path] <= 0:
                del self._in_line[file.path]
                self._latest.pop(file.path, None)
            claim = self._held(file, content_hash)
            if claim is None:
                return []
            del self._claims[content_hash or ""]
            return claim.waiting

    def _held(self, file: VideoFile, content_hash: str | None) -> _Claim | None:
        claim = self._claims.get(content_hash or "")
        return claim if claim is not None and claim.holder == file else None

    def _source(self, file: VideoFile, content_hash: str) -> tuple[str | None, Needs]:
        """Path of the row that has parts of this content, and the parts to make."""
        best = self._catalog.best_row(file.path, content_hash)
        if best is not None:
            return best
        row = self._replaced_row(content_hash)
        return (row.path, self._catalog.outdated(row)) if row else (None, Needs())
