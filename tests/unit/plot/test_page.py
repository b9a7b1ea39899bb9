"""The page that `plot` writes, in a browser."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from pipeline.plot.legend import groups
from pipeline.plot.page import Folder, Point, to_html

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

PLACES = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1], [0, 0]], float)
PATHS = ("label2/a.mp4", "label2/b.mp4", "label10/c.mp4", "d & <b>#?%.mp4", "e.mp4")
LABELS = ["label2", "label2", "label10", None, None]
WORDS = ("Bake the bread", "", "<img src=x onerror=document.title='hacked'>", "words " * 60, "e")
MARGIN = 24  # around the points, in pixels
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 400, "height": 700}

Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of five videos, one in each corner and one in the middle."""
    jpeg = io.BytesIO()
    Image.new("RGB", (120, 160), "red").save(jpeg, "JPEG")
    points = [Point(path, words, jpeg.getvalue()) for path, words in zip(PATHS, WORDS, strict=True)]
    page = to_html(PLACES, groups(LABELS), points, Folder("my/<i>videos", "../my"))
    file = tmp_path_factory.mktemp("plot") / "plot.html"
    file.write_text(page, encoding="utf-8")
    return file


@pytest.fixture
def show(browser: Browser, file: Path) -> Iterator[Open]:
    """`show(**context)`: the page, opened; it may neither fail nor ask for anything."""
    opened: list[Page] = []
    seen: list[str] = []

    def show(**context: Any) -> Page:
        page = browser.new_page(**{"viewport": WIDE, **context})
        opened.append(page)
        page.on("pageerror", lambda error: seen.append(error.message))
        page.on("console", lambda message: seen.append(message.text))
        page.on("request", lambda request: seen.append(request.url))
        page.goto(file.as_uri())
        return page

    yield show
    for page in opened:
        page.close()
    assert [each for each in seen if each != file.as_uri() and not each.startswith("data:")] == []


def middle_of(page: Page, x: float = 0.5, y: float = 0.5) -> tuple[float, float]:
    box = page.locator("canvas").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def search(page: Page, text: str) -> None:
    """Type it, and go to the first video that is found."""
    page.fill("[type=search]", text)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW])
def test_no_barrier_is_found(show: Open, viewport: dict[str, int], colour_scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = show(viewport=viewport, color_scheme=colour_scheme)
    page.mouse.click(*middle_of(page))
    assert Axe().run(page).response["violations"] == []
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (colour_scheme == "light")


@pytest.mark.parametrize("viewport", [WIDE, NARROW])
def test_everything_fits_the_window(show: Open, viewport: dict[str, int]) -> None:
    page = show(viewport=viewport, device_scale_factor=2, has_touch=True)
    wide, high = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert (wide, high) == (viewport["width"], viewport["height"])
    canvas = page.locator("canvas").bounding_box()
    assert canvas["width"] * canvas["height"] > 0.4 * wide * high


@pytest.mark.parametrize("viewport", [WIDE, NARROW])
def test_the_card_of_a_video_stays_inside_the_window(show: Open, viewport: dict[str, int]) -> None:
    page = show(viewport=viewport)
    for path in PATHS:
        search(page, path)
        page.wait_for_function("document.querySelector('#card img').complete")
        card = page.locator("#card").bounding_box()
        assert card["height"] > 160
        assert 0 <= card["x"] <= viewport["width"] - card["width"]
        assert 0 <= card["y"] <= viewport["height"] - card["height"]


def test_a_click_keeps_the_card_with_a_link_to_the_video(show: Open, file: Path) -> None:
    page = show()
    page.mouse.move(*middle_of(page))
    assert page.inner_text("#card a") == "my/<i>videos/e.mp4"
    page.mouse.move(*middle_of(page, 0.4, 0.4))
    assert page.is_hidden("#card")
    page.mouse.click(*middle_of(page))
    page.mouse.move(*middle_of(page, 0.4, 0.4))
    assert (
        page.evaluate("document.querySelector('#card a').href")
        == (file.parent.parent / "my/e.mp4").as_uri()
    )
    page.keyboard.press("Escape")
    assert page.is_hidden("#card")


def test_names_and_words_are_text(show: Open, file: Path) -> None:
    page = show()
    for path in PATHS:
        search(page, path)
        assert page.inner_text("#card a") == f"my/<i>videos/{path}"
        linked = page.evaluate("document.querySelector('#card a').href")
        assert linked == (file.parent.parent / "my" / path).as_uri()
    assert page.inner_text("header p") == "5 videos in my/<i>videos"
    assert "hacked" not in page.title()


def test_the_keyboard_alone_finds_a_video_and_goes_back(show: Open) -> None:
    page = show()
    page.keyboard.press("Tab")
    page.keyboard.type("BREAD bake")
    assert page.inner_text("output") == "1 found"
    page.keyboard.press("Enter")
    assert page.inner_text("#card a").endswith(PATHS[0])
    page.keyboard.press("Escape")
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent").endswith(PATHS[2])
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.tagName") == "CANVAS"


def test_the_legend_hides_labels_by_keyboard(show: Open) -> None:
    page = show()
    names = page.locator("#labels label").all_inner_texts()
    assert [" ".join(name.split()) for name in names] == ["label2 2", "label10 1", "(unlabeled) 2"]
    page.get_by_label("(unlabeled)").focus()
    page.keyboard.press("Space")
    page.mouse.move(*middle_of(page))
    assert page.is_hidden("#card")
    page.get_by_role("button", name="None").click()
    assert page.locator("#labels :checked").count() == 0
    page.get_by_role("button", name="All", exact=True).click()
    page.mouse.move(*middle_of(page, 0.51, 0.51))
    page.mouse.move(*middle_of(page))
    assert page.is_visible("#card")


def test_the_buttons_zoom(show: Open) -> None:
    page = show()
    box = page.locator("canvas").bounding_box()
    half = box["height"] / 2 - MARGIN
    corner = (box["x"] + box["width"] / 2 - half, box["y"] + box["height"] - MARGIN)
    for button, name in (
        ("Zoom in", None),
        ("Show all", PATHS[0]),
        ("Zoom in", None),
        ("Zoom out", PATHS[0]),
    ):
        page.get_by_role("button", name=button).click()
        page.mouse.move(*corner)
        assert (
            page.is_hidden("#card") if name is None else page.inner_text("#card a").endswith(name)
        )
