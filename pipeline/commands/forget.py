"""`forget`: remove rows on purpose."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pipeline.commands.output import add_json, show
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from pipeline.config import Settings

HELP = "remove rows on purpose"


def add_flags(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--offline", action="store_true", help="all whose file is not there")
    what.add_argument("paths", nargs="*", default=[], metavar="PATH", help="videos or folders")
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.project import Project

    with Project.open(settings, writer=True) as project:
        store = project.store
        known = store.known()
        everything = known.keys() | {failure.path for failure in store.failures()}
        rows = {path for path, row in known.items() if row.offline} if options.offline else set()
        for written in options.paths:
            meant = project.rows_of(written, everything)
            if not meant:
                raise SettingsError(f"forget {written}: nothing of that name is in the store")
            rows |= meant
        forgotten = store.remove(sorted(rows))
        store.forget_failures(sorted(rows))
    text = f"Forgot {forgotten} videos; one that is in the folder is embedded by the next scan."
    show({"forgotten": forgotten}, [text], as_json=options.json)
    return 0
