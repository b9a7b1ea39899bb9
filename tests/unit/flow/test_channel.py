"""Channels between stages: bounded, in order, and they end whatever happens."""

from __future__ import annotations

from time import monotonic

import pytest

from pipeline.flow.channel import Channel, Ended
from tests.support.threads import PATIENCE, UsualDistance


def test_what_goes_in_comes_out_in_order() -> None:
    channel: Channel[int] = Channel(10)
    assert all(channel.put(number) for number in range(5))
    assert channel.take() == [0]
    assert channel.take(3) == [1, 2, 3]
    assert channel.take(3) == [4]


def test_a_full_channel_makes_its_producer_wait() -> None:
    channel: Channel[int] = Channel(2)
    channel.put(0)
    channel.put(1)
    third = UsualDistance(lambda: channel.put(2))
    assert third.is_waiting()
    assert channel.take() == [0]
    assert third.wait() is True
    assert channel.take(9) == [1, 2]


def test_bytes_bound_it_too_and_an_over_large_item_passes_alone() -> None:
    channel: Channel[str] = Channel(10, nbytes=100)
    channel.put("small", 60)
    large = UsualDistance(lambda: channel.put("large", 1000))
    assert large.is_waiting()
    assert channel.take(9) == ["small"]
    assert large.wait() is True
    after = UsualDistance(lambda: channel.put("after", 1))
    assert after.is_waiting()
    assert channel.take(9) == ["large"]
    assert after.wait() is True
    assert channel.take(9) == ["after"]


def test_what_was_taken_makes_room_for_as_many_bytes() -> None:
    channel: Channel[str] = Channel(10, nbytes=100)
    channel.put("first", 60)
    channel.put("second", 40)
    assert channel.take() == ["first"]
    assert UsualDistance(lambda: channel.put("third", 60)).wait() is True


def test_the_end_comes_after_the_last_item_of_the_last_producer() -> None:
    channel: Channel[int] = Channel(10, producers=2)
    channel.put(1)
    channel.end()
    waiting = UsualDistance(lambda: [*channel.take(), *channel.take()])
    channel.put(2)
    channel.end()
    assert waiting.wait() == [1, 2]
    with pytest.raises(Ended):
        channel.take()


def test_stop_drops_what_waits_and_wakes_both_ends() -> None:
    full: Channel[int] = Channel(1)
    full.put(1)
    producer = UsualDistance(lambda: full.put(2))
    empty: Channel[int] = Channel(1)
    consumer = UsualDistance(empty.take)
    for channel in (full, empty, full):
        channel.stop()
    assert producer.wait() is False
    assert isinstance(consumer.wait(), Ended)
    assert full.put(3) is False
    with pytest.raises(Ended):
        full.take()


def test_a_timeout_gives_nothing_and_not_the_end() -> None:
    channel: Channel[int] = Channel(1)
    assert channel.take(timeout=0.01) == []
    channel.put(1)
    assert channel.take(timeout=0.01) == [1]


def test_lingering_waits_for_more_but_not_for_longer_than_it_takes() -> None:
    channel: Channel[int] = Channel(10)
    channel.put(1)
    both = UsualDistance(lambda: channel.take(2, linger=PATIENCE))
    channel.put(2)
    assert both.wait() == [1, 2]  # full: at once

    channel.put(3)
    began = monotonic()
    assert channel.take(2, linger=0.05) == [3]  # nobody comes: after the time
    assert monotonic() - began >= 0.05

    channel.put(4)
    last = UsualDistance(lambda: channel.take(2, linger=PATIENCE))
    channel.end()
    assert last.wait() == [4]  # nobody can come: at once


def test_lingering_is_for_those_who_have_something() -> None:
    channel: Channel[int] = Channel(10)
    began = monotonic()
    assert channel.take(2, linger=PATIENCE, timeout=0.01) == []
    assert monotonic() - began < PATIENCE
