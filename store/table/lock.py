"""One writer at a time: a lock file in the store's folder, which the system holds for a process.

The lock ends with the process, however that ends, so that a crash leaves nothing to clean up.
"""

from __future__ import annotations

import os
from pathlib import Path

from filelock import FileLock, Timeout

from store.errors import StoreBusyError, StoreError


class WriterLock:
    """Lock of a store's folder, held from `acquire` to `release`.

    Args:
        folder: the store's folder; made if need be.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pid_file = folder / "writer.pid"
        self._lock = FileLock(folder / "writer.lock")

    def acquire(self) -> None:
        """Take the lock, and write down this process's number for whoever comes second.

        Raises:
            StoreBusyError: another process has it.
            StoreError: the folder cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
            self._pid_file.write_text(str(os.getpid()), encoding="ascii")
        except Timeout:
            holder = f"process {self._holder()}"
            raise StoreBusyError(
                f"the store {self._folder} is being written by {holder}:"
                " stop that one first, or wait for it to end",
                holder,
            ) from None
        except (OSError, NotImplementedError) as error:  # NotImplementedError: no locks there
            raise StoreError(f"the store {self._folder} cannot be written: {error}") from error

    def release(self) -> None:
        """Give the lock back. Safe to call twice."""
        self._lock.release()

    def _holder(self) -> str:
        try:
            return self._pid_file.read_text(encoding="ascii").strip()
        except (OSError, ValueError):  # ValueError: it is not a text
            return "(unknown)"
