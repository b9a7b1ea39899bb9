"""`check`: what in the collection would harm a classifier."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.commands.output import add_json, print_json

if TYPE_CHECKING:
    from pipeline.config import Settings
    from pipeline.labels.check import CheckResult
    from pipeline.project import Project

HELP = "what would harm a classifier: doubles, wrong folders"
EXAMPLE = "check"


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.commands.tables import print_table
    from pipeline.labels.check import check_folders
    from pipeline.project import Project

    with Project.open(settings) as project:
        result = check_folders(project)
    if options.json:
        print_json(result.as_document(project.shown))
    else:
        nothing = f"Nothing was found in {result.videos} videos."
        print_table(("finding", "where", "why"), [*_rows(result, project)], empty=nothing)
    return 0


def _rows(result: CheckResult, project: Project) -> Iterator[tuple[str, ...]]:
    doubles = (
        ("in two folders", result.in_two_folders),
        ("labeled and unlabeled", result.labeled_and_unlabeled),
    )
    for name, found in doubles:
        for each in found:
            where = ", ".join(project.shown(video.path) for video in each.videos)
            yield name, where, "the same bytes" if each.exact else "nearly the same"
    for wrong in result.misplaced:
        near = ", ".join(map(project.shown, wrong.neighbours))
        why = f"{wrong.confidence:.0%} like {wrong.looks_like}: {near}"
        yield "in the wrong folder", project.shown(wrong.path), why
    for small in result.small:
        plural = "" if small.clips == 1 else "s"
        yield "too few videos", small.label, f"{small.clips} different clip{plural}"
    for both in result.overlapping:
        why = f"{both.share:.0%} of their videos look like the other folder"
        yield "overlapping", " and ".join(both.labels), why
