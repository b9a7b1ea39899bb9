"""Hits of a search, and the fusion of several rankings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa

RRF_K = 60
"""Constant of reciprocal rank fusion: Cormack, Clarke and Buettcher, "Reciprocal rank fusion
outperforms Condorcet and individual rank learning methods", SIGIR 2009."""


@dataclass(frozen=True)
class Evidence:
    """The moment that speaks most for a video.

    Args:
        kind: `picture`, `speech` (by meaning) or `words` (the very words).
        time: seconds of the best frame, or of the start of the best stretch of speech.
        end: seconds of the end of that stretch.
        sentence: what is said there.
    """

    kind: str
    time: float | None = None
    end: float | None = None
    sentence: str | None = None


@dataclass(frozen=True)
class Hit:
    """A video that was found.

    Args:
        path: of its row.
        label: of its row.
        score: ranks the hits of one search, and means nothing beside that of another.
        transcript: of its row.
        match: how well it matches, 0 to 100: the share of unrelated questions to which the best
            answer of the whole collection would be less alike; of words, the share that was said.
            100 for the very vectors that were asked with. None where there are not enough videos
            to judge by.
        good: whether that is a good match; None as for `match`.
        why: what speaks for it.
    """

    path: str
    label: str | None
    score: float
    transcript: str
    match: float | None
    good: bool | None
    why: Evidence


HIT_SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("transcript", pa.string(), nullable=False),
        pa.field("match", pa.float64()),
        pa.field("good", pa.bool_()),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("time", pa.float64()),
        pa.field("end", pa.float64()),
        pa.field("sentence", pa.string()),
    ]
)


def nothing_matches(hits: Sequence[Hit]) -> bool:
    """Tell whether there are hits, but none that is or may be a good match."""
    return bool(hits) and all(hit.good is False for hit in hits)


def as_dicts(hits: Iterable[Hit]) -> list[dict[str, Any]]:
    """Give each hit as a flat dict with the columns of `HIT_SCHEMA`."""
    whole = (asdict(hit) for hit in hits)
    return [{**hit.pop("why"), **hit} for hit in whole]


def as_arrow(hits: Iterable[Hit]) -> pa.Table:
    """Give hits as an Arrow table of `HIT_SCHEMA`."""
    return pa.Table.from_pylist(as_dicts(hits), schema=HIT_SCHEMA)


def ordered(hits: Iterable[Hit]) -> list[Hit]:
    """Sort hits: best first, equals in path order."""
    return sorted(hits, key=lambda hit: (-hit.score, hit.path))


def fuse(rankings: Sequence[Sequence[Hit]]) -> list[Hit]:
    """Fuse rankings by reciprocal rank (see RRF_K).

    The score is 1 for what is first in every ranking. Match and evidence are those of the ranking
    in which a video matches best.
    """
    scores: dict[str, float] = {}
    best: dict[str, Hit] = {}
    for ranking in rankings:
        for rank, hit in enumerate(ranking, start=1):
            scores[hit.path] = scores.get(hit.path, 0.0) + 1 / (RRF_K + rank)
            if hit.path not in best or _certainty(hit) > _certainty(best[hit.path]):
                best[hit.path] = hit
    most = len(rankings) / (RRF_K + 1)
    return ordered(replace(best[path], score=score / most) for path, score in scores.items())


def _certainty(hit: Hit) -> float:
    return -1.0 if hit.match is None else hit.match
