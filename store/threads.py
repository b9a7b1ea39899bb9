"""Arithmetic on all cores: several threads that each multiply matrices alone.

NumPy and SciPy bring a BLAS each. Their threads spin while they wait for work, and so take the
cores from each other: `check` of 20,000 videos takes a quarter of the CPU time where each piece of
work has one thread and pieces go on side by side.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let matrices be multiplied by the calling thread alone."""
    with _blas("scipy.linalg" in sys.modules).limit(limits=1, user_api="blas"):
        yield


@functools.cache
def _blas(with_scipy: bool) -> ThreadpoolController:  # noqa: ARG001, FBT001 - a key of the cache
    """Find the BLAS libraries, which takes 10 ms; again once SciPy has brought its own."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def on_all_cores(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Do something with each item, as many at a time as there are cores; results in order."""
    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(work, items))
