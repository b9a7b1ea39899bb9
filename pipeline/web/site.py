"""What all answers are made from: the open project, its rows in memory, and threads."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.web.answers import ApiError
from pipeline.web.finder import Finder
from pipeline.web.overview import Media, Overview, Video
from pipeline.web.pool import Threads

if TYPE_CHECKING:
    from pipeline.project import Project


class Site:
    """One page over one project. Close it, or use it in a `with` block.

    Args:
        project: open project, for reading.

    Attributes:
        closing: set when the page is about to end, so that streams of events end, too.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self.threads = Threads()
        self.closing = threading.Event()
        self.finder = Finder(project, self.threads.loading)
        self._overview: Overview | None = None
        self._reading = threading.Lock()

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the threads, and remove what was only for this page."""
        self.closing.set()
        self.threads.close()
        self.finder.pictures.close()

    def overview(self) -> Overview:
        """Give the rows as they are now. It may read them, so it is for a thread of the pool.

        Raises:
            StoreError: the store cannot be read.
        """
        with self._reading:  # whoever comes second takes what the first one read
            snapshot = self.project.store.snapshot()
            version = snapshot.version if snapshot else 0
            if self._overview is None or self._overview.version != version:
                self._overview = Overview(snapshot)
            return self._overview

    def with_media(self, videos: list[Video]) -> list[Video]:
        """Say how videos play."""
        return [replace(each, media=Media(each.media.url, "file")) for each in videos]

    def place_of(self, key: str) -> tuple[Overview, int]:
        """Find the row of a key.

        Raises:
            ApiError: there is none.
            StoreError: the store cannot be read.
        """
        overview = self.overview()
        place = overview.place_of_key.get(key)
        if place is None:
            raise ApiError(404, "this video is not in the store any more: it was moved or removed")
        return overview, place
