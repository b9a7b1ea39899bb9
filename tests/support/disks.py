"""Disks that are too small, and drives that do not answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a file system of that size on the folder.

    Skips the test where mounting one is not permitted.

    Args:
        folder: made here.
        megabytes: size of the file system.
    """
    if sys.platform != "linux":
        pytest.skip("only Linux mounts a tmpfs")
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size` bytes, as on a full disk.

    Python ignores the signal that comes with it, so that a write fails with an `OSError`.
    """
    if sys.platform == "win32":
        pytest.skip("no file size limits there")
    import resource

    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))


def fill(disk: Path, *, leave: int) -> Path:
    """Write a file that leaves only `leave` bytes of the disk free."""
    room = os.statvfs(disk)
    filler = disk / "filler"
    filler.write_bytes(bytes(max(room.f_bavail * room.f_frsize - leave, 0)))
    return filler


@contextmanager
def nobody_can_open(path: Path) -> Iterator[None]:
    """Let whoever opens the file wait in the kernel, as on a drive that does not answer.

    The wait ends when a lease of this process is broken, 45 s later (fcntl(2), "Leases"). Skips the
    test where there are no leases.
    """
    if sys.platform != "linux":
        pytest.skip("only Linux has leases of files")
    import fcntl

    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # the kernel's request to give it up
    file = os.open(path, os.O_RDWR)
    try:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield
    finally:
        os.close(file)
        signal.signal(signal.SIGIO, before)
