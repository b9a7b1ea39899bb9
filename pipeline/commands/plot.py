"""`plot`: the collection as a picture."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from pipeline.commands.arguments import picture
from pipeline.commands.output import add_json, show
from pipeline.terminal import say

if TYPE_CHECKING:
    from pipeline.settings import Settings

HELP = "a picture of the collection (t-SNE), PNG or HTML"
EXAMPLE = "plot --out plot.html"


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
    from pipeline.plot.plot import plot_collection
    from pipeline.project import Project

    out = options.out or settings.path(settings.export.dir) / "embeddings_tsne.png"
    with Project.open(settings) as project:
        plotted = plot_collection(project, out, say)
    lines = [f"Saved the plot of {plotted.videos} videos to {out}"]
    show({**asdict(plotted), "out": str(out)}, lines, as_json=options.json)
    return 0
