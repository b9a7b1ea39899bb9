"""`doctor`: whether everything is there that a scan needs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from pipeline.commands.flow_run import add_engine, with_engine
from pipeline.commands.output import add_json, print_json, write

if TYPE_CHECKING:
    from pipeline.doctor.finding import Finding
    from pipeline.settings import Settings

HELP = "check that this machine has what a scan needs"
EXAMPLE = "doctor"


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_engine(parser)
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.doctor.finding import State
    from pipeline.terminal import printable, styled

    found = []
    for finding in _findings(with_engine(settings, options)):
        found.append(finding)
        if not options.json:
            state = styled(f"{finding.state:<8}", finding.state, sys.stdout)
            write(f"{state} {finding.part}: {printable(finding.text)}\n")
            if finding.advice:
                write(f"{'':<8} -> {printable(finding.advice)}\n")
    if options.json:
        print_json([asdict(finding) for finding in found])
    return 1 if any(finding.state is State.PROBLEM for finding in found) else 0


def _findings(settings: Settings) -> Iterator[Finding]:
    from pipeline.doctor.doctor import examine

    yield from examine(settings)
    if settings.engine.name == "ray":
        from pipeline.cluster.examine import examine_cluster

        yield from examine_cluster(settings)
