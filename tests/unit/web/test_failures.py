"""What could not be embedded is listed with its reason, filtered, and tried again."""

from __future__ import annotations

import pytest

from store.table.store import Store
from tests.support.api import Client
from tests.support.projects import UserProject
from tests.support.rows import failed

DAMAGED = "cats/damaged.mp4"


@pytest.fixture
def two(own: UserProject, own_page: Client) -> Client:
    """A page over two failures: one unlabeled, of a new file, and one in a folder."""
    with Store.open(str(own.store), writer=True) as store:
        store.record_failures([failed(DAMAGED, reason="the file was cut short", stage="decode")])
    return own_page


def test_failed_is_a_filter_like_the_others(two: Client) -> None:
    assert two.paths(failed=1) == ["broken.mp4", DAMAGED]
    assert two.paths(failed=1, folder="cats") == [DAMAGED]
    assert two.paths(failed=1, unlabeled=1) == ["broken.mp4"]
    assert two.paths(failed=1, since="2200-01-01") == []
    assert two.paths(failed=1, language="en") == two.paths(failed=1, min_seconds=0) == []
    assert two.paths(failed=1, offline=1) == []
    part = two.get("/api/videos", failed=1, offset=1, limit=1)
    assert (part["total"], [each["path"] for each in part["videos"]]) == (2, [DAMAGED])
    assert two.get("/api/folders")["failed"] == 2


def test_a_failed_video_says_why_and_does_not_play(two: Client) -> None:
    (video,) = two.get("/api/videos", failed=1, folder="cats")["videos"]
    assert video["failure"]["error"] == "the file was cut short"
    assert "player" in video["failure"]["hint"]
    assert (video["media"], video["thumb"]) == (None, None)
    assert two.get(f"/api/videos/{video['key']}")["video"] == video
    assert two.send("GET", f"/media/{video['key']}").status == 404
    assert two.send("GET", "/api/search?words=rest&failed=1").status == 400
    moved = two.post("/api/moves", keys=[video["key"]], folder="dogs")
    assert (moved["moved"], len(moved["left"])) == ([], 1)


def test_retry_forgets_them(two: Client) -> None:
    assert len(two.get("/api/failures")["failures"]) == 2
    assert two.post("/api/failures/retry")["forgotten"] == 2
    assert two.paths(failed=1) == two.get("/api/failures")["failures"] == []
