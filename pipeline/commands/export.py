"""`export`: the files that a classifier trains on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.arguments import share
from pipeline.commands.output import add_json, show
from pipeline.terminal import counted

if TYPE_CHECKING:
    from pipeline.settings import Settings

HELP = "write the files that a classifier trains on"
EXAMPLE = "export --out artifacts --split 0.8"


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, metavar="DIR", help="instead of export.dir")
    parser.add_argument("--offline", action="store_true", help="also videos whose file is missing")
    parser.add_argument(
        "--split",
        type=share,
        metavar="SHARE",
        help="name in the manifest which labeled videos train (this share of each label) and which"
        " validate",
    )
    parser.add_argument(
        "--format",
        choices=("pt", "parquet", "npz", "csv"),
        action="append",
        default=[],
        help="also write the features in this format (csv: all but the features); may be repeated",
    )
    parser.add_argument(
        "--subtitles", type=Path, metavar="DIR", help="an .srt and a .vtt of each video, too"
    )
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.artifacts import export_project
    from pipeline.project import Project

    with Project.open(settings) as project:
        exported = export_project(
            project,
            options.out,
            formats=options.format,
            split=options.split,
            offline=options.offline,
            subtitles=options.subtitles,
        )
    written, subtitles = exported.artifacts, exported.subtitles
    facts = {
        "out": str(written.out),
        "labeled": list(written.labeled),
        "unlabeled": list(written.unlabeled),
        "labels": dict(written.labels),
        "transcripts": written.transcripts,
        "left_out": written.left_out,
        "split": written.split and dict(zip(("train", "validation"), written.split, strict=True)),
        "subtitles": subtitles.written if subtitles else None,
        "stale_subtitles": list(subtitles.stale) if subtitles else [],
        "stale": list(written.stale),
    }
    lines = [
        f"Saved labeled embeddings: torch.Size({facts['labeled']})",
        f"Saved unlabeled embeddings: torch.Size({facts['unlabeled']})",
        f"Saved {written.transcripts} transcripts",
    ]
    if written.split:
        lines.append("Split: {} videos to train, {} to validate".format(*written.split))
    if subtitles is not None:
        lines.append(
            f"Saved subtitles of {counted(subtitles.written, 'video')} to {options.subtitles}"
        )
        if subtitles.stale:
            lines.append(f"Left there, of videos that are gone: {', '.join(subtitles.stale)}")
    if written.stale:
        lines.append(f"Left there, of an earlier export: {', '.join(written.stale)}")
    if written.left_out:
        lines.append(f"Left out {counted(written.left_out, 'video')}; manifest.json says why")
    show(facts, [*lines, f"\nDone! Artifacts saved to: {written.out}"], as_json=options.json)
    return 0
