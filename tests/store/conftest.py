"""Stores to search in."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from store.schema import Row
from store.table.store import Store
from tests.support.rows import D, unit
from tests.support.searches import fill


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """60 rows, as `fill` makes them. Do not change it."""
    return fill(tmp_path_factory.mktemp("searched"))


@pytest.fixture
def filled(store: Store, tmp_path: Path) -> Store:
    """The same, to be changed."""
    return Store.open(str(shutil.copytree(store.uri, tmp_path / "store")), writer=True)


@pytest.fixture(scope="module")
def rows(store: Store) -> list[Row]:
    found = store.rows(sorted(store.known()))
    return [found[path] for path in sorted(found)]


@pytest.fixture
def vector() -> np.ndarray:
    return unit(np.random.default_rng(99), D)
