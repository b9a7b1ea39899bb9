"""`query`: the most similar videos."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.output import add_json, print_json

if TYPE_CHECKING:
    from pipeline.config import Settings

HELP = "find the most similar videos"


def add_flags(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--video", type=Path, metavar="FILE", help="like this one, stored or not")
    what.add_argument("--text", metavar="WORDS", help="that show or say this")
    parser.add_argument("-k", type=count, default=10, metavar="N", help="how many (default: 10)")
    parser.add_argument("--label", metavar="L", help="only videos with this label")
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline import asking, home
    from pipeline.tables import print_hits
    from store.table import Store

    with Store.open(settings.store_uri) as store:
        place = home.recalled(store, settings)
        if options.text is not None:
            hits = asking.by_text(store, settings, options.text, options.k, options.label)
        else:
            hits = asking.by_video(store, settings, place, options.video, options.k, options.label)
    found = [{**asdict(hit), "path": place.shown(hit.path)} for hit in hits]
    if options.json:
        print_json(found)
    else:
        print_hits(found)
    return 0


def count(text: str) -> int:
    """A whole number above zero."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number
