"""`export`: the files that a classifier trains on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.output import add_json, show

if TYPE_CHECKING:
    from pipeline.config import Settings

HELP = "write the files that a classifier trains on"


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, metavar="DIR", help="instead of export.dir")
    parser.add_argument("--offline", action="store_true", help="also videos that are not there now")
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline import __version__, home
    from pipeline.recipe import recipe_of
    from store.export import export
    from store.table import Store

    recipe = recipe_of(settings)
    out = options.out or settings.path(settings.export.dir)
    with Store.open(settings.store_uri) as store:
        written = export(
            store,
            out,
            data_dir=home.recalled(store, settings).written,
            recipe=(recipe.visual, recipe.transcript, recipe.speech),
            version=__version__,
            models={"clip": settings.clip.model_dump(), "whisper": settings.whisper.model_dump()},
            offline=options.offline,
        )
    facts = {
        "out": str(out),
        "labeled": list(written.labeled),
        "unlabeled": list(written.unlabeled),
        "labels": dict(written.labels),
        "transcripts": written.transcripts,
        "left_out": written.left_out,
    }
    lines = [
        f"Saved labeled embeddings: torch.Size({facts['labeled']})",
        f"Saved unlabeled embeddings: torch.Size({facts['unlabeled']})",
        f"Saved {written.transcripts} transcripts",
    ]
    if written.left_out:
        lines.append(f"Left out {written.left_out} videos; manifest.json says why")
    show(facts, [*lines, f"\nDone! Artifacts saved to: {out}"], as_json=options.json)
    return 0
