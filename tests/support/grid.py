"""The grid of the view Search, as a test looks at it."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page, expect

from tests.support.pages import FOLDERS, IN_FOLDER, UNLABELED

ALL = len(FOLDERS) * IN_FOLDER + UNLABELED + 2
CATS = IN_FOLDER + 1  # with the rocket among them


def cards(page: Page) -> Any:
    return page.locator(".grid .card")


def card(page: Page, name: str) -> Any:
    return cards(page).filter(has=page.locator(f".name[title={json.dumps(name)}]"))


def answered(page: Page, text: Any, **options: Any) -> None:
    """Wait until the page says how many videos it shows."""
    expect(page.locator(".answered")).to_have_text(text, **options)
