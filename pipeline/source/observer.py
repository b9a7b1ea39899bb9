"""watchdog's observer, so that nothing of it stays silent.

The observer of watchdog 7 tells its log, but not its handler, that the kernel's queue ran over or
that a subfolder could not be watched; a thread of it that dies tells nobody. Here all of it
reaches a `EventSink` or `is_alive`. This is the only module that imports watchdog.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)

from pipeline.source.settling import FileEvent

if TYPE_CHECKING or sys.platform == "linux":
    from watchdog.observers.api import BaseObserver
    from watchdog.observers.inotify import InotifyFullEmitter
    from watchdog.observers.inotify_c import (
        CallbackId,
        InotifyEvent,
        InotifyFD,
        Mask,
        WatchCallback,
        WatchDescriptor,
    )

JOIN_SECONDS = 10.0

FILE_EVENTS: dict[type[FileSystemEvent], FileEvent] = {
    FileCreatedEvent: FileEvent.FOUND,
    FileModifiedEvent: FileEvent.WRITTEN,
    FileClosedEvent: FileEvent.CLOSED,
    FileAttribEvent: FileEvent.TOUCHED,
    FileDeletedEvent: FileEvent.GONE,
}
# Without the events of files that are only read: the program itself reads every video.
WANTED = [*FILE_EVENTS, FileMovedEvent, DirCreatedEvent, DirMovedEvent, DirDeletedEvent]


class EventSink(Protocol):
    """Who is told. Paths are relative to the folder that is watched, posix form. The methods run
    in the observer's threads: they must neither wait nor raise."""

    def on_file(self, path: str, kind: FileEvent) -> None:
        """Something happened to a file."""

    def on_folder(self, path: str) -> None:
        """A folder has appeared, perhaps with files that no event tells of."""

    def on_folder_gone(self, path: str) -> None:
        """A folder was deleted or has moved away, with all that was in it."""

    def on_overflow(self) -> None:
        """Events were lost."""

    def on_limit(self, number: int) -> None:
        """A folder could not be watched: an `errno` that stands for a limit of the system."""

    def on_error(self, error: Exception) -> None:
        """One of the methods above has raised this."""


class Observation:
    """A folder and all below it under watch, from construction to `stop`.

    Symbolic links to folders are not followed.

    Raises:
        OSError: the folder cannot be watched.
    """

    def __init__(self, folder: Path, listener: EventSink) -> None:
        # A watch on a symbolic link would be a watch on the link itself.
        top = os.path.realpath(folder)
        self._observer = _new_observer(listener)
        self._observer.schedule(_Handler(top, listener), top, recursive=True, event_filter=WANTED)
        try:
            self._observer.start()
        except BaseException:
            self._observer.on_thread_stop()
            raise

    def is_alive(self) -> bool:
        """Whether all of its threads run."""
        reader = getattr(self._observer, "reader", self._observer)
        threads = [self._observer, reader, *self._observer.emitters]
        return len(threads) > 2 and all(thread.is_alive() for thread in threads)

    def stop(self) -> None:
        """Stop and join all threads.

        Raises:
            RuntimeError: a thread does not end.
        """
        self._observer.stop()
        self._observer.join(JOIN_SECONDS)
        if self._observer.is_alive():
            raise RuntimeError(f"the observer has not ended within {JOIN_SECONDS:g} s")


class _Handler(FileSystemEventHandler):
    """From watchdog's events to the listener's words."""

    def __init__(self, top: str, listener: EventSink) -> None:
        self._top = os.path.join(top, "")
        self._listener = listener

    def dispatch(self, event: FileSystemEvent) -> None:
        try:
            self._tell(event)
        except Exception as error:  # it would end the observer's thread
            self._listener.on_error(error)

    def _tell(self, event: FileSystemEvent) -> None:
        if event.is_synthetic and event.event_type == "created":
            return  # the listener lists a folder that has appeared: this would tell it twice
        source, target = self._relative(event.src_path), self._relative(event.dest_path)
        if event.is_directory:
            self._tell_folder(event.event_type, source, target)
        elif event.event_type == "moved":
            if source is not None:
                self._listener.on_file(source, FileEvent.GONE)
            if target is not None:
                self._listener.on_file(target, FileEvent.RENAMED)
        elif source is not None:
            self._listener.on_file(source, FILE_EVENTS[type(event)])

    def _tell_folder(self, what: str, source: str | None, target: str | None) -> None:
        appeared = source if what == "created" else target
        if source is not None and what != "created":
            self._listener.on_folder_gone(source)
        if appeared is not None:
            self._listener.on_folder(appeared)

    def _relative(self, path: bytes | str) -> str | None:
        """None for no path at all, and for one that is not below the folder."""
        path = os.fsdecode(path)
        if path + os.sep == self._top:
            return ""
        if not path.startswith(self._top):
            return None
        return path.removeprefix(self._top).replace(os.sep, "/")


def _new_observer(listener: EventSink) -> BaseObserver:
    if sys.platform == "linux":
        return _LinuxObserver(listener)
    from watchdog.observers import Observer

    return Observer()


if TYPE_CHECKING or sys.platform == "linux":
    # What watchdog calls an error is an event that came while it was being stopped.
    logging.getLogger("watchdog.observers.inotify").addFilter(
        lambda record: "when the thread is inactive" not in str(record.msg)
    )
    # A folder inside a new one is met twice, by its event and by the walk; once is enough.
    warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)

    class _Reader(InotifyFD):
        def __init__(self, listener: EventSink) -> None:
            super().__init__()
            self._listener = listener

        def handle_event(self, event: InotifyEvent) -> None:
            super().handle_event(event)
            if event.is_queue_overflow:
                self._listener.on_overflow()

        def add_callback(
            self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId
        ) -> WatchDescriptor:
            if not os.access(path, os.R_OK):  # which watchdog takes for a watch numbered -1
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
            try:
                return super().add_callback(path, mask, callback, id_)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    self._listener.on_limit(error.errno)
                raise

    class _LinuxObserver(BaseObserver):
        """With "full" events: a file that was renamed in from elsewhere is not one that was
        created, and a folder that was renamed away is not one that was deleted."""

        def __init__(self, listener: EventSink) -> None:
            self.reader = _Reader(listener)
            super().__init__(InotifyFullEmitter, inotify_fd=self.reader)

        def on_thread_start(self) -> None:
            self.reader.start()
            super().on_thread_start()

        def on_thread_stop(self) -> None:
            super().on_thread_stop()
            self.reader.stop()
            if self.reader.is_alive():
                self.reader.join(JOIN_SECONDS)
