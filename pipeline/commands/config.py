"""`config`: the settings in force, and where each comes from."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from pipeline.commands.output import add_json, show

if TYPE_CHECKING:
    from pipeline.settings import Settings

HELP = "the settings in force, and where each comes from"
EXAMPLE = "config --set clip.frames=10"


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.config import find, origins

    file = find(options.config)
    known = list(origins(settings, file, options.set))
    width = max(len(f"{each.key} = {json.dumps(each.value)}") for each in known)
    lines = [f"# {file}"]
    for each in known:
        text = f"{each.key} = {json.dumps(each.value)}"
        is_plain = each.source in ("default", str(file))
        note = "" if each.source == str(file) else f"  # {each.source}"
        lines.append(text if is_plain and not note else f"{text:<{min(width, 52)}}{note}")
    show([asdict(each) for each in known], lines, as_json=options.json)
    return 0
