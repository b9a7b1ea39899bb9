"""A package whose `__init__` runs late: importable at once, and whole as soon as it is asked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from store.lazy_import import initialise_late

pytestmark = pytest.mark.process

NAME = "late_example"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / NAME
    folder.mkdir()
    (folder / "__init__.py").write_text("from late_example.heavy import Heavy as Heavy\n")
    (folder / "heavy.py").write_text("class Heavy: pass\n")
    (folder / "light.py").write_text("import late_example\nWEIGHT = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.startswith(NAME)]:
        del sys.modules[name]


def test_a_submodule_does_not_need_the_whole(package: Path) -> None:
    initialise_late(NAME)
    assert import_module(f"{NAME}.light").WEIGHT == 1
    assert f"{NAME}.heavy" not in sys.modules


def test_the_whole_is_there_when_it_is_asked_for(package: Path) -> None:
    initialise_late(NAME)
    whole = import_module(NAME)
    heavy = whole.Heavy
    assert heavy is sys.modules[f"{NAME}.heavy"].Heavy
    with pytest.raises(AttributeError, match="nothing"):
        _ = whole.nothing


def test_a_package_in_a_late_one_may_be_late_itself(package: Path) -> None:
    (package / "deep").mkdir()
    (package / "deep" / "__init__.py").write_text("from late_example.heavy import Heavy as Heavy")
    (package / "deep" / "leaf.py").write_text("WEIGHT = 2\n")
    initialise_late(NAME)
    initialise_late(f"{NAME}.deep")
    assert import_module(f"{NAME}.deep.leaf").WEIGHT == 2
    assert f"{NAME}.heavy" not in sys.modules
    assert import_module(NAME).deep.Heavy is sys.modules[f"{NAME}.heavy"].Heavy


def test_what_is_imported_already_or_not_there_is_left_alone(package: Path) -> None:
    whole = import_module(NAME)
    initialise_late(NAME)
    assert sys.modules[NAME] is whole
    initialise_late("no_such_package_at_all")
    assert "no_such_package_at_all" not in sys.modules


def test_the_store_does_without_the_rest_client_of_lancedb() -> None:
    from tests.benchmarks.measure import run

    name = "lance_namespace_urllib3_client"
    code = (
        f"import store.table.lance, sys, {name};"
        f" print('{name}.api' in sys.modules, {name}.ApiClient)"
    )
    assert run(["-c", code]).stdout.split()[0] == "False"
