"""The grid of the view Search: look, select and move, by mouse and by keys."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support.grid import ALL, answered, card, cards
from tests.support.projects import UserProject

ORDER = """() => {
  const cards = [...document.querySelectorAll(".grid .card")];
  const columns = new Set(cards.map((card) => card.getBoundingClientRect().x));
  cards.sort((a, b) => a.ariaPosInSet - b.ariaPosInSet);
  return [columns.size, cards.map((card) => card.querySelector(".name").title)];
}"""


def focused(page: Page) -> str | None:
    return page.evaluate("document.activeElement.querySelector('.name')?.title")


def test_grid_by_keyboard(page: Page) -> None:
    answered(page, f"{ALL} videos")
    columns, names = page.evaluate(ORDER)
    page.keyboard.press("ArrowDown")
    assert focused(page) == names[0]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert focused(page) == names[1 + columns]
    page.keyboard.press("End")
    assert focused(page) == names[-1]
    page.keyboard.press("Home")
    assert focused(page) == names[0]
    page.keyboard.press("Enter")
    expect(page.locator("#player")).to_be_visible()
    page.keyboard.press("Escape")
    assert focused(page) == names[0]


def test_arrows_and_letters_belong_to_the_box_while_typing(page: Page) -> None:
    box = page.get_by_label("Search", exact=True)
    answered(page, f"{ALL} videos")
    page.keyboard.press("/")
    page.keyboard.type("xav")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert box.evaluate("box => box.selectionStart") == 1
    expect(page.locator(".chosen")).to_be_hidden()
    expect(page.locator("#help")).to_be_hidden()
    expect(box).to_have_value("xav")


def test_keys_are_listed_by_question_mark(page: Page) -> None:
    answered(page, f"{ALL} videos")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_contain_text("select this video")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page).to_have_url(re.compile(r"view=status"))
    page.keyboard.press("g")
    page.keyboard.press("s")
    answered(page, f"{ALL} videos")


def test_mouse_over_cards_leaves_one_video_and_leaving_none(page: Page) -> None:
    answered(page, f"{ALL} videos")
    for name in ("cats/1.mp4", "cats/2.mp4", "cats/3.mp4"):
        card(page, name).hover()
    playing = card(page, "cats/3.mp4").locator("video")
    expect(playing).to_have_js_property("paused", False)
    assert playing.evaluate("video => video.muted && video.preload === 'metadata'")
    expect(page.locator("video[src]")).to_have_count(1)
    page.mouse.move(5, 5)
    expect(page.locator("video[src]")).to_have_count(0)


def test_nothing_plays_by_itself_where_the_system_asks_for_no_motion(
    open_page: Callable[..., Page],
) -> None:
    page = open_page(reduced_motion="reduce")
    card(page, "cats/1.mp4").hover()
    page.wait_for_function("() => new Promise(done => setTimeout(done, 400, true))")
    expect(page.locator("video")).to_have_count(0)


def test_selected_videos_really_move_and_undo_brings_them_back(
    page: Page, project: UserProject
) -> None:
    names = ("new-0.mp4", "new-1.mp4")
    for name in names:
        card(page, name).hover()
        card(page, name).get_by_role("checkbox").click()
    expect(page.locator(".chosen")).to_contain_text("2 videos selected")
    page.keyboard.press("v")
    page.keyboard.type("birds")
    expect(page.locator("[role=option]")).to_contain_text("new folder")
    page.keyboard.press("Enter")
    expect(page.locator("#toast")).to_contain_text("2 videos moved to birds")
    expect(card(page, "birds/new-0.mp4")).to_be_visible()
    assert all((project.videos / "birds" / name).is_file() for name in names)
    assert not any((project.videos / name).exists() for name in names)
    expect(page.get_by_label("birds")).to_be_visible()
    page.keyboard.press("u")
    expect(page.locator("#toast")).to_contain_text("2 videos moved back")
    assert all((project.videos / name).is_file() for name in names)
    expect(card(page, "new-1.mp4")).to_be_visible()
    (project.videos / "birds").rmdir()


def test_range_of_cards_is_selected_with_shift(page: Page) -> None:
    answered(page, f"{ALL} videos")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    fourth = cards(page).nth(3)
    fourth.hover()
    fourth.get_by_role("checkbox").click(modifiers=["Shift"])
    expect(page.locator(".chosen")).to_contain_text("4 videos selected")
    page.keyboard.press("Escape")
    expect(page.locator(".chosen")).to_be_hidden()
    page.keyboard.press("a")
    expect(page.locator(".chosen")).to_contain_text(f"{ALL} videos selected")


@pytest.mark.parametrize("name", ["a/b", ".hidden"])
def test_impossible_folder_name_is_said_before_it_is_sent(page: Page, name: str) -> None:
    answered(page, f"{ALL} videos")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    page.keyboard.press("v")
    page.keyboard.type(name)
    expect(page.locator(".problem")).to_contain_text("A folder's name")
    expect(page.locator("[role=option]")).to_have_count(0)
