"""`fetch`: the weights of the models, before they are needed or for a machine without a network."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.output import add_json, show
from pipeline.terminal import say

if TYPE_CHECKING:
    from pipeline.settings import Settings

HELP = "the models' weights, ahead of time or for an offline machine"
EXAMPLE = "fetch --to weights"


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--to",
        type=Path,
        metavar="FOLDER",
        help="write them to folders of their own, too, and print the settings that name these:"
        " bring FOLDER to a machine without a network",
    )
    add_json(parser)
    add_environment(parser)


def add_environment(parser: argparse.ArgumentParser) -> None:
    """Describe the variables that say how weights are fetched."""
    parser.add_argument_group(
        "environment",
        "Weights are fetched once, to HF_HOME (default: ~/.cache/huggingface). HF_ENDPOINT names"
        " another hub or a mirror, HTTPS_PROXY a proxy, HF_TOKEN an account. With HF_HUB_OFFLINE=1"
        " nothing is fetched.",
    )


def run(settings: Settings, options: argparse.Namespace) -> int:
    if options.to is not None:
        from pipeline.models.bundle import write_bundle

        names = write_bundle(settings, options.to, say)
        lines = [f"{key} = {json.dumps(value)}" for key, value in names.items()]
        show(names, lines, as_json=options.json)
        return 0
    from pipeline.models.fetch import fetch, fetch_texts

    clip, whisper = map(str, fetch(settings, say))
    fetch_texts(settings, say)
    lines = [f"CLIP: {clip}", f"Whisper: {whisper}"]
    show({"clip": clip, "whisper": whisper}, lines, as_json=options.json)
    return 0
