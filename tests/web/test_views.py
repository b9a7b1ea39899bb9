"""The views Review, Map and Status; what holds for all: accessible, in both themes, when narrow."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

from tests.support.browsers import fulfil
from tests.support.pages import FOLDERS, IN_FOLDER, UNLABELED
from tests.support.projects import UserProject, eventually

VIEWS = ("search", "sort", "review", "map", "status")
SHOWN = {
    "search": ".grid .card",
    "sort": ".choice",
    "review": ".case",
    "map": ".maps canvas",
    "status": ".equation",
}


def current(page: Page) -> str:
    return page.locator(".case h2").inner_text()


def test_review_keeps_a_decision(open_page: Callable[..., Page]) -> None:
    page = open_page("/?view=review&kind=duplicate")
    expect(page.locator(".case figure")).to_have_count(2)
    expect(page.locator(".case")).to_contain_text("copy.mp4")
    page.keyboard.press("k")
    expect(page.locator("#toast")).to_contain_text("Kept")
    page.reload()
    expect(page.locator(".tabs, .notice h2").first).to_be_visible()
    expect(page.get_by_text("copy.mp4")).to_have_count(0)


def test_review_asks_for_the_cases_after_the_first_ones(open_page: Callable[..., Page]) -> None:
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        review = route.fetch().json()
        (case,) = (each for each in review["groups"] if each["kind"] == "misplaced")
        case |= {"id": f"misplaced-{len(asked)}", "text": f"Case {len(asked)}"}
        left = {"misplaced": 3 - len(asked)}
        route.fulfill(json=review | {"left": left, "groups": [case], "overlaps": []})

    def before(page: Page) -> None:
        page.route("**/api/review*", answer)
        page.route("**/api/decisions", lambda route: route.fulfill(json={}))

    page = open_page("/?view=review", before=before)
    expect(page.locator(".case")).to_contain_text("Case 1")
    expect(page.locator(".answered")).to_have_text("1 of 2")
    page.keyboard.press("1")
    expect(page.locator(".case")).to_contain_text("Case 2")
    expect(page.locator(".answered")).to_have_text("1 of 1")
    page.keyboard.press("1")
    expect(page.locator(".notice")).to_contain_text("Nothing to review")


def test_review_undoes_a_decision(open_page: Callable[..., Page]) -> None:
    page = open_page("/?view=review&kind=misplaced")
    expect(page.locator(".case")).to_contain_text("looks-like-a-rocket.mp4")
    page.keyboard.press("1")
    expect(page.locator("#toast")).to_contain_text("Kept")
    page.keyboard.press("u")
    expect(page.locator(".case")).to_contain_text("looks-like-a-rocket.mp4")
    page.reload()
    expect(page.locator(".case")).to_contain_text("looks-like-a-rocket.mp4")


def test_review_moves_what_is_misplaced_and_undo_brings_it_back(
    open_page: Callable[..., Page], project: UserProject
) -> None:
    page = open_page("/?view=review&kind=misplaced")
    expect(page.locator(".near")).to_contain_text("rockets")
    page.keyboard.press("2")
    expect(page.locator("#toast")).to_contain_text("moved to rockets")
    assert (project.videos / "rockets" / "looks-like-a-rocket.mp4").is_file()
    page.keyboard.press("u")
    expect(page.locator(".case")).to_contain_text("looks-like-a-rocket.mp4")
    assert (project.videos / "cats" / "looks-like-a-rocket.mp4").is_file()


def test_review_shows_folders_that_look_alike(open_page: Callable[..., Page]) -> None:
    alike = {
        "id": "overlap-x",
        "folders": ["cats", "dogs"],
        "share": 0.4,
        "text": "They look alike.",
    }
    left = {"overlap": 1}
    review = {"left": left, "groups": [], "overlaps": [alike], "small": [], "remark": None}
    page = open_page("/?view=review", before=fulfil("review", 200, review))
    expect(page.locator(".overlap")).to_contain_text("40% look alike")
    with page.expect_request(lambda request: request.method == "POST") as asked:
        page.keyboard.press("k")
    assert asked.value.post_data_json == {"id": "overlap-x", "decision": "keep"}
    expect(page.get_by_role("heading", name="Nothing to review")).to_be_visible()
    page.keyboard.press("u")
    page.get_by_role("link", name="Look at both").click()
    expect(page).to_have_url(re.compile("folder=cats&folder=dogs"))


def test_map_shows_every_video_and_a_region_becomes_a_selection(
    open_page: Callable[..., Page],
) -> None:
    page = open_page("/?view=map")
    total = len(FOLDERS) * IN_FOLDER + UNLABELED + 2
    expect(page.locator(".answered")).to_have_text(f"{total} videos")
    expect(page.locator(".maps .side label")).to_have_count(len(FOLDERS) + 2)
    box = page.locator(".maps canvas").bounding_box()
    assert box is not None
    page.keyboard.press("d")
    corners = [(3, 3), (box["width"] - 3, 3), (box["width"] - 3, box["height"] - 3)]
    page.mouse.move(box["x"] + 3, box["y"] + box["height"] - 3)
    page.mouse.down()
    for x, y in corners:
        page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.up()
    expect(page.locator(".chosen")).to_contain_text(f"{total} videos selected")
    page.keyboard.press("Escape")
    expect(page.locator(".chosen")).to_be_hidden()


def test_map_by_keyboard_opens_a_video(open_page: Callable[..., Page]) -> None:
    page = open_page("/?view=map")
    canvas = page.locator(".maps canvas")
    canvas.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".tip img")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#player video")).to_be_visible()
    page.go_back()
    expect(page.locator("#player")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"view=map$"))


def test_status_is_an_equation_with_reasons(open_page: Callable[..., Page]) -> None:
    page = open_page("/?view=status")
    numbers = [int(each) for each in page.locator(".number b").all_inner_texts()] or eventually(
        lambda: [int(each) for each in page.locator(".number b").all_inner_texts()]
    )
    on_disk, embedded, waiting, failed = numbers
    assert on_disk == embedded + waiting + failed == len(FOLDERS) * IN_FOLDER + UNLABELED + 3
    expect(page.locator(".failures")).to_contain_text("no video stream")
    expect(page.locator(".recipes")).to_contain_text("settings in force")


def test_status_says_what_a_scan_is_doing(open_page: Callable[..., Page]) -> None:
    run = {"command": "scan", "files_done": 3, "files_total": 10, "rate": 1.5, "left_seconds": 40.0,
           "now": ["cats/long.mp4"]}  # fmt: skip
    status = {
        "data_dir": "videos", "on_disk": 10, "embedded": 3, "pending": 7, "failed": 0, "offline": 0,
        "unlabeled": 0, "problem": None, "recipes": [], "running": run, "undo": None,
        "bytes_on_disk": 1, "store": "store", "behind": 2,
    }  # fmt: skip

    def busy(page: Page) -> None:
        fulfil("status", 200, status)(page)
        page.route("**/api/events", lambda route: route.abort())  # which tell how it really is

    page = open_page("/?view=status", before=busy)
    expect(page.locator("progress")).to_have_attribute("value", "3")
    shown = page.get_by_role("region", name="Running now")
    for words in ("scan 3 of 10 files", "1.5 a second", "40 s left", "cats/long.mp4"):
        expect(shown).to_contain_text(words)
    expect(page.locator("#running")).to_contain_text("scan 3 of 10, 40 s left")
    expect(page.locator("#running")).to_contain_text("rows of 2 moved videos follow")


def test_status_examines_this_machine_when_asked(open_page: Callable[..., Page]) -> None:
    finding = {"part": "disk", "state": "warning", "text": "2 GB are free.", "advice": "Make room."}
    page = open_page("/?view=status", before=fulfil("doctor", 200, {"findings": [finding]}))
    page.get_by_role("button", name="Check now").click()
    expect(page.locator(".findings .warning")).to_have_text(re.compile("disk.*Make room"))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_accessible_in_both_themes(open_page: Callable[..., Page], view: str, theme: Any) -> None:
    page = open_page(f"/?view={view}", color_scheme=theme, reduced_motion="reduce")
    expect(page.locator(SHOWN[view]).first).to_be_visible()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_dialogs_are_accessible(open_page: Callable[..., Page], theme: Any) -> None:
    page = open_page("/?unlabeled=1", color_scheme=theme, reduced_motion="reduce")
    page.locator(".card a.face").first.click()
    expect(page.locator("#player video")).to_be_visible()
    player = Axe().run(page)
    assert player.violations_count == 0, player.generate_report()
    page.keyboard.press("v")
    expect(page.locator("#folder")).to_be_visible()
    folder = Axe().run(page)
    assert folder.violations_count == 0, folder.generate_report()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    keys = Axe().run(page)
    assert keys.violations_count == 0, keys.generate_report()


@pytest.mark.parametrize("view", VIEWS)
def test_usable_at_400_pixels(open_page: Callable[..., Page], view: str) -> None:
    page = open_page(f"/?view={view}", viewport={"width": 400, "height": 700})
    expect(page.locator(SHOWN[view]).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    for link in page.locator("#top nav a").all():
        expect(link).to_be_in_viewport()


@pytest.mark.parametrize(
    ("view", "route"), [("sort", "suggestions"), ("review", "review"), ("map", "map")]
)
def test_what_is_waited_for_is_said(open_page: Callable[..., Page], view: str, route: str) -> None:
    """And stays, however often the server is asked meanwhile."""
    waiting = fulfil(route, 202, {"waiting": "The videos are compared."})
    page = open_page(f"/?view={view}", waiting)
    expect(page.locator(".loading")).to_contain_text("The videos are compared.")
    expect(page.locator(".loading")).to_have_css("opacity", "1")


def test_thousands_to_sort_fit_400_pixels(open_page: Callable[..., Page]) -> None:
    def many(route: Any) -> None:
        response = route.fetch()
        found = response.json()
        more = {"items": found.get("items", []) * 10, "total": 123_456}  # or it would be all
        route.fulfill(response=response, json=found | more)

    page = open_page(
        "/?view=sort",
        lambda page: page.route(lambda url: "/api/suggestions" in url, many),
        viewport={"width": 400, "height": 700},
    )
    expect(page.locator(".answered")).to_have_text(re.compile("123,456"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_tab_reaches_every_view_and_enter_opens_it(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"view=sort"))
    page.go_back()
    expect(page.locator("#main")).to_have_attribute("data-view", "search")
