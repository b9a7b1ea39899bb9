"""Plot a collection: read its vectors, lay them out, write a PNG or an HTML page.

What was written last is kept beside the store, and is written again while no row changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import PipelineError
from pipeline.plot.legend import caption, groups
from pipeline.plot.page import MOST_THUMBNAILS, Folder, Point, link_of, to_html
from pipeline.plot.places import place_videos
from pipeline.plot.png import to_png
from store.analysis.kept import Kept
from store.analysis.vectors import Rows, of_recipe, read_present, read_rows
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
        report: receives a line for each thing that there is to know of the picture.

    Raises:
        PipelineError: there is nothing to plot, or the file cannot be written.
        StoreError: the store cannot be read.
    """
    rows = read_present(project.store, project.recipe)
    if not len(rows):
        raise PipelineError(f"nothing to plot. {project.why_empty()}")
    is_page = out.suffix.lower() != ".png"
    folder = Folder(project.written, link_of(project.collection.root, out) if is_page else "")
    about = (folder.shown, folder.link, _program())
    kept, subject = Kept(project.store, project.recipe), "page" if is_page else "picture"
    found = kept.load(subject)
    if found is None or str(found["digest"]) != rows.digest(*about):
        rows, content, remarks = _draw(project, folder, is_page=is_page)
        found = {"content": np.frombuffer(content, np.uint8), "remarks": np.array(remarks, np.str_)}
        kept.save(subject, {**found, "digest": np.array(rows.digest(*about))})
    for remark in found["remarks"].tolist():
        report(remark)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(out, found["content"].tobytes())
    except (FileExistsError, NotADirectoryError) as error:
        raise PipelineError(f"{out}: a part of this path is a file, not a folder") from error
    except OSError as error:
        raise PipelineError(f"{out}: the plot cannot be written: {error.strerror}") from error
    return Plotted(out, len(rows), tuple(group.name for group in groups(rows.labels)))


def _draw(project: Project, folder: Folder, *, is_page: bool) -> tuple[Rows, bytes, list[str]]:
    """Draw the picture or write the page; return its rows, too, and what there is to know of it."""
    found = place_videos(project)
    rows, legend = found.rows, groups(found.rows.labels)
    remarks = [found.remark] if found.remark else []
    if not is_page:
        return rows, to_png(found.points, legend, caption(len(rows), folder.shown)), remarks
    has_pictures = len(rows) <= MOST_THUMBNAILS
    if not has_pictures:
        remarks.append(f"Without thumbnails: {len(rows)} videos are more than {MOST_THUMBNAILS}.")
    points = _points(rows, project.recipe, has_pictures=has_pictures)
    return rows, to_html(found.points, legend, points, folder).encode(), remarks


def _program() -> str:
    """Return what changes with the program that draws."""
    return "".join(
        file.read_text(encoding="utf-8")
        for file in sorted(files("pipeline.plot").iterdir(), key=lambda file: file.name)
        if file.is_file()
    )


def _points(rows: Rows, recipe: Recipe, *, has_pictures: bool) -> list[Point]:
    columns = ["transcript", "thumbnail"] if has_pictures else ["transcript"]
    read = read_rows(rows.snapshot, columns, of_recipe(recipe))
    transcripts = read.column("transcript").to_pylist()
    pictures = read.column("thumbnail").to_pylist() if has_pictures else [None] * len(rows)
    return [Point(*each) for each in zip(rows.paths, transcripts, pictures, strict=True)]
