"""The view Search: find and filter, and what it says where there is nothing to show."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsers import fulfil
from tests.support.grid import ALL, CATS, answered, card, cards
from tests.support.pages import IN_FOLDER, UNLABELED
from tests.web.conftest import LOADING_SECONDS


def test_collection_is_shown_with_its_folders(page: Page) -> None:
    answered(page, f"{ALL} videos")
    expect(cards(page)).to_have_count(ALL)
    expect(page.get_by_label("cats")).to_be_visible()
    row = page.locator(".folders label").filter(has_text="cats")
    expect(row.locator("small")).to_have_text(str(CATS))
    expect(page).to_have_title("Search · video-vectors")


def test_filters_are_in_the_address_and_back_takes_them_off(page: Page) -> None:
    page.get_by_label("cats").check()
    answered(page, f"{CATS} videos")
    expect(page).to_have_url(re.compile(r"\?folder=cats$"))
    page.get_by_label("dogs").check()
    answered(page, f"{CATS + IN_FOLDER + 1} videos")
    page.go_back()
    answered(page, f"{CATS} videos")
    expect(page.get_by_label("dogs")).not_to_be_checked()
    page.go_back()
    answered(page, f"{ALL} videos")
    page.go_forward()
    answered(page, f"{CATS} videos")
    page.get_by_role("button", name="Clear filters").first.click()
    answered(page, f"{ALL} videos")


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("unlabeled=1", f"{UNLABELED} videos"),
        ("folder=cats&folder=rockets", f"{CATS + IN_FOLDER} videos"),
        ("min_seconds=15&max_seconds=60", "0 videos"),
        ("offline=1", "0 videos"),
        ("since=2124-01-01", "0 videos"),
        ("failed=1", "1 video could not be embedded"),
        ("failed=1&folder=cats", "0 videos could not be embedded"),
        ("text=rest&by=words", "1 video found"),
    ],
)
def test_address_alone_brings_the_view_back(
    open_page: Callable[..., Page], query: str, text: str
) -> None:
    page = open_page(f"/?{query}")
    answered(page, text)
    page.reload()
    answered(page, text)


def test_failed_videos_are_listed_with_their_reason(open_page: Callable[..., Page]) -> None:
    page = open_page("/?failed=1")
    expect(cards(page)).to_have_count(1)
    failed = card(page, "broken.mp4")
    expect(failed).to_contain_text("no video stream")
    failed.locator("a.face").click()
    expect(page.locator("#player .remark")).to_have_text("no video stream")
    expect(page.locator("#player video")).to_have_count(0)
    expect(page.locator("#player button")).to_have_count(1)  # which closes it


def test_more_like_this(page: Page) -> None:
    card(page, "rockets/2.mp4").hover()
    card(page, "rockets/2.mp4").get_by_label("More like 2.mp4").click()
    answered(page, re.compile(r"\d+ videos found"))
    expect(page.locator(".chip")).to_contain_text("More like 2.mp4")
    expect(cards(page).first.locator(".folder")).to_have_text("rockets")
    expect(cards(page).first.locator(".match")).to_contain_text("%")
    page.locator(".chip button").click()
    answered(page, f"{ALL} videos")


def test_search_by_meaning_says_how_it_went(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("two red squares")
    page.keyboard.press("Enter")
    said = page.locator(".remark, .notice h2, .match").first
    expect(said).to_be_visible(timeout=LOADING_SECONDS * 1000)
    answered(page, re.compile(r"\d+ videos? found"))


def test_where_nothing_matches_well_the_nearest_are_offered(open_page: Callable[..., Page]) -> None:
    page = open_page("/?text=rest+zebra&by=words")
    expect(page.get_by_role("heading", name="Nothing matches well")).to_be_visible()
    page.get_by_role("button", name="Show the nearest").click()
    answered(page, "1 video found")
    expect(page).to_have_url(re.compile("nearest=1"))
    expect(cards(page).first.locator("mark")).to_have_text("rest")


def test_empty_store_says_what_to_do(open_page: Callable[..., Page]) -> None:
    nothing = {"total": 0, "offset": 0, "videos": [], "version": 0}
    page = open_page(before=fulfil("videos?", 200, nothing))
    expect(page.get_by_role("heading", name="No videos yet")).to_be_visible()
    expect(page.locator(".notice")).to_contain_text("run scan")


def test_error_is_said_and_tried_again(open_page: Callable[..., Page]) -> None:
    page = open_page(before=fulfil("videos?", 503, {"error": "The table is being repaired."}))
    expect(page.locator(".notice[role=alert]")).to_contain_text("The table is being repaired.")
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    answered(page, f"{ALL} videos")


def test_waiting_is_said_until_the_answer_comes(open_page: Callable[..., Page]) -> None:
    waiting = fulfil("search?", 202, {"waiting": "CLIP is being loaded."})
    page = open_page("/?text=rest&by=words", before=waiting)
    expect(page.locator(".loading")).to_contain_text("CLIP is being loaded.")
    page.unroute_all()
    answered(page, "1 video found")
    expect(page.locator(".loading")).to_have_count(0)


def test_server_that_is_away_is_said(open_page: Callable[..., Page]) -> None:
    page = open_page(before=lambda page: page.route("**/api/**", lambda route: route.abort()))
    expect(page.get_by_role("heading", name="No answer")).to_be_visible()
    expect(page.locator("#offline")).to_be_visible()
    page.unroute_all()
    expect(page.locator("#offline")).to_be_hidden()
    page.get_by_role("button", name="Try again").click()
    answered(page, f"{ALL} videos")
