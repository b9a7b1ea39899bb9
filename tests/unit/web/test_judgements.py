"""What a person has decided is kept by content, and never written over."""

from __future__ import annotations

import json

from tests.support.api import open_page
from tests.support.projects import UserProject


def test_decisions_are_kept_by_content(own: UserProject) -> None:
    with open_page(own) as page:
        review = page.get("/api/review")
        kinds = {group["kind"]: group for group in review["groups"]}
        assert {video["path"] for video in kinds["duplicate"]["videos"]} == {
            "cats/0.mp4",
            "dogs/copy.mp4",
        }
        assert kinds["misplaced"]["videos"][0]["path"] == "cats/looks-like-a-rocket.mp4"
        assert kinds["misplaced"]["likely"] == "rockets"
        assert review["left"].items() >= {"duplicate": 1, "misplaced": 1}.items()
        first = page.get("/api/review?limit=1")
        assert first["left"] == review["left"]
        assert len(first["groups"]) == 2, "the first of each kind"
        page.post("/api/decisions", id=kinds["duplicate"]["id"], decision="keep")
    kept = json.loads((own.store / "judgements.json").read_text(encoding="utf-8"))
    assert kept["decisions"] == {kinds["duplicate"]["id"]: "keep"}
    with open_page(own) as page:
        review = page.get("/api/review")
        assert kinds["duplicate"]["id"] not in [group["id"] for group in review["groups"]]
        assert review["decided"] == 1
        page.post("/api/decisions", method="DELETE", id=kinds["duplicate"]["id"])
        assert kinds["duplicate"]["id"] in [
            each["id"] for each in page.get("/api/review")["groups"]
        ]


def test_judgements_that_cannot_be_read_are_not_written_over(own: UserProject) -> None:
    file = own.store / "judgements.json"
    file.write_text("{", encoding="utf-8")
    with open_page(own) as page:
        answer = page.try_post("/api/rejections", content="x", folder="cats")
        assert (answer.status, "judgements.json" in answer.document["error"]) == (409, True)
    assert file.read_text(encoding="utf-8") == "{"
