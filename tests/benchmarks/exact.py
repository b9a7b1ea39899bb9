"""Exact answers of a search, worked out beside the store while its rows are made.

A text's are the videos with the best moment of all, those of a video or picture the videos most
alike as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from store.retrieval.calibration import Gumbel
from store.retrieval.filter import Filter
from store.retrieval.queries import Semantic, SimilarTo
from tests.benchmarks import made

KEPT = 50  # of each kind; with both looked at, the first 10 are of the first 10 of each
UNRELATED = 60
KINDS = ("text in pictures", "text in speech", "text in both", "like a video", "like a picture")


@dataclass(frozen=True)
class Questions:
    """As many questions of each kind. Every other label filter is the topic's own.

    Args:
        count: how many.
        recipe: what made the rows, visual and speech.
    """

    count: int
    recipe: tuple[str, str]

    @cached_property
    def videos(self) -> made.Block:
        """Videos that are not in the store."""
        whole = made.block(10**6)
        spoken = np.flatnonzero(whole.spoken)[: self.count]
        return made.Block(
            0,
            whole.labels[spoken],
            whole.topics[spoken],
            whole.frames[spoken],
            whole.windows[spoken],
        )

    @cached_property
    def texts(self) -> np.ndarray:
        return made.texts(self.videos.topics, 0)

    @cached_property
    def unrelated(self) -> np.ndarray:
        return made.texts(np.random.default_rng(4).integers(0, made.TOPICS, UNRELATED), 1)

    @cached_property
    def labels(self) -> np.ndarray:
        own = self.videos.topics % made.LABELS
        other = np.random.default_rng(5).integers(0, made.LABELS, self.count)
        return np.where(np.arange(self.count) % 2 == 0, own, other)

    def query(self, kind: str, i: int) -> SimilarTo | Semantic:
        visual, speech = self.recipe
        if kind == "like a video":
            return SimilarTo(self.videos.visual[i], self.videos.speech[i], visual, speech)
        if kind == "like a picture":
            return SimilarTo(self.videos.visual[i], None, visual, speech)
        return Semantic(
            self.texts[i],
            picture=kind != "text in speech",
            speech=kind != "text in pictures",
            unrelated=self.unrelated,
            visual_recipe=visual,
            speech_recipe=speech,
        )

    def only(self, i: int, filtered: bool) -> Filter:
        return Filter(label=f"label{self.labels[i]:02}") if filtered else Filter()


class Best:
    """The `k` rows of the highest score for each question, and what else is known of them.

    Args:
        arrays: ids int64, scores and both evidences float32, each `[q, k]`.
    """

    def __init__(self, arrays: tuple[np.ndarray, ...]) -> None:
        self.arrays = arrays

    @classmethod
    def of(cls, count: int, k: int) -> Best:
        scores = [np.full((count, k), -np.inf, np.float32) for _ in range(3)]
        return cls((np.full((count, k), -1), *scores))

    def add(self, ids: np.ndarray, scores: np.ndarray, *evidence: np.ndarray) -> None:
        """Scores and evidences `[q, n]` of rows `[n]`."""
        k = self.arrays[0].shape[1]
        few = np.argpartition(-scores, min(k, scores.shape[1] - 1), axis=1)[:, :k]
        new = (ids[few], *(np.take_along_axis(a, few, axis=1) for a in (scores, *evidence)))
        joined = [np.concatenate(pair, axis=1) for pair in zip(self.arrays, new, strict=True)]
        order = np.argsort(-joined[1], axis=1, kind="stable")[:, :k]
        self.arrays = tuple(np.take_along_axis(each, order, axis=1) for each in joined)


class Exact:
    """Exact answers to every question, without and with its label filter."""

    def __init__(self, questions: Questions) -> None:
        self.questions = questions
        self.best = {
            (kind, filtered): Best.of(questions.count, KEPT)
            for kind in KINDS
            for filtered in (False, True)
            if kind != "text in both"  # of the other two
        }

    def add(self, block: made.Block) -> None:
        asked, spoken = self.questions, block.spoken
        seen = _most_alike(asked.texts, block.frames)
        heard = np.where(spoken, _most_alike(asked.texts, block.windows), -np.inf)
        by_picture = asked.videos.visual @ block.visual.T
        scores = {
            "text in pictures": seen,
            "text in speech": heard,
            "like a video": by_picture + asked.videos.speech @ block.speech.T,
            "like a picture": by_picture,
        }
        other = asked.labels[:, None] != block.labels[None]
        for (kind, filtered), best in self.best.items():
            found = np.where(other, -np.inf, scores[kind]) if filtered else scores[kind]
            best.add(block.ids, found.astype(np.float32), seen, heard.astype(np.float32))

    def answers(
        self, kind: str, filtered: bool, usual: tuple[Gumbel, Gumbel], k: int
    ) -> list[set[int]]:
        """Give the numbers of the `k` best rows of each question.

        Args:
            kind: one of `KINDS`.
            filtered: whether each question has its label filter.
            usual: distributions of pictures and of speech, where both are compared.
            k: how many rows.
        """
        names = ["text in pictures", "text in speech"] if kind == "text in both" else [kind]
        parts = [self.best[name, filtered].arrays for name in names]
        ids, scores, seen, heard = (
            np.concatenate(each, axis=1) for each in zip(*parts, strict=True)
        )
        ranked = {
            "text in pictures": seen,
            "text in speech": heard,
            "text in both": np.maximum(
                *((s - u.location) / u.scale for s, u in zip((seen, heard), usual, strict=True))
            ),
        }.get(kind, scores)
        ranked = np.where(np.isfinite(scores), ranked, -np.inf)
        return [_first(*each, k) for each in zip(ids, ranked, strict=True)]

    def save(self, file: Path) -> None:
        arrays = {
            f"{kind}|{int(filtered)}|{i}": array
            for (kind, filtered), best in self.best.items()
            for i, array in enumerate(best.arrays)
        }
        np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, file: Path, questions: Questions) -> Exact:
        """Load what was saved; without a file, answers of no rows."""
        exact = cls(questions)
        if file.exists():
            with np.load(file) as kept:
                for kind, filtered in exact.best:
                    names = [f"{kind}|{int(filtered)}|{i}" for i in range(4)]
                    exact.best[kind, filtered] = Best(tuple(kept[name] for name in names))
        return exact


def _most_alike(texts: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """float32 `[q, n]`: of each row's pieces, `[n, p, d]`."""
    n, p, d = pieces.shape
    found: np.ndarray = (texts @ pieces.reshape(n * p, d).T).reshape(-1, n, p).max(axis=2)
    return found


def _first(ids: np.ndarray, ranked: np.ndarray, k: int) -> set[int]:
    found: dict[int, None] = {}
    for place in np.argsort(-ranked, kind="stable"):
        if np.isfinite(ranked[place]):
            found.setdefault(int(ids[place]))
    return set(list(found)[:k])
