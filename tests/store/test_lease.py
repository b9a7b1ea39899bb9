"""The right to write a store on object storage: one at a time, and never for ever."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from store.errors import StoreBusyError, StoreError
from store.table.lance import Database
from store.table.lease import RENEW_SECONDS, STALE_SECONDS, Lease


class Clock:
    """The time of all machines; waiting lets it pass, and others work meanwhile."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.others: list[Lease] = []

    def now(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> bool:
        self.seconds += seconds
        for other in self.others:
            other.renew()
        return False


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lease(folder: Path, clock: Clock, skew: float = 0.0) -> Lease:
    """A lease of a machine whose clock is ahead by `skew`; a folder stands for object storage."""
    database = Database(str(folder), writer=True)
    return Lease(database, now=lambda: clock.now() + skew, wait=clock.wait)


def test_a_second_writer_is_refused_until_the_first_is_done(tmp_path: Path, clock: Clock) -> None:
    first, second = lease(tmp_path, clock), lease(tmp_path, clock)
    first.acquire()
    clock.seconds += STALE_SECONDS / 2
    with pytest.raises(StoreBusyError, match=r"is being written by process \d+ on .* in 30 s"):
        second.acquire()
    first.check()
    first.release()
    second.acquire()
    second.release()


def test_what_nobody_renews_is_taken_over_and_the_former_writer_writes_no_more(
    tmp_path: Path, clock: Clock
) -> None:
    first, second = lease(tmp_path, clock), lease(tmp_path, clock)
    first.acquire()
    clock.seconds += STALE_SECONDS + 1
    with pytest.raises(StoreError, match="could not say for 60 s"):
        first.check()
    second.acquire()
    first.renew()
    with pytest.raises(StoreError, match=r"process \d+ on .* has taken it over"):
        first.check()
    second.check()
    first.release()
    with pytest.raises(StoreBusyError):  # the release of another is not one of this
        lease(tmp_path, clock).acquire()
    second.release()


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_whose_clock_is_wrong_takes_nothing_from_a_living_writer(
    tmp_path: Path, clock: Clock, skew: float
) -> None:
    first, second = lease(tmp_path, clock), lease(tmp_path, clock, skew)
    first.acquire()
    clock.others.append(first)
    with pytest.raises(StoreBusyError):
        second.acquire()
    first.check()
    first.release()


def test_renewing_for_days_leaves_few_versions(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.table.lease.RENEWALS_BETWEEN_UPKEEP", 5)
    monkeypatch.setattr("store.table.lease.KEPT", timedelta(milliseconds=1))
    held = lease(tmp_path, clock)
    held.acquire()
    for _ in range(20):
        clock.seconds += RENEW_SECONDS
        held.renew()
    assert len(held._table.list_versions()) < 10
    held.release()
