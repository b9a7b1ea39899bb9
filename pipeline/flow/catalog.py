"""What is known of a collection, in memory: which files need work, and which contents have rows.

The mirror of the store's light columns. A folder listing is compared with it to find the work, and
the writer keeps it up to date. It knows nothing of files, models or tables.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.records import Needs, VideoFile
from store.schema import LONG_SECONDS, FailedFile, Known, Recipe, Row


@dataclass(frozen=True)
class Comparison:
    """A folder listing against what is known.

    Args:
        todo: new or changed files, and files whose row is of another recipe.
        unchanged: paths of up-to-date rows.
        failed: paths of files that failed as they are, with this recipe.
        vanished: paths of rows and failures whose file is not listed.
        returned: paths of up-to-date rows that were offline.
    """

    todo: tuple[VideoFile, ...]
    unchanged: tuple[str, ...]
    failed: tuple[str, ...]
    vanished: tuple[str, ...]
    returned: tuple[str, ...]


class Catalog:
    """Keeps rows and failures by path, and rows by content. Safe in any thread.

    Args:
        known: every row's light columns, by path.
        failed: every failed file, by path.
        recipe: what rows should be made with.
        moments_recipe: what moments of long videos should be made with; empty for none.
    """

    def __init__(
        self,
        known: Mapping[str, Known],
        failed: Mapping[str, FailedFile],
        recipe: Recipe,
        moments_recipe: str = "",
    ) -> None:
        self.recipe = recipe
        self.moments_recipe = moments_recipe
        self._known = dict(known)
        self._failed = dict(failed)
        self._paths: defaultdict[str, set[str]] = defaultdict(set)
        for path, row in known.items():
            self._paths[row.content_hash].add(path)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            return len(self._known)

    def compare(self, listing: Mapping[str, VideoFile], under: str = "") -> Comparison:
        """Sort a listing of the folder by what has to be done.

        Args:
            listing: videos by path.
            under: the subfolder that was listed; empty for the whole collection.
        """
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

    def needs_nothing(self, file: VideoFile) -> bool:
        """Whether a file has an up-to-date row that is not offline, or failed as it is."""
        with self._lock:
            is_current = self._is_current(file) and not self._known[file.path].offline
            return is_current or self._has_failed(file)

    def outdated(self, row: Known | Row) -> Needs:
        """Find the parts of a row that another recipe made, or none yet.

        Moments are made with the frames; on their own only where a video is long enough for them.
        """
        is_new = row.visual_recipe != self.recipe.visual
        is_long = row.duration_seconds > LONG_SECONDS
        return Needs(
            visual=is_new,
            transcript=row.transcript_recipe != self.recipe.transcript,
            speech=row.speech_recipe != self.recipe.speech,
            moments=is_new or (is_long and (row.moments_recipe or "") != self.moments_recipe),
        )

    def paths(self) -> list[str]:
        """Paths of all rows."""
        with self._lock:
            return list(self._known)

    def paths_of(self, content_hash: str) -> list[str]:
        """Paths of the rows with this content."""
        with self._lock:
            return sorted(self._paths.get(content_hash, ()))

    def best_row(self, path: str, content_hash: str) -> tuple[str, Needs] | None:
        """Find the row to reuse: same content, fewest outdated parts.

        Args:
            path: of the file that needs a row; ties go to its own row, then to the first by path.
            content_hash: of the file's bytes.

        Returns:
            Path of the row and its outdated parts; None where no row has this content.
        """
        with self._lock:
            paths = self._paths.get(content_hash, ())
            rows = [(each, self.outdated(self._known[each])) for each in paths]
            rank = lambda row: (row[1].count, row[0] != path, row[0])  # noqa: E731
            return min(rows, key=rank, default=None)

    def last_of_their_content(self, paths: Sequence[str]) -> list[str]:
        """Paths, of those given, whose content has no row at any other path."""
        with self._lock:
            rows = [(path, self._known[path]) for path in paths if path in self._known]
            return [path for path, row in rows if self._paths[row.content_hash] <= set(paths)]

    def hash_of(self, path: str) -> str | None:
        """Content of a row, None where there is no such row."""
        with self._lock:
            row = self._known.get(path)
            return row.content_hash if row else None

    def rows_among(self, paths: Sequence[str]) -> list[str]:
        """Paths, of those given, that have a row which is not offline."""
        with self._lock:
            return [path for path in paths if path in self._known and not self._known[path].offline]

    def failures_among(self, paths: Sequence[str]) -> list[str]:
        """Paths, of those given, that have a failure."""
        with self._lock:
            return [path for path in paths if path in self._failed]

    def put(self, path: str, row: Known) -> None:
        """Note a row that was written."""
        with self._lock:
            self._drop(path)
            self._known[path] = row
            self._paths[row.content_hash].add(path)

    def put_failure(self, failure: FailedFile) -> None:
        """Note a failure that was written."""
        with self._lock:
            self._failed[failure.path] = failure

    def expire(self, paths: Sequence[str]) -> None:
        """Note that the files of rows are gone, before the rows are removed.

        A file that comes back meanwhile, as it was, then needs work.
        """
        with self._lock:
            for path in paths:
                self._known[path] = self._known[path]._replace(size=-1)

    def remove(self, path: str) -> None:
        """Forget a path whose row and failure, where there were any, were removed."""
        with self._lock:
            self._drop(path)
            self._failed.pop(path, None)

    def mark_offline(self, path: str, *, offline: bool) -> None:
        """Note that a row was marked as offline, or as there again."""
        with self._lock:
            if path in self._known:
                self._known[path] = self._known[path]._replace(offline=offline)

    def _drop(self, path: str) -> None:
        row = self._known.pop(path, None)
        if row is not None:
            self._paths[row.content_hash].discard(path)
            if not self._paths[row.content_hash]:
                del self._paths[row.content_hash]

    def _is_current(self, file: VideoFile) -> bool:
        row = self._known.get(file.path)
        return row is not None and row.stamp == file.stamp and not self.outdated(row)

    def _has_failed(self, file: VideoFile) -> bool:
        failure = self._failed.get(file.path)
        return (
            failure is not None
            and failure.stamp == file.stamp
            and failure.recipe == self.recipe.text
        )
