"""Searches by a picture that is pasted, dropped or chosen."""

from __future__ import annotations

import base64
import io
import re

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.support.grid import ALL, answered
from tests.web.conftest import LOADING_SECONDS

PICTURE = """async ([base64, kind, name]) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const given = new DataTransfer();
  given.items.add(new File([bytes], name, { type: kind }));
  const paste = () => document.dispatchEvent(
    new ClipboardEvent("paste", { clipboardData: given, bubbles: true, cancelable: true }));
  const drag = (type) => document.querySelector(".results").dispatchEvent(
    new DragEvent(type, { dataTransfer: given, bubbles: true, cancelable: true }));
  const drop = () => { drag("dragover"); drag("drop"); };
  (name === "pasted.png" ? paste : drop)();
}"""


def red() -> bytes:
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 30, 30)).save(picture, "PNG")
    return picture.getvalue()


def give(page: Page, content: bytes, kind: str, name: str) -> None:
    """Drop a file on the page, or paste it."""
    page.evaluate(PICTURE, [base64.b64encode(content).decode(), kind, name])


@pytest.mark.parametrize("name", ["pasted.png", "dropped.png"])
def test_picture_that_is_pasted_or_dropped_searches(page: Page, name: str) -> None:
    answered(page, f"{ALL} videos")
    asked = re.compile(r"\?picture=")
    with page.expect_request(lambda request: "/api/search?picture=" in request.url):
        give(page, red(), "image/png", name)
    expect(page).to_have_url(asked)
    expect(page.locator(".chip canvas")).to_be_visible()
    page.locator(".chip button").click()
    answered(page, f"{ALL} videos")


def test_what_is_dropped_and_no_picture_is_said(page: Page) -> None:
    answered(page, f"{ALL} videos")
    give(page, b"words", "text/plain", "words.txt")
    expect(page.locator(".toast.error")).to_contain_text("That is no picture.")
    give(page, b"broken", "image/png", "broken.png")
    expect(page.locator(".toast.error")).to_contain_text("no picture that can be read")


def test_picture_that_is_chosen_searches(page: Page) -> None:
    page.locator("input[type=file]").set_input_files(
        {"name": "red.png", "mimeType": "image/png", "buffer": red()}
    )
    expect(page).to_have_url(re.compile(r"\?picture="))
    expect(page.locator(".chip")).to_contain_text("Like this picture")
    answered(page, re.compile(r"\d+ videos? found"), timeout=LOADING_SECONDS * 1000)
