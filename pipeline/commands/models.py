"""`models`: the CLIP models that there are, and which is for what."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from pipeline.commands.output import add_json, print_json
from pipeline.commands.tables import print_table

if TYPE_CHECKING:
    from pipeline.settings import Settings

HELP = "the CLIP models there are, and which is for what"
EXAMPLE = "models"
HEADER = ("model", "width", "context", "picture", "download", "languages", "for", "clip.pretrained")


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument_group(
        "columns",
        "width: numbers of each half of an embedding; a store holds vectors of one width. context:"
        " tokens of text that are encoded at once. picture: pixels that a frame is resized to."
        " download: about, at 4 bytes a parameter. SigLIP and those for many languages need pip"
        " install 'video-vectors[transformers]'.",
    )
    add_json(parser)


def run(_: Settings, options: argparse.Namespace) -> int:
    from pipeline.models.hub import megabytes
    from pipeline.models.known import known_models

    models = known_models()
    if options.json:
        print_json([asdict(model) for model in models])
        return 0
    rows = [
        (
            model.model,
            str(model.width),
            str(model.context),
            str(model.picture),
            megabytes(model.download_bytes) if model.download_bytes else "?",
            model.languages,
            model.recommended,
            ", ".join(model.tags),
        )
        for model in models
    ]
    print_table(HEADER, rows, empty="open_clip lists no model", cut=True)
    return 0
