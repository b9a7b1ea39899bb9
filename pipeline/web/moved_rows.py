"""Brings rows after files that the page moved, in the background."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from functools import partial

from pipeline.errors import PipelineError
from pipeline.labels.move_log import Move
from pipeline.labels.moves import follow
from pipeline.project import Project, open_store
from pipeline.web.pool import Pool
from store.errors import StoreBusyError, StoreError

log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0
"""Between two tries, while another process writes."""

IDLE_SECONDS = 10.0
"""Without a move, after which the table is compacted if many were made."""


class MovedRows:
    """Rows that follow their files.

    Args:
        project: open project, for reading; rows are written through a store of their own.
        threads: one thread, so that rows follow in the order of the moves.

    Attributes:
        behind: how many rows wait for another process that writes.
    """

    def __init__(self, project: Project, threads: Pool) -> None:
        self.behind = 0
        self._project = project
        self._threads = threads
        self._newest: Future[None] | None = None
        self._waiting: list[Move] = []  # for the thread alone
        self._last_move = self._last_try = 0.0
        self._is_untidy = False

    @property
    def idle_seconds(self) -> float:
        """Seconds since the last move."""
        return time.monotonic() - self._last_move

    def follow(self, moves: Sequence[Move]) -> Future[None]:
        """Bring rows after files that were moved.

        Where another process writes, or the store cannot be written, that is tried again until it
        is done.
        """
        self._last_move = time.monotonic()
        newest = self._threads.submit(_loud(partial(self._follow, moves)))
        self._newest = newest
        return newest

    def wait_for_newest(self) -> None:
        """Wait for the rows of the newest move, or for the try to bring them."""
        if self._newest is not None:
            wait([self._newest])

    def keep_in_order(self) -> None:
        """Begin what is due: rows that wait for another writer, compaction."""
        if self._waiting and time.monotonic() - self._last_try > RETRY_SECONDS:
            self._last_try = time.monotonic()
            self._threads.submit(_loud(self._follow_again))
        if self._is_untidy and self.idle_seconds > IDLE_SECONDS:
            self._is_untidy = False
            self._threads.submit(_loud(self._tidy))

    def _follow(self, moves: Sequence[Move]) -> None:
        is_done = False
        try:
            is_done = follow(self._project, moves, _quiet)
            self._is_untidy = self._is_untidy or bool(moves)
        finally:
            self._waiting += [] if is_done else moves

    def _follow_again(self) -> None:
        moves, self._waiting = self._waiting, []
        there = self._project.store.known([move.source for move in moves])
        try:
            self._follow([move for move in moves if move.source in there])
        finally:
            self.behind = len(self._waiting)

    def _tidy(self) -> None:
        try:
            with open_store(self._project.settings, writer=True) as store:
                store.upkeep()
        except StoreBusyError:
            return  # who writes keeps it in order


def _quiet(_: str) -> None:
    """Report nothing."""


def _loud(work: Callable[[], None]) -> Callable[[], None]:
    """Log what goes wrong in work that nobody waits for."""

    def loud() -> None:
        try:
            work()
        except (PipelineError, StoreError) as error:
            log.warning("%s", error)
        except Exception:
            log.exception("the page could not keep the store in order")

    return loud
