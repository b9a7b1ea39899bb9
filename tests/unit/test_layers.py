"""Imports run one way: each room of the house imports from lower floors only."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.support.program import ROOT

FLOORS = {
    "pipeline": [
        {"", "speech", "settings", "errors", "terminal", "isolation"},
        {"records"},
        {"outcomes"},
        {"config", "source", "decode"},
        {"models"},
        {"project"},
        {"stages", "doctor"},
        {"search", "flow"},
        {"labels", "plot", "demo", "cluster", "artifacts"},
        {"web", "session"},
        {"commands"},
    ],
    "store": [
        {"", "errors"},
        {"schema", "files", "arrays", "memory", "threads", "pictures", "text", "lazy_import"},
        {"table"},
        {"retrieval", "analysis"},
        {"artifacts"},
    ],
}
"""Lowest first; rooms of one floor do not import each other. The empty name is the package's own
`__init__`, whose lazy names are strings."""


def test_pipeline_imports_from_lower_floors() -> None:
    assert not list(_upward("pipeline"))


def test_store_imports_from_lower_floors() -> None:
    assert not list(_upward("store"))


def test_store_imports_no_pipeline() -> None:
    for path in (ROOT / "store").rglob("*.py"):
        assert not any(name.split(".")[0] == "pipeline" for name in _imports(path)), path


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Not even inside a function."""
    files = [*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "store").rglob("*.py")]
    named = {
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."): path for path in files
    }
    TopologicalSorter(
        {name: named.keys() & {*_imports(path)} for name, path in named.items()}
    ).prepare()  # raises CycleError, which names them


@pytest.mark.parametrize("stage", ["stages", "decode", "models", "source"])
def test_a_stage_does_not_know_the_tables(stage: str) -> None:
    for path in (ROOT / "pipeline" / stage).rglob("*.py"):
        assert not [name for name in _imports(path) if name.startswith("store.table")], path


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("av", ("pipeline/decode/", "pipeline/demo/videos.py")),
        ("open_clip", ("pipeline/models/openclip.py",)),
        ("torchvision", ("pipeline/models/openclip.py",)),
        ("timm", ("pipeline/models/openclip.py",)),
        ("faster_whisper", ("pipeline/models/",)),
        ("lancedb", ("store/table/lance.py",)),
        ("watchdog", ("pipeline/source/observer.py",)),
        ("ray", ("pipeline/cluster/",)),
        ("starlette", ("pipeline/web/",)),
        ("uvicorn", ("pipeline/web/server.py",)),
    ],
)
def test_a_heavy_library_stays_at_home(library: str, homes: tuple[str, ...]) -> None:
    for path in [*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "store").rglob("*.py")]:
        if any(name.split(".")[0] == library for name in _imports(path)):
            assert path.relative_to(ROOT).as_posix().startswith(homes), path


def _upward(package: str) -> Iterator[str]:
    floor = {room: n for n, rooms in enumerate(FLOORS[package]) for room in rooms}
    for path in sorted((ROOT / package).rglob("*.py")):
        here = _room(path.relative_to(ROOT / package).with_suffix("").parts)
        for name in _imports(path):
            parts = name.split(".")
            if parts[0] != package:
                continue
            there = _room(tuple(parts[1:]))
            assert here in floor, f"{path}: {here!r} has no floor; give it one"
            if there != here and floor[there] >= floor[here]:
                yield f"{path.relative_to(ROOT)} imports {name}"


def _room(parts: tuple[str, ...]) -> str:
    return parts[0].removesuffix("__init__") if parts else ""


@functools.cache
def _imports(path: Path) -> tuple[str, ...]:
    """Every module that a file imports at run time, also inside functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If)
        and isinstance(branch.test, ast.Name)
        and branch.test.id == "TYPE_CHECKING"
        for part in branch.body
        for node in ast.walk(part)
    }
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and id(node) not in typing_only:
            for alias in node.names:  # a module of a package, or a name in a module
                file = ROOT / node.module.replace(".", "/") / f"{alias.name}.py"
                names.append(f"{node.module}.{alias.name}" if file.exists() else node.module)
        elif isinstance(node, ast.Import) and id(node) not in typing_only:
            names.extend(alias.name for alias in node.names)
    return tuple(names)
