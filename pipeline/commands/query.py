"""`query`: the videos that show, say or are like something."""

from __future__ import annotations

import argparse
import io
import shlex
import sys
from collections.abc import Callable
from copy import copy
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.arguments import count, moment, seconds, words
from pipeline.commands.output import on_terminal, print_json, write, write_paths
from pipeline.errors import PipelineError, SettingsError
from pipeline.terminal import say, say_error

if TYPE_CHECKING:
    from pipeline.project import Project
    from pipeline.search.question import Question
    from pipeline.search.searcher import Searcher
    from pipeline.settings import Settings
    from store.retrieval.filter import Filter

HELP = "find videos by what they show and say"
EXAMPLE = 'query "someone kicks a ball"'

GREETING = 'A line is a text, or flags: --words "let it rest" -k 3. An empty line ends.'


def add_flags(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what to find; several may be combined")
    what.add_argument(
        "asked",
        nargs="*",
        type=words,
        metavar="TEXT",
        help="the same as --text; with no question at all, on a terminal, each line that is typed"
        " is one: a text, or flags as here. An empty line ends",
    )
    what.add_argument(
        "--text", type=words, metavar="TEXT", help="that show or say this, in any words"
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
        help="show what is nearest also where nothing matches well",
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="one JSON document on stdout")
    paths = partial(output.add_argument, dest="path_end", action="store_const")
    paths("--paths", const="\n", help="only paths, one a line")
    paths("-0", "--null", const="\0", help="only paths, each with NUL at its end, for xargs -0")


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.project import NOTHING_EMBEDDED, Project
    from pipeline.search.searcher import Searcher

    is_conversation = _question(options).is_empty and on_terminal()
    with Project.open(settings) as project:
        answer = partial(_answer, project, Searcher(project))
        if not is_conversation:
            answer(options)
        elif project.store.dimension is None:
            write(f"{NOTHING_EMBEDDED}\n")
        else:
            _converse(options, answer)
    return 0


def _converse(options: argparse.Namespace, answer: Callable[[argparse.Namespace], None]) -> None:
    """Answer line after line with the models kept; report a wrong question, and go on.

    Args:
        options: of the command line; each line may add to them, for itself.
        answer: answers the question of such options.
    """
    from pipeline.commands.parser import LineParser
    from store.errors import StoreError

    parser = LineParser(prog="query", usage=argparse.SUPPRESS)
    add_flags(parser)
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # `words` says what is wrong with them
    say(GREETING)
    while line := _next_line():
        try:
            arguments = shlex.split(line) if line.startswith("-") else ["--text", line]
            answer(parser.parse_args(arguments, copy(options)))
        except (PipelineError, StoreError, ValueError) as error:
            say_error(str(error))
        except SystemExit:  # of the parser, which has said why
            pass


def _next_line() -> str:
    try:
        return input("> ").strip()
    except EOFError:
        say("")
        return ""


def _answer(project: Project, searcher: Searcher, options: argparse.Namespace) -> None:
    answer = searcher.ask(_question(options), k=options.k, only=_filter(options))
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


def _question(options: argparse.Namespace) -> Question:
    from pipeline.search.question import Question

    text = " ".join(options.asked) or options.text
    if options.asked and (options.text, options.words) != (None, None):
        raise SettingsError(
            f"query: {' '.join(options.asked)!r} stands beside --text or --words: put all words of"
            " a flag in quotes"
        )
    names = ("image", "video", "words", "places", "nearest")
    return Question(text=text, **{name: getattr(options, name) for name in names})


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
