"""What is known of a collection, in memory: which files need work, and whose content is known.

The mirror of the store's light columns. A folder listing is compared with it to find the work;
decode threads ask it whether a content has been embedded before, or is being embedded; the writer
keeps it up to date. Knows nothing of files, models or tables.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.records import Needs, Reused, Task, VideoFile
from store.schema import FailedFile, Known, Recipe


@dataclass(frozen=True)
class Comparison:
    """A folder listing against what is known.

    Args:
        todo: new or changed files, and files whose row is of another recipe.
        unchanged: paths of up-to-date rows.
        failed: paths of files that failed as they are, with this recipe.
        vanished: paths of rows and failures whose file is gone.
        returned: paths of up-to-date rows that were offline.
    """

    todo: tuple[VideoFile, ...]
    unchanged: tuple[str, ...]
    failed: tuple[str, ...]
    vanished: tuple[str, ...]
    returned: tuple[str, ...]


@dataclass
class _Claim:
    """A content that is being embedded, by whom, and the files that wait for it to be done."""

    holder: VideoFile
    waiting: list[VideoFile] = field(default_factory=list)


class Catalog:
    """Rows and failures by path, and rows by content. Safe in any thread.

    Args:
        known: every row's light columns, by path.
        failed: every failed file, by path.
        recipe: what rows should be made with.
    """

    def __init__(
        self, known: Mapping[str, Known], failed: Mapping[str, FailedFile], recipe: Recipe
    ) -> None:
        self.recipe = recipe
        self._known = dict(known)
        self._failed = dict(failed)
        self._paths: defaultdict[str, set[str]] = defaultdict(set)
        self._replaced: dict[str, tuple[str, Known]] = {}  # by content: rows that were written over
        for path, row in known.items():
            self._paths[row.content_hash].add(path)
        self._claims: dict[str, _Claim] = {}
        self._in_line: Counter[str] = Counter()  # states of a file on their way, by path
        self._latest: dict[str, VideoFile] = {}  # the newest of them
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            return len(self._known)

    def compare(self, listing: Mapping[str, VideoFile], under: str = "") -> Comparison:
        """What a listing of the folder, or of the subfolder `under`, means."""
        prefix = f"{under}/" if under else ""
        todo, unchanged, failed, returned = [], [], [], []
        with self._lock:
            for path, file in listing.items():
                if self._is_current(file):
                    unchanged.append(path)
                    if self._known[path].offline:
                        returned.append(path)
                elif self._has_failed(file):
                    failed.append(path)
                else:
                    todo.append(file)
            absent = (self._known.keys() | self._failed.keys()) - listing.keys()
            vanished = [path for path in absent if path.startswith(prefix)]
        return Comparison(
            tuple(todo), tuple(unchanged), tuple(failed), tuple(sorted(vanished)), tuple(returned)
        )

    def submit(self, file: VideoFile) -> bool:
        """Note that a file goes down the line; False if it is there already, or needs nothing."""
        with self._lock:
            is_known = self._is_current(file) and not self._known[file.path].offline
            if is_known or self._has_failed(file) or self._latest.get(file.path) == file:
                return False
            self._latest[file.path] = file
            self._in_line[file.path] += 1
            return True

    def is_latest(self, file: VideoFile, content_hash: str | None) -> bool:
        """Whether no newer state of this file went down the line after it, or just one that waits
        for this content: a file that was touched while it was embedded."""
        with self._lock:
            latest = self._latest.get(file.path, file)
            claim = self._claims.get(content_hash or "")
            return latest == file or (claim is not None and latest in claim.waiting)

    @property
    def busy(self) -> bool:
        """Whether files are on their way."""
        with self._lock:
            return bool(self._latest)

    def claim(self, file: VideoFile, content_hash: str) -> Task | Reused | None:
        """What to do with a file, now that its content is known.

        A task makes this file the one that embeds the content; None means that another file with
        the same content is being embedded, and that this one will follow from `settle`.
        """
        with self._lock:
            best = self._best_row(content_hash, file.path)
            source, row = self._replaced.get(content_hash, (None, None))
            if best is not None:
                source, row = best, self._known[best]
            needs = self._needs(row) if row is not None else Needs()
            if not needs:
                return Reused(file, content_hash)
            if content_hash in self._claims:
                self._claims[content_hash].waiting.append(file)
                return None
            self._claims[content_hash] = _Claim(file)
            return Task(file, content_hash, needs, source if needs != Needs() else None)

    def settle(self, file: VideoFile, content_hash: str | None) -> list[VideoFile]:
        """A file has come to the end of the line; the files that waited for its content."""
        with self._lock:
            self._in_line[file.path] -= 1
            if self._in_line[file.path] <= 0:
                del self._in_line[file.path]
                self._latest.pop(file.path, None)
            claim = self._claims.get(content_hash or "")
            if content_hash is None or claim is None or claim.holder != file:
                return []
            del self._claims[content_hash]
            return claim.waiting

    def paths_of(self, content_hash: str) -> list[str]:
        """The paths of the rows with this content."""
        with self._lock:
            return sorted(self._paths.get(content_hash, ()))

    def source_for(self, path: str, content_hash: str) -> str | None:
        """The row that a file takes over: of this content, the one nearest to the recipe; its own
        of equals."""
        with self._lock:
            return self._best_row(content_hash, path)

    def last_of_their_content(self, paths: Sequence[str]) -> list[str]:
        """Those of the paths that have a row, of a content that no row of another path has."""
        with self._lock:
            rows = [(path, self._known[path]) for path in paths if path in self._known]
            return [path for path, row in rows if self._paths[row.content_hash] <= set(paths)]

    def keep_former(self, paths: Sequence[str]) -> None:
        """These rows are about to be written over; their content can still be had."""
        with self._lock:
            for path in paths:
                self._replaced[self._known[path].content_hash] = path, self._known[path]

    def forget_former(self) -> None:
        """It cannot any more."""
        with self._lock:
            self._replaced.clear()

    def hash_of(self, path: str) -> str | None:
        """The content of a row, or None where there is no such row."""
        with self._lock:
            row = self._known.get(path)
            return row.content_hash if row else None

    def rows_among(self, paths: Sequence[str]) -> list[str]:
        """Those of the paths that have a row which is not offline."""
        with self._lock:
            return [path for path in paths if path in self._known and not self._known[path].offline]

    def failures_among(self, paths: Sequence[str]) -> list[str]:
        """Those of the paths that have a failure."""
        with self._lock:
            return [path for path in paths if path in self._failed]

    def put(self, path: str, row: Known) -> None:
        """A row was written."""
        with self._lock:
            self._drop(path)
            self._known[path] = row
            self._paths[row.content_hash].add(path)

    def put_failure(self, failure: FailedFile) -> None:
        """A failure was written."""
        with self._lock:
            self._failed[failure.path] = failure

    def remove(self, path: str) -> None:
        """A row and a failure, where there are any, were removed."""
        with self._lock:
            self._drop(path)
            self._failed.pop(path, None)

    def mark_offline(self, path: str, offline: bool) -> None:
        """A row was marked."""
        with self._lock:
            self._known[path] = self._known[path]._replace(offline=offline)

    def _drop(self, path: str) -> None:
        row = self._known.pop(path, None)
        if row is not None:
            self._paths[row.content_hash].discard(path)
            if not self._paths[row.content_hash]:
                del self._paths[row.content_hash]

    def _is_current(self, file: VideoFile) -> bool:
        row = self._known.get(file.path)
        return row is not None and row.stamp == file.stamp and not self._needs(row)

    def _has_failed(self, file: VideoFile) -> bool:
        failure = self._failed.get(file.path)
        return (
            failure is not None
            and failure.stamp == file.stamp
            and failure.recipe == self.recipe.text
        )

    def _needs(self, row: Known) -> Needs:
        recipe = self.recipe
        return Needs(
            visual=row.visual_recipe != recipe.visual,
            transcript=row.transcript_recipe != recipe.transcript,
            speech=row.speech_recipe != recipe.speech,
        )

    def _best_row(self, content_hash: str, own: str) -> str | None:
        """The row of this content that needs the least; of equals, `own` or the first by path."""
        paths = self._paths.get(content_hash, ())
        rank = lambda path: (_cost(self._needs(self._known[path])), path != own, path)  # noqa: E731
        return min(paths, key=rank, default=None)


def _cost(needs: Needs) -> int:
    return needs.visual + needs.transcript + needs.speech
