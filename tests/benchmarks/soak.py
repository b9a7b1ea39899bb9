"""A table after days of watching: as many commits of one video each, with the store's own upkeep.

    python -m tests.benchmarks.soak [--commits 20000]

A watch commits a video every few seconds; here they come as fast as they can be written, so old
versions pile up faster than in any watch. The size is therefore also taken when it has been idle
for as long as they are kept.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from store.table import upkeep
from store.table.arrow import rows_from_arrow
from store.table.store import Store
from tests.benchmarks import made
from tests.benchmarks.measure import publish

THUMBNAIL_BYTES = 1_000
ENDS = 0.05  # commits are compared at the first and the last so many
MOST_FRAGMENTS, MOST_BYTES, MOST_TIME = 100, 1.5, 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commits", type=int, default=20_000, help="default: 20000")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        publish("soak", [measure(Path(folder), options.commits)])


def measure(folder: Path, commits: int) -> dict[str, Any]:
    seconds, upkeeps, fragments = [], [], 0
    with Store.open(str(folder / "store"), writer=True) as store:
        for number in range(commits):
            block, place = divmod(number, made.BLOCK_ROWS)
            if place == 0:
                rows = rows_from_arrow(made.to_arrow(made.block(block), THUMBNAIL_BYTES))
            began = time.perf_counter()
            store.upsert([rows[place]])
            written = time.perf_counter()
            if store.upkeep():
                upkeeps.append(time.perf_counter() - written)
            seconds.append(written - began)
            if number % 50 == 49:
                fragments = max(fragments, store.videos.fragments())
        assert not store.upkeep_failures
        at_once = upkeep.bytes_on_disk(folder)
        while store.upkeep(idle=True):  # as a watch does, each time it is idle
            time.sleep(upkeep.RETENTION_WHEN_BLOATED.total_seconds())
        later = upkeep.bytes_on_disk(folder)
    fresh = fresh_copy(folder)
    few = max(int(commits * ENDS), 1)
    first, last = median(seconds[:few]), median(seconds[-few:])
    return {
        "commits": commits,
        "most_fragments": fragments,
        "first_ms": 1000 * first,
        "last_ms": 1000 * last,
        "last_over_first": last / first,
        "upkeep_share": sum(upkeeps) / (sum(upkeeps) + sum(seconds)),
        "longest_upkeep_seconds": max(upkeeps, default=0.0),
        "over_fresh_at_once": at_once / fresh,
        "over_fresh": later / fresh,
        "goal": f"{MOST_FRAGMENTS} fragments, {MOST_BYTES} x fresh, {MOST_TIME} x first",
        "reached": fragments <= MOST_FRAGMENTS
        and later <= MOST_BYTES * fresh
        and last <= MOST_TIME * first,
    }


def fresh_copy(folder: Path) -> int:
    """Bytes of a store that has the same rows from one commit."""
    with Store.open(str(folder / "store")) as store:
        rows = list(store.rows(store.known()).values())
    with Store.open(str(folder / "fresh"), writer=True) as copy:
        copy.upsert(rows)
        copy.videos.table.optimize()  # its index of words has the rows, too
    return upkeep.bytes_on_disk(folder / "fresh")


if __name__ == "__main__":
    main()
