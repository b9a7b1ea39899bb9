"""`export`: the files that a classifier trains on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.arguments import share
from pipeline.commands.output import add_json, show
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.config import Settings

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
        choices=("pt", "parquet", "npz"),
        action="append",
        default=[],
        help="also write the features in this format; may be repeated",
    )
    parser.add_argument(
        "--subtitles", type=Path, metavar="DIR", help="an .srt and a .vtt of each video, too"
    )
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline import __version__
    from pipeline.project import Project
    from store.artifacts.export import export
    from store.artifacts.subtitles import write_subtitles

    subtitles = None
    out = options.out or settings.path(settings.export.dir)
    with Project.open(settings) as project:
        if nothing := project.why_empty(offline=options.offline):
            raise PipelineError(f"nothing to export. {nothing}")
        written = export(
            project.store,
            out,
            data_dir=project.written,
            recipe=project.recipe,
            version=__version__,
            models={"clip": settings.clip.model_dump(), "whisper": settings.whisper.model_dump()},
            offline=options.offline,
            formats=options.format,
            train_share=options.split,
        )
        if options.subtitles is not None:
            subtitles = write_subtitles(
                project.store, options.subtitles, recipe=project.recipe, offline=options.offline
            )
    facts = {
        "out": str(out),
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
        lines.append(f"Saved subtitles of {subtitles.written} videos to {options.subtitles}")
        if subtitles.stale:
            lines.append(f"Left there, of videos that are gone: {', '.join(subtitles.stale)}")
    if written.stale:
        lines.append(f"Left there, of an earlier export: {', '.join(written.stale)}")
    if written.left_out:
        lines.append(f"Left out {written.left_out} videos; manifest.json says why")
    show(facts, [*lines, f"\nDone! Artifacts saved to: {out}"], as_json=options.json)
    return 0
