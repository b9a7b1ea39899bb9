"""What all answers are made from: the open project, its rows in memory, and threads."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import VideoError
from pipeline.flow.running import read_running
from pipeline.flow.status import Status, read_status
from pipeline.labels.move_log import MoveLog
from pipeline.labels.moves import LOG
from pipeline.terminal import say
from pipeline.web.answers import ApiError
from pipeline.web.background import Background, Latest
from pipeline.web.finder import Finder
from pipeline.web.judgements import FILE, Judgements
from pipeline.web.media import locate_file
from pipeline.web.moved_rows import MovedRows
from pipeline.web.overview import Overview
from pipeline.web.pool import Threads
from pipeline.web.preview import FOLDER, Previews
from pipeline.web.records import Media, Video

if TYPE_CHECKING:
    from pipeline.doctor.finding import Finding
    from pipeline.labels.advice import Advice
    from pipeline.labels.check import CheckResult
    from pipeline.plot.places import Places
    from pipeline.project import Project

SURE = 0.8
"""Probability from which a folder is suggested, as `suggest` has it by default."""

LEARNING = "What the folders have in common is being learned; a large collection takes a while."
CHECKING = "The folders are being compared with each other; a large collection takes a while."
DRAWING = "The map is being drawn; a large collection takes a minute or two, once."
LISTING = "The folder is being listed."
EXAMINING = "This machine is being examined: models are loaded, and that takes a minute."

SORTED_SECONDS = 3.0
"""Without a move, after which the folder is listed again: who sorts by keys waits for nothing."""


class Site:
    """One page over one project. Close it, or use it in a `with` block.

    Args:
        project: open project, for reading.

    Attributes:
        threads: all of them, by kind of work.
        finder: searches.
        previews: how videos play, and what stands in for those that do not.
        moved: rows that follow files which were moved here.
        judgements: what was rejected and decided.
        queue: the videos to sort, with what was learned of them.
        plane: the map as the page takes it.
        advice: the folders that are suggested.
        checked: what would harm a classifier.
        laid_out: the map.
        status: how the collection stands.
        examined: whether this machine is in order.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self.threads = Threads()
        self.finder = Finder(project, self.threads.loading)
        self.previews = Previews(
            project.store.scratch(FOLDER), project.settings, self.threads.previews
        )
        self.moved = MovedRows(project, self.threads.rows)
        self.judgements = Judgements(project.store.scratch(FILE))
        tools, files = self.threads.tools, self.threads.files
        self.advice: Background[int, Advice] = Background(
            tools, partial(_advise, project), LEARNING
        )
        self.checked: Background[int, CheckResult] = Background(
            tools, partial(_check, project), CHECKING
        )
        self.laid_out: Background[str, Places] = Background(
            tools, partial(_place, project), DRAWING
        )
        self.status: Background[tuple[int, int], Status] = Background(
            files, partial(read_status, project), LISTING
        )
        self.examined: Background[None, list[Finding]] = Background(
            files, partial(_examine, project), EXAMINING
        )
        self.queue: Latest[Any, Any] = Latest()
        self.plane: Latest[Any, Any] = Latest()
        self._overview: Overview | None = None
        self._reading = threading.Lock()

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the threads, and remove what was only for this page."""
        self.moved.wait_for_newest()
        self.previews.close()
        self.threads.close()
        self.finder.pictures.close()

    def overview(self) -> Overview:
        """Give the rows as they are now, those of files moved here among them.

        It may wait and read, so it is for a thread of the pool.

        Raises:
            StoreError: the store cannot be read.
        """
        self.moved.wait_for_newest()
        with self._reading:  # whoever comes second takes what the first one read
            snapshot = self.project.store.snapshot()
            version = snapshot.version if snapshot else 0
            if self._overview is None or self._overview.version != version:
                self._overview = Overview(snapshot, self._overview)
            return self._overview

    def overview_at_hand(self, keys: Sequence[str]) -> Overview:
        """Give the rows as they were last read, if that knows these keys, else as they are now.

        Neither a move nor a player waits for the rows of a large table to be read again.
        """
        known = self._overview
        if known is not None and all(key in known.place_of_key for key in keys):
            return known
        return self.overview()

    def place_of(self, key: str, *, at_hand: bool = False) -> tuple[Overview, int]:
        """Find the row of a key, as it is now or as it was last read.

        Raises:
            ApiError: there is none.
            StoreError: the store cannot be read.
        """
        overview = self.overview_at_hand([key]) if at_hand else self.overview()
        place = overview.place_of_key.get(key)
        if place is None:
            raise ApiError(404, "this video is not in the store any more: it was moved or removed")
        return overview, place

    def videos(self, overview: Overview, places: Sequence[int] | np.ndarray) -> list[Video]:
        """Describe rows, and say how they play."""
        return [self._with_media(video) for video in overview.videos(places)]

    def videos_at(self, overview: Overview, paths: Sequence[str]) -> list[Video]:
        """Describe the rows of these paths, of those that are still there."""
        places = [overview.place_of_path[path] for path in paths if path in overview.place_of_path]
        return self.videos(overview, places)

    def look_at(self, video: Video) -> Video:
        """Say how a video plays, for which its file may be opened."""
        with suppress(ApiError, VideoError):  # a file that is away, or broken, plays not at all
            file = locate_file(self.project.collection.root, video.path)
            self.previews.kind(video.content, file)
        return self._with_media(video)

    def _with_media(self, video: Video) -> Video:
        kind = self.previews.known_kind(video.content, video.name)
        return replace(video, media=Media(f"/media/{video.key}", kind))

    def look(self) -> dict[str, Any]:
        """What pages are told of as it changes: the version, the model, and what runs.

        Raises:
            StoreError: the store cannot be read.
        """
        snapshot = self.project.store.snapshot()
        version = snapshot.version if snapshot else 0
        seen: dict[str, Any] = {"version": version, "model": self.finder.model}
        made = self.status.made
        if made is not None:  # somebody has asked for it
            (status, of) = made
            if of[0] != version and self.moved.idle_seconds > SORTED_SECONDS:
                (status, _) = self.status.get((version, of[1])) or made
            seen["status"] = self.as_status(status)
        return seen

    def as_status(self, status: Status) -> dict[str, Any]:
        """The document of a status, with what runs at this moment."""
        running = read_running(self.project.store)
        return {
            **asdict(status),
            "running": asdict(running) if running else None,
            "undo": self._undo(),
            "behind": self.moved.behind,
        }

    def _undo(self) -> dict[str, Any] | None:
        file = self.project.store.scratch(LOG)
        moves = MoveLog(file).last_batch() if file is not None else []
        if not moves:
            return None
        count = f"{len(moves)} moves" if len(moves) > 1 else "a move"
        text = f"{count}, the last one of {moves[-1].source} to {moves[-1].target}"
        return {"batch": moves[-1].batch, "moves": len(moves), "text": text}


def _advise(project: Project) -> Advice:
    from pipeline.labels.suggest import suggest_folders

    return suggest_folders(project, SURE, say)


def _check(project: Project) -> CheckResult:
    from pipeline.labels.check import check_folders

    return check_folders(project)


def _place(project: Project) -> Places:
    from pipeline.plot.places import place_videos

    return place_videos(project)


def _examine(project: Project) -> list[Finding]:
    from pipeline.doctor.doctor import examine

    return list(examine(project.settings))
