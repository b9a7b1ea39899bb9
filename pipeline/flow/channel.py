"""Bounded channels between the threads of stages."""

from __future__ import annotations

import threading
from collections import deque
from enum import Enum, auto
from typing import Generic, TypeVar

T = TypeVar("T")


class Ended(Exception):
    """Raised by a channel from which nothing more will come."""


class AtStop(Enum):
    """What a channel does when the run is asked to stop."""

    END = auto()  # drops what waits, and takes nothing more
    CLEAR = auto()  # drops what waits, but passes on what its producers have in hand
    KEEP = auto()  # passes on everything


class Channel(Generic[T]):
    """Passes items from stage to stage, and makes a producer wait while it is full.

    Args:
        items: limit on the items that wait in it.
        nbytes: limit on their bytes; a larger item waits alone. None for no limit.
        producers: calls of `end` after which it has ended.
    """

    def __init__(self, items: int, *, nbytes: int | None = None, producers: int = 1) -> None:
        self._items = items
        self._nbytes = nbytes
        self._producers = producers
        self._waiting: deque[tuple[T, int]] = deque()
        self._held = 0
        self._stopped = False
        self._changed = threading.Condition()

    def put(self, item: T, nbytes: int = 0) -> bool:
        """Wait for room and put an item in.

        Args:
            item: what to pass on.
            nbytes: memory that it holds, bytes.

        Returns:
            False where the channel was stopped: the item is dropped.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._has_room(nbytes))
            if not self._stopped:
                self._waiting.append((item, nbytes))
                self._held += nbytes
                self._changed.notify_all()
            return not self._stopped

    def take(
        self, most: int = 1, *, takers: int = 1, linger: float = 0.0, timeout: float | None = None
    ) -> list[T]:
        """Wait for an item and take it with what else is waiting, up to `most`.

        Args:
            most: limit on the items to take.
            takers: number of threads that share what is waiting. Where there are several, none
                takes more than half of its part, so that they come to the end at about the same
                time (guided self-scheduling, Polychronopoulos and Kuck, 1987).
            linger: seconds to go on waiting for more items after the first.
            timeout: seconds to wait for the first item, after which the list is empty; None to
                wait for ever.

        Raises:
            Ended: the channel has ended and is empty, or was stopped.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_over(), timeout)
            if linger and self._waiting:
                enough = lambda: len(self._waiting) >= most or self._is_over()  # noqa: E731
                self._changed.wait_for(enough, linger)
            if not self._waiting and self._is_over():
                raise Ended
            parts = 2 * takers if takers > 1 else 1
            count = min(most, -(-len(self._waiting) // parts))
            taken = [self._waiting.popleft() for _ in range(count)]
            self._held -= sum(nbytes for _, nbytes in taken)
            self._changed.notify_all()
            return [item for item, _ in taken]

    def end(self) -> None:
        """Note that one producer has put its last item; what is waiting can still be taken."""
        with self._changed:
            self._producers -= 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Drop what is waiting and everything that is put from now on. Safe to call twice."""
        with self._changed:
            self._stopped = True
        self.clear()

    def clear(self) -> None:
        """Drop what is waiting."""
        with self._changed:
            self._waiting.clear()
            self._held = 0
            self._changed.notify_all()

    def __len__(self) -> int:
        with self._changed:
            return len(self._waiting)

    def _has_room(self, nbytes: int) -> bool:
        if len(self._waiting) >= self._items:
            return False
        fits = self._nbytes is None or self._held + nbytes <= self._nbytes
        return fits or not self._waiting

    def _is_over(self) -> bool:
        return self._stopped or self._producers <= 0
