"""The player of the view Search: opened, closed, by keys, and what it says of a video."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.support.grid import ALL, CATS, answered, card, cards
from tests.support.pages import IN_ENGLISH, LONG, MARKUP, SAID


def player_time(page: Page) -> float:
    return page.locator("#player video").evaluate("video => video.currentTime")


def test_player_closes_by_back_and_by_escape_where_it_was_opened(page: Page) -> None:
    page.get_by_label("cats").check()
    answered(page, f"{CATS} videos")
    card(page, "cats/3.mp4").locator("a.face").click()
    expect(page.locator("#player h2")).to_have_text("3.mp4")
    page.keyboard.press("j")
    expect(page.locator("#player h2")).to_have_text("4.mp4")
    page.keyboard.press("k")
    expect(page.locator("#player h2")).to_have_text("3.mp4")
    page.keyboard.press("Escape")
    expect(page.locator("#player")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"\?folder=cats$"))
    page.go_forward()
    expect(page.locator("#player h2")).to_have_text("3.mp4")
    page.go_back()
    expect(page.locator("#player")).to_be_hidden()
    page.go_back()
    answered(page, f"{ALL} videos")


def test_player_keys(page: Page) -> None:
    card(page, "cats/1.mp4").locator("a.face").click()
    video = page.locator("#player video")
    page.wait_for_function("() => document.querySelector('#player video')?.currentTime > 0")
    page.keyboard.press("Space")
    expect(video).to_have_js_property("paused", True)
    page.keyboard.press("ArrowLeft")
    expect(video).to_have_js_property("currentTime", 0)
    muted = video.evaluate("video => video.muted")
    page.keyboard.press("m")
    expect(video).to_have_js_property("muted", not muted)
    page.keyboard.press("l")
    answered(page, re.compile(r"\d+ videos? found"))
    expect(page.locator(".chip")).to_contain_text("More like 1.mp4")


def test_spoken_words_are_marked_and_open_at_their_moment(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("rest")
    page.get_by_label("Where to look").select_option("words")
    answered(page, "1 video found")
    found = cards(page).first
    expect(found.locator("mark")).to_have_text("rest")
    expect(found.locator(".why")).to_contain_text("<b>Let it")
    found.locator("a.face").click()
    expect(page.locator("#player")).to_be_visible()
    expect(page.locator(".transcript li.now")).to_contain_text(SAID)
    assert player_time(page) > 0.7
    first = page.locator(".transcript button").first
    first.click()
    expect(page.locator(".transcript li.now")).to_contain_text("First we knead")


def test_markup_in_names_and_words_stays_text(open_page: Callable[..., Page]) -> None:
    page = open_page("/?unlabeled=1")
    expect(card(page, MARKUP)).to_be_visible()
    card(page, MARKUP).locator("a.face").click()
    expect(page.locator("#player h2")).to_have_text(MARKUP)
    expect(page.locator(".transcript")).to_contain_text(SAID)
    page.get_by_text("In English", exact=True).click()
    expect(page.get_by_text(IN_ENGLISH)).to_be_visible()
    assert page.evaluate("window.hacked === undefined")
    assert page.locator("#player b").count() == 0


def test_long_name_is_cut_and_shown_whole_in_the_player(open_page: Callable[..., Page]) -> None:
    page = open_page("/?unlabeled=1")
    card(page, LONG).locator("a.face").click()
    expect(page.locator("#player .path")).to_have_text(LONG)
