"""`check`: what in the collection would harm a classifier."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipeline.commands.output import add_json, print_json

if TYPE_CHECKING:
    from pipeline.config import Settings
    from pipeline.labels.check import CheckResult
    from pipeline.project import Project

HELP = "what would harm a classifier: doubles, wrong folders"


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.commands.tables import print_table
    from pipeline.labels.check import check
    from pipeline.project import Project

    with Project.open(settings) as project:
        vectors = project.vectors()
    findings = check(vectors)
    if options.json:
        print_json(_document(findings, project, len(vectors)))
        return 0
    header = ("finding", "where", "why")
    nothing = f"Nothing was found in {len(vectors)} videos."
    print_table(header, _rows(findings, project), empty=nothing)
    return 0


def _document(findings: CheckResult, place: Project, videos: int) -> dict[str, Any]:
    document: dict[str, Any] = {"videos": videos, **asdict(findings)}
    for each in (*document["in_two_folders"], *document["labeled_and_unlabeled"]):
        for video in each["videos"]:
            video["path"] = place.shown(video["path"])
    for each in document["misplaced"]:
        each["path"] = place.shown(each["path"])
        each["neighbours"] = [place.shown(path) for path in each["neighbours"]]
    return document


def _rows(findings: CheckResult, place: Project) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    doubles = (
        ("in two folders", findings.in_two_folders),
        ("labeled and unlabeled", findings.labeled_and_unlabeled),
    )
    for name, found in doubles:
        for each in found:
            where = ", ".join(place.shown(video.path) for video in each.videos)
            rows.append((name, where, "the same bytes" if each.exact else "nearly the same"))
    for wrong in findings.misplaced:
        near = ", ".join(place.shown(path) for path in wrong.neighbours)
        why = f"like {wrong.looks_like}: {near}"
        rows.append(("in the wrong folder", place.shown(wrong.path), why))
    for small in findings.small:
        clips = f"{small.clips} different clip" + ("s" if small.clips != 1 else "")
        rows.append(("too few videos", small.label, clips))
    for both in findings.overlapping:
        why = f"{both.share:.0%} of their videos look like the other folder"
        rows.append(("overlapping", " and ".join(both.labels), why))
    return rows
