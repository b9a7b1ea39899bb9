"""Watches a folder: which files have landed, which are gone, and when to list it again.

    file system --> the observer's threads --> EventInbox --> changes() --> one consumer thread

Events are hints and a listing is the truth: whatever events do not show (an event that was lost, a
folder that was renamed, a drive that came back) becomes a request for a rescan. The observer's
threads only take a note; one that waited would hang the observer, one that raised would kill it.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pipeline.errors import SettingsError
from pipeline.records import VideoFile
from pipeline.source.events import Due, EventInbox
from pipeline.source.listing import Collection, identify_folder, linked_folders, list_videos
from pipeline.source.mounts import events_arrive
from pipeline.source.presence import Unknown, look_at
from pipeline.source.settling import NEVER, NOW
from store.schema import Stamp

if TYPE_CHECKING:
    from pipeline.source.observer import Observation

log = logging.getLogger("pipeline.source.watcher")

LIMITS = {
    errno.ENOSPC: "fs.inotify.max_user_watches (sysctl)",
    errno.EMFILE: "fs.inotify.max_user_instances (sysctl), or the open files of a process (ulimit)",
}


@dataclass(frozen=True)
class Changes:
    """What to do next. A moved file's old key comes with its new one or later, not before it.

    Args:
        settled: files that are new, changed or moved here, and whole.
        vanished: keys of files that were deleted or moved away, known before or not.
        rescan: list the collection: events do not show all that has happened.
    """

    settled: tuple[VideoFile, ...] = ()
    vanished: tuple[str, ...] = ()
    rescan: bool = False

    def __bool__(self) -> bool:
        return bool(self.settled or self.vanished or self.rescan)


class Watcher:
    """Watches a collection from `start` to `stop`, for one thread that calls `changes`.

        observed <--> away       The folder went, or another one is in its place. It is looked for
                                 every `check_seconds`, and watched again once it is there.
        observed --> observed    The observer died: another one takes over.
        observed --> polled      Events do not arrive, or a limit of the system is reached: a rescan
                                 is due every `poll_seconds`, beside events where there are any.

    Each of these is logged and followed by a rescan.

    Args:
        collection: what to watch.
        settle_seconds: time between two looks at a file that nobody has closed.
        poll: rescan in place of events; None finds out whether events arrive.
        poll_seconds: time between such rescans.
        check_seconds: time between two checks that the observer and the folder are there.
    """

    def __init__(
        self,
        collection: Collection,
        *,
        settle_seconds: float,
        poll: bool | None = None,
        poll_seconds: float = 10.0,
        check_seconds: float = 5.0,
    ) -> None:
        self._collection = collection
        self._inbox = EventInbox(collection, settle_seconds)
        self._polls = poll
        self._poll_seconds = poll_seconds
        self._check_seconds = check_seconds
        self._check_at = NEVER
        self._identity: tuple[int, int] | None = None  # of the folder; None while it is away
        self._gone: dict[str, None] = {}  # keys to report, in order
        self._lifetime = threading.Lock()  # guards what follows
        self._observation: Observation | None = None
        self._observes = not poll
        self._stopped = False

    @property
    def polling(self) -> bool:
        """Whether rescans stand in for events, for all of the collection or for a part of it."""
        return self._polls is True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Take note of changes from now on: a listing that follows misses nothing.

        Raises:
            SettingsError: there is no such folder, or it cannot be watched.
        """
        self._identity = identify_folder(self._collection)
        try:
            self._observe()
        except OSError as error:
            top = self._collection.top
            raise SettingsError(f"{top}: cannot be watched: {error.strerror}") from error
        self._check_at = time.monotonic() + self._check_seconds

    def stop(self) -> None:
        """Stop and join all threads; `changes` returns. Thread-safe, and may be called again."""
        with self._lifetime:
            self._stopped = True
            self._inbox.wake(close=True)
            self._stop_observing()

    def wake(self) -> None:
        """Make `changes` return: the call in progress, else the next one. Thread-safe."""
        self._inbox.wake()

    def consider(self, keys: Iterable[str]) -> None:
        """Report these files, which a listing has found, once they have settled."""
        self._inbox.note_found(keys)

    def changes(self, timeout: float | None = None) -> Changes:
        """Wait for something to do. For one thread.

        Args:
            timeout: seconds to wait at most; None waits for as long as it takes.

        Returns:
            What to do; nothing at all after the timeout, `wake` or `stop`.

        Raises:
            Exception: the error of taking note of an event.
        """
        deadline = NEVER if timeout is None else time.monotonic() + timeout
        if self._polls:
            self._inbox.request_rescan(self._poll_seconds)
        while True:
            due = self._inbox.take_due()
            self._check(due)
            for folder in due.folders:
                self._list(folder)
            changes = self._collect(due)
            if changes or not self._inbox.wait(deadline, self._check_at):
                return changes

    def _collect(self, due: Due) -> Changes:
        settled = self._inbox.settle(self._look(due.files), due.at)
        root = self._collection.root
        files = tuple(VideoFile(key, root / key, *stamp) for key, stamp in settled.files.items())
        self._gone.update(dict.fromkeys(settled.gone))
        if self._inbox.has_found():
            # A file that came to a new folder before that was watched is found there by a listing,
            # and takes longer to settle than its old key takes to be gone.
            return Changes(files, rescan=due.rescan)
        gone, self._gone = tuple(self._gone), {}
        if gone and not self._is_same_folder():
            # Not files that were deleted, but the drive that they are on.
            return Changes(files, rescan=True)
        return Changes(files, gone, due.rescan)

    def _look(self, keys: Iterable[str]) -> dict[str, Stamp | None]:
        looks: dict[str, Stamp | None] = {}
        for key in keys:
            seen = look_at(self._collection.root / key)
            if isinstance(seen, Unknown):
                log.warning("%r cannot be reached: %s", key, seen.reason)
                self._inbox.forget(key)
                self._inbox.request_rescan()
            else:
                looks[key] = seen
        return looks

    def _list(self, folder: str) -> None:
        """Find the files that came to a new folder before it was watched: no event names them."""
        part = Collection(self._collection.root, self._collection.extensions, folder)
        try:
            listing = list_videos(part, follow_links=False)
        except SettingsError:  # it has gone again, and its going sends an event of its own
            return
        self._inbox.note_found(listing.videos)
        if listing.problems:
            self._inbox.request_rescan()

    # The observer and the folder

    def _check(self, due: Due) -> None:
        """Watch again what has come back or whose observer has died."""
        if due.limit is not None:
            self._poll_for(due.limit)
        if due.rescan:
            self._check_at = NOW  # the rescan's cause may have ended the observer, too
        if time.monotonic() < self._check_at or self._stopped:
            return
        self._check_at = time.monotonic() + self._check_seconds
        identity = self._identity_now()
        is_same = identity == self._identity
        if is_same and (identity is None or self._is_observed()):
            return
        self._identity = identity
        self._inbox.request_rescan()
        with self._lifetime:
            self._stop_observing()
        if identity is None:
            log.warning("%s is gone; waiting for it to come back", self._collection.top)
        else:
            self._observe_again("the observer had died" if is_same else "it is there again")

    def _is_observed(self) -> bool:
        observation = self._observation
        return not self._observes or (observation is not None and observation.is_alive())

    def _is_same_folder(self) -> bool:
        return self._identity is not None and self._identity_now() == self._identity

    def _identity_now(self) -> tuple[int, int] | None:
        try:
            return identify_folder(self._collection)
        except SettingsError:
            return None

    def _observe(self) -> None:
        if self._polls is None and not events_arrive(self._collection.top):
            self._observes, self._polls = False, True
            text = "%s: its file system does not report changes; a rescan every %g s"
            log.warning(text, self._collection.top, self._poll_seconds)
        if not self._observes:
            return
        from pipeline.source.observer import Observation

        with self._lifetime:
            if self._stopped:
                return
            try:
                self._observation = Observation(self._collection.top, self._inbox)
            except OSError as error:
                if error.errno not in LIMITS:
                    raise
                self._observes = False
                self._poll_for(error.errno)
                return
        links = linked_folders(self._collection)
        if links:
            text = "%d links to folders, such as %r: only rescans find what changes there"
            log.warning(text, len(links), links[0])

    def _observe_again(self, why: str) -> None:
        try:
            self._observe()
        except OSError as error:
            self._identity = None  # the next check tries again
            log.warning("%s cannot be watched: %s", self._collection.top, error.strerror)
        else:
            log.warning("%s: %s; watching goes on", self._collection.top, why)

    def _poll_for(self, limit: int) -> None:
        if self._polls:
            return
        self._polls = True
        self._inbox.request_rescan(self._poll_seconds)
        text = "%s: a limit of the system is reached: %s; until it is raised, a rescan every %g s"
        log.warning(text, self._collection.top, LIMITS[limit], self._poll_seconds)

    def _stop_observing(self) -> None:
        observation, self._observation = self._observation, None
        if observation is not None:
            observation.stop()
