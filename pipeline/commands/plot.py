"""`plot`: the collection as a picture."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.output import add_json, show
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    import numpy as np

    from pipeline.config import Settings
    from pipeline.plot.layout import Group
    from pipeline.project import Project
    from store.analysis.vectors import Vectors

HELP = "a picture of the collection (t-SNE), PNG or HTML"


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=picture,
        metavar="FILE",
        help="a .png, or an .html that shows each video under the mouse"
        " (default: embeddings_tsne.png in export.dir)",
    )
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.plot.layout import groups, layout, to_png
    from pipeline.project import Project

    out: Path = options.out or settings.path(settings.export.dir) / "embeddings_tsne.png"
    is_page = out.suffix.lower() != ".png"
    with Project.open(settings) as project:
        vectors = project.vectors(["transcript", "thumbnail"] if is_page else [])
    if not len(vectors):
        raise PipelineError("there is no video of this recipe to plot: scan the folder first")
    places, legend = layout(vectors.embeddings), groups(vectors.labels)
    _save(out, _page(places, legend, vectors, project) if is_page else to_png(places, legend))
    facts = {"out": str(out), "videos": len(vectors), "labels": [group.name for group in legend]}
    show(facts, [f"Saved the plot of {len(vectors)} videos to {out}"], as_json=options.json)
    return 0


def picture(text: str) -> Path:
    """A path with an ending that says what to write."""
    path = Path(text)
    if path.suffix.lower() not in (".png", ".html", ".htm"):
        raise argparse.ArgumentTypeError(f"{text}: end it with .png or .html")
    return path


def _page(places: np.ndarray, legend: list[Group], vectors: Vectors, place: Project) -> bytes:
    from pipeline.plot.page import MOST_THUMBNAILS, Point, to_html

    if len(vectors) > MOST_THUMBNAILS:
        text = f"Without thumbnails: {len(vectors)} videos are more than {MOST_THUMBNAILS}."
        print(text, file=sys.stderr)
    columns = (vectors.paths, vectors.column("transcript"), vectors.column("thumbnail"))
    points = [
        Point(place.shown(path), transcript, jpeg if len(vectors) <= MOST_THUMBNAILS else None)
        for path, transcript, jpeg in zip(*columns, strict=True)
    ]
    return to_html(places, legend, points).encode()


def _save(file: Path, content: bytes) -> None:
    """Whole, or not at all."""
    unfinished = file.with_name(f".{file.name}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(content)
        unfinished.replace(file)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise PipelineError(f"{file}: the plot cannot be written: {error.strerror}") from error
