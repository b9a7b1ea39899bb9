"""One page for tests that change nothing, and pages of their own for the others."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.api import Client, open_page
from tests.support.pages import make_collection
from tests.support.projects import UserProject


@pytest.fixture(scope="module")
def shown(
    tmp_path_factory: pytest.TempPathFactory, made: Callable[[str], Path], whisper_dir: Path
) -> UserProject:
    """The collection that the module's page shows. Change nothing in it."""
    folder = tmp_path_factory.mktemp("shown") / "project"
    return make_collection(folder, made("silent_audio.mp4"), whisper_dir)


@pytest.fixture(scope="module")
def page(shown: UserProject) -> Iterator[Client]:
    with open_page(shown) as page:
        yield page


@pytest.fixture
def own(shown: UserProject, tmp_path: Path) -> UserProject:
    """A copy of the collection, to be changed."""
    shutil.copytree(shown.folder, tmp_path / "own", symlinks=True)
    return UserProject(tmp_path / "own")


@pytest.fixture
def own_page(own: UserProject) -> Iterator[Client]:
    with open_page(own) as page:
        yield page
