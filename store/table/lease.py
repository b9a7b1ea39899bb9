"""One writer at a time where there is no lock file: a row in the store that says who writes it.

The writer renews its row every few seconds. Another one is refused while the row is fresh, and
takes it over once it is stale, after it has seen for itself that nobody renews it: clocks of
machines differ. The row changes hands by an update that names its old value, of which LanceDB lets
one of two at the same moment through. A writer that finds its row taken, or could not renew it for
as long as others wait, writes no more.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import cached_property
from typing import Any, NamedTuple

import pyarrow as pa

from store.errors import StoreBusyError, StoreError
from store.table.lance import Database, Table, col, lit, translated

RENEW_SECONDS = 10.0
STALE_SECONDS = 60.0
"""Age from which on a row is nobody's: several renewals that did not come through."""

RENEWALS_BETWEEN_UPKEEP = 100
KEPT = timedelta(hours=1)  # versions of the row, for whoever reads them

_NAME = "lease"

_log = logging.getLogger(__name__)


class _Held(NamedTuple):
    """What the row says.

    Args:
        owner: who writes, for a person, with a mark that nobody else has; empty for nobody.
        renewed: when that was last said, seconds since the epoch by the owner's clock.
    """

    owner: str
    renewed: float


class Lease:
    """The right to write a store, from `acquire` to `release`.

    Args:
        database: opened for writing.
        now: seconds since the epoch.
        wait: waits these seconds, and returns True where it has to end at once.
    """

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], float] = time.time,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._database = database
        self._now = now
        self._ended = threading.Event()
        self._wait = wait or self._ended.wait
        self._mine = _Held("", 0.0)
        self._renewals = 0
        self._trouble = ""
        self._thread: threading.Thread | None = None

    def acquire(self) -> None:
        """Become the one writer, and renew that from now on.

        Raises:
            StoreBusyError: another process writes the store.
            StoreError: the store cannot be written.
        """
        seen = self._read()
        age = self._now() - seen.renewed
        if seen.owner and abs(age) < STALE_SECONDS:
            raise self._busy(seen, STALE_SECONDS - age)
        if seen.owner:
            self._wait(2 * RENEW_SECONDS)
            if self._read() != seen:
                raise self._busy(seen, STALE_SECONDS)
            _log.warning("the store %s is taken over from %s", self._database.uri, _name(seen))
        owner = f"process {os.getpid()} on {socket.gethostname()} #{secrets.token_hex(4)}"
        if not self._swap(seen, _Held(owner, self._now())):
            raise self._busy(self._read(), STALE_SECONDS)
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Check that the store is still this process's to write.

        Raises:
            StoreError: another process may write it by now.
        """
        trouble = self._trouble
        if not trouble and self._now() - self._mine.renewed > STALE_SECONDS:
            trouble = f"could not say for {STALE_SECONDS:g} s that it is being written"
        if trouble:
            raise StoreError(f"the store {self._database.uri}: {trouble}; run this again")

    def renew(self) -> None:
        """Say that this process still writes."""
        if not self._swap(self._mine, _Held(self._mine.owner, self._now())):
            seen = self._read()
            if seen.owner == self._mine.owner:  # a renewal came through whose answer did not
                self._mine = seen
            else:
                self._trouble = f"{_name(seen)} has taken it over"
        self._renewals += 1
        if self._renewals % RENEWALS_BETWEEN_UPKEEP == 0:
            with translated(f"the store {self._database.uri}: upkeep of {_NAME} failed"):
                self._table.optimize(cleanup_older_than=KEPT)

    def release(self) -> None:
        """Let others write. Safe to call twice."""
        self._ended.set()
        if self._thread is None:
            return
        self._thread.join()
        self._thread = None
        try:
            self._swap(self._mine, _Held("", 0.0))
        except StoreError as error:  # it grows stale
            _log.warning("%s", error)

    def _keep(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            try:
                self.renew()
            except StoreError as error:  # the next renewal may come through
                _log.warning("%s", error)

    def _read(self) -> _Held:
        with translated(f"the store {self._database.uri} cannot be read"):
            (row,) = self._table.to_arrow().to_pylist()
        return _Held(row["owner"], row["renewed"])

    def _swap(self, old: _Held, new: _Held) -> bool:
        """Replace what the row says, if it still says what is expected."""
        where = (col("owner") == lit(old.owner)) & (col("renewed") == lit(old.renewed))
        with translated(f"the store {self._database.uri} cannot be written"):
            updated: Any = self._table.update(where, new._asdict())
        if updated.rows_updated:
            self._mine = new
        return bool(updated.rows_updated)

    @cached_property
    def _table(self) -> Table:
        first = pa.table({"owner": [""], "renewed": [0.0]})
        return self._database.create_once(_NAME, first)

    def _busy(self, held: _Held, seconds: float) -> StoreBusyError:
        text = (
            f"the store {self._database.uri} is being written by {_name(held)}: stop that one"
            f" first, or wait for it to end; where it was killed, try again in {seconds:.0f} s"
        )
        return StoreBusyError(text, _name(held))


def _name(held: _Held) -> str:
    return held.owner.partition(" #")[0] or "nobody"
