"""Chromium, for the tests that look at pages; without one they are skipped with the reason.

`VIDEO_VECTORS_BROWSER=required` makes a missing browser an error.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, Route, sync_playwright

VARIABLE = "VIDEO_VECTORS_BROWSER"
NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def opened_browser() -> Iterator[Browser]:
    """Start the system's Chromium, or the one that `playwright install chromium` brought."""
    installed = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        try:
            # The sandbox needs rights that a container does not give; the tests' pages are ours.
            browser = playwright.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        except Error as error:
            if os.environ.get(VARIABLE) == "required":
                raise
            pytest.skip(f"no browser to open pages with: {error.message.splitlines()[0]}")
        try:
            yield browser
        finally:
            browser.close()


def fulfil(path: str, status: int, content: Any) -> Callable[[Page], Any]:
    """Make what lets a page get this answer to a GET of the API, whatever the server has."""

    def answer(route: Route) -> None:
        if route.request.method != "GET":
            return route.fallback()
        body = json.dumps(content)
        return route.fulfill(status=status, content_type="application/json", body=body)

    return lambda page: page.route(lambda url: f"/api/{path}" in url, answer)
