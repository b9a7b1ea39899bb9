"""Export of a project: the files that a classifier trains on, or the same as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline import __version__
from pipeline.errors import PipelineError
from pipeline.project import Project
from store.artifacts.export import ExportSummary, export
from store.artifacts.split import training_rows
from store.artifacts.subtitles import SubtitlesSummary, write_subtitles

if TYPE_CHECKING:
    from store.analysis.vectors import Vectors


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Args:
        artifacts: counts of the files to train on.
        subtitles: counts of the subtitles; None where none were asked for.
    """

    artifacts: ExportSummary
    subtitles: SubtitlesSummary | None = None


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Vectors and labels of a collection, as `export` writes them.

    Args:
        X: vectors of the labeled videos, float32 `[n, D]`, of each `[visual | speech]`.
        y: index of each label in `names`, int64 `[n]`.
        names: the labels, sorted.
        paths: of the labeled videos, as the command line shows them.
        trains: whether each labeled video trains, bool `[n]`; the others validate. The same share
            of each label, copies and near copies on one side.
        X_unlabeled: vectors of the unlabeled videos, float32 `[m, D]`.
        unlabeled_paths: of the unlabeled videos.
    """

    X: np.ndarray
    y: np.ndarray
    names: tuple[str, ...]
    paths: tuple[str, ...]
    trains: np.ndarray
    X_unlabeled: np.ndarray
    unlabeled_paths: tuple[str, ...]


def export_project(
    project: Project,
    out: Path | None = None,
    *,
    formats: Sequence[str] = (),
    split: float | None = None,
    offline: bool = False,
    subtitles: Path | None = None,
) -> Exported:
    """Write tensors, transcripts and manifest, and whatever else is asked for.

    Args:
        project: open project.
        out: the folder to write to; None for `export.dir`.
        formats: `parquet`, `npz` or `csv`, beside `pt`.
        split: share of each label that trains, between 0 and 1; None makes no split.
        offline: whether to export videos that are not there now, too.
        subtitles: folder for an .srt and a .vtt of each video; None writes none.

    Raises:
        PipelineError: there is nothing to export.
        StoreError: the store cannot be read, or a file cannot be written.
    """
    if nothing := project.why_empty(offline=offline):
        raise PipelineError(f"nothing to export. {nothing}")
    settings = project.settings
    written = export(
        project.store,
        out or settings.path(settings.export.dir),
        data_dir=project.written,
        recipe=project.recipe,
        version=__version__,
        models={"clip": settings.clip.model_dump(), "whisper": settings.whisper.model_dump()},
        offline=offline,
        formats=formats,
        train_share=split,
    )
    if subtitles is None:
        return Exported(written)
    return Exported(
        written,
        write_subtitles(project.store, subtitles, recipe=project.recipe, offline=offline),
    )


def training_data(project: Project, split: float = 0.8) -> TrainingData:
    """Read what a classifier trains on: 4 KB a video in memory.

    Args:
        project: open project.
        split: share of each label that trains, between 0 and 1.

    Raises:
        PipelineError: no video has a label.
        StoreError: the store cannot be read.
        ValueError: the share is out of its range.
    """
    if not 0 < split < 1:
        raise ValueError(f"split {split}: it should be between 0 and 1")
    vectors = project.vectors()
    is_labeled = np.array([label is not None for label in vectors.labels], bool)
    labeled, unlabeled = _chosen(vectors, is_labeled), _chosen(vectors, ~is_labeled)
    if not len(labeled):
        raise PipelineError("there is no labeled video: put some into folders and scan them")
    names, y = np.unique(np.array(labeled.labels, np.object_), return_inverse=True)
    return TrainingData(
        X=labeled.embeddings,
        y=y.astype(np.int64),
        names=tuple(names.tolist()),
        paths=tuple(map(project.shown, labeled.paths)),
        trains=training_rows(labeled, split),
        X_unlabeled=unlabeled.embeddings,
        unlabeled_paths=tuple(map(project.shown, unlabeled.paths)),
    )


def _chosen(vectors: Vectors, chosen: np.ndarray) -> Vectors:
    from store.analysis.vectors import Vectors

    rows = vectors.rows.filter(chosen)
    return Vectors(rows, vectors.embeddings[chosen], vectors.snapshot)
