"""The public surface: what `import pipeline` and `import store` promise, and what they cost."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module

import pytest

from tests.support.program import ROOT

PACKAGES = ("pipeline", "store")
CHEAP = {"pipeline", "store"}  # all else that an import brings has to be Python's own


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_is_listed_and_resolves(name: str) -> None:
    package = import_module(name)
    assert sorted(package.__all__) == dir(package)
    for each in package.__all__:
        assert getattr(package, each) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing


@pytest.mark.process
@pytest.mark.parametrize("name", PACKAGES)
def test_an_import_brings_no_library(name: str) -> None:
    script = (
        f"import sys; before = set(sys.modules); import {name}; print(*set(sys.modules) - before)"
    )
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    tops = {module.partition(".")[0] for module in ended.stdout.split()}
    assert tops - CHEAP - sys.stdlib_module_names == set()


def test_the_map_names_every_module_and_nothing_else() -> None:
    text = (ROOT / "pipeline/README.md").read_text(encoding="utf-8")
    named = {name.strip("/").rpartition("/")[2] for name in re.findall(r"`([a-z_/]+)`", text)}
    modules = {path.stem for path in (ROOT / "pipeline").rglob("*.py")} - {"__init__"}
    commands = {path.stem for path in (ROOT / "pipeline/commands").glob("*.py")}
    packages = {path.parent.name for path in (ROOT / "pipeline").rglob("__init__.py")}
    assert modules - commands - named == set()
    assert named - modules - packages - {"store"} == set()
