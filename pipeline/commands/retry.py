"""`retry`: forget failures, so that the next scan tries these videos again."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pipeline.commands.output import add_json, show
from pipeline.terminal import counted

if TYPE_CHECKING:
    from pipeline.settings import Settings

HELP = "forget failures, so that the next scan tries again"
EXAMPLE = "retry"


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.project import open_store

    forgotten = 0
    with open_store(settings) as store:
        has_failures = bool(store.failures())
    if has_failures:  # opened for writing, a store is made where there is none
        with open_store(settings, writer=True) as store:
            forgotten = store.forget_failures()
    text = f"Forgot {counted(forgotten, 'failure')}; the next scan tries again."
    text = text if forgotten else "No video has failed."
    show({"forgotten": forgotten}, [text], as_json=options.json)
    return 0
