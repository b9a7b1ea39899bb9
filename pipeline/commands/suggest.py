"""`suggest`: the likely folder of each unlabeled video; and moving it there."""

from __future__ import annotations

import argparse
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from pipeline.commands.arguments import probability
from pipeline.commands.output import add_json, print_json, write
from pipeline.terminal import counted, say

if TYPE_CHECKING:
    from pipeline.settings import Settings

HELP = "the likely folder of each unlabeled video"
EXAMPLE = "suggest --move"
MIN_CONFIDENCE = 0.8
NO_FOLDERS = "No video is labeled: make folders, put a few videos into each, and scan."


def add_flags(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--move", action="store_true", help="move the files there")
    what.add_argument("--undo", action="store_true", help="take the last --move back")
    parser.add_argument(
        "--min-confidence",
        type=probability,
        default=MIN_CONFIDENCE,
        metavar="P",
        help=f"suggest nothing that is less probable (default: {MIN_CONFIDENCE})",
    )
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    if options.undo:
        return _undo(settings, options)
    from pipeline.labels.moves import MovedBatch, move_to_folders
    from pipeline.labels.suggest import suggest_folders
    from pipeline.project import Project

    with Project.open(settings) as project:
        advice = suggest_folders(project, options.min_confidence, say)
        rows = advice.suggestions.rows
        has_folders = any(rows.labels) or bool(project.folders())
        nothing = None if has_folders and len(rows) else project.why_empty() or NO_FOLDERS
        if nothing and not options.json:
            write(f"{nothing}\n")
            return 0
        batch = MovedBatch()
        if options.move:
            batch = move_to_folders(project, advice.suggestions, say)
            undo = "; `suggest --undo` takes that back" if batch.made else ""
            say(f"Moved {counted(len(batch.made), 'video')}{undo}.")
    document = advice.as_document(project.shown)
    if options.json:
        print_json({**document, **batch.as_document(project.shown)})
    else:
        moved = {project.shown(move.source) for move in batch.made}
        stay = [each for each in document["suggestions"] if each["path"] not in moved]
        _print({**document, "suggestions": stay}, everything=options.verbosity > 0)
    return 0


def _undo(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.labels.moves import undo_last_moves
    from pipeline.project import Project

    with Project.open(settings) as project:
        batch = undo_last_moves(project, say)
    made = len(batch.made)
    say(
        f"Moved {counted(made, 'video')} back."
        if batch.asked
        else "There is no --move to take back."
    )
    if options.json:
        print_json(batch.as_document(project.shown))
    return 1 if batch.left else 0


def _print(document: dict[str, Any], *, everything: bool) -> None:
    """Print the surest suggestions first; everything: witnesses with their paths and scores."""
    from pipeline.commands.tables import print_table

    found = sorted(document["suggestions"], key=lambda each: -each["confidence"])
    found.sort(key=lambda each: each["label"] is None)
    rows = [
        (
            f"{each['confidence']:.0%}",
            each["label"] or f"{each['guess'] or ''}?",
            each["path"],
            "its name" if each["by"] == "name" else _witnesses(each, everything=everything),
        )
        for each in found
    ]
    header = ("sure", "folder", "path", "because of")
    marks = ["match" if each["label"] else "" for each in found]
    print_table(header, rows, empty="Every video is in a folder.", marks=marks, cut=not everything)
    say(_accuracy(document["leave_one_out"], "By likeness", document["min_confidence"]))
    if document["by_name"]:
        say(_accuracy(document["by_name"], "By name", document["min_confidence"]))
    if document["remark"]:
        say(document["remark"])


def _witnesses(suggestion: dict[str, Any], *, everything: bool) -> str:
    near = suggestion["neighbours"]
    if everything:
        return ", ".join(f"{each['path']} ({each['score']:.2f})" for each in near)
    return ", ".join(PurePath(each["path"]).name for each in near)


def _accuracy(measured: dict[str, Any], how: str, min_confidence: float) -> str:
    text = f"{how}, tried on {measured['videos']} labeled videos: {measured['answered']} answers"
    text += f" ({min_confidence:.0%} sure)"
    if measured["answered"]:
        text += f", {measured['accuracy']:.0%} right"
    return text + "."
