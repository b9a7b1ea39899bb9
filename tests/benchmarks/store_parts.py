"""The parts of the store's benchmark, each for a process of its own."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

import numpy as np
import pyarrow as pa
from lancedb.query import LanceFtsQueryBuilder, LanceVectorQueryBuilder

from pipeline.config import load
from pipeline.models.recipe import recipe_of
from store.retrieval.calibration import Gumbel, sample
from store.retrieval.filter import Filter
from store.retrieval.queries import Query, Words
from store.retrieval.search import search
from store.table.arrow import rows_from_arrow
from store.table.store import Store
from tests.benchmarks import made
from tests.benchmarks.exact import KINDS, Exact, Questions
from tests.benchmarks.measure import ROOT

if TYPE_CHECKING:
    from tests.benchmarks.store import Place

K = 10
ROWS_PER_FILL = 20_000
NOT_FILLED = 100_000  # blocks from here on are in no size
SINGLE, BULK, BULK_ROWS = 50, 10, 1_000
GOALS_MS = {100_000: 20, 1_000_000: 50}


class Took(NamedTuple):
    """Seconds of a search: by the clock, of the CPU, and by the clock in LanceDB's own search."""

    wall: float
    cpu: float
    lancedb: float


def fill(place: Place, begin: int, end: int) -> list[dict[str, Any]]:
    """Rows `begin` to `end`, in large commits, and what they are to each question."""
    exact = Exact.load(place.answers, _questions(place))
    seconds = cpu = 0.0
    with Store.open(place.uri, writer=True) as store:
        for start in range(begin, end, ROWS_PER_FILL):
            tables = []
            for first in range(start, min(start + ROWS_PER_FILL, end), made.BLOCK_ROWS):
                block = made.block(first // made.BLOCK_ROWS, min(made.BLOCK_ROWS, end - first))
                exact.add(block)
                tables.append(made.to_arrow(block, place.thumbnail_bytes))
            rows = pa.concat_tables(tables).combine_chunks()
            before = perf_counter(), process_time()
            store.videos.upsert(rows)
            seconds, cpu = seconds + perf_counter() - before[0], cpu + process_time() - before[1]
        before = perf_counter(), process_time()
        store.upkeep(force=True)
        upkeep = perf_counter() - before[0], process_time() - before[1]
        assert not store.upkeep_failures
        facts = store.facts()
    exact.save(place.answers)
    return [
        {
            "rows": end,
            "rows_per_second": (end - begin) / seconds,
            "rows_per_cpu_second": (end - begin) / cpu,
            "upkeep_seconds": upkeep[0],
            "upkeep_cpu_seconds": upkeep[1],
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "bytes_per_row": (facts.bytes_on_disk or 0) / end,
            "fragments": facts.fragments,
        }
    ]


def write(place: Place, size: int) -> list[dict[str, Any]]:
    """New rows into a table of that size; they are taken out again."""
    with Store.open(place.uri, writer=True) as store:
        assert len(store.known()) == size
        numbers = iter(range(NOT_FILLED, NOT_FILLED + BULK + 1))
        rows = rows_from_arrow(made.to_arrow(made.block(next(numbers)), place.thumbnail_bytes))
        paths = [row.path for row in rows[:SINGLE]]
        ones = [_timed(partial(store.upsert, [row])) for row in rows[:SINGLE]]
        many = []
        for number in numbers:
            rows = rows_from_arrow(made.to_arrow(made.block(number), place.thumbnail_bytes))
            paths += [row.path for row in rows]
            many.append(_timed(partial(store.upsert, rows)))
        store.remove(paths)
    return [_written(size, 1, ones), _written(size, BULK_ROWS, many)]


def _written(size: int, at_a_time: int, times: list[tuple[float, float]]) -> dict[str, Any]:
    milliseconds = 1000 * np.median([wall for wall, _ in times])
    rate = 1000 * at_a_time / milliseconds
    return {
        "rows": size,
        "at_a_time": at_a_time,
        "rows_per_second": float(rate),
        "commit_ms": float(milliseconds),
        "cpu_ms": float(1000 * np.median([cpu for _, cpu in times])),
        "goal": "5,000 rows/s" if at_a_time > 1 else "",
        "reached": bool(rate >= 5_000) if at_a_time > 1 else "",
    }


def ask(place: Place, size: int) -> list[dict[str, Any]]:
    """Every question of every kind, without and with a label filter."""
    questions = _questions(place)
    exact = Exact.load(place.answers, questions)
    with Store.open(place.uri) as store:
        usual = _usual(store, questions)
        rows = []
        for kind in KINDS:
            for filtered in (False, True):
                asked = [
                    (questions.query(kind, i), questions.only(i, filtered))
                    for i in range(questions.count)
                ]
                found, times = _asked(store, asked)
                best = exact.answers(kind, filtered, usual, K)
                shares = [len(a & b) / max(len(b), 1) for a, b in zip(found, best, strict=True)]
                rows.append(_answered(size, kind, filtered, times, float(np.mean(shares))))
        for filtered in (False, True):
            said = [
                (Words(f"word{10 + i} word{i}"), questions.only(i, filtered))
                for i in range(questions.count)
            ]
            rows.append(_answered(size, "words", filtered, _asked(store, said)[1], None))
    return rows


def _asked(store: Store, asked: list[tuple[Query, Filter]]) -> tuple[list[set[int]], list[Took]]:
    """The numbers of the rows that were found, and how long it took. A first few warm up."""
    for query, only in asked[:3]:
        search(store, query, k=K, only=only)
    found, times = [], []
    for query, only in asked:
        began = perf_counter(), process_time()
        with _in_lancedb() as spans:
            hits = search(store, query, k=K, only=only)
        times.append(Took(perf_counter() - began[0], process_time() - began[1], sum(spans)))
        found.append({int(hit.path[-11:-4]) for hit in hits})
    return found, times


@contextmanager
def _in_lancedb() -> Iterator[list[float]]:
    """Seconds of each search that LanceDB makes meanwhile, reading what was asked for included."""
    spans: list[float] = []

    def timed(inner: Callable[..., pa.Table]) -> Callable[..., pa.Table]:
        def to_arrow(*args: Any, **options: Any) -> pa.Table:
            began = perf_counter()
            found = inner(*args, **options)
            spans.append(perf_counter() - began)
            return found

        return to_arrow

    vectors, words = LanceVectorQueryBuilder, LanceFtsQueryBuilder
    with (
        patch.object(vectors, "to_arrow", timed(vectors.to_arrow)),
        patch.object(words, "to_arrow", timed(words.to_arrow)),
    ):
        yield spans


def _answered(
    size: int, kind: str, filtered: bool, times: list[Took], recall: float | None
) -> dict[str, Any]:
    p50, p95 = (1000 * float(np.quantile([took.wall for took in times], q)) for q in (0.5, 0.95))
    goal = GOALS_MS.get(size)
    reached = goal is not None and p50 <= goal and (recall is None or recall >= 0.95)
    return {
        "rows": size,
        "query": kind,
        "label": "one" if filtered else "any",
        "p50_ms": p50,
        "p95_ms": p95,
        "cpu_ms": 1000 * float(np.median([took.cpu for took in times])),
        "lancedb_ms": 1000 * float(np.median([took.lancedb for took in times])),
        "recall": "" if recall is None else recall,
        "goal": f"{goal} ms, 0.95" if goal else "",
        "reached": reached if goal else "",
    }


def _usual(store: Store, questions: Questions) -> tuple[Gumbel, Gumbel]:
    snapshot = store.snapshot()
    assert snapshot is not None
    found = sample(snapshot, *questions.recipe)
    usual = [kind.for_questions(questions.unrelated) for kind in (found.picture, found.speech)]
    assert usual[0] is not None
    assert usual[1] is not None
    return usual[0], usual[1]


def _questions(place: Place) -> Questions:
    recipe = recipe_of(load(ROOT / "config.toml"))
    return Questions(place.questions, (recipe.visual, recipe.speech))


def _timed(work: Callable[[], Any]) -> tuple[float, float]:
    began = perf_counter(), process_time()
    work()
    return perf_counter() - began[0], process_time() - began[1]
