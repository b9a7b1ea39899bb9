"""Observes a folder with watchdog, and reports all that watchdog 7 only logs or says nowhere.

Its observer logs, but does not hand to the handler, that the kernel's queue ran over or that a
subfolder could not be watched; a thread of it that dies is reported nowhere. Here all of that
reaches an `EventSink` or `is_alive`. No other module imports watchdog.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import warnings
from collections.abc import Mapping
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
    """Takes what an observation reports.

    The methods run in the observer's threads: they must neither block nor raise. Paths are relative
    to the folder under watch, in posix form.
    """

    def on_files(self, events: Mapping[str, FileEvent]) -> None:
        """Take events of files that came at once: the two names of a moved file."""

    def on_folder(self, path: str) -> None:
        """Take a folder that has appeared, perhaps with files that no event names."""

    def on_folder_gone(self, path: str) -> None:
        """Take a folder that was deleted or has moved away, with all that was in it."""

    def on_overflow(self) -> None:
        """Take note that events were lost."""

    def on_limit(self, number: int) -> None:
        """Take the `errno` of a folder that a limit of the system kept from being watched."""

    def on_error(self, error: Exception) -> None:
        """Take the error that one of the methods above raised."""


class Observation:
    """Observes a folder and all below it, from construction to `stop`.

    Symbolic links to folders are not followed.

    Args:
        folder: what to observe.
        sink: takes the events.

    Raises:
        OSError: the folder cannot be watched.
    """

    def __init__(self, folder: Path, sink: EventSink) -> None:
        # A watch on a symbolic link would be a watch on the link itself.
        top = os.path.realpath(folder)
        self._observer = _new_observer(sink)
        self._observer.schedule(_Handler(top, sink), top, recursive=True, event_filter=WANTED)
        try:
            self._observer.start()
        except BaseException:
            self._observer.on_thread_stop()
            raise

    def is_alive(self) -> bool:
        """Whether all threads of the observation run."""
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
    """Translates watchdog's events into calls of a sink."""

    def __init__(self, top: str, sink: EventSink) -> None:
        self._top = os.path.join(top, "")
        self._sink = sink

    def dispatch(self, event: FileSystemEvent) -> None:
        try:
            self._forward(event)
        except Exception as error:  # noqa: BLE001 - it would end the observer's thread unseen
            self._sink.on_error(error)

    def _forward(self, event: FileSystemEvent) -> None:
        if event.is_synthetic and event.event_type == "created":
            return  # the sink lists a folder that has appeared, and would learn of this file twice
        source, target = self._relative(event.src_path), self._relative(event.dest_path)
        if event.is_directory:
            self._forward_folder(event.event_type, source, target)
        elif event.event_type == "moved":
            names = {source: FileEvent.GONE, target: FileEvent.RENAMED}
            self._sink.on_files({name: what for name, what in names.items() if name is not None})
        elif source is not None:
            self._sink.on_files({source: FILE_EVENTS[type(event)]})

    def _forward_folder(self, what: str, source: str | None, target: str | None) -> None:
        appeared = source if what == "created" else target
        if source is not None and what != "created":
            self._sink.on_folder_gone(source)
        if appeared is not None:
            self._sink.on_folder(appeared)

    def _relative(self, path: bytes | str) -> str | None:
        """Make a path relative to the folder; None for an empty one or one from elsewhere."""
        path = os.fsdecode(path)
        if path + os.sep == self._top:
            return ""
        if not path.startswith(self._top):
            return None
        return path.removeprefix(self._top).replace(os.sep, "/")


def _new_observer(sink: EventSink) -> BaseObserver:
    if sys.platform == "linux":
        return _LinuxObserver(sink)
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
        def __init__(self, sink: EventSink) -> None:
            super().__init__()
            self._sink = sink

        def handle_event(self, event: InotifyEvent) -> None:
            super().handle_event(event)
            if event.is_queue_overflow:
                self._sink.on_overflow()

        def add_callback(
            self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId
        ) -> WatchDescriptor:
            if not os.access(path, os.R_OK):  # which watchdog takes for a watch numbered -1
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
            try:
                return super().add_callback(path, mask, callback, id_)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    self._sink.on_limit(error.errno)
                raise

    class _LinuxObserver(BaseObserver):
        """Distinguishes renaming from creating and deleting.

        watchdog calls its events "full": a file that was renamed in from elsewhere is not one that
        was created, and a folder that was renamed away is not one that was deleted.
        """

        def __init__(self, sink: EventSink) -> None:
            self.reader = _Reader(sink)
            super().__init__(InotifyFullEmitter, inotify_fd=self.reader)

        def on_thread_start(self) -> None:
            self.reader.start()
            super().on_thread_start()

        def on_thread_stop(self) -> None:
            super().on_thread_stop()
            self.reader.stop()
            if self.reader.is_alive():
                self.reader.join(JOIN_SECONDS)
