"""The view Sort: a key moves a file, and every move can be taken back."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.pages import FOLDERS, UNLABELED
from tests.support.projects import UserProject, eventually


@pytest.fixture
def sort(open_page: Callable[..., Page]) -> Page:
    """The view, most certain videos first, with its first video."""
    page = open_page("/?view=sort&order=sure")
    expect(page.locator(".choice").first).to_be_visible()
    expect(page.locator(".answered")).to_have_text(f"{UNLABELED} videos to sort")
    return page


def name(page: Page) -> str:
    return page.locator(".watch h2").inner_text()


def first_folder(page: Page) -> str:
    return page.locator(".choice > span").first.inner_text()


def left(page: Page, number: int) -> None:
    expect(page.locator(".answered")).to_have_text(re.compile(rf"^{number} videos? to sort$"))


def is_there(file: Path) -> Any:
    return eventually(file.is_file)


def test_likely_folders_come_with_witnesses_that_play(sort: Page) -> None:
    expect(sort.locator(".likely").first).to_contain_text("%")
    expect(sort.locator(".likely").first.locator(".strip video").first).to_have_js_property(
        "paused", False
    )
    names = sort.locator(".choice > span").all_inner_texts()
    assert set(names) == set(FOLDERS)


def test_next_video_is_loaded_before_it_is_shown(sort: Page) -> None:
    videos = sort.locator(".stage video")
    expect(videos).to_have_count(2)
    expect(videos.nth(1)).to_be_hidden()
    expect(videos.nth(1)).to_have_js_property("readyState", 4)
    # What is said of a video lies over its picture.
    expect(sort.locator(".stage > :last-child")).to_have_class("over")
    following = videos.nth(1).get_attribute("src")
    sort.keyboard.press("s")
    expect(sort.locator(".stage video:visible")).to_have_attribute("src", following or "")


def test_enter_accepts_the_first_and_undo_brings_it_back(sort: Page, project: UserProject) -> None:
    video, folder = name(sort), first_folder(sort)
    sort.keyboard.press("Enter")
    left(sort, UNLABELED - 1)
    expect(sort.locator("#toast")).to_contain_text(f"{video} → {folder}")
    assert is_there(project.videos / folder / video)
    assert not (project.videos / video).exists()
    assert name(sort) != video
    sort.keyboard.press("u")
    expect(sort.locator("#toast")).to_contain_text("1 video moved back")
    expect(sort.locator(".watch h2")).to_have_text(video)
    assert (project.videos / video).is_file()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_number_moves_into_that_folder(sort: Page, project: UserProject, number: int) -> None:
    video = name(sort)
    folder = sort.locator(".choice > span").nth(number - 1).inner_text()
    sort.keyboard.press(str(number))
    assert is_there(project.videos / folder / video)
    expect(sort.locator("#toast")).to_contain_text(video)
    sort.keyboard.press("u")
    assert is_there(project.videos / video)
    left(sort, UNLABELED)


def test_two_moves_are_undone_one_after_the_other(sort: Page, project: UserProject) -> None:
    first, folder = name(sort), first_folder(sort)
    sort.keyboard.press("Enter")
    second = name(sort)
    sort.keyboard.press("2")
    assert is_there(project.videos / folder / first)
    eventually(lambda: not (project.videos / second).exists())
    expect(sort.locator("#toast")).to_contain_text(second)
    sort.keyboard.press("u")
    expect(sort.locator(".watch h2")).to_have_text(second)
    sort.keyboard.press("u")
    expect(sort.locator(".watch h2")).to_have_text(first)
    assert is_there(project.videos / first)
    assert is_there(project.videos / second)


def test_n_makes_a_folder(sort: Page, project: UserProject) -> None:
    video = name(sort)
    sort.keyboard.press("n")
    sort.keyboard.type("birds & bees")
    sort.keyboard.press("Enter")
    assert is_there(project.videos / "birds & bees" / video)
    expect(sort.locator("#toast")).to_contain_text(video)
    sort.keyboard.press("u")
    assert is_there(project.videos / video)
    left(sort, UNLABELED)
    (project.videos / "birds & bees").rmdir()


def test_s_skips_and_undo_comes_back(sort: Page, project: UserProject) -> None:
    video = name(sort)
    sort.keyboard.press("s")
    expect(sort.locator(".watch h2")).not_to_have_text(video)
    left(sort, UNLABELED - 1)
    sort.keyboard.press("u")
    expect(sort.locator(".watch h2")).to_have_text(video)
    assert (project.videos / video).is_file()
    for _ in range(UNLABELED):
        sort.keyboard.press("s")
    expect(sort.get_by_role("heading", name="Nothing else to sort")).to_be_visible()
    sort.get_by_role("button", name="Show the skipped ones").click()
    left(sort, UNLABELED)


def test_rejected_folder_is_not_suggested_again(sort: Page) -> None:
    video, folder = name(sort), first_folder(sort)
    sort.keyboard.press("x")
    expect(sort.locator("#toast")).to_contain_text(f"{folder} is not suggested again")
    expect(sort.locator(".choice > span").first).not_to_have_text(folder)
    sort.reload()
    shown = sort.locator(".watch h2")
    expect(shown).to_be_visible()
    for _ in range(UNLABELED - 1):
        if name(sort) == video:
            break
        sort.keyboard.press("s")
    expect(shown).to_have_text(video)
    assert first_folder(sort) != folder


def test_all_above_is_shown_before_it_is_done(sort: Page, project: UserProject) -> None:
    sort.keyboard.press("a")
    dialog = sort.locator("#ask")
    sort.locator("#above").fill("50")
    expect(dialog.locator("[role=status]")).to_contain_text("would move into")
    said = dialog.locator("[role=status]").inner_text()
    number = int(said.split()[0])
    assert 1 <= number <= UNLABELED
    before = sorted(project.videos.rglob("*.mp4"))
    dialog.locator("summary").first.click()
    expect(dialog.locator("li").first).to_contain_text("→")
    dialog.get_by_role("button", name=re.compile("^Move ")).click()
    expect(dialog).to_be_hidden()
    expect(sort.locator("#toast")).to_contain_text(re.compile(r"videos? moved"))
    assert len(list(project.videos.glob("*.mp4"))) == UNLABELED + 1 - number  # and the broken one
    sort.keyboard.press("u")
    expect(sort.locator("#toast")).to_contain_text(re.compile(r"videos? moved back"))
    assert sorted(project.videos.rglob("*.mp4")) == before


def test_file_in_the_way_is_never_written_over(sort: Page, project: UserProject) -> None:
    video, folder = name(sort), first_folder(sort)
    other = project.videos / folder / video
    other.write_bytes(b"somebody else's")
    sort.keyboard.press("Enter")
    expect(sort.locator(".toast.error")).to_contain_text("not moved")
    assert other.read_bytes() == b"somebody else's"
    assert (project.videos / video).is_file()
    other.unlink()


def test_file_that_has_gone_is_said(sort: Page, project: UserProject) -> None:
    video = name(sort)
    away = project.folder / "away.mp4"
    (project.videos / video).rename(away)
    sort.keyboard.press("Enter")
    expect(sort.locator(".toast.error")).to_contain_text("not moved")
    away.rename(project.videos / video)


def test_keys_are_not_stolen_while_a_name_is_typed(sort: Page, project: UserProject) -> None:
    video = name(sort)
    sort.keyboard.press("n")
    sort.keyboard.type("1sxu")
    expect(sort.locator("#folder-name")).to_have_value("1sxu")
    sort.keyboard.press("Escape")
    expect(sort.locator("#folder")).to_be_hidden()
    assert name(sort) == video
    assert (project.videos / video).is_file()


def test_order_is_in_the_address_and_back_restores_it(sort: Page) -> None:
    sort.get_by_label("Order").select_option("unsure")
    expect(sort).to_have_url(re.compile(r"view=sort$"))
    sort.go_back()
    expect(sort).to_have_url(re.compile(r"order=sure"))
    expect(sort.get_by_label("Order")).to_have_value("sure")


def test_everything_sorted_says_so(open_page: Callable[..., Page]) -> None:
    def nothing(page: Page) -> None:
        answer = '{"total": 0, "sure": 0, "items": [], "remark": null, "version": 1}'
        page.route("**/api/suggestions*", lambda route: route.fulfill(body=answer))

    page = open_page("/?view=sort", before=nothing)
    expect(page.get_by_role("heading", name="Everything is sorted")).to_be_visible()
