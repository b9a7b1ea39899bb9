"""Threads of the page: blocking work runs here, so that the event loop never waits.

Each kind of work has threads of its own, so that what takes long holds up nothing that is quick.
The threads are daemons: a process that is asked to end does not wait for a model.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

LAST_WORK_SECONDS = 1.0
"""Time for which `close` waits for work in hand."""


class Pool:
    """A few threads that take work in the order in which it comes.

    Args:
        name: of the threads.
        threads: how many.
    """

    def __init__(self, name: str, threads: int = 1) -> None:
        self._work: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"web {name} {number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Run a call in one of the threads; the future has its result or its exception."""
        future: Future[T] = Future()
        self._work.put((future, work))
        return future

    async def run(self, work: Callable[[], T]) -> T:
        """Run a call in one of the threads and wait for its result."""
        return await asyncio.wrap_future(self.submit(work))

    def close(self) -> None:
        """Drop what waits, and end the threads; one with work in hand is waited for a moment."""
        with suppress(Exception):
            while not self._work.empty():
                if item := self._work.get_nowait():
                    item[0].cancel()
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join(LAST_WORK_SECONDS)

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            future, work = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is wanted
                future.set_exception(error)


class Threads:
    """All threads of one page, by kind of work.

    Attributes:
        store: short reads of the store; a few milliseconds each.
        files: reads of video files and folders, which may be on a slow drive.
        loading: loads CLIP.
        model: searches by meaning.
        tools: suggestions, checks, the map and the doctor; seconds each.
        moves: moves files, one batch after another.
        rows: brings rows after them, which takes longer.
        previews: makes previews, one at a time.
    """

    def __init__(self) -> None:
        self.store = Pool("store", 4)
        self.files = Pool("files", 4)
        self.loading = Pool("loading")
        self.model = Pool("model")
        self.tools = Pool("tools")
        self.moves = Pool("moves")
        self.rows = Pool("rows")
        self.previews = Pool("previews")

    def close(self) -> None:
        """End all of them."""
        for pool in vars(self).values():
            pool.close()
