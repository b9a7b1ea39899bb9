"""`forget`: remove rows on purpose."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pipeline.commands.output import add_json, show
from pipeline.errors import SettingsError
from pipeline.terminal import counted

if TYPE_CHECKING:
    from pipeline.settings import Settings

HELP = "remove videos from the store; files stay"
EXAMPLE = "forget cooking/old.mp4"


def add_flags(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--offline", action="store_true", help="every video whose file is missing")
    what.add_argument("paths", nargs="*", default=[], metavar="PATH", help="videos or folders")
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.flow.forget import forget, forget_offline
    from pipeline.project import NOTHING_EMBEDDED, Project

    with Project.open(settings) as project:
        if not (project.store.known() or project.store.failures()):
            raise SettingsError(f"nothing to forget. {NOTHING_EMBEDDED}")
    with Project.open(settings, writer=True) as project:
        forgotten = forget_offline(project) if options.offline else forget(project, options.paths)
    text = f"Forgot {counted(forgotten, 'video')}. A scan embeds those whose files are still there."
    show({"forgotten": forgotten}, [text], as_json=options.json)
    return 0
