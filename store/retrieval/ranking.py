"""One wish -> the videos that fulfil it best.

A wish is answered by evidence of one or two kinds, picture and speech: how alike each candidate is,
and, where the collection is large enough to tell, how far that is above what is usual there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from store.arrays import dots
from store.retrieval.calibration import GOOD_MATCH, Gumbel, Sample, percent, sample
from store.retrieval.candidates import VectorQuery, nearest, with_equals
from store.retrieval.filter import Filter
from store.retrieval.hits import RRF_K, Evidence, Hit, ordered
from store.retrieval.moments import MultiVectors
from store.retrieval.queries import Query, Semantic, SimilarTo, Words
from store.retrieval.words import Wanted
from store.schema import Segment
from store.table.arrow import matrix
from store.table.lance import Expr, col, lit
from store.table.snapshot import Snapshot

ROW = ["path", "label", "transcript"]

DEPTH = 50
"""How many candidates of each kind are ranked by their best moment at least: a video may have one
that is very like, and as a whole not be among the first."""


def rank(snapshot: Snapshot, wish: Query, only: Filter, depth: int) -> list[Hit]:
    """The `depth` best videos for a wish, best first, equals in path order; `only` says which are
    looked at at all."""
    if isinstance(wish, Words):
        return _by_words(snapshot, wish, only, depth)
    if isinstance(wish, SimilarTo):
        return _by_likeness(snapshot, wish, only, depth)
    return _by_meaning(snapshot, wish, only, depth)


# by vectors

Half = Literal["picture", "speech"]

_PIECES: dict[Half, str] = {"picture": "frame_vectors", "speech": "speech_vectors"}
_MOMENTS: dict[Half, str] = {"picture": "frame_times", "speech": "speech_windows"}


@dataclass(frozen=True, eq=False)
class _Likeness:
    """What speaks for each of the candidates, of one kind.

    Args:
        kind: where it was looked for.
        scores: float `[n]`; -inf where a candidate has nothing of that kind.
        usual: the best scores for unrelated questions; None where there is no telling.
        vector: float32 `[d]`, to find the moment by.
    """

    kind: Half
    scores: np.ndarray
    usual: Gumbel | None
    vector: np.ndarray

    @property
    def strengths(self) -> np.ndarray:
        if self.usual is None:
            return np.full(len(self.scores), -np.inf)
        return np.array([self.usual.strength(float(score)) for score in self.scores])

    @property
    def ranks(self) -> np.ndarray:
        """1 for the best, the same for equals; infinite for those without any."""
        ranks = 1.0 + np.searchsorted(np.sort(-self.scores), -self.scores)
        return np.where(np.isfinite(self.scores), ranks, np.inf)


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Rows that may be among the best.

    Args:
        rows: as `nearest` finds them, each once, with what they are scored by.
        snapshot: where they are.
    """

    rows: pa.Table
    snapshot: Snapshot

    @classmethod
    def of(cls, tables: Sequence[pa.Table], snapshot: Snapshot) -> _Candidates:
        """The rows of one or two tables, each row once."""
        rows = pa.concat_tables(tables)
        _, places = np.unique(rows.column("_rowid").to_numpy(), return_index=True)
        return cls(rows if len(places) == len(rows) else rows.take(places), snapshot)

    @cached_property
    def embeddings(self) -> np.ndarray:
        """float32 `[n, 2d]`."""
        return matrix(self.rows.column("embedding"), 2 * self.snapshot.dimension)

    @property
    def halves(self) -> tuple[np.ndarray, np.ndarray]:
        d = self.snapshot.dimension
        return self.embeddings[:, :d], self.embeddings[:, d:]

    def best(self, kind: Half, vector: np.ndarray) -> np.ndarray:
        """float32 `[n]`: the dot product of `[d]` with the best piece of each."""
        pieces = MultiVectors.of(self.rows.column(_PIECES[kind]), self.snapshot.dimension)
        return pieces.best(vector)

    def take(self, chosen: np.ndarray, kinds: Sequence[Half]) -> pa.Table:
        """What is shown of the rows of these numbers, and what finds their best moments."""
        columns = [*ROW, *(name for kind in kinds for name in (_PIECES[kind], _MOMENTS[kind]))]
        here = [name for name in columns if name in self.rows.column_names]
        row_ids = self.rows.column("_rowid").to_numpy()[chosen]
        found, places = self.snapshot.take(row_ids, [name for name in columns if name not in here])
        found = found.take(places)
        for name in here:
            found = found.append_column(name, self.rows.column(name).take(chosen))
        return found


def _reasons(rows: pa.Table, evidence: _Likeness) -> list[Evidence]:
    """The best moment, of that kind, of each row."""
    kind, column = evidence.kind, rows.column(_MOMENTS[evidence.kind]).to_pylist()
    pieces = MultiVectors.of(rows.column(_PIECES[kind]), len(evidence.vector)).which(
        evidence.vector
    )
    return [
        _moment(kind, None if piece is None else moments[piece])
        for piece, moments in zip(pieces, column, strict=True)
    ]


def _moment(kind: Half, found: Any) -> Evidence:
    if found is None:
        return Evidence(kind)
    if kind == "picture":
        return Evidence(kind, time=found)
    return Evidence(kind, time=found["start"], end=found["end"], sentence=found["text"])


def _by_likeness(snapshot: Snapshot, wish: SimilarTo, only: Filter, depth: int) -> list[Hit]:
    halves: dict[Half, np.ndarray | None]
    halves = {"picture": _given(wish.visual), "speech": _given(wish.speech)}
    query = np.concatenate([_or_zeros(half, snapshot.dimension) for half in halves.values()])
    probe = VectorQuery(query, speech_alone=halves["picture"] is None)
    found = nearest(snapshot, [probe], only, _recipes(wish), depth, columns=["embedding"])
    candidates, usual = _Candidates.of(found, snapshot), _sample(snapshot, wish)
    scores = dots(candidates.embeddings, query) / float(query @ query)
    evidence = []
    if halves["picture"] is not None:
        seen = dots(candidates.halves[0], halves["picture"])
        extremes = usual.picture.for_half(halves["picture"]) if usual else None
        evidence.append(_Likeness("picture", seen, extremes, halves["picture"]))
    if halves["speech"] is not None:
        heard = dots(candidates.halves[1], halves["speech"])
        heard[~candidates.halves[1].any(axis=1)] = -np.inf
        extremes = usual.speech.for_half(halves["speech"]) if usual else None
        evidence.append(_Likeness("speech", heard, extremes, halves["speech"]))
    return _best(candidates, evidence, scores, depth)


def _by_meaning(snapshot: Snapshot, wish: Semantic, only: Filter, depth: int) -> list[Hit]:
    kinds, k = _looked_in(wish), max(depth, DEPTH)
    probes = [_probe(wish.vector, kind) for kind in kinds]
    columns = [_PIECES[kind] for kind in kinds]
    found = nearest(snapshot, probes, only, _recipes(wish), k, columns=columns)
    candidates, usual = _Candidates.of(found, snapshot), _sample(snapshot, wish)
    evidence = [
        _Likeness(
            kind,
            candidates.best(kind, wish.vector),
            _usual(wish, usual, kind) if usual else None,
            wish.vector,
        )
        for kind in kinds
    ]
    if any(each.usual for each in evidence):
        scores = _strengths(evidence).max(axis=0)
    else:
        scores = sum(1 / (RRF_K + each.ranks) for each in evidence) * (RRF_K + 1) / len(evidence)
    return _best(candidates, evidence, scores, depth)


def _looked_in(wish: Semantic) -> list[Half]:
    kinds: list[Half] = ["picture"] if wish.picture else []
    return [*kinds, "speech"] if wish.speech else kinds


def _probe(vector: np.ndarray, kind: Half) -> VectorQuery:
    halves = [vector, np.zeros_like(vector)]
    is_speech = kind == "speech"
    return VectorQuery(
        np.concatenate(halves[::-1] if is_speech else halves), speech_alone=is_speech
    )


def _usual(wish: Semantic, sample: Sample, kind: Half) -> Gumbel | None:
    rows = sample.picture if kind == "picture" else sample.speech
    if wish.unrelated is not None:
        return rows.for_questions(wish.unrelated)
    return rows.for_picture(wish.vector, sample.pictures)


def _best(
    candidates: _Candidates, evidence: list[_Likeness], scores: np.ndarray, depth: int
) -> list[Hit]:
    judged = any(each.usual for each in evidence)
    strengths = _strengths(evidence) if judged else -np.stack([e.ranks for e in evidence])
    chosen = _first(scores, depth)
    found = candidates.take(chosen, [each.kind for each in evidence])
    reasons = [_reasons(found, each) for each in evidence]
    hits = []
    for place, (i, row) in enumerate(zip(chosen, found.select(ROW).to_pylist(), strict=True)):
        best = strengths[:, i].argmax()
        match = percent(float(strengths[best, i])) if judged else None
        good = None if match is None else match >= GOOD_MATCH
        why = reasons[best][place]
        hits.append(Hit(**row, score=float(scores[i]), match=match, good=good, why=why))
    return ordered(hits)[:depth]


def _first(scores: np.ndarray, depth: int) -> np.ndarray:
    """The numbers of the `depth` best, and of those that equal the last of them."""
    if len(scores) <= depth:
        return np.arange(len(scores))
    return np.flatnonzero(scores >= np.partition(scores, -depth)[-depth])


def _strengths(evidence: list[_Likeness]) -> np.ndarray:
    """float `[kinds, n]`. Where it is looked twice, chance has two goes, too."""
    looks = sum(each.usual is not None for each in evidence)
    strengths: np.ndarray = np.stack([each.strengths for each in evidence]) - np.log(looks)
    return strengths


def _sample(snapshot: Snapshot, wish: SimilarTo | Semantic) -> Sample | None:
    usual = sample(snapshot, wish.visual_recipe, wish.speech_recipe)
    return usual if usual.is_enough else None


def _recipes(wish: SimilarTo | Semantic) -> list[Expr]:
    recipes = {"visual_recipe": wish.visual_recipe, "speech_recipe": wish.speech_recipe}
    return [col(name) == lit(text) for name, text in recipes.items() if text is not None]


def _given(half: np.ndarray | None) -> np.ndarray | None:
    return half if half is not None and half.any() else None


def _or_zeros(half: np.ndarray | None, d: int) -> np.ndarray:
    return np.zeros(d, np.float32) if half is None else half.astype(np.float32)


# by words


def _by_words(snapshot: Snapshot, wish: Words, only: Filter, depth: int) -> list[Hit]:
    wanted = Wanted(wish.text)
    where, columns = only.where(), [*ROW, "segments", "_score"]

    def find(limit: int) -> pa.Table:
        search: Any = snapshot.table.search(wanted.query(some=wish.some), query_type="fts")
        return search.where(where).select(columns).limit(limit).to_arrow()

    found = with_equals(snapshot, find, "_score", depth)
    return ordered(_said(row, wanted, whole=not wish.some) for row in found.to_pylist())[:depth]


def _said(row: dict[str, Any], wanted: Wanted, *, whole: bool) -> Hit:
    segments, score = row.pop("segments"), row.pop("_score")
    place = wanted.place([Segment(**segment) for segment in segments])
    why = Evidence("words", place.start, place.end, place.text) if place else Evidence("words")
    match = 100.0 if whole else 100 * wanted.share(row["transcript"])
    return Hit(**row, score=score, match=match, good=match >= GOOD_MATCH, why=why)
