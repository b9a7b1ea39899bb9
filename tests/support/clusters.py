"""Stores of made-up videos in clusters, for tests of what is done with vectors."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.config import load
from pipeline.models.recipe import recipe_of
from pipeline.settings import Settings
from store.analysis.vectors import Vectors, read_vectors
from store.schema import Row
from store.table.arrow import rows_to_arrow
from store.table.store import Store
from tests.support.projects import UserProject
from tests.support.rows import make_row

D = 32


@dataclass(frozen=True)
class Clusters:
    """Videos around centres, in a cone as CLIP's are.

    Args:
        seed: decides where everything is.
        noise: 1: every video nearest to its own; 3: many are not.
    """

    seed: int = 0
    noise: float = 1.0

    def row(self, path: str, cluster: int, number: int, *, spoken: bool = True) -> Row:
        """One video of a cluster; the same number is the same video."""
        visual, speech = (self._half(half, cluster, number) for half in (0, 1))
        row = make_row(path, d=D, windows=2 if spoken else 0)
        digest = hashlib.sha256(f"{self.seed} {cluster} {number}".encode()).hexdigest()
        return replace(
            row,
            content_hash=digest,
            visual=visual,
            speech=speech if spoken else row.speech,
            thumbnail=jpeg(cluster),
        )

    def near(self, row: Row, path: str, amount: float = 0.1) -> Row:
        """Another encoding of a video: other bytes, nearly the same vectors."""
        rng = np.random.default_rng(len(path))
        moved = row.visual + amount * rng.standard_normal(D) / np.sqrt(D)
        top, slash, _ = path.partition("/")
        return replace(
            row,
            path=path,
            label=top if slash else None,
            content_hash=hashlib.sha256(path.encode()).hexdigest(),
            visual=_unit(moved),
        )

    def _half(self, half: int, cluster: int, number: int) -> np.ndarray:
        def draw(*place: int) -> np.ndarray:
            return np.random.default_rng((self.seed, half, *place)).standard_normal(D)

        return _unit(1.5 * draw() + draw(cluster) + 0.7 * self.noise * draw(cluster, number + 1))


@cache
def jpeg(shade: int) -> bytes:
    """A small picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 36), (40 * shade % 256, 90, 120)).save(buffer, "JPEG")
    return buffer.getvalue()


def settings_of(project: UserProject) -> Settings:
    return load(project.config)


def vectors_of(folder: Path, rows: Iterable[Row]) -> Vectors:
    """The rows, written to a store and read from it."""
    with Store.open(str(folder / "store"), writer=True) as store:
        rows = list(rows)
        store.upsert(rows)
        return read_vectors(store, rows[0].recipe, ["transcript", "size", "mtime_ns"])


def in_memory(rows: Iterable[Row]) -> Vectors:
    """The rows as a store would give them, but for their pictures."""
    ordered = sorted(rows, key=lambda row: row.path)
    embeddings = np.stack([np.concatenate([row.visual, row.speech]) for row in ordered])
    return Vectors(rows_to_arrow(ordered).select(["path", "label", "content_hash"]), embeddings)


def fill(project: UserProject, rows: Iterable[Row]) -> list[Row]:
    """Put rows of the project's recipe into its store, and for each a file of its size and time."""
    recipe = recipe_of(settings_of(project))
    kept = []
    for row in rows:
        file = project.videos / row.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(row.content_hash.encode())
        facts = file.stat()
        kept.append(
            replace(
                row,
                size=facts.st_size,
                mtime_ns=facts.st_mtime_ns,
                visual_recipe=recipe.visual,
                transcript_recipe=recipe.transcript,
                speech_recipe=recipe.speech,
            )
        )
    with Store.open(str(project.store), writer=True) as store:
        store.upsert(kept)
    return kept


def _unit(vector: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = vector / np.linalg.norm(vector)
    return scaled.astype(np.float32)
