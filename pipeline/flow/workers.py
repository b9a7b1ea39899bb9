"""Stage threads over bounded channels, which know nothing of video.

    source --> Channel --> stage (n threads) --> Channel --> stage --> ...

A stage is a plain function from a batch of items to results. A stage ends when its input has ended,
and then ends its output: so the end travels down the line. `StageGroup.stop` lets the stages finish
what they have in hand, and `AtStop` says what becomes of items that wait in a channel. An exception
in a stage stops the group, and `join` raises it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from time import perf_counter, thread_time
from typing import TypeVar

from pipeline.flow.channel import AtStop, Channel, Ended

T = TypeVar("T")
In = TypeVar("In")
Out = TypeVar("Out")

log = logging.getLogger(__name__)


class Cores:
    """A weighted semaphore: a thread holds n cores while it computes.

    Waiting threads form no queue: a thread that goes on at once finds its core still free. So
    decoding runs ahead until its channel is full, and the models find larger batches.

    Args:
        count: cores that all threads share.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, count: int) -> Iterator[None]:
        """Hold `count` cores, at most all of them, inside the `with` block."""
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
    """Where the threads of a stage spent their time, summed over them.

    Args:
        busy: seconds of work.
        cpu: CPU seconds of the threads themselves, without those of libraries.
        takes: number of times that one took from the input.
        queued: items that waited in the input, summed over the takes.
        waiting_for_input: seconds.
        waiting_for_core: seconds.
        waiting_for_output: seconds.
    """

    busy: float = 0.0
    cpu: float = 0.0
    takes: int = 0
    queued: int = 0
    waiting_for_input: float = 0.0
    waiting_for_core: float = 0.0
    waiting_for_output: float = 0.0


class StageGroup:
    """Runs the threads of one run, from start to join.

    Args:
        cores: cores that all stages together may use at a time; None for any number. A thread that
            waits for a channel uses none.
        on_stop: called by `stop`, also where an exception stops the group, to wake a source that
            waits for something else than a channel.
    """

    def __init__(
        self, cores: int | None = None, *, on_stop: Callable[[], None] = lambda: None
    ) -> None:
        self._on_stop = on_stop
        self._cores = Cores(cores) if cores else None
        self._ends: dict[threading.Thread, Callable[[], None]] = {}
        self._channels: list[tuple[Channel[object], AtStop]] = []
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        self.times: dict[str, StageTimes] = {}
        self.stopping = threading.Event()

    def channel(
        self,
        items: int,
        *,
        nbytes: int | None = None,
        producers: int = 1,
        at_stop: AtStop = AtStop.END,
    ) -> Channel[T]:
        """Make a channel of this run.

        Args:
            items: as for `Channel`.
            nbytes: as for `Channel`.
            producers: as for `Channel`.
            at_stop: what `stop` does to it.
        """
        made: Channel[T] = Channel(items, nbytes=nbytes, producers=producers)
        self._channels.append((made, at_stop))  # type: ignore[arg-type]
        if self.stopping.is_set() and at_stop is AtStop.END:
            made.stop()
        return made

    def source(self, name: str, body: Callable[[], None], output: Channel[Out]) -> None:
        """Start a thread that puts items into `output` by itself; its end ends `output`."""
        self._start(name, body, output.end)

    def stage(
        self,
        name: str,
        work: Callable[[list[In]], Iterable[Out]],
        source: Channel[In],
        target: Channel[Out],
        *,
        threads: int = 1,
        most: int = 1,
        cores: int = 1,
        size_of: Callable[[Out], int] = lambda _: 0,
    ) -> None:
        """Start threads that take items, work on them and pass results on.

        Args:
            name: of the stage.
            work: makes results of a batch; a generator is asked for one result at a time.
            source: where items come from.
            target: where results go.
            threads: number of threads.
            most: limit on the items of a batch.
            cores: cores that one thread uses while it works.
            size_of: gives the bytes that a result holds.
        """

        def body() -> None:
            while True:
                asked = perf_counter()
                items = source.take(most, takers=threads)
                waited = perf_counter() - asked
                found = len(items) + len(source)
                self.note(name, waiting_for_input=waited, takes=1, queued=found)
                for result in self._computed(name, work, items, cores):
                    made = perf_counter()
                    target.put(result, size_of(result))
                    self.note(name, waiting_for_output=perf_counter() - made)

        for number in range(threads):
            self._start(f"{name}-{number}", body, target.end)

    def sink(self, name: str, body: Callable[[], None], source: Channel[In]) -> None:
        """Start the thread at the end of the line; its end stops its input."""
        self._start(name, body, source.stop)

    def note(self, name: str, **spent: float) -> None:
        """Add seconds and counts to a stage's times."""
        with self._lock:
            times = self.times.setdefault(name, StageTimes())
            for key, value in spent.items():
                setattr(times, key, getattr(times, key) + value)

    def stop(self) -> None:
        """Take nothing new, and let the stages finish what they have in hand."""
        self.stopping.set()
        for channel, at_stop in self._channels:
            if at_stop is AtStop.END:
                channel.stop()
            elif at_stop is AtStop.CLEAR:
                channel.clear()
        self._on_stop()

    def wait(self, seconds: float) -> bool:
        """Wait for every thread, no longer than `seconds`; whether all have ended."""
        until = perf_counter() + seconds
        for thread in self._ends:
            thread.join(max(until - perf_counter(), 0.0))
        return not any(thread.is_alive() for thread in self._ends)

    def give_up(self, ident: int) -> None:
        """Wait no more for a thread that does not come back from a call: count it as ended.

        Args:
            ident: of the thread, as `threading.get_ident` gives it.
        """
        thread = next(thread for thread in self._ends if thread.ident == ident)
        self._ends.pop(thread)()

    def join(self) -> None:
        """Wait for every thread; raise the first exception of any of them."""
        for thread in self._ends:
            thread.join()
        if self._error is not None:
            raise self._error

    def _computed(
        self, name: str, work: Callable[[list[In]], Iterable[Out]], items: list[In], cores: int
    ) -> Iterator[Out]:
        """Yield the results of a batch, and hold no core while one waits for its way out."""
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

    def _fail(self) -> None:
        """Stop, with a stage missing: nothing is passed on but what is kept."""
        self.stop()
        for channel, at_stop in self._channels:
            if at_stop is not AtStop.KEEP:
                channel.stop()

    def _start(self, name: str, body: Callable[[], None], at_end: Callable[[], None]) -> None:
        once = threading.Lock()

        def end() -> None:
            if once.acquire(blocking=False):
                at_end()

        def run() -> None:
            try:
                body()
            except Ended:
                pass
            except BaseException as error:  # noqa: BLE001 - `join` raises it
                with self._lock:
                    self._error = self._error or error
                log.debug("stage %s ends with %r", name, error)
                self._fail()
            finally:
                end()

        # Daemons: the second interrupt leaves without waiting for a model's long call.
        thread = threading.Thread(target=run, name=name, daemon=True)
        self._ends[thread] = end
        thread.start()


def _lazily(work: Callable[[In], Iterable[Out]], items: In) -> Iterator[Out]:
    """Compute nothing before the first result is asked for."""
    yield from work(items)
