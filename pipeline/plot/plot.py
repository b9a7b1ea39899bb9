"""Plot a collection: read its vectors, lay them out, write a PNG or an HTML page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.plot.legend import caption, groups
from pipeline.plot.page import MOST_THUMBNAILS, Folder, Point, link_of, to_html
from pipeline.plot.places import place_videos
from pipeline.plot.png import to_png
from store.analysis.vectors import Rows, of_recipe, read_rows
from store.files import atomic_write

if TYPE_CHECKING:
    from pipeline.project import Project
    from store.schema import Recipe

Report = Callable[[str], None]
"""Receives a line for a person."""


@dataclass(frozen=True)
class Plotted:
    """What was plotted, and where.

    Args:
        out: written file.
        videos: number of points.
        labels: entries of the legend.
    """

    out: Path
    videos: int
    labels: tuple[str, ...]


def plot_collection(project: Project, out: Path, report: Report) -> Plotted:
    """Write a plot of the videos of a project.

    Args:
        project: open project.
        out: file to write whole or not at all: a PNG if its name ends with .png, else HTML.
        report: receives a line when the page has no thumbnails.

    Raises:
        PipelineError: there is nothing to plot, or the file cannot be written.
        StoreError: the store cannot be read.
    """
    is_page = out.suffix.lower() != ".png"
    found = place_videos(project)
    rows, places = found.rows, found.points
    if not len(rows):
        raise PipelineError(f"nothing to plot. {project.why_empty()}")
    if found.remark:
        report(found.remark)
    legend = groups(rows.labels)
    if is_page:
        folder = Folder(project.written, link_of(project.collection.root, out))
        content: bytes | str = to_html(
            places, legend, _points(rows, project.recipe, report), folder
        )
    else:
        content = to_png(places, legend, caption(len(rows), project.written))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(out, content)
    except (FileExistsError, NotADirectoryError) as error:
        raise PipelineError(f"{out}: a part of this path is a file, not a folder") from error
    except OSError as error:
        raise PipelineError(f"{out}: the plot cannot be written: {error.strerror}") from error
    return Plotted(out, len(rows), tuple(group.name for group in legend))


def _points(rows: Rows, recipe: Recipe, report: Report) -> list[Point]:
    has_pictures = len(rows) <= MOST_THUMBNAILS
    if not has_pictures:
        report(f"Without thumbnails: {len(rows)} videos are more than {MOST_THUMBNAILS}.")
    columns = ["transcript", "thumbnail"] if has_pictures else ["transcript"]
    read = read_rows(rows.snapshot, columns, of_recipe(recipe))
    transcripts = read.column("transcript").to_pylist()
    pictures = read.column("thumbnail").to_pylist() if has_pictures else [None] * len(rows)
    return [Point(*each) for each in zip(rows.paths, transcripts, pictures, strict=True)]
