"""`query`: the videos that show, say or are like something."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.arguments import count, moment, seconds
from pipeline.commands.output import print_json
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from pipeline.config import Settings
    from pipeline.search.searcher import Question
    from store.retrieval.filter import Filter
    from store.retrieval.hits import Hit
    from store.table.store import Store

HELP = "find videos by what they show and say"
NOTHING_MATCHES = "Nothing matches well; --nearest shows what is nearest."
ONLY_NEAREST = "Nothing matches well; these are the nearest."


def add_flags(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what to find; several may be combined")
    what.add_argument("--text", metavar="WORDS", help="that show or say this, in any words")
    what.add_argument("--image", type=Path, metavar="FILE", help="that show what this picture does")
    what.add_argument("--video", type=Path, metavar="FILE", help="like this one, stored or not")
    what.add_argument(
        "--words",
        metavar="WORDS",
        help="in which all these words are said; in quotes: next to each other. Needs no model",
    )
    what.add_argument(
        "--in",
        dest="places",
        choices=("picture", "speech", "both"),
        help="where to look (default: both; for --image: picture); --words are always spoken ones",
    )
    which = parser.add_argument_group("only videos")
    labels = which.add_mutually_exclusive_group()
    labels.add_argument("--label", metavar="L", help="with this label")
    labels.add_argument("--unlabeled", action="store_true", help="without a label")
    which.add_argument("--language", metavar="CODE", help="in which this is spoken: en, de, ...")
    which.add_argument("--min-seconds", type=seconds, metavar="S", help="of this length or longer")
    which.add_argument("--max-seconds", type=seconds, metavar="S", help="of this length or shorter")
    which.add_argument(
        "--since",
        type=moment,
        metavar="DATE",
        help="whose file was last modified then or later: 2024-05-31, or with a time of day",
    )
    parser.add_argument("-k", type=count, default=10, metavar="N", help="how many (default: 10)")
    parser.add_argument(
        "--nearest",
        action="store_true",
        help="for words, show what is nearest also where nothing matches well",
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="one JSON document on stdout")
    output.add_argument("--paths", action="store_true", help="only paths, one a line")


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.commands.tables import print_hits
    from pipeline.project import Project
    from pipeline.search.searcher import Searcher
    from store.retrieval.hits import nothing_matches

    question = _question(options)
    with Project.open(settings) as project:
        only = _only(options)
        hits = Searcher(project).ask(question, k=options.k, only=only)
        is_weak = nothing_matches(hits)
        in_vain = is_weak and not (options.nearest or _is_example(options))
        remark = NOTHING_MATCHES if in_vain else _remark(project.store, hits, only, question)
        if is_weak and not in_vain:
            remark = ONLY_NEAREST
    if remark and (options.json or options.paths or not in_vain):
        print(remark, file=sys.stderr)
    found = [{**asdict(hit), "path": project.shown(hit.path)} for hit in ([] if in_vain else hits)]
    if options.json:
        print_json(found)
    elif options.paths:
        sys.stdout.writelines(f"{hit['path']}\n" for hit in found)
    else:
        print_hits(found, empty=NOTHING_MATCHES if in_vain else "Nothing was found.")
    return 0


def _is_example(options: argparse.Namespace) -> bool:
    """Whether the question is a video or a picture alone: it asks for its neighbours, and has some
    always. Words may name what is not there."""
    return not options.text and not options.words


def _question(options: argparse.Namespace) -> Question:
    from pipeline.search.searcher import Question

    names = ("text", "image", "video", "words", "places", "nearest")
    return Question(**{name: getattr(options, name) for name in names})


def _only(options: argparse.Namespace) -> Filter:
    from store.retrieval.filter import Filter

    shortest, longest = options.min_seconds, options.max_seconds
    if shortest is not None and longest is not None and shortest > longest:
        raise SettingsError(
            f"--min-seconds {shortest:g} is more than --max-seconds {longest:g}: no video is so"
        )
    return Filter(
        label=options.label,
        unlabeled=options.unlabeled,
        language=options.language,
        min_seconds=shortest,
        max_seconds=longest,
        since=options.since,
    )


def _remark(store: Store, hits: Sequence[Hit], only: Filter, question: Question) -> str | None:
    """What a person has to know beside the hits."""
    from store.retrieval.calibration import FEWEST_ROWS

    if store.dimension is None:
        return "Nothing is embedded yet: run `scan` first."
    by_meaning = question.text or question.image or question.video  # words need no recipe
    if not hits and by_meaning and not only.is_narrow and store.known():
        return "What was made with other settings is not compared: scan, or see `status`."
    if hits and all(hit.match is None for hit in hits):
        return f"Not enough videos to judge how well they match: it takes {FEWEST_ROWS}."
    return None
