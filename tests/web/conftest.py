"""The page of a made-up collection, in a real browser: one server a module."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.api import open_page as serve
from tests.support.browsers import opened_browser
from tests.support.projects import UserProject

SECONDS = 60.0  # generous: other work may run on the machine
LOADING_SECONDS = 120.0  # of CLIP by the server
expect.set_options(timeout=SECONDS * 1000)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, for all modules: none of them runs an event loop in the thread of the tests."""
    with opened_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, collection: UserProject) -> UserProject:
    """33 videos; what a test moves it moves back."""
    return collection.copied(tmp_path_factory.mktemp("page") / "project")


@pytest.fixture(scope="module")
def address(project: UserProject) -> Iterator[str]:
    """Where the page is, which is served by a thread; `tests/process` has the process."""
    with serve(project) as page:
        yield f"http://127.0.0.1:{page.port}"


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """`open_page(path="/", **context)`; no page may ask another host, or make an error."""
    contexts, wrong = [], []

    def note_request(request: Any) -> None:
        if not request.url.startswith(address):
            wrong.append(f"asked another host: {request.url}")

    def note_line(line: Any) -> None:
        if _is_ours(line.text):
            wrong.append(line.text)

    def open_page(path: str = "/", before: Callable[[Page], Any] = id, **options: Any) -> Page:
        context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 800}, "base_url": address, **options}
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SECONDS * 1000)
        page.on("request", note_request)
        page.on("pageerror", lambda error: wrong.append(error.message))
        page.on("console", note_line)
        before(page)
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def _is_ours(text: str) -> bool:
    """Whether a line in the browser's console is no mere report of a status that a test made."""
    return not re.match("Failed to load resource", text)


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """The first view."""
    return open_page()
