"""One page for tests that change nothing, and pages of their own for the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api import Client, open_page
from tests.support.projects import UserProject


@pytest.fixture(scope="module")
def shown(collection: UserProject, tmp_path_factory: pytest.TempPathFactory) -> UserProject:
    """The collection that the module's page shows. Change nothing in it."""
    return collection.copied(tmp_path_factory.mktemp("shown") / "project")


@pytest.fixture(scope="module")
def page(shown: UserProject) -> Iterator[Client]:
    with open_page(shown) as page:
        yield page


@pytest.fixture
def own(collection: UserProject, tmp_path: Path) -> UserProject:
    """A copy of the collection, to be changed."""
    return collection.copied(tmp_path / "own")


@pytest.fixture
def own_page(own: UserProject) -> Iterator[Client]:
    with open_page(own) as page:
        yield page
