"""What tests ask of the program as a process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Finished
from tests.support.projects import UserProject

Run = Callable[..., Finished]


def imports(run: Run, *arguments: str | Path) -> set[str]:
    """The top modules that a run of the program imports."""
    ended = run(*arguments, env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert ended.returncode == 0, ended.stderr
    lines = [line for line in ended.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def ask(run: Run, project: UserProject, *arguments: str | Path) -> object:
    """The JSON document of a command that must succeed."""
    ended = run("--config", project.config, *arguments, "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)
