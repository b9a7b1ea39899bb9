"""Previews are made one at a time, kept by content, and their folder does not grow for ever."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event

import pytest

from pipeline.decode import preview as decode_preview
from pipeline.decode.content import content_hash
from pipeline.settings import Settings
from pipeline.source.presence import look_at
from pipeline.web.answers import ApiError
from pipeline.web.pool import Pool
from pipeline.web.preview import Previews, trim
from store.table.store import Store
from tests.support.api import Answer, Client, open_page
from tests.support.projects import UserProject, eventually, put


@pytest.fixture
def previews(tmp_path: Path) -> Iterator[Previews]:
    pool = Pool("previews")
    previews = Previews(tmp_path / "previews", Settings(base=tmp_path), pool)
    yield previews
    previews.close()
    pool.close()


def test_a_preview_is_made_once_and_found_by_content(
    previews: Previews, made: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = made("mpeg4.mp4")
    assert previews.known_kind("a", clip.name) is None
    assert previews.kind("a", clip) == previews.known_kind("a", clip.name) == "preview"
    file = eventually(lambda: previews.get("a", clip, 2.0), pause=0.02)
    monkeypatch.setattr(decode_preview, "make_preview", None)
    assert previews.get("a", Path("moved elsewhere.mp4"), 2.0) == file
    assert os.listdir(file.parent) == ["a.mp4"]


def test_one_is_made_at_a_time_the_one_asked_for_last_first(
    previews: Previews, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    go_on = Event()

    def make(location: Path, target: Path, **_: object) -> None:
        begun.append(location.name)
        go_on.wait(20)
        target.write_bytes(b"preview")

    monkeypatch.setattr(decode_preview, "make_preview", make)
    for name in "abc":
        assert previews.get(name, Path(name), 1.0) is None
        eventually(lambda: begun, pause=0.01)
    assert begun == ["a"]
    assert "another" in previews.progress("b")
    go_on.set()
    eventually(lambda: len(begun) == 3, pause=0.01)  # without asking: who asks comes first
    assert begun == ["a", "c", "b"]
    for name in "abc":
        eventually(partial(previews.get, name, Path(name), 1.0), pause=0.02)


def test_what_cannot_be_made_says_why(previews: Previews, made: Callable[[str], Path]) -> None:
    clip = made("not_a_video.mp4")
    with pytest.raises(ApiError, match="not a video"):
        eventually(lambda: previews.get("x", clip, 1.0), pause=0.02)


def test_the_folder_keeps_what_was_used_last(tmp_path: Path) -> None:
    for age, name in enumerate(("new", "older", "oldest")):
        file = tmp_path / f"{name}.mp4"
        file.write_bytes(bytes(10))
        os.utime(file, (1000 - age, 1000 - age))
    trim(tmp_path, 20)
    assert sorted(os.listdir(tmp_path)) == ["new.mp4", "older.mp4"]
    trim(tmp_path, 5)  # one that is larger than the limit stays, since somebody waits for it
    assert os.listdir(tmp_path) == ["new.mp4"]


def test_a_player_gets_the_preview_and_a_word_while_it_waits(
    own: UserProject, made: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(made("mpeg4.avi"), own.videos / "old.avi")
    stamp = look_at(own.videos / "old.avi")
    with Store.open(str(own.store), writer=True) as store:
        row = store.rows(["new-0.mp4"])["new-0.mp4"]
        content = content_hash(own.videos / "old.avi")
        store.upsert([replace(row, path="old.avi", content_hash=content, **stamp._asdict())])
    monkeypatch.setattr("pipeline.web.app.PREVIEW_SECONDS", 0.0)
    with open_page(own) as page:
        listed = {video["path"]: video for video in page.get("/api/videos")["videos"]}["old.avi"]
        assert listed["media"]["kind"] == "preview"
        first = page.send("GET", listed["media"]["url"])
        assert (first.status, list(first.document)) == (202, ["waiting"])
        ready = eventually(lambda: _ready(page, listed["media"]["url"]))
        assert ready.headers["x-media"] == "preview"
        assert ready.headers["content-type"] == "video/mp4"
        assert page.send("GET", listed["media"]["url"], range="bytes=4-7").content == b"ftyp"
    assert (own.store / "previews" / f"{content}.mp4").is_file()


def _ready(page: Client, url: str) -> Answer | None:
    answer = page.send("GET", url)
    return answer if answer.status == 200 else None
