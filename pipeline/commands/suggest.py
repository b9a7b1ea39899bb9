"""`suggest`: the likely folder of each unlabeled video; and moving it there."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipeline.commands.output import add_json, print_json
from pipeline.terminal import say

if TYPE_CHECKING:
    from pipeline.config import Settings
    from pipeline.labels.folder_names import EncodeTexts
    from pipeline.labels.moves import Move
    from pipeline.labels.suggest import Advice, Measured
    from pipeline.project import Project

HELP = "the likely folder of each unlabeled video"
MIN_CONFIDENCE = 0.8


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
    from pipeline.labels.suggest import suggest
    from pipeline.project import Project

    with Project.open(settings) as project:
        vectors = project.vectors(["size", "mtime_ns"])
        folders = project.folders() | {label for label in vectors.labels if label is not None}
        advice = suggest(vectors, sorted(folders), _encoder(settings), options.min_confidence)
        moved: list[Move] = []
        if options.move:
            from pipeline.labels.moves import Move

            stamps = zip(vectors.column("size"), vectors.column("mtime_ns"), strict=True)
            sizes = dict(zip(vectors.paths, stamps, strict=True))
            root = str(project.collection.root)
            wanted = [
                Move(root, each.path, f"{each.label}/{each.path}", *sizes[each.path])
                for each in advice.suggestions
                if each.label is not None
            ]
            moved = _move(project, wanted)
    document = _document(advice, project, options.min_confidence)
    if options.json:
        print_json({**document, "moved": [_shown(move, project) for move in moved]})
    else:
        _print(document)
    return 0


def probability(text: str) -> float:
    """A number from 0 to 1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to 1")
    return number


def _encoder(settings: Settings) -> Any:
    def load() -> EncodeTexts:
        from pipeline.models.loaded import Models

        return Models(settings, say).clip().encode_texts

    return load


def _move(project: Project, moves: list[Move]) -> list[Move]:
    from pipeline.labels.moves import LOG, MoveLog, follow, move_all

    made = move_all(moves, MoveLog(project.store.scratch(LOG)), say)
    if made:
        follow(project.settings.store_uri, project.recipe, made, say)
    say(f"Moved {len(made)} videos; `suggest --undo` takes that back.")
    return made


def _undo(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.labels.moves import LOG, MoveLog, follow, move_all
    from pipeline.project import Project

    with Project.open(settings) as project:
        log = MoveLog(project.store.scratch(LOG))
    batch = log.last_batch()
    made = move_all([move.back for move in reversed(batch)], None, say)
    if made:
        follow(settings.store_uri, project.recipe, made, say)
    if batch:
        log.drop(batch[0].batch)
    say(f"Moved {len(made)} videos back." if batch else "There is no --move to take back.")
    if options.json:
        print_json({"moved": [_shown(move, project) for move in made]})
    return 0


def _shown(move: Move, place: Project) -> dict[str, str]:
    return {"from": place.shown(move.source), "to": place.shown(move.target)}


def _document(advice: Advice, place: Project, min_confidence: float) -> dict[str, Any]:
    suggestions = [asdict(each) for each in advice.suggestions]
    for each in suggestions:
        each["path"] = place.shown(each["path"])
        for neighbour in each["neighbours"]:
            neighbour["path"] = place.shown(neighbour["path"])
    return {
        "suggestions": suggestions,
        "min_confidence": min_confidence,
        "leave_one_out": _measured(advice.leave_one_out),
        "by_name": _measured(advice.by_name),
    }


def _measured(measured: Measured | None) -> dict[str, Any] | None:
    """With `accuracy`, of the answers, and `coverage`, the share that had one."""
    if measured is None:
        return None
    return {
        **asdict(measured),
        "accuracy": measured.right / measured.answered if measured.answered else None,
        "coverage": measured.answered / measured.videos if measured.videos else None,
    }


def _print(document: dict[str, Any]) -> None:
    from pipeline.commands.tables import print_table

    rows: list[tuple[str, ...]] = [
        (
            each["path"],
            each["label"] or "?",
            f"{each['confidence']:.0%}" + ("" if each["label"] else f" {each['guess'] or ''}"),
            each["by"] if each["by"] == "name" else _neighbours(each),
        )
        for each in document["suggestions"]
    ]
    header = ("path", "folder", "confidence", "because of")
    print_table(header, rows, empty="Every video is in a folder.")
    say(_how_good(document["leave_one_out"], "Leave-one-out", document["min_confidence"]))
    if document["by_name"]:
        say(_how_good(document["by_name"], "By name", document["min_confidence"]))


def _neighbours(suggestion: dict[str, Any]) -> str:
    return ", ".join(f"{each['path']} ({each['score']:.2f})" for each in suggestion["neighbours"])


def _how_good(measured: dict[str, Any], how: str, min_confidence: float) -> str:
    text = f"{how}: of {measured['videos']} labeled videos {measured['answered']} have an answer"
    text += f" at a confidence of {min_confidence:.0%}"
    if measured["answered"]:
        text += f", {measured['accuracy']:.0%} of them right"
    return text + "."
