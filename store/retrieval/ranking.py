"""The videos that answer one query best.

Vectors are compared with picture, speech or both; the better of the two is what speaks for a video.
Words are looked up in the index of transcripts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from store.arrays import dots
from store.retrieval.calibration import GOOD_MATCH, Gumbel, Sample, sample
from store.retrieval.candidates import (
    MOMENTS,
    ROW,
    VECTORS,
    Candidates,
    Half,
    Nearest,
    VectorQuery,
    pieces_of,
    with_equals,
)
from store.retrieval.filter import Filter
from store.retrieval.hits import Evidence, Hit, ordered
from store.retrieval.queries import Query, Semantic, SimilarTo, Words
from store.retrieval.strength import HalfScores, strength_of
from store.retrieval.words import Wanted
from store.schema import Segment
from store.table.lance import Expr, col, lit
from store.table.snapshot import Snapshot

DEPTH = 50
"""Fewest candidates of each half that are ranked by their best moment: a video may have one that is
very like, and as a whole not be among the first."""


def rank(snapshot: Snapshot, query: Query, only: Filter, depth: int) -> list[Hit]:
    """Find the `depth` best videos for a query, best first, equals in path order.

    Args:
        snapshot: the table that is searched.
        query: what is sought.
        only: which rows may be found.
        depth: how many hits at most.
    """
    if isinstance(query, Words):
        return _by_words(snapshot, query, only, depth)
    if isinstance(query, SimilarTo):
        return _by_likeness(snapshot, query, only, depth)
    return _by_meaning(snapshot, query, only, depth)


def _by_likeness(snapshot: Snapshot, query: SimilarTo, only: Filter, depth: int) -> list[Hit]:
    zeros = np.zeros(snapshot.dimension, np.float32)
    visual, speech = (
        zeros if half is None else half.astype(np.float32) for half in (query.visual, query.speech)
    )
    vector = np.concatenate([visual, speech])
    nearest = Nearest(snapshot, only, _recipes(query), depth, columns=["embedding"])
    found = nearest.find([VectorQuery(vector, speech_alone=not visual.any())])
    candidates, usual = Candidates.of(found, snapshot), _sample(snapshot, query)
    halves = []
    if visual.any():
        scores = dots(candidates.halves("picture"), visual)
        extremes = usual.picture.for_half(visual) if usual else None
        halves.append(HalfScores("picture", visual, scores, extremes))
    if speech.any():
        said = candidates.halves("speech")
        scores = np.where(said.any(axis=1), dots(said, speech), -np.inf)
        extremes = usual.speech.for_half(speech) if usual else None
        halves.append(HalfScores("speech", speech, scores, extremes))
    scores = dots(candidates.embeddings, vector) / float(vector @ vector)
    is_same = np.all([half.is_same for half in halves], axis=0)
    return _hits(candidates, halves, scores, is_same, depth)


def _by_meaning(snapshot: Snapshot, query: Semantic, only: Filter, depth: int) -> list[Hit]:
    wanted: list[Half] = ["picture"] if query.picture else []
    wanted += ["speech"] if query.speech else []
    columns = [name for half in wanted for name in VECTORS[half]]
    nearest = Nearest(snapshot, only, _recipes(query), max(depth, DEPTH), columns)
    found = nearest.find([VectorQuery.of(query.vector, half) for half in wanted])
    if query.picture:
        found += nearest.find_moments(query.vector)
    candidates, usual = Candidates.of(found, snapshot), _sample(snapshot, query)
    halves = [
        HalfScores(
            half,
            query.vector,
            candidates.best(half, query.vector),
            _usual(query, usual, half) if usual else None,
        )
        for half in wanted
    ]
    is_same = np.any([half.is_same for half in halves], axis=0)
    return _hits(candidates, halves, strength_of(halves).scores, is_same, depth)


def _usual(query: Semantic, sample: Sample, half: Half) -> Gumbel | None:
    rows = sample.picture if half == "picture" else sample.speech
    if query.unrelated is not None:
        return rows.for_questions(query.unrelated)
    return rows.for_picture(query.vector, sample.pictures)


def _hits(
    candidates: Candidates,
    halves: Sequence[HalfScores],
    scores: np.ndarray,
    is_same: np.ndarray,
    depth: int,
) -> list[Hit]:
    """Make hits of the best candidates.

    Args:
        candidates: `n` rows.
        halves: what speaks for them.
        scores: float `[n]`, what ranks them.
        is_same: bool `[n]`, whether they are the very thing that is sought: a match of 100,
            whatever is usual in the collection.
        depth: how many hits at most.
    """
    strength = strength_of(halves)
    chosen = _first(scores, depth)
    found = candidates.take(chosen, [half.half for half in halves])
    moments = [_moments(found, half) for half in halves]
    hits = []
    for place, (i, row) in enumerate(zip(chosen, found.select(ROW).to_pylist(), strict=True)):
        best = strength.strengths[:, i].argmax()
        match = 100.0 if is_same[i] else strength.match(float(strength.strengths[best, i]))
        good = None if match is None else match >= GOOD_MATCH
        why = moments[best][place]
        hits.append(Hit(**row, score=float(scores[i]), match=match, good=good, why=why))
    return ordered(hits)[:depth]


def _first(scores: np.ndarray, depth: int) -> np.ndarray:
    """int64 `[m]`: indices of the `depth` best, and of those that equal the last of them."""
    if len(scores) <= depth:
        return np.arange(len(scores))
    return np.flatnonzero(scores >= np.partition(scores, -depth)[-depth])


def _moments(rows: pa.Table, half: HalfScores) -> list[Evidence]:
    """Find the best frame, or the best stretch of speech, of each row."""
    names = [name for name in MOMENTS[half.half] if name in rows.column_names]
    columns = zip(*(rows.column(name).to_pylist() for name in names), strict=True)
    moments = [[each for part in parts for each in part or ()] for parts in columns]
    best = pieces_of(rows, half.half, len(half.vector)).which(half.vector)
    return [
        _moment(half.half, None if place is None else of_row[place])
        for place, of_row in zip(best, moments, strict=True)
    ]


def _moment(half: Half, found: Any) -> Evidence:
    if found is None:
        return Evidence(half)
    if half == "picture":
        return Evidence(half, time=found)
    return Evidence(half, time=found["start"], end=found["end"], sentence=found["text"])


def _sample(snapshot: Snapshot, query: SimilarTo | Semantic) -> Sample | None:
    usual = sample(snapshot, query.visual_recipe, query.speech_recipe)
    return usual if usual.is_enough else None


def _recipes(query: SimilarTo | Semantic) -> list[Expr]:
    recipes = {"visual_recipe": query.visual_recipe, "speech_recipe": query.speech_recipe}
    return [col(name) == lit(text) for name, text in recipes.items() if text is not None]


def _by_words(snapshot: Snapshot, query: Words, only: Filter, depth: int) -> list[Hit]:
    wanted = Wanted(query.text)
    find = partial(_transcripts, snapshot, wanted.query(some=query.some), only.where())
    found = with_equals(find, "_score", depth).to_pylist()
    return ordered(_said(row, wanted, whole=not query.some) for row in found)[:depth]


def _transcripts(snapshot: Snapshot, words: Any, where: str, limit: int) -> pa.Table:
    with snapshot.videos.reading():
        search: Any = snapshot.table.search(words, query_type="fts").where(where)
        return search.select([*ROW, "segments", "_score"]).limit(limit).to_arrow()


def _said(row: dict[str, Any], wanted: Wanted, *, whole: bool) -> Hit:
    segments, score = row.pop("segments"), row.pop("_score")
    place = wanted.place([Segment(**segment) for segment in segments])
    why = Evidence("words", place.start, place.end, place.text) if place else Evidence("words")
    match = 100.0 if whole else 100 * wanted.share(row["transcript"])
    return Hit(**row, score=score, match=match, good=match >= GOOD_MATCH, why=why)
