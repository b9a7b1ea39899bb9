"""Bounded channels and stage threads; knows nothing of video.

    source --> Channel --> stage (n threads) --> Channel --> stage --> ...

A stage is a plain function from a batch of items to results. A stage ends when its input has ended,
and then ends its output: so the end travels down the line. `StageGroup.stop` ends every channel at
once except those that have to be emptied. An exception in a stage stops the group, and `join`
raises it.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from time import perf_counter, thread_time
from typing import Generic, TypeVar

T = TypeVar("T")
In = TypeVar("In")
Out = TypeVar("Out")

log = logging.getLogger(__name__)


class Ended(Exception):
    """Nothing comes out of this channel any more."""


class Channel(Generic[T]):
    """A bounded queue between stages that measures how long its two ends wait.

    Args:
        items: the most items that wait in it.
        nbytes: the most bytes that wait in it; an item larger than that waits alone.
        producers: how many have to call `end` before it has ended.
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
        """Wait for room and put an item in; False, and the item is dropped, once stopped."""
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
            most: items at most.
            takers: how many share what is waiting. Of several, none takes more than half of its
                part: so they come to the end at about the same time (guided self-scheduling,
                Polychronopoulos and Kuck, 1987).
            linger: seconds to go on waiting for more once there is one.
            timeout: seconds to wait for the first; then the list is empty.

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
        """One producer has put its last item; what is waiting can still be taken."""
        with self._changed:
            self._producers -= 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Drop what is waiting and everything that is put from now on. Safe to call twice."""
        with self._changed:
            self._stopped = True
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


class Cores:
    """So many cores, of which each thread takes one or several while it computes.

    There is no line: a thread that goes on at once finds its core still free. So decoding runs
    ahead until its channel is full, and the models find more to take together.

    Args:
        count: how many there are.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, count: int) -> Iterator[None]:
        """Wait for `count` cores, no more than there are, and give them back at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._free >= count)
            self._free -= count
        try:
            yield
        finally:
            with self._changed:
                self._free += count
                self._changed.notify_all()


@dataclass
class StageTimes:
    """Seconds, summed over a stage's threads; `cpu` is what these used of the cores themselves,
    without the threads of libraries. `queued`: items found in the input, summed over `takes`."""

    busy: float = 0.0
    cpu: float = 0.0
    takes: int = 0
    queued: int = 0
    waiting_for_input: float = 0.0
    waiting_for_core: float = 0.0
    waiting_for_output: float = 0.0


class StageGroup:
    """The threads of one run, from start to join.

    Args:
        cores: that all stages together may use at a time; None for any number. A thread that waits
            for a channel uses none.
        on_stop: called by `stop`, also where an exception stops the crew: wakes a source that
            waits for something else than a channel.
    """

    def __init__(
        self, cores: int | None = None, *, on_stop: Callable[[], None] = lambda: None
    ) -> None:
        self._on_stop = on_stop
        self._cores = Cores(cores) if cores else None
        self._threads: list[threading.Thread] = []
        self._channels: list[Channel[object]] = []
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        self.times: dict[str, StageTimes] = {}
        self.stopping = threading.Event()

    def channel(
        self, items: int, *, nbytes: int | None = None, producers: int = 1, keep: bool = False
    ) -> Channel[T]:
        """A channel that `stop` stops, or, with `keep`, lets run empty."""
        made: Channel[T] = Channel(items, nbytes=nbytes, producers=producers)
        if not keep:
            self._channels.append(made)  # type: ignore[arg-type]
            if self.stopping.is_set():
                made.stop()
        return made

    def source(self, name: str, body: Callable[[], None], output: Channel[Out]) -> None:
        """A thread that puts items into `output` by itself; its end ends `output`."""
        self._start(name, body, output.end)

    def stage(
        self,
        name: str,
        work: Callable[[list[In]], Iterable[Out]],
        input: Channel[In],
        output: Channel[Out],
        *,
        threads: int = 1,
        most: int = 1,
        cores: int = 1,
        size_of: Callable[[Out], int] = lambda _: 0,
    ) -> None:
        """`threads` threads that take up to `most` items, work on them, each on so many cores, and
        pass results on."""

        def body() -> None:
            while True:
                asked = perf_counter()
                items = input.take(most, takers=threads)
                waited = perf_counter() - asked
                found = len(items) + len(input)
                self.note(name, waiting_for_input=waited, takes=1, queued=found)
                for result in self._computed(name, work, items, cores):
                    made = perf_counter()
                    output.put(result, size_of(result))
                    self.note(name, waiting_for_output=perf_counter() - made)

        for number in range(threads):
            self._start(f"{name}-{number}", body, output.end)

    def sink(self, name: str, body: Callable[[], None], input: Channel[In]) -> None:
        """The thread at the end of the line; if it dies, its input stops."""
        self._start(name, body, input.stop)

    def note(self, name: str, **spent: float) -> None:
        """Add to a stage's times."""
        with self._lock:
            times = self.times.setdefault(name, StageTimes())
            for key, value in spent.items():
                setattr(times, key, getattr(times, key) + value)

    def stop(self) -> None:
        """Take nothing new: what the stages have in hand is finished, what waits is dropped."""
        self.stopping.set()
        for channel in self._channels:
            channel.stop()
        self._on_stop()

    def wait(self, seconds: float, *, but: int = 0) -> bool:
        """Wait at most so long; whether every thread has ended by then, or all `but` so many."""
        until = perf_counter() + seconds
        for thread in self._threads:
            thread.join(max(until - perf_counter(), 0.0))
        return sum(thread.is_alive() for thread in self._threads) <= but

    def join(self) -> None:
        """Wait for every thread; raise the first exception of any of them."""
        for thread in self._threads:
            thread.join()
        if self._error is not None:
            raise self._error

    def _computed(
        self, name: str, work: Callable[[list[In]], Iterable[Out]], items: list[In], cores: int
    ) -> Iterator[Out]:
        """The results; none waits for its way out on the cores that it was made on."""
        results = _lazily(work, items)
        while True:
            asked = perf_counter()
            with self._cores.taken(cores) if self._cores else nullcontext():
                began, used = perf_counter(), thread_time()
                try:
                    result = next(results)
                except StopIteration:
                    return
                finally:
                    busy, cpu = perf_counter() - began, thread_time() - used
                    self.note(name, busy=busy, cpu=cpu, waiting_for_core=began - asked)
            yield result

    def _start(self, name: str, body: Callable[[], None], at_end: Callable[[], None]) -> None:
        def run() -> None:
            try:
                body()
            except Ended:
                pass
            except BaseException as error:
                with self._lock:
                    self._error = self._error or error
                log.debug("stage %s ends with %r", name, error)
                self.stop()
            finally:
                at_end()

        # Daemons: the second interrupt leaves without waiting for a model's long call.
        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()


def _lazily(work: Callable[[In], Iterable[Out]], items: In) -> Iterator[Out]:
    """Nothing is computed before the first result is asked for."""
    yield from work(items)
