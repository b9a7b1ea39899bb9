"""Stages share cores, and their times tell who works and who waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from time import monotonic

import pytest

from pipeline.flow.workers import Cores, StageGroup, StageTimes
from tests.support.threads import PATIENCE, Bug, Held, UsualDistance, drain, each, fail, join


def test_no_more_threads_compute_than_there_are_cores() -> None:
    stages, held, two = StageGroup(2), Held(), threading.Barrier(2)
    numbers, results = stages.channel(100), stages.channel(1, producers=8)
    for number in range(100):
        numbers.put(number)
    numbers.end()

    def work(items: list[int]) -> Iterator[int]:
        held.add(1)
        two.wait(PATIENCE)
        held.add(-1)
        yield from items

    stages.stage("work", work, numbers, results, threads=8)
    assert sorted(drain(results)) == list(range(100))
    join(stages)
    assert held.most == 2
    times = stages.times["work"]
    assert times.waiting_for_core > 0
    assert times.takes == 100  # and all that waited was seen
    assert 100 < times.queued <= sum(range(101))


def test_one_that_needs_several_cores_waits_for_all_of_them() -> None:
    cores, held = Cores(3), Held()

    def use(count: int) -> None:
        with cores.taken(count):
            held.add(count)
            held.add(-count)

    with cores.taken(2):
        wide = [UsualDistance(lambda: use(2)) for _ in range(4)]
        assert all(each.is_waiting() for each in wide)
        UsualDistance(lambda: use(1)).wait()
    for each_of_them in wide:
        each_of_them.wait()
    assert held.most <= 3


def test_a_failure_gives_its_cores_back() -> None:
    stages = StageGroup(1)
    numbers, results = stages.channel(10), stages.channel(1, producers=4)
    for number in range(10):
        numbers.put(number)
    stages.stage("work", lambda items: fail() or items, numbers, results, threads=4)
    with pytest.raises(Bug):
        join(stages)


def test_threads_have_names_and_do_not_keep_the_process() -> None:
    stages, seen = StageGroup(), []
    numbers, results = stages.channel(1), stages.channel(1, producers=2)

    def work(items: list[int]) -> list[int]:
        seen.append(threading.current_thread())
        return items

    stages.stage("work", work, numbers, results, threads=2)
    numbers.put(1)
    assert results.take() == [1]
    numbers.end()
    join(stages)
    assert [(thread.name[:-1], thread.daemon) for thread in seen] == [("work-", True)]


def test_times_tell_who_works_and_who_waits() -> None:
    """A slow last stage: it works, the first waits for room; then it is the other way round."""
    fast_then_slow = _times(first=0.0, second=0.01)
    assert fast_then_slow["second"].busy > 0.1
    assert fast_then_slow["first"].waiting_for_output > fast_then_slow["first"].busy
    slow_then_fast = _times(first=0.01, second=0.0)
    assert slow_then_fast["first"].busy > 0.1
    assert slow_then_fast["second"].waiting_for_input > slow_then_fast["second"].busy


def _times(first: float, second: float) -> dict[str, StageTimes]:
    stages = StageGroup()
    numbers, middle, results = stages.channel(20), stages.channel(1), stages.channel(20)
    for number in range(20):
        numbers.put(number)
    numbers.end()
    stages.stage("first", each(_taking(first)), numbers, middle)
    stages.stage("second", each(_taking(second)), middle, results)
    join(stages)
    return stages.times


def _taking(seconds: float) -> Callable[[int], int]:
    def work(number: int) -> int:
        until = monotonic() + seconds
        while monotonic() < until:
            pass
        return number

    return work


def test_times_of_several_threads_add_up() -> None:
    stages = StageGroup()
    threads = [
        UsualDistance(
            lambda: [stages.note("work", busy=1.0, waiting_for_input=0.5) for _ in range(100)]
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.wait()
    assert stages.times["work"].busy == 800
    assert stages.times["work"].waiting_for_input == 400
    assert stages.times["work"].waiting_for_output == 0
