"""Likely folders come with witnesses, and what a person rejects stays rejected."""

from __future__ import annotations

from dataclasses import replace

from store.table.store import Store
from tests.support.api import Client, open_page
from tests.support.pages import UNLABELED
from tests.support.projects import UserProject


def test_the_likely_folders_come_with_the_videos_that_speak_for_them(page: Client) -> None:
    found = page.get("/api/suggestions", limit=200)
    assert found["total"] == len(found["items"]) == UNLABELED
    likely = {item["video"]["path"]: item["folders"] for item in found["items"]}
    assert likely["new-0.mp4"][0]["name"] == "cats"
    assert {each["folder"] for each in likely["new-0.mp4"][0]["witnesses"]} == {"cats"}
    for folders in likely.values():
        shares = [each["probability"] for each in folders]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) <= 1 + 1e-9
    sure = [item["folders"][0]["probability"] for item in found["items"]]
    assert sure == sorted(sure, reverse=True)
    unsure = page.get("/api/suggestions", order="unsure", limit=200)["items"]
    assert unsure == found["items"][::-1]


def test_what_is_rejected_is_not_suggested_again_for_this_content(own: UserProject) -> None:
    with open_page(own) as page:
        (item,) = [
            each for each in page.get("/api/suggestions")["items"]
            if each["video"]["path"] == "new-0.mp4"
        ]  # fmt: skip
        body = {"content": item["video"]["content"], "folder": item["folders"][0]["name"]}
        page.post("/api/rejections", **body)
    (own.videos / "new-0.mp4").rename(own.videos / "renamed.mp4")  # by hand
    with Store.open(str(own.store), writer=True) as store:
        row = store.rows(["new-0.mp4"])["new-0.mp4"]
        store.upsert([replace(row, path="renamed.mp4")])
        store.remove(["new-0.mp4"])
    with open_page(own) as page:
        folders = _folders(page, "renamed.mp4")
        assert body["folder"] not in folders
        page.post("/api/rejections", method="DELETE", **body)
        assert _folders(page, "renamed.mp4")[0] == body["folder"]


def _folders(page: Client, path: str) -> list[str]:
    items = page.get("/api/suggestions", limit=200)["items"]
    (found,) = [item["folders"] for item in items if item["video"]["path"] == path]
    return [each["name"] for each in found]
