"""The door for Python: open a project, and search, export or train with a line each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pipeline.config import find, load
from pipeline.errors import SettingsError
from pipeline.project import Project
from pipeline.search.question import Question, Remark
from pipeline.search.searcher import Searcher
from store.retrieval.filter import Filter
from store.retrieval.hits import Hit, as_arrow

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from pipeline.artifacts import Exported, TrainingData

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class SearchResult:
    """The hits of a search, best first; it has a length, can be indexed and iterated over.

    Args:
        hits: their paths as the command line shows them.
        remark: what there is to know beside the hits, or why there are none; None where they speak
            for themselves.
    """

    hits: tuple[Hit, ...]
    remark: Remark | None = None

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __getitem__(self, index: int) -> Hit:
        return self.hits[index]

    def to_arrow(self) -> pa.Table:
        """Give the hits as rows, with the fields of `Hit` and `Evidence` as columns."""
        return as_arrow(self.hits)

    def to_pandas(self) -> pd.DataFrame:
        """Give the rows of `to_arrow` as a data frame; pandas has to be installed."""
        return self.to_arrow().to_pandas()


class Session:
    """An open project to ask from Python. Close it, or use it in a `with` block.

    Models are loaded when a question needs them, and then kept.

    Args:
        project: settings and open store; `close` closes it.
    """

    def __init__(self, project: Project) -> None:
        self.project = project

    def search(
        self,
        text: str | None = None,
        *,
        image: PathLike | None = None,
        video: PathLike | None = None,
        words: str | None = None,
        places: str | None = None,
        nearest: bool = False,
        k: int = 10,
        label: str | None = None,
        unlabeled: bool = False,
        language: str | None = None,
        min_seconds: float | None = None,
        max_seconds: float | None = None,
        since: datetime | None = None,
    ) -> SearchResult:
        """Find the best videos; a video that is asked with is not among them.

        What to find may be combined; all filters have to hold.

        Args:
            text: what is shown or said, in any words.
            image: picture file; videos that show what it does.
            video: videos like this one: a path as hits have it, or a file, stored or not.
            words: words that are all said; those in quotes next to each other. Needs no model.
            places: where to look, `picture`, `speech` or `both`; None looks in pictures for an
                image and in both for all else.
            nearest: also find what matches less well, and what says only some of the words.
            k: most hits.
            label: only videos with this label.
            unlabeled: only videos without a label.
            language: only videos in which this is spoken; an ISO 639-1 code.
            min_seconds: only videos of this length or longer.
            max_seconds: only videos of this length or shorter.
            since: only videos whose file was last modified then or later; with a time zone.

        Raises:
            SettingsError: nothing is asked, a file does not exist or is no picture, or a text has
                no words.
            VideoError: the video cannot be embedded.
            ModelError: a model cannot be loaded.
            StoreError: the store cannot be read.
            ValueError: no video can fulfil the filters, or a value is out of its range.
        """
        picture = None if image is None else Path(image)
        like = None if video is None else self._file(video)
        question = Question(text, picture, like, words, places=places, nearest=nearest)
        only = Filter(label, unlabeled, language, min_seconds, max_seconds, since)
        return self._answer(question, k, only)

    def training_data(self, *, split: float = 0.8) -> TrainingData:
        """Read vectors, labels and a split of them, as `export` writes them.

        Args:
            split: share of each label that trains, between 0 and 1.

        Raises:
            PipelineError: no video has a label.
            StoreError: the store cannot be read.
            ValueError: the share is out of its range.
        """
        from pipeline.artifacts import training_data

        return training_data(self.project, split)

    def export(
        self,
        out: PathLike | None = None,
        *,
        formats: Sequence[str] = (),
        split: float | None = None,
        offline: bool = False,
        subtitles: PathLike | None = None,
    ) -> Exported:
        """Write the files that a classifier trains on.

        Args:
            out: the folder to write to; None for `export.dir`.
            formats: `parquet`, `npz` or `csv`, beside `pt`.
            split: share of each label that trains, between 0 and 1; None makes no split.
            offline: whether to export videos that are not there now, too.
            subtitles: folder for an .srt and a .vtt of each video; None writes none.

        Raises:
            PipelineError: there is nothing to export.
            StoreError: the store cannot be read, or a file cannot be written.
        """
        from pipeline.artifacts import export_project

        return export_project(
            self.project,
            None if out is None else Path(out),
            formats=formats,
            split=split,
            offline=offline,
            subtitles=None if subtitles is None else Path(subtitles),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the store."""
        self.project.close()

    @cached_property
    def _searcher(self) -> Searcher:
        return Searcher(self.project)

    def _answer(self, question: Question, k: int, only: Filter) -> SearchResult:
        if question.places not in (None, "picture", "speech", "both"):
            raise ValueError(f"places {question.places!r}: it should be picture, speech or both")
        if k < 1:
            raise ValueError(f"k {k}: it should be 1 or more")
        if question.is_empty:
            raise SettingsError("search: give a text, an image, a video or words")
        answer = self._searcher.ask(question, k=k, only=only)
        shown = (replace(hit, path=self.project.shown(hit.path)) for hit in answer.hits)
        return SearchResult(tuple(shown), answer.remark)

    def _file(self, video: PathLike) -> Path:
        """Find the file of a video that is named as hits name it, or as any file is."""
        written = os.fspath(video)
        key = written.removeprefix(self.project.shown(""))
        is_shown = key != written or not os.path.lexists(written)
        if is_shown and self.project.store.rows([key]):
            return self.project.collection.root / key
        return Path(written)


def open_session(source: PathLike | None = None) -> Session:
    """Open a project by its configuration or by its store.

    Args:
        source: a configuration file, or the folder or URI of a store, which is opened with the
            configuration that None stands for, and shows paths as its last scan did. None is the
            configuration that the command line would read: `$VIDEO_VECTORS_CONFIG`, `config.toml`
            in the working folder, or the program's own.

    Raises:
        SettingsError: the configuration cannot be read, or is wrong.
        StoreError: the store cannot be opened.
    """
    if source is None:
        return Session(Project.open(load(find(None))))
    written = os.fspath(source)
    if "://" not in written and not os.path.isdir(written):
        return Session(Project.open(load(Path(written))))
    uri = written if "://" in written else os.path.abspath(written)
    settings = load(find(None))
    opened = settings.model_copy(update={"store": settings.store.model_copy(update={"uri": uri})})
    return Session(Project.open(opened, as_scanned=True))
