"""What a process that writes for long keeps of freed memory.

A compaction fills and frees hundreds of megabytes in threads of LanceDB. glibc has up to eight
heaps a core for threads, and at the end of each it keeps what was freed, up to 64 MB, which
`malloc_trim` cannot give back but in the first. A writer of 20,000 videos in commits of 20, in MB
after 2,000 and at the end (two cores):

| heaps | as they are | given back after each compaction |
| --- | --- | --- |
| as many as glibc likes | 373, 672 | 335, 598 |
| 2 | 331, 737 | 319, 327 |
| 1 | | 316, 329 |

Arrow has a heap of its own (mimalloc), which never shrinks where one thread fills it and another
frees it, as a writer and LanceDB do: in the driver of a cluster it had 61 MB after 2,000 videos and
207 after 10,000.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable

_M_ARENA_MAX = -8  # of malloc.h


def share_heap() -> None:
    """Let Arrow and all threads share one heap (`mallopt(3)`).

    To be called before threads start and Arrow is imported: heaps that exist stay. Small blocks
    come from a cache of each thread, so that threads seldom wait for each other.
    """
    if set_option := _of_glibc("mallopt"):
        set_option(_M_ARENA_MAX, 1)
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")


def give_back() -> None:
    """Give the system what is free in that heap, which takes some 10 ms (`malloc_trim(3)`)."""
    if trim := _of_glibc("malloc_trim"):
        trim(0)


def _of_glibc(name: str) -> Callable[..., int] | None:
    """Find a function; None with another C library."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
