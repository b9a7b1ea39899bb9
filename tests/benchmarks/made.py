"""Made-up rows that look like those of a real collection, in blocks of any number.

Vectors are a mixture: 2,000 topics of very different size in a cone of each kind (CLIP's pictures
and texts lie in two narrow cones), with a decaying spectrum. Five frames and two stretches of
speech scatter around each video; 70% of the videos have speech, half of those about what they show.
A label is a group of topics; 30% have none. Block n is the same in every run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
import pyarrow as pa

from pipeline.config import load
from pipeline.models.recipe import recipe_of
from store.schema import Row
from store.table.arrow import rows_to_arrow
from tests.benchmarks.measure import ROOT
from tests.support.rows import make_row

D = 512
FRAMES = 5
WINDOWS = 2
TOPICS = 2_000
LABELS = 50
WORDS = 20_000
BLOCK_ROWS = 1_000  # larger arrays cost more in page faults than in arithmetic

_PICTURE, _TEXT = 0, 1


@dataclass(frozen=True, eq=False)
class Block:
    """`n` videos.

    Args:
        first: the number of the first of them.
        labels: int64 `[n]`; -1 for none.
        topics: int64 `[n]`.
        frames: float32 `[n, FRAMES, D]`, of unit length.
        windows: float32 `[n, WINDOWS, D]`, of unit length, or zeros where nobody speaks.
    """

    first: int
    labels: np.ndarray
    topics: np.ndarray
    frames: np.ndarray
    windows: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def visual(self) -> np.ndarray:
        return unit(self.frames.mean(axis=1))

    @cached_property
    def speech(self) -> np.ndarray:
        return unit(self.windows.mean(axis=1))

    @property
    def spoken(self) -> np.ndarray:
        return np.asarray(self.windows[:, 0].any(axis=1))

    @property
    def ids(self) -> np.ndarray:
        return np.arange(self.first, self.first + len(self))


def block(number: int, rows: int = BLOCK_ROWS) -> Block:
    """The first `rows` videos of a block."""
    rng = np.random.default_rng((1, number))
    topics = _topics(rng, rows)
    labels = np.where(rng.random(rows) < 0.7, topics % LABELS, -1)
    said = np.where(rng.random(rows) < 0.5, topics, _topics(rng, rows))
    windows = _around(rng, _TEXT, said, WINDOWS)
    windows[rng.random(rows) >= 0.7] = 0
    return Block(
        number * BLOCK_ROWS, labels, topics, _around(rng, _PICTURE, topics, FRAMES), windows
    )


def texts(topics: np.ndarray, seed: int) -> np.ndarray:
    """float32 `[n, D]`: what a text about each topic would be."""
    return _around(np.random.default_rng((2, seed)), _TEXT, topics, 1)[:, 0]


def path_of(number: int, label: int) -> str:
    return f"{number:07}.mp4" if label < 0 else f"label{label:02}/{number:07}.mp4"


def to_arrow(made: Block, thumbnail_bytes: int) -> pa.Table:
    """Rows of the store's schema, as a scan with the default settings would have left them."""
    rng = np.random.default_rng((3, made.first))
    spoken, n = made.spoken, len(made)
    rows = rows_to_arrow([_base()]).take(pa.array(np.zeros(n, np.int64)))
    noise = rng.bytes(thumbnail_bytes + n)
    flags = pa.array(spoken)
    whole = np.concatenate([made.visual, made.speech], axis=1)
    transcripts = _transcripts(rng, spoken)
    columns = {
        "path": [path_of(i, label) for i, label in zip(made.ids, made.labels, strict=True)],
        "label": [f"label{label:02}" if label >= 0 else None for label in made.labels],
        "content_hash": [f"{i:032x}" for i in made.ids],
        "duration_seconds": rng.uniform(3, 60, n),
        "embedding": pa.FixedSizeListArray.from_arrays(pa.array(whole.ravel()), 2 * D),
        "frame_vectors": _lists(made.frames, np.full(n, FRAMES)),
        "speech_vectors": _lists(made.windows[spoken], WINDOWS * spoken),
        "thumbnail": [noise[i : i + thumbnail_bytes] for i in range(n)],
        "transcript": transcripts,
        "words": transcripts,
        "speech_status": pa.array(np.where(spoken, "speech", "no_speech")),
        "language": pa.array(np.where(rng.random(n) < 0.8, "en", "de")),
    }
    for name, values in columns.items():
        place = rows.schema.get_field_index(name)
        column = values if isinstance(values, pa.Array) else pa.array(values)
        field = rows.schema.field(place)
        rows = rows.set_column(place, field, column.cast(field.type))
    for name in ("segments", "speech_windows"):
        place = rows.schema.get_field_index(name)
        nothing = pa.array([[]] * n, rows.schema.field(place).type)
        kept = pa.compute.if_else(flags, rows.column(name).combine_chunks(), nothing)
        rows = rows.set_column(place, rows.schema.field(place), kept)
    return rows


def unit(vectors: np.ndarray) -> np.ndarray:
    """Of unit length along the last axis; zeros stay."""
    lengths = np.sqrt((vectors**2).sum(axis=-1, keepdims=True))
    scaled: np.ndarray = vectors / np.where(lengths > 0, lengths, 1)
    return scaled.astype(np.float32, copy=False)


def _base() -> Row:
    recipe = recipe_of(load(ROOT / "config.toml"))
    return replace(
        make_row("x", 0, d=D, frames=FRAMES, windows=WINDOWS),
        visual_recipe=recipe.visual,
        transcript_recipe=recipe.transcript,
        speech_recipe=recipe.speech,
    )


@cache
def _world() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both cones `[2, D]`, the topics' centres `[TOPICS, D]`, and the spectrum `[D]`."""
    rng = np.random.default_rng(0)
    spectrum = (1 + np.arange(D) / 32) ** -0.5
    spectrum *= np.sqrt(D / (spectrum**2).sum()) / np.sqrt(D)
    cones = 1.2 * unit(rng.standard_normal((2, D)))
    centres = rng.standard_normal((TOPICS, D)) * spectrum
    return cones.astype(np.float32), centres.astype(np.float32), spectrum.astype(np.float32)


def _topics(rng: np.random.Generator, n: int) -> np.ndarray:
    shares = 1 / (np.arange(TOPICS) + 10)
    return rng.choice(TOPICS, n, p=shares / shares.sum())


def _around(rng: np.random.Generator, kind: int, topics: np.ndarray, pieces: int) -> np.ndarray:
    """float32 `[n, pieces, D]`, of unit length: pieces of videos of these topics."""
    cones, centres, spectrum = _world()
    videos = rng.standard_normal((len(topics), D), np.float32) * (0.8 * spectrum)
    videos += centres[topics] + cones[kind]
    found = rng.standard_normal((len(topics), pieces, D), np.float32)
    found *= 0.5 * spectrum
    found += videos[:, None]
    found /= np.sqrt(np.einsum("npd,npd->np", found, found))[..., None]
    return found


def _lists(vectors: np.ndarray, counts: np.ndarray) -> pa.ListArray:
    offsets = pa.array(np.cumsum([0, *counts]).astype(np.int32))
    flat = pa.array(vectors.astype(np.float16).ravel())
    return pa.ListArray.from_arrays(offsets, pa.FixedSizeListArray.from_arrays(flat, D))


def _transcripts(rng: np.random.Generator, spoken: np.ndarray) -> list[str]:
    """Thirty words each, of which few are frequent and most are rare."""
    words = np.array([f"word{i}" for i in range(WORDS)])
    drawn = np.minimum(rng.zipf(1.3, (len(spoken), 30)) - 1, WORDS - 1)
    return [" ".join(words[row]) if said else "" for row, said in zip(drawn, spoken, strict=True)]
