"""`query`: the videos that show, say or are like something."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.arguments import count, moment, seconds, words
from pipeline.commands.output import print_json, write_paths
from pipeline.errors import SettingsError
from pipeline.terminal import say

if TYPE_CHECKING:
    from pipeline.config import Settings
    from pipeline.search.question import Question
    from store.retrieval.filter import Filter

HELP = "find videos by what they show and say"
EXAMPLE = 'query --text "someone kicks a ball"'


def add_flags(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what to find; several may be combined")
    what.add_argument(
        "--text", type=words, metavar="WORDS", help="that show or say this, in any words"
    )
    what.add_argument("--image", type=Path, metavar="FILE", help="that show what this picture does")
    what.add_argument("--video", type=Path, metavar="FILE", help="like this one, stored or not")
    what.add_argument(
        "--words",
        type=words,
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
    labels.add_argument("--label", type=words, metavar="L", help="with this label")
    labels.add_argument("--unlabeled", action="store_true", help="without a label")
    which.add_argument(
        "--language", type=words, metavar="CODE", help="in which this is spoken: en, de, ..."
    )
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
    paths = partial(output.add_argument, dest="path_end", action="store_const")
    paths("--paths", const="\n", help="only paths, one a line")
    paths("-0", "--null", const="\0", help="only paths, each with NUL at its end, for xargs -0")


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.project import Project
    from pipeline.search.searcher import Searcher

    question, only = _question(options), _filter(options)
    with Project.open(settings) as project:
        answer = Searcher(project).ask(question, k=options.k, only=only)
        hits = [{**asdict(hit), "path": project.shown(hit.path)} for hit in answer.hits]
    remark = answer.remark.text if answer.remark else None
    is_table = not (options.json or options.path_end)
    if remark and (hits or not is_table):
        say(remark)
    if is_table:
        from pipeline.commands.tables import print_hits

        print_hits(hits, empty=remark or "Nothing was found.")
    elif options.json:
        print_json(hits)
    else:
        write_paths((hit["path"] for hit in hits), options.path_end)
    return 0


def _question(options: argparse.Namespace) -> Question:
    from pipeline.search.question import Question

    names = ("text", "image", "video", "words", "places", "nearest")
    return Question(**{name: getattr(options, name) for name in names})


def _filter(options: argparse.Namespace) -> Filter:
    from store.retrieval.filter import Filter

    shortest, longest = options.min_seconds, options.max_seconds
    if shortest is not None and longest is not None and shortest > longest:
        raise SettingsError(
            f"--min-seconds {shortest:g} is more than --max-seconds {longest:g}: no video can match"
        )
    return Filter(
        label=options.label,
        unlabeled=options.unlabeled,
        language=options.language,
        min_seconds=shortest,
        max_seconds=longest,
        since=options.since,
    )
