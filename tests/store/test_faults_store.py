"""The store and the artifacts when a writer is killed at any moment, or the disk is full."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from store.errors import StoreError
from store.schema import Row
from store.table.store import Store
from tests.store.test_export import write
from tests.support.disks import fill, small_disk
from tests.support.late import late
from tests.support.program import ROOT
from tests.support.rows import assert_same, make_row

torch = late("torch")

pytestmark = pytest.mark.process

KILLS = int(os.environ.get("KILLS", "4"))
LONGEST_SECONDS = 0.6  # until the kill: some ten commits, or several exports

WRITES = """
import sys
from dataclasses import replace
from store.table.store import Store
from tests.support.rows import make_row

store = Store.open(sys.argv[1], writer=True)
first = int(sys.argv[2])
print("go", flush=True)
for number in range(first, first + 1_000_000):
    new = [make_row(f"x/{number}-{i}", number) for i in range(3)]
    store.upsert([*new, replace(make_row("y/again", number), size=number)])
    print(number, flush=True)
"""

COMPACTS = """
import sys
from datetime import timedelta
from store.table import upkeep
from store.table.store import Store
from tests.support.rows import make_row

upkeep.RETENTION = timedelta(0)
store = Store.open(sys.argv[1], writer=True)
first = int(sys.argv[2])
print("go", flush=True)
for number in range(first, first + 1_000_000):
    store.upsert([make_row(f"x/{number}-{i}", number) for i in range(3)])
    print(number, flush=True)
    assert store.upkeep(force=True) and store.upkeep_failures == 0
"""

EXPORTS = """
import sys
from pathlib import Path
from store.table.store import Store
from tests.store.test_export import write

stores = [Store.open(uri) for uri in sys.argv[2:]]
print("go", flush=True)
while True:
    for store in stores:
        write(store, Path(sys.argv[1]))
"""


def run_until_killed(code: str, *arguments: object, after: float) -> list[str]:
    """Run code in a process of its own, kill it some seconds after its first line.

    Returns:
        The lines that it printed after the first.
    """
    command = [sys.executable, "-c", code, *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        started = process.stdout.readline()
        timer = threading.Timer(after, process.kill)
        timer.start()
        lines = process.stdout.read().splitlines(keepends=True)
        timer.join()
    assert started == "go\n"
    assert process.returncode < 0
    return [line.strip() for line in lines if line.endswith("\n")]


@pytest.mark.parametrize("code", [WRITES, COMPACTS], ids=["writing", "compacting"])
def test_a_killed_writer_leaves_whole_rows_and_all_that_it_committed(
    code: str, tmp_path: Path
) -> None:
    moments = random.Random(code)
    committed: set[int] = set()
    for kill in range(KILLS):
        after = moments.uniform(0, LONGEST_SECONDS)
        committed |= set(map(int, run_until_killed(code, tmp_path, 1000 * kill, after=after)))
        with Store.open(str(tmp_path)) as store:
            kept = store.rows(sorted(store.known()))
            assert len(kept) == store.facts().rows  # no path twice
        assert {f"x/{number}-{i}" for number in committed for i in range(3)} <= kept.keys()
        check_commits(kept)
    assert committed


def check_commits(kept: dict[str, Row]) -> None:
    """Each row is as it was given, and each commit is there as a whole or not at all."""
    numbers = {int(path[2:-2]) for path in kept if path.startswith("x/")}
    assert len([path for path in kept if path.startswith("x/")]) == 3 * len(numbers)
    for path, row in kept.items():
        number = row.size if path == "y/again" else int(path[2:-2])
        assert_same(row, replace(make_row(path, number), size=row.size))


def test_a_killed_export_leaves_whole_artifacts(tmp_path: Path) -> None:
    stores = [Store.open(str(tmp_path / name), writer=True) for name in ("one", "other")]
    whole: list[dict[str, bytes]] = []
    for seed, store in enumerate(stores):
        store.upsert([make_row(f"{n % 3}/{n}", 1000 * seed + n) for n in range(200)])
        write(store, tmp_path / f"whole-{seed}")
        whole.append(read_all(tmp_path / f"whole-{seed}"))
    out = tmp_path / "out"
    write(stores[0], out)
    moments = random.Random(1)
    for _ in range(max(KILLS // 2, 2)):  # each imports torch
        after = moments.uniform(0, LONGEST_SECONDS)
        run_until_killed(EXPORTS, out, *(store.uri for store in stores), after=after)
        left = read_all(out)
        assert left.keys() == whole[0].keys()
        assert all(left[name] in (whole[0][name], whole[1][name]) for name in left)
    write(stores[1], out)
    assert read_all(out) == whole[1]
    assert not [path for path in out.iterdir() if path.is_dir()]
    assert len(torch.load(out / "labeled_embeddings.pt", weights_only=True)["features"]) == 200


def read_all(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", megabytes=8) as folder:
        yield folder


def test_a_full_disk_costs_nothing_that_was_written(disk: Path) -> None:
    with Store.open(str(disk / "store"), writer=True) as store:
        store.upsert([make_row(f"x/{n}", n) for n in range(5)])
        filler = fill(disk, leave=300_000)
        written, error = fill_up(store, first=5)
        assert "No space left on device" in error
        assert "make room and try again" in error
        assert store.known().keys() == {f"x/{n}" for n in range(written)}
        store.upkeep(force=True)
        assert store.upkeep_failures > 0  # there is no room for it, which harms no row
        kept = store.rows(sorted(store.known()))
        assert_same(kept["x/0"], make_row("x/0", 0))
        filler.unlink()
        store.upsert([make_row("x/later")])
        assert store.upkeep(force=True)
        assert len(store.known()) == written + 1


def fill_up(store: Store, *, first: int) -> tuple[int, str]:
    """Write rows until there is no room: how many there are then, and what the error says."""
    for n in range(first, 1000):
        try:
            store.upsert([replace(make_row(f"x/{n}", n), thumbnail=bytes(20_000))])
        except StoreError as error:
            return n, str(error)
    raise AssertionError("the disk is larger than that")


def test_a_full_disk_leaves_the_artifacts_as_they_were_and_no_litter(
    disk: Path, tmp_path: Path
) -> None:
    store = Store.open(str(tmp_path / "store"), writer=True)
    store.upsert([make_row("x/0", d=2000)])
    write(store, disk / "out")
    before = read_all(disk / "out")
    store.upsert([make_row(f"x/{n}", n, d=2000) for n in range(100)])
    filler = fill(disk, leave=500_000)
    with pytest.raises(StoreError, match="No space left on device; make room and try again"):
        write(store, disk / "out")
    assert read_all(disk / "out") == before
    assert not [path for path in (disk / "out").iterdir() if path.is_dir()]
    filler.unlink()
    assert write(store, disk / "out").labeled == (100, 4000)
