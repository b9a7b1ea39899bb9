"""`check`: what in the collection would harm a classifier."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING

from pipeline.commands.output import add_json, print_json
from pipeline.terminal import counted, say

if TYPE_CHECKING:
    from pipeline.labels.check import CheckResult
    from pipeline.project import Project
    from pipeline.settings import Settings

HELP = "what would harm a classifier: duplicates, wrong folders"
EXAMPLE = "check"
NO_FOLDERS = "No video is labeled: make folders, put videos into them, and scan."


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.commands.tables import print_table
    from pipeline.labels.check import check_folders
    from pipeline.project import Project

    with Project.open(settings) as project:
        result = check_folders(project)
        nothing = f"Nothing was found in {counted(result.videos, 'video')}."
        if not project.store.values("label"):
            nothing = NO_FOLDERS
        if not result.videos:
            nothing = project.why_empty() or nothing
    if options.json:
        print_json(result.as_document(project.shown))
        return 0
    rows = [
        *_duplicates(result, project),
        *_folders(result, project, everything=options.verbosity > 0),
    ]
    print_table(("finding", "where", "why"), rows, empty=nothing, cut=options.verbosity <= 0)
    if result.remark:
        say(result.remark)
    if result.misplaced:
        expected = sum(each.confidence for each in result.misplaced)
        say(
            f"A percentage is a probability: expect about {expected:.0f} of"
            f" {counted(len(result.misplaced), 'video')} to be in the wrong folder."
        )
    return 0


def _duplicates(result: CheckResult, project: Project) -> Iterator[tuple[str, ...]]:
    """Rows of one clip in several places, a place a line."""
    for name, found in (
        ("in two folders", result.in_two_folders),
        ("labeled and unlabeled", result.labeled_and_unlabeled),
    ):
        for each in found:
            why = "the same bytes as" if each.exact else "nearly the same as"
            for place, video in enumerate(each.videos):
                first = place == 0
                yield name if first else "", project.shown(video.path), why if first else ""


def _folders(
    result: CheckResult, project: Project, *, everything: bool
) -> Iterator[tuple[str, ...]]:
    for wrong in sorted(result.misplaced, key=lambda each: -each.confidence):
        shown = project.shown if everything else lambda path: PurePath(path).name
        near = ", ".join(map(shown, wrong.neighbours))
        why = f"{wrong.confidence:.0%} sure, like {wrong.looks_like}: {near}"
        yield "in the wrong folder", project.shown(wrong.path), why
    for small in result.small:
        yield "too few videos", small.label, counted(small.clips, "different clip")
    for both in result.overlapping:
        why = f"{both.share:.0%} of their videos look like the other folder"
        yield "look alike", " and ".join(both.labels), why
