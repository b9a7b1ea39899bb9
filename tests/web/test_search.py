"""The view Search: find, filter, look, select and move, by mouse and by keys."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.support.browsers import fulfil
from tests.support.pages import FOLDERS, IN_ENGLISH, IN_FOLDER, LONG, MARKUP, SAID, UNLABELED
from tests.support.projects import UserProject

ALL = len(FOLDERS) * IN_FOLDER + UNLABELED + 2
CATS = IN_FOLDER + 1  # with the rocket among them
ORDER = """() => {
  const cards = [...document.querySelectorAll(".grid .card")];
  const columns = new Set(cards.map((card) => card.getBoundingClientRect().x));
  cards.sort((a, b) => a.ariaPosInSet - b.ariaPosInSet);
  return [columns.size, cards.map((card) => card.querySelector(".name").title)];
}"""
LOADING_SECONDS = 90  # of CLIP by the server


def cards(page: Page) -> Any:
    return page.locator(".grid .card")


def answered(page: Page, text: str) -> None:
    expect(page.locator(".answered")).to_have_text(text)


def card(page: Page, name: str) -> Any:
    return cards(page).filter(has=page.locator(f".name[title={json.dumps(name)}]"))


def focused(page: Page) -> str | None:
    return page.evaluate("document.activeElement.querySelector('.name')?.title")


def player_time(page: Page) -> float:
    return page.locator("#player video").evaluate("video => video.currentTime")


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


def test_more_like_this(page: Page) -> None:
    card(page, "rockets/2.mp4").hover()
    card(page, "rockets/2.mp4").get_by_label("More like 2.mp4").click()
    answered(page, re.compile(r"\d+ videos found"))
    expect(page.locator(".chip")).to_contain_text("More like 2.mp4")
    expect(cards(page).first.locator(".folder")).to_have_text("rockets")
    expect(cards(page).first.locator(".match")).to_contain_text("%")
    page.locator(".chip button").click()
    answered(page, f"{ALL} videos")


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
    found = re.compile(r"\d+ videos? found")
    expect(page.locator(".answered")).to_have_text(found, timeout=LOADING_SECONDS * 1000)


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


def test_long_name_is_cut_and_shown_whole_in_the_player(open_page: Callable[..., Page]) -> None:
    page = open_page("/?unlabeled=1")
    card(page, LONG).locator("a.face").click()
    expect(page.locator("#player .path")).to_have_text(LONG)
