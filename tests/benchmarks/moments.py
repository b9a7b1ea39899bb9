"""Whether the moments of long videos are found where there are too many to compare them all.

    python -m tests.benchmarks.moments [--rows 20000] [--long 900,2000,5000] [--questions 100]

Made-up rows (see made.py), to which long videos come: six scenes of ten moments each, every scene
of a topic of its own, and as everywhere five frames, whose mean is what the index knows. A question
is a text about a topic. Recall is the share of the 10 videos with the best frame or moment of all
that are among the first 10.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa

from store.retrieval.queries import Semantic
from store.retrieval.search import search
from store.schema import LONG_SECONDS
from store.table.store import Store
from tests.benchmarks import made
from tests.benchmarks.measure import publish
from tests.benchmarks.tools import THUMBNAIL_BYTES

SCENES, MOMENTS = 6, 10
LONG_BLOCK = 300_000  # its rows are in no size
GOAL = 0.95
K = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000, help="short videos (default: 20000)")
    parser.add_argument("--long", default="900,2000,5000", help="long videos, ascending")
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="where to make the store (default: temporary)")
    options = parser.parse_args()
    sizes = [int(size) for size in options.long.split(",")]
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rows: list[dict[str, Any]] = []
        for row in measure(Path(folder), options.rows, sizes, options.questions):
            rows.append(row)
            publish("moments", rows)


def measure(folder: Path, short: int, sizes: list[int], questions: int) -> Iterator[dict[str, Any]]:
    asked = made.texts(np.random.default_rng(5).integers(made.TOPICS, size=questions), 5)
    best: list[tuple[np.ndarray, np.ndarray]] = []  # of each row, its path and best product
    with Store.open(str(folder / "store"), writer=True) as store:
        for number in range(-(-short // made.BLOCK_ROWS)):
            block = made.block(number)
            best.append((_paths(block), _best(block.frames, asked)))
            store.videos.upsert(made.to_arrow(block, THUMBNAIL_BYTES))
        for begin, size in zip([0, *sizes], sizes, strict=False):
            for start in range(begin, size, made.BLOCK_ROWS):
                block, moments = long_videos(start, min(start + made.BLOCK_ROWS, size))
                every = np.concatenate([block.frames, moments], axis=1)
                best.append((_paths(block), _best(every, asked)))
                store.videos.upsert(_with_moments(block, moments))
            store.upkeep(force=True)
            yield _asked(store, size, asked, best)


def long_videos(first: int, end: int) -> tuple[made.Block, np.ndarray]:
    """Make long videos, and their moments, float32 `[n, SCENES * MOMENTS, D]`."""
    n, rng = end - first, np.random.default_rng((6, first))
    topics = made._topics(rng, n * SCENES)
    scenes = made._around(rng, made._PICTURE, topics, MOMENTS)
    moments = scenes.reshape(n, SCENES * MOMENTS, made.D)
    sampled = ((np.arange(made.FRAMES) + 0.5) * SCENES * MOMENTS / made.FRAMES).astype(int)
    plain = made.block(LONG_BLOCK, n)
    return (
        made.Block(
            LONG_BLOCK * made.BLOCK_ROWS + first,
            np.full(n, -1),
            topics[::SCENES],
            moments[:, sampled],
            plain.windows,
        ),
        moments,
    )


def _with_moments(block: made.Block, moments: np.ndarray) -> pa.Table:
    rows = made.to_arrow(block, THUMBNAIL_BYTES)
    n, each = moments.shape[:2]
    times = pa.ListArray.from_arrays(
        pa.array(np.arange(n + 1, dtype=np.int32) * each),
        pa.array(np.tile(np.arange(each) * 10.0, n)),
    )
    columns = {
        "duration_seconds": pa.array(np.full(n, max(each * 10.0, 2 * LONG_SECONDS))),
        "moment_times": times,
        "moment_vectors": made._lists(moments.reshape(n * each, made.D), np.full(n, each)),
        "moments_recipe": pa.array(["made up"] * n),
    }
    for name, values in columns.items():
        place = rows.schema.get_field_index(name)
        field = rows.schema.field(place)
        rows = rows.set_column(place, field, values.cast(field.type))
    return rows


def _paths(block: made.Block) -> np.ndarray:
    numbered = zip(block.ids.tolist(), block.labels.tolist(), strict=True)
    return np.array([made.path_of(*each) for each in numbered])


def _best(frames: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """float32 `[n, questions]`: the largest product of any frame, as the store keeps them."""
    kept = frames.astype(np.float16).astype(np.float32)
    found: np.ndarray = (kept @ asked.T).max(axis=1)
    return found


def _asked(
    store: Store, size: int, asked: np.ndarray, best: list[tuple[np.ndarray, np.ndarray]]
) -> dict[str, Any]:
    paths = np.concatenate([each for each, _ in best])
    scores = np.concatenate([each for _, each in best])
    shares, seconds, long = [], [], []
    for number, vector in enumerate(asked):
        right = set(paths[np.argsort(-scores[:, number])[:K]].tolist())
        began = perf_counter()
        hits = search(store, Semantic(vector, speech=False), k=K)
        seconds.append(perf_counter() - began)
        found = {hit.path for hit in hits}
        shares.append(len(right & found) / K)
        long.append(sum(int(Path(path).stem) >= LONG_BLOCK * made.BLOCK_ROWS for path in right))
    recall = float(np.mean(shares))
    return {
        "rows": len(paths),
        "long": size,
        "long_among_best": float(np.mean(long)) / K,
        "recall": recall,
        "ms": 1000 * median(seconds),
        "goal": f"{GOAL:.0%}",
        "reached": recall >= GOAL,
    }


if __name__ == "__main__":
    main()
