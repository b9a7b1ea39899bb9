"""Files really move, rows follow, and batches come back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.web import moved_rows
from store.table.store import Store
from tests.support.api import Client, open_page
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


def followed(page: Client, done: dict[str, Any]) -> None:
    """Read what was moved, which waits until the rows have followed."""
    for each in done["moved"]:
        page.get(f"/api/videos/{each['new_key']}")


def test_files_move_and_their_rows_follow_whole(own_page: Client, own: UserProject) -> None:
    with Store.open(str(own.store)) as store:
        before = store.rows(["new-0.mp4"])["new-0.mp4"]
    done = own_page.post("/api/moves", keys=[own_page.key("new-0.mp4")], folder="a new one")
    assert done["left"] == []
    followed(own_page, done)
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


NO_FOLDERS = (
    "..", ".", ".hidden", "a/b", "/etc", "../out", "a\\b", "", " ", "a ", " a", "x\ny", "x\0y",
    "x" * 256, "a.download", "broken.mp4", "link out", 5, ["cats"], True,
)  # fmt: skip


def test_a_folder_is_one_name_in_the_collection(
    own_page: Client, own: UserProject, outside: Path
) -> None:
    (own.videos / "link out").symlink_to(outside, target_is_directory=True)
    files, key = files_in(own.videos), own_page.key("new-0.mp4")
    for folder in NO_FOLDERS:
        answer = own_page.try_post("/api/moves", keys=[key], folder=folder)
        assert answer.status in (400, 403), folder
        assert answer.document["error"], folder
        assert files_in(own.videos) == files, folder
        assert os.listdir(outside) == [], folder


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
    monkeypatch.setattr(moved_rows, "RETRY_SECONDS", 0.0)
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


def test_all_above_is_shown_and_then_moved_as_shown(own_page: Client, own: UserProject) -> None:
    own_page.get("/api/suggestions")
    shown = own_page.post("/api/moves", above=0.5, preview=True)["moved"]
    assert shown
    assert own_page.try_post("/api/moves", above=0.5).status == 400
    moves = [{"keys": [each["key"]], "folder": each["folder"]} for each in shown]
    done = own_page.post("/api/moves", moves=moves)
    assert [each["to"] for each in done["moved"]] == [each["to"] for each in shown]
    assert all((own.videos / each["to"]).is_file() for each in shown)
