"""Rows to Arrow tables and back.

The two halves share one column, `embedding` = `[visual | speech]`: with the dot product `[v | 0]`
asks for the picture, `[0 | t]` for the words and `[v | t]` for both, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa

from store.schema import SCHEMA_VERSION, FailedFile, Row, Segment
from store.text import normal_form

VERSION_KEY = b"schema_version"

WORDS = "words"
"""The column with the transcript in normal form, which is searched for words."""

_SEGMENTS = pa.list_(
    pa.struct([("start", pa.float64()), ("end", pa.float64()), ("text", pa.string())])
)
_TIME = pa.timestamp("us", tz="UTC")

TRANSLATION = pa.field("translation", _SEGMENTS)
"""The field that came with version 4."""


def _key(name: str) -> pa.Field:
    """Make a primary key, which a table has from its first version on.

    Without one, two writers of the same new key leave two rows. The schema's version is kept in its
    metadata, where it can be changed in place.
    """
    metadata = {
        "lance-schema:unenforced-primary-key:position": "1",
        VERSION_KEY: str(SCHEMA_VERSION),
    }
    return pa.field(name, pa.string(), nullable=False, metadata=metadata)


def version_of(schema: pa.Schema) -> int | None:
    """Read the schema version that a table was written with; None where it is not one of ours."""
    written = (schema.field(0).metadata or {}).get(VERSION_KEY)
    return int(written) if written else None


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


def video_schema(dimension: int) -> pa.Schema:
    """Make the schema of the videos' table for halves of `dimension` numbers."""
    vectors = pa.list_(pa.list_(pa.float16(), dimension))
    return pa.schema(
        [
            _key("path"),
            pa.field("label", pa.string()),
            _required("content_hash", pa.string()),
            _required("size", pa.int64()),
            _required("mtime_ns", pa.int64()),
            _required("duration_seconds", pa.float64()),
            _required("width", pa.int32()),
            _required("height", pa.int32()),
            _required("embedding", pa.list_(pa.float32(), 2 * dimension)),
            _required("frame_times", pa.list_(pa.float64())),
            _required("frame_vectors", vectors),
            _required("frames_readable", pa.int64()),
            _required("frames_total", pa.int64()),
            _required("thumbnail", pa.binary()),
            _required("speech_status", pa.string()),
            pa.field("language", pa.string()),
            pa.field("language_probability", pa.float64()),
            _required("segments", _SEGMENTS),
            _required("transcript", pa.string()),
            _required("speech_windows", _SEGMENTS),
            _required("speech_vectors", vectors),
            _required("visual_recipe", pa.string()),
            _required("transcript_recipe", pa.string()),
            _required("speech_recipe", pa.string()),
            _required("embedded_at", _TIME),
            _required("offline", pa.bool_()),
            pa.field(WORDS, pa.string()),
            *moment_fields(dimension),
            TRANSLATION,
        ]
    )


def moment_fields(dimension: int) -> list[pa.Field]:
    """Make the fields that came with version 3; in older rows they are null."""
    return [
        pa.field("moment_times", pa.list_(pa.float64())),
        pa.field("moment_vectors", pa.list_(pa.list_(pa.float16(), dimension))),
        pa.field("moments_recipe", pa.string()),
    ]


VIDEO_COLUMNS = tuple(name for name in video_schema(1).names if name != WORDS)
"""Columns that a row is read from."""

ADDED = frozenset(field.name for field in (*moment_fields(1), TRANSLATION))
"""Columns that a table of an older version may lack."""

FAILURE_SCHEMA = pa.schema(
    [
        _key("path"),
        _required("size", pa.int64()),
        _required("mtime_ns", pa.int64()),
        pa.field("content_hash", pa.string()),
        _required("stage", pa.string()),
        _required("reason", pa.string()),
        _required("recipe", pa.string()),
        _required("failed_at", _TIME),
        _required("attempts", pa.int32()),
    ]
)

MEMORY_SCHEMA = pa.schema([_key("key"), _required("value", pa.string())])


def dimension_of(schema: pa.Schema) -> int:
    """Read the width of each half of the embedding from the schema of a videos' table."""
    return int(schema.field("embedding").type.list_size) // 2


def rows_to_arrow(rows: Sequence[Row]) -> pa.Table:
    """Make a table of `video_schema` from rows of one dimension, at least one."""
    schema = video_schema(rows[0].dimension)
    made = {
        "embedding": _fixed(np.stack([np.concatenate([r.visual, r.speech]) for r in rows])),
        "frame_vectors": _ragged([row.frame_vectors for row in rows]),
        "speech_vectors": _ragged([row.speech_vectors for row in rows]),
        "moment_vectors": _ragged([row.moment_vectors for row in rows]),
        "segments": pa.array([_dicts(row.segments) for row in rows], _SEGMENTS),
        "speech_windows": pa.array([_dicts(row.speech_windows) for row in rows], _SEGMENTS),
        "translation": pa.array(
            [None if row.translation is None else _dicts(row.translation) for row in rows],
            _SEGMENTS,
        ),
    }
    made[WORDS] = words_of([row.transcript for row in rows])
    columns = [
        made[field.name]
        if field.name in made
        else pa.array([getattr(row, field.name) for row in rows], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def rows_from_arrow(table: pa.Table) -> list[Row]:
    """Read rows from a table of `video_schema`.

    Frame and speech vectors come as they were kept, rounded to half precision.
    """
    if not len(table):
        return []
    d = dimension_of(table.schema)
    embeddings = matrix(table.column("embedding"), 2 * d)
    made: dict[str, list[Any]] = {
        "visual": list(embeddings[:, :d]),
        "speech": list(embeddings[:, d:]),
        "frame_times": [times.values.to_numpy() for times in table.column("frame_times")],
        "frame_vectors": [_unpacked(value, d) for value in table.column("frame_vectors")],
        "speech_vectors": [_unpacked(value, d) for value in table.column("speech_vectors")],
        "moment_times": [
            np.array(times or (), np.float64) for times in table.column("moment_times").to_pylist()
        ],
        "moment_vectors": [_unpacked(value, d) for value in table.column("moment_vectors")],
        "segments": [_segments(value) for value in table.column("segments").to_pylist()],
        "speech_windows": [
            _segments(value) for value in table.column("speech_windows").to_pylist()
        ],
        "translation": [
            None if value is None else _segments(value)
            for value in table.column("translation").to_pylist()
        ],
    }
    names = [field.name for field in fields(Row)]
    columns = [made[name] if name in made else table.column(name).to_pylist() for name in names]
    return [Row(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]


def words_of(transcripts: Sequence[str]) -> pa.Array:
    """Make the column of words from transcripts."""
    return pa.array(map(normal_form, transcripts), pa.string())


def failures_to_arrow(failed: Sequence[FailedFile]) -> pa.Table:
    """Make a table of `FAILURE_SCHEMA`."""
    columns = [
        pa.array([getattr(one, field.name) for one in failed], field.type)
        for field in FAILURE_SCHEMA
    ]
    return pa.Table.from_arrays(columns, schema=FAILURE_SCHEMA)


def failures_from_arrow(table: pa.Table) -> list[FailedFile]:
    """Read failed files from a table of `FAILURE_SCHEMA`."""
    return [FailedFile(**values) for values in table.to_pylist()]


def matrix(column: pa.ChunkedArray | pa.Array, width: int) -> np.ndarray:
    """Read a column of fixed-size lists as float32 `[n, width]`."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    flat: np.ndarray = whole.flatten().to_numpy()
    return flat.reshape(-1, width)


def _fixed(vectors: np.ndarray) -> pa.FixedSizeListArray:
    """Make a column of fixed-size lists from `[n, width]`, in the array's own number type."""
    flat = pa.array(np.ascontiguousarray(vectors).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])


def _ragged(vectors: Sequence[np.ndarray]) -> pa.ListArray:
    """Make a column of lists of float16 vectors, one list from each `[n, d]`."""
    offsets = np.cumsum([0, *(len(each) for each in vectors)], dtype=np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets), _fixed(np.concatenate(vectors).astype(np.float16))
    )


def _unpacked(value: pa.ListScalar, width: int) -> np.ndarray:
    if not value.is_valid:
        return np.zeros((0, width), np.float32)
    halves: np.ndarray = value.values.flatten().to_numpy()
    return halves.astype(np.float32).reshape(-1, width)


def _dicts(pieces: Sequence[Segment]) -> list[dict[str, Any]]:
    return [{"start": p.start, "end": p.end, "text": p.text} for p in pieces]


def _segments(pieces: Sequence[dict[str, Any]]) -> tuple[Segment, ...]:
    return tuple(Segment(**piece) for piece in pieces)
