"""Sorting while another process writes the same store: nothing is lost, and rows follow."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from playwright.sync_api import Page, expect

from tests.support.pages import UNLABELED
from tests.support.program import Spawn
from tests.support.projects import UserProject, eventually
from tests.support.watching import Watching, start_watch

SORTED = 3


@pytest.fixture
def watch(project: UserProject, spawn: Spawn) -> Watching:
    """A `watch` of the same collection, which holds the writer's lock."""
    return start_watch(project, spawn)


def places(project: UserProject) -> dict[int, str]:
    """Where each file is, whatever it is called: path by inode."""
    found = {}
    for path in project.videos.rglob("*"):
        with suppress(FileNotFoundError):  # it is on its way
            if not path.is_dir():
                found[path.stat().st_ino] = path.relative_to(project.videos).as_posix()
    return found


def test_sorting_beside_a_watch_loses_nothing(
    open_page: Callable[..., Page], project: UserProject, watch: Watching
) -> None:
    before = places(project)
    page = open_page("/?view=sort&order=sure")
    for left in range(UNLABELED, UNLABELED - SORTED, -1):
        expect(page.locator(".answered")).to_have_text(f"{left} videos to sort")
        page.keyboard.press("Enter")
    eventually(lambda: len([*project.videos.glob("*.mp4")]) == UNLABELED + 1 - SORTED)
    after = places(project)
    assert after.keys() == before.keys()
    rows = [path for path in after.values() if path != "broken.mp4"]
    watch.holds(*rows)
    for _ in range(SORTED):
        page.keyboard.press("u")
    eventually(lambda: places(project) == before)
    watch.holds(*(path for path in before.values() if path != "broken.mp4"))
    expect(page.locator(".answered")).to_have_text(f"{UNLABELED} videos to sort")
    name = page.locator(".watch h2").inner_text()
    (project.videos / name).rename(project.folder / "gone.mp4")
    page.keyboard.press("Enter")
    expect(page.locator(".toast.error")).to_contain_text(f"not moved: {name}")
    summary = watch.stop()
    assert summary["embedded"] == 0
    assert summary["moved"] >= 2 * SORTED
