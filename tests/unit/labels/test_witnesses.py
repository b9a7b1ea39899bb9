"""Witnesses that followed what came, went and moved are those of a fresh look."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.labels.features import Features
from pipeline.labels.space import Space
from pipeline.labels.witnesses import NEAREST, Witnesses
from store.analysis.vectors import Rows

CONTENTS = 14
GONE, LOOSE = None, ""
FOLDERS = ("ä/b", "pets", "x")

_embeddings = np.random.default_rng(1).standard_normal((CONTENTS, 8)).astype(np.float32)
_space = Space.of(_embeddings)
_hashes = pa.array([f"{content:02x}" for content in range(CONTENTS)])


def collection(places: list[str | None]) -> Features:
    """A collection in which each content is in a folder, in none, or gone; in order of paths."""
    there = sorted(
        (f"{place}/{content}", content) for content, place in enumerate(places) if place is not None
    )
    content = np.array([each for _, each in there], np.int64)
    rows = {
        "path": pa.array([path for path, _ in there], pa.string()),
        "label": pa.array([places[each] or None for each in content], pa.string()),
        "content_hash": _hashes.take(pa.array(content)),
    }
    none = np.empty((0, 8), np.float32)
    source = Rows(pa.table(rows))
    return Features(source, content, _embeddings, none, _hashes, _space, content, exact=True)


def find(features: Features, before: Witnesses | None) -> Witnesses:
    """Ask for each loose video in two folders, by which video it is."""
    loose = [row for row, label in enumerate(features.source.labels) if label is None]
    rows, clips = np.repeat(np.array(loose, np.int64), 2), features.clips
    asked = features.content[rows] + np.tile([0, 1], len(loose))
    return Witnesses.find(features, clips, rows, asked % (len(clips.names) + 1) - 1, before)


place = st.sampled_from([GONE, LOOSE, *FOLDERS])
change = st.tuples(st.integers(0, CONTENTS - 1), place)


@given(
    places=st.lists(place, min_size=CONTENTS, max_size=CONTENTS),
    steps=st.lists(st.lists(change, min_size=1, max_size=4), min_size=1, max_size=3),
)
def test_whatever_comes_goes_and_moves(
    places: list[str | None], steps: list[list[tuple[int, str | None]]]
) -> None:
    followed = None
    for step in [[], *steps]:
        for content, to in step:
            places[content] = to
        features = collection(places)
        fresh, followed = find(features, None), find(features, followed)
        assert followed.near_rows.tolist() == fresh.near_rows.tolist()
        np.testing.assert_allclose(followed.scores, fresh.scores, atol=1e-6)  # of float32
        followed = Witnesses.from_arrays(followed.to_arrays())


def test_they_are_the_nearest_of_the_folder_and_as_many_as_there_are() -> None:
    features = collection([LOOSE, *["pets"] * (NEAREST + 2), *["x"] * 2, *[GONE] * 6])
    row = np.array(features.source.labels.index(None))
    found = Witnesses.find(features, features.clips, np.repeat(row, 3), np.array([0, 1, -1]))
    moved = features.centred(np.arange(len(features.content)))
    cosine = moved @ moved[row] / (moved[row] @ moved[row])
    for near, name in zip(found.near_rows.tolist(), features.clips.names, strict=False):
        rows = [each for each, label in enumerate(features.source.labels) if label == name]
        assert [each for each in near if each >= 0] == sorted(rows, key=lambda r: -cosine[r])[:3]
    assert (found.near_rows >= 0).sum(axis=1).tolist() == [NEAREST, 2, 0]


def test_only_those_that_lost_one_look_among_all() -> None:
    places: list[str | None] = [LOOSE, LOOSE, *["pets"] * 6, *["x"] * 6]
    before = find(collection(places), None)
    lost = before.clips[before.near[before.near >= 0][0]]
    before.scores[:] += 9  # shows what was taken over
    places[int(lost[-2:], 16)] = GONE
    found = find(collection(places), before)
    has_lost = (before.clips[before.near] == lost).any(axis=1) & (before.near >= 0).all(axis=1)
    has_any = (found.near >= 0).all(axis=1)
    assert has_lost.any()
    assert (found.scores[has_lost] <= 1).all()
    assert (found.scores[has_any & ~has_lost] > 8).all()
