"""Stages: what they take, and how they end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.flow.channel import AtStop, Channel
from pipeline.flow.workers import StageGroup
from tests.support.threads import PATIENCE, Bug, Held, drain, each, fail, join


def test_the_end_travels_down_the_line() -> None:
    stages, seen = StageGroup(), []
    first, second, third = stages.channel(2), stages.channel(2, producers=3), stages.channel(2)

    def feed() -> None:
        for number in range(100):
            first.put(number)

    stages.source("feed", feed, first)
    stages.stage("double", each(lambda n: 2 * n), first, second, threads=3)
    stages.stage("add", each(lambda n: n + 1), second, third, most=7)
    stages.sink("collect", lambda: seen.extend(drain(third)), third)
    join(stages)
    assert sorted(seen) == [2 * n + 1 for n in range(100)]
    assert not stages.stopping.is_set()


@given(waiting=st.integers(1, 100), most=st.integers(1, 20), takers=st.integers(1, 8))
def test_takers_leave_enough_for_the_others(waiting: int, most: int, takers: int) -> None:
    channel: Channel[int] = Channel(100)
    for number in range(waiting):
        channel.put(number)
    channel.end()
    sizes = []
    while len(channel):
        left = len(channel)
        sizes.append(len(channel.take(most, takers=takers)))
        assert sizes[-1] == 1 or takers == 1 or sizes[-1] <= -(-left // (2 * takers))
    assert sum(sizes) == waiting
    assert max(sizes) <= most
    if takers == 1:
        assert len(sizes) == -(-waiting // most)
    else:
        assert sizes[-min(waiting, takers) :] == [1] * min(waiting, takers)  # nobody comes last


def test_a_stage_takes_what_waits_up_to_its_most() -> None:
    stages, sizes = StageGroup(), []
    numbers, results = stages.channel(10), stages.channel(10)
    for number in range(8):
        numbers.put(number)
    numbers.end()

    def work(items: list[int]) -> Iterable[int]:
        sizes.append(len(items))
        return items

    stages.stage("work", work, numbers, results, most=5)
    join(stages)
    assert sizes == [5, 3]
    assert results.take(10) == list(range(8))


def test_a_stage_may_give_no_or_many_results() -> None:
    stages = StageGroup()
    numbers, results = stages.channel(10), stages.channel(20)
    for number in range(4):
        numbers.put(number)
    numbers.end()
    stages.stage("repeat", lambda items: items * items[0], numbers, results)
    join(stages)
    assert results.take(20) == [1, 2, 2, 3, 3, 3]


@pytest.mark.parametrize("where", ["feed", "first", "second", "sink"])
@pytest.mark.parametrize("at_stop", AtStop)
def test_an_exception_anywhere_is_raised_by_join_and_nobody_hangs(
    where: str, at_stop: AtStop
) -> None:
    stages = StageGroup()
    numbers, middle = stages.channel(1), stages.channel(1, producers=2)
    results = stages.channel(1, at_stop=at_stop)

    def feed() -> None:
        if where == "feed":
            raise Bug
        while numbers.put(7):  # for ever
            pass

    def work(name: str) -> Callable[[list[int]], list[int]]:
        return lambda items: fail() or items if where == name else items * 9

    def collect() -> None:
        for _ in drain(results):
            if where == "sink":
                raise Bug

    stages.source("feed", feed, numbers)
    stages.stage("first", work("first"), numbers, middle, threads=2)
    stages.stage("second", work("second"), middle, results)
    stages.sink("sink", collect, results)
    with pytest.raises(Bug):
        join(stages)
    assert stages.stopping.is_set()


def test_the_first_exception_is_the_one_that_is_raised() -> None:
    stages = StageGroup()
    numbers, results = stages.channel(1), stages.channel(1)

    def feed() -> None:
        numbers.put(1)
        stages.stopping.wait(PATIENCE)
        raise LookupError("a consequence")

    stages.source("feed", feed, numbers)
    stages.stage("work", lambda items: fail() or items, numbers, results)
    with pytest.raises(Bug):
        join(stages)


def test_stop_finishes_what_is_in_hand_drops_what_waits_and_empties_what_is_kept() -> None:
    stages, written = StageGroup(), []
    numbers = stages.channel(10)
    results = stages.channel(10, at_stop=AtStop.KEEP)
    in_hand, go_on, may_write = threading.Event(), threading.Event(), threading.Event()
    for number in range(10):
        numbers.put(number)

    def work(items: list[int]) -> list[int]:
        if items == [1]:
            in_hand.set()
            go_on.wait(PATIENCE)
        return items

    def write() -> None:
        may_write.wait(PATIENCE)
        written.extend(drain(results))

    stages.stage("work", work, numbers, results)
    stages.sink("write", write, results)
    in_hand.wait(PATIENCE)
    stages.stop()
    stages.stop()
    go_on.set()
    may_write.set()
    join(stages)
    assert written == [0, 1]
    assert len(numbers) == 0


def test_a_stop_passes_on_what_the_first_of_two_stages_has_in_hand() -> None:
    stages, seen = StageGroup(), []
    numbers, results = stages.channel(10), stages.channel(10, at_stop=AtStop.KEEP)
    middle = stages.channel(10, at_stop=AtStop.CLEAR)
    in_hand, go_on = threading.Event(), threading.Event()
    busy, free = threading.Event(), threading.Event()

    def first(items: list[int]) -> list[int]:
        if items == [2]:
            in_hand.set()
            go_on.wait(PATIENCE)
        return items

    def second(items: list[int]) -> list[int]:
        busy.set()
        free.wait(PATIENCE)
        return items

    for number in range(10):
        numbers.put(number)
    stages.stage("first", first, numbers, middle)
    stages.stage("second", second, middle, results)
    stages.sink("write", lambda: seen.extend(drain(results)), results)
    assert in_hand.wait(PATIENCE)
    assert busy.wait(PATIENCE)
    stages.stop()
    go_on.set()
    free.set()
    join(stages)
    assert seen == [0, 2]  # 1 waited between the stages, the others before them


def test_a_stop_wakes_a_source_that_waits_for_something_else() -> None:
    woken = threading.Event()
    stages = StageGroup(on_stop=woken.set)
    numbers, results = stages.channel(1), stages.channel(1)
    hung = []

    def feed() -> None:
        numbers.put(1)
        hung.append(not woken.wait(PATIENCE))

    stages.source("feed", feed, numbers)
    stages.stage("work", lambda items: fail() or items, numbers, results)
    with pytest.raises(Bug):
        join(stages)
    assert hung == [False]


@pytest.mark.parametrize("round_", range(3))
def test_many_threads_lose_and_double_nothing_and_keep_the_bounds(round_: int) -> None:
    stages, seen, held = StageGroup(), [], Held()
    numbers = stages.channel(3, producers=4)
    middle = stages.channel(5, nbytes=64, producers=8)
    results = stages.channel(100, producers=8)

    def feed(first: int) -> Callable[[], None]:
        def put_all() -> None:
            for number in range(first, 2000, 4):
                numbers.put(number)

        return put_all

    def make(items: list[int]) -> list[int]:
        for _ in items:
            held.add(1)
        return items

    def use(items: list[int]) -> list[int]:
        held.add(-len(items))
        return items

    for source in range(4):
        stages.source(f"feed-{source}", feed(source), numbers)
    stages.stage("make", make, numbers, middle, threads=8, size_of=lambda n: n % 40)
    stages.stage("use", use, middle, results, threads=8, most=3)
    stages.sink("collect", lambda: seen.extend(drain(results)), results)
    join(stages)
    assert sorted(seen) == list(range(2000))
    # 5 wait, 8 makers each hold one more, 8 users took up to 3 and have not said so yet.
    assert held.most <= 5 + 8 + 8 * 3


@pytest.mark.parametrize("after", [0, 1, 10, 100])
def test_a_stop_at_any_moment_ends_many_threads(after: int) -> None:
    stages, seen = StageGroup(), []
    numbers = stages.channel(3)
    middle = stages.channel(3, producers=8)
    results = stages.channel(3, producers=2, at_stop=AtStop.KEEP)
    enough = threading.Event()

    def feed() -> None:
        number = 0
        while numbers.put(number):
            number += 1

    def collect() -> None:
        for number in drain(results):
            seen.append(number)
            if len(seen) >= after:
                enough.set()

    stages.source("feed", feed, numbers)
    stages.stage("first", each(int), numbers, middle, threads=8)
    stages.stage("second", each(int), middle, results, threads=2, most=4)
    stages.sink("collect", collect, results)
    assert after == 0 or enough.wait(PATIENCE)
    stages.stop()
    join(stages)
    assert len(seen) == len(set(seen)) >= after
