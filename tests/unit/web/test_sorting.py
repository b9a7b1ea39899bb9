"""Files really move, rows follow, batches come back, and what a person rejects stays rejected."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.web import site as site_module
from store.table.store import Store
from tests.support.api import Client, open_page
from tests.support.pages import MARKUP, UNLABELED
from tests.support.projects import UserProject, eventually


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def rows_in(project: UserProject) -> dict[str, str]:
    """Content by path, as any other process reads it."""
    with Store.open(str(project.store)) as store:
        return {path: row.content_hash for path, row in store.known().items()}


def test_files_move_and_their_rows_follow_whole(own_page: Client, own: UserProject) -> None:
    with Store.open(str(own.store)) as store:
        before = store.rows(["new-0.mp4"])["new-0.mp4"]
    done = own_page.post("/api/moves", keys=[own_page.key("new-0.mp4")], folder="a new one")
    assert done["left"] == []
    with Store.open(str(own.store)) as store:
        after = store.rows(["a new one/new-0.mp4", "new-0.mp4"])
    assert list(after) == ["a new one/new-0.mp4"]
    moved = after["a new one/new-0.mp4"]
    assert (moved.label, moved.content_hash) == ("a new one", before.content_hash)
    assert moved.embedded_at == before.embedded_at  # no model ran
    assert (moved.visual == before.visual).all()
    assert moved.segments == before.segments
    assert "a new one" in [each["name"] for each in own_page.get("/api/folders")["folders"]]


def test_a_preview_says_what_would_happen_and_does_nothing(
    own_page: Client, own: UserProject
) -> None:
    files, rows = files_in(own.videos), rows_in(own)
    keys = [own_page.key(name) for name in ("new-0.mp4", "cats/1.mp4", "dogs/1.mp4")]
    asked = own_page.post("/api/moves", keys=keys, folder="rockets", preview=True)
    assert asked["batch"] is None
    assert [each["to"] for each in asked["moved"]] == ["rockets/new-0.mp4"]
    # Both would lie upon rockets/1.mp4.
    assert [each["path"] for each in asked["left"]] == ["cats/1.mp4", "dogs/1.mp4"]
    assert (files_in(own.videos), rows_in(own)) == (files, rows)


def test_several_folders_are_one_batch_and_come_back_together(
    own_page: Client, own: UserProject
) -> None:
    files, rows = files_in(own.videos), rows_in(own)
    moves = [
        {"keys": [own_page.key("new-0.mp4"), own_page.key("new-1.mp4")], "folder": "cats"},
        {"keys": [own_page.key("cats/2.mp4")], "folder": None},
    ]
    first = own_page.post("/api/moves", moves=moves)
    second = own_page.post("/api/moves", keys=[own_page.key("new-2.mp4")], folder="dogs")
    assert [each["to"] for each in first["moved"]] == ["cats/new-0.mp4", "cats/new-1.mp4", "2.mp4"]
    assert own_page.get("/api/status")["undo"]["batch"] == second["batch"]
    # An earlier batch may be taken back by its number, and each only once.
    assert len(own_page.post("/api/undo", batch=first["batch"])["moved"]) == 3
    assert own_page.try_post("/api/undo", batch=first["batch"]).status == 404
    assert [each["to"] for each in own_page.post("/api/undo")["moved"]] == ["new-2.mp4"]
    assert own_page.post("/api/undo") == {"batch": None, "moved": [], "left": []}
    assert (files_in(own.videos), rows_in(own)) == (files, rows)


def test_no_file_is_moved_over_another_one(own_page: Client, own: UserProject) -> None:
    (own.videos / "dogs" / "new-0.mp4").write_bytes(b"in the way")
    key = own_page.key("new-0.mp4")
    done = own_page.post("/api/moves", keys=[key], folder="dogs")
    assert done["moved"] == []
    assert done["left"] == [
        {"key": key, "path": "new-0.mp4", "why": "there is a dogs/new-0.mp4 already"}
    ]
    assert (own.videos / "dogs" / "new-0.mp4").read_bytes() == b"in the way"
    assert (own.videos / "new-0.mp4").is_file()


def test_each_file_that_cannot_be_moved_has_a_word(own_page: Client, own: UserProject) -> None:
    keys = {
        name: own_page.key(name) for name in ("new-0.mp4", "new-1.mp4", "new-2.mp4", "cats/3.mp4")
    }
    (own.videos / "new-0.mp4").unlink()
    (own.videos / "new-1.mp4").write_bytes(b"another one")
    done = own_page.post("/api/moves", keys=[*keys.values(), "gone"], folder="cats")
    assert [each["to"] for each in done["moved"]] == ["cats/new-2.mp4"]
    why = {each["path"]: each["why"] for each in done["left"]}
    assert why.keys() == {"new-0.mp4", "new-1.mp4", "cats/3.mp4", ""}
    assert "not there" in why["new-0.mp4"]
    assert "changed" in why["new-1.mp4"]
    assert "already" in why["cats/3.mp4"]
    assert (own.videos / "new-1.mp4").read_bytes() == b"another one"


@pytest.mark.parametrize(
    "folder",
    [
        "..", ".", ".hidden", "a/b", "/etc", "../out", "a\\b", "", " ", "a ", " a", "x\ny", "x\0y",
        "x" * 256, "a.download", "broken.mp4", "link out", 5, ["cats"], True,
    ],
)  # fmt: skip
def test_a_folder_is_one_name_in_the_collection(
    own_page: Client, own: UserProject, folder: object, outside: Path
) -> None:
    (own.videos / "link out").symlink_to(outside, target_is_directory=True)
    files = files_in(own.videos)
    answer = own_page.try_post("/api/moves", keys=[own_page.key("new-0.mp4")], folder=folder)
    assert answer.status in (400, 403)
    assert answer.document["error"]
    assert files_in(own.videos) == files
    assert os.listdir(outside) == []


def test_a_video_behind_a_link_out_of_the_collection_is_left(
    own_page: Client, own: UserProject, outside: Path
) -> None:
    (own.videos / "dogs").rename(outside / "dogs")
    (own.videos / "dogs").symlink_to(outside / "dogs", target_is_directory=True)
    key = own_page.key("dogs/1.mp4")
    done = own_page.post("/api/moves", keys=[key], folder="zoo")
    assert (done["moved"], [each["key"] for each in done["left"]]) == ([], [key])
    assert own_page.send("GET", f"/media/{key}").status == 403


def test_a_name_is_found_however_its_letters_are_written(
    own_page: Client, own: UserProject
) -> None:
    (own.videos / "cafe\u0301").mkdir()  # as macOS writes it
    done = own_page.post("/api/moves", keys=[own_page.key("new-0.mp4")], folder="caf\xe9")
    assert [each["to"] for each in done["moved"]] == ["cafe\u0301/new-0.mp4"]


def test_while_another_process_writes_files_move_and_rows_follow_later(
    own: UserProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_module, "FOLLOW_SECONDS", 0.0)
    with open_page(own) as page:
        key = page.key("new-0.mp4")
        with Store.open(str(own.store), writer=True):
            done = page.post("/api/moves", keys=[key], folder="cats")
            assert (own.videos / "cats/new-0.mp4").is_file()
            assert done["left"] == []
            assert page.get(f"/api/videos/{key}")["video"]["path"] == "new-0.mp4"
            assert page.try_post("/api/failures/retry").status == 409
        new_key = done["moved"][0]["new_key"]
        eventually(lambda: page.send("GET", f"/api/videos/{new_key}").status == 200)
    assert "new-0.mp4" not in rows_in(own)


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


def test_all_above_is_shown_and_then_moved_as_shown(own_page: Client, own: UserProject) -> None:
    own_page.get("/api/suggestions")
    shown = own_page.post("/api/moves", above=0.5, preview=True)["moved"]
    assert shown
    assert own_page.try_post("/api/moves", above=0.5).status == 400
    moves = [{"keys": [each["key"]], "folder": each["folder"]} for each in shown]
    done = own_page.post("/api/moves", moves=moves)
    assert [each["to"] for each in done["moved"]] == [each["to"] for each in shown]
    assert all((own.videos / each["to"]).is_file() for each in shown)


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


def test_moves_keep_the_map(own_page: Client) -> None:
    before = own_page.get("/api/map")
    place = before["keys"].index(own_page.key(MARKUP))
    moved = own_page.post("/api/moves", keys=[before["keys"][place]], folder="rockets")
    after = own_page.get("/api/map")
    now = after["keys"].index(moved["moved"][0]["new_key"])
    assert (after["x"][now], after["y"][now]) == (before["x"][place], before["y"][place])
    assert before["folders"][before["folder"][place]] is None
    assert after["folders"][after["folder"][now]] == "rockets"
    assert len({len(after[name]) for name in ("keys", "contents", "x", "y", "folder")}) == 1
