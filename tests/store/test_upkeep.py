"""Upkeep: a table that is written in small commits stays small and quick."""

from __future__ import annotations

import logging
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from store.errors import StoreError
from store.table import upkeep
from store.table.store import Store
from tests.support.rows import make_row


@pytest.fixture(autouse=True)
def _few_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Upkeep is due after a quarter of the commits that it usually takes."""
    monkeypatch.setattr(upkeep, "COMMITS_BETWEEN", 16)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "store"), writer=True)


def test_upkeep_keeps_a_table_of_small_commits_small(store: Store) -> None:
    for i in range(upkeep.COMMITS_BETWEEN):
        assert not store.upkeep()
        store.upsert([make_row(f"{i}", i)])
    assert store.facts().fragments == upkeep.COMMITS_BETWEEN
    assert store.upkeep()
    assert store.facts().fragments == 1
    assert len(store.known()) == upkeep.COMMITS_BETWEEN
    assert not store.upkeep()


def test_upkeep_keeps_what_a_table_costs_in_bounds(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The benchmark `soak` in small: 40 commits of a row each."""
    monkeypatch.setattr(upkeep, "RETENTION_WHEN_BLOATED", timedelta(milliseconds=1))
    rows = [make_row(f"{i}", i, d=256, frames=5) for i in range(40)]
    fragments = []
    for row in rows:
        store.upsert([row])
        fragments.append(store.videos.fragments())
        store.upkeep()
    store.upkeep(idle=True)
    assert max(fragments) <= 25
    fresh = Store.open(str(tmp_path / "fresh"), writer=True)
    fresh.upsert(rows)
    fresh.upkeep(force=True)
    size, bound = (each.facts().bytes_on_disk for each in (store, fresh))
    assert size is not None
    assert bound is not None
    assert size <= 1.5 * bound


def test_upkeep_of_an_idle_writer_is_in_proportion_to_what_was_written(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "ROWS_PER_COMMIT", 3)
    store.upsert([make_row(f"{i}", i) for i in range(9)])
    assert not store.upkeep(idle=True)
    for i in range(2):
        store.upsert([make_row(f"{i}", i)])
    assert store.upkeep(idle=True)
    assert store.facts().fragments == 1


def test_upkeep_of_an_idle_writer_removes_old_versions_that_were_too_young(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(20):
        store.upsert([make_row("a", i, d=512)])
    assert store.upkeep(force=True)
    assert store.facts().versions > 20
    monkeypatch.setattr(upkeep, "RETENTION_WHEN_BLOATED", timedelta(milliseconds=1))
    assert store.upkeep(idle=True)
    assert store.facts().versions < 5
    assert not store.upkeep(idle=True)


def test_upkeep_is_due_for_what_earlier_runs_left(store: Store) -> None:
    for i in range(upkeep.COMMITS_BETWEEN):
        store.upsert([make_row(f"{i}", i)])
    store.close()
    with Store.open(store.uri, writer=True) as again:
        assert again.upkeep()


def test_upkeep_removes_old_versions(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "RETENTION_WHEN_BLOATED", timedelta(milliseconds=1))
    for i in range(20):
        store.upsert([make_row("a", i)])
    assert store.upkeep(force=True)
    facts = store.facts()
    assert facts.versions < 5
    assert store.known()["a"].content_hash == "hash-19"


def test_upkeep_sweeps_what_killed_writers_left(store: Store) -> None:
    store.upsert([make_row("a")])
    data = Path(store.uri) / "videos.lance" / "data"
    old, young = data / ".tmpOLD", data / ".tmpNEW"
    for file in (old, young):
        file.write_bytes(b"x")
    long_ago = time.time() - 2 * upkeep.STALE_SECONDS
    os.utime(old, (long_ago, long_ago))
    store.upkeep(force=True)
    assert not old.exists()
    assert young.exists()


def test_a_failed_upkeep_is_logged_and_counted(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.upsert([make_row("a")])
    (written,) = Path(store.uri).glob("videos.lance/data/*")
    store.upsert([make_row("b")])
    written.unlink()
    with caplog.at_level(logging.WARNING):
        store.upkeep(force=True)
    assert store.upkeep_failures == 1
    assert "upkeep of videos failed" in caplog.text
    with pytest.raises(StoreError, match="cannot be read"):
        store.rows(["a"])
