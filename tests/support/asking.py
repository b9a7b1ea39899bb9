"""Short questions to the program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.program import Run, run_in_process
from tests.support.projects import UserProject


def imports(*arguments: str | Path) -> set[str]:
    """The top modules that a run of the program imports."""
    ended = run_in_process(*arguments, env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert ended.returncode == 0, ended.stderr
    lines = [line for line in ended.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def ask(run: Run, project: UserProject, *arguments: str | Path) -> Any:
    """The JSON document of a command that must succeed."""
    ended = run("--config", project.config, *arguments, "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)
