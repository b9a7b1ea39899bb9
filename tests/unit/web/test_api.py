"""The API, by a plain client: what is listed, found, moved and taken back; errors in words."""

from __future__ import annotations

import json

import pytest

from pipeline.doctor import doctor
from pipeline.web.guard import HEADERS
from tests.support.api import Client, open_page
from tests.support.pages import FOLDERS, IN_ENGLISH, IN_FOLDER, LONG, MARKUP, UNLABELED
from tests.support.projects import UserProject, eventually

VIDEOS = len(FOLDERS) * IN_FOLDER + UNLABELED + 2  # and a copy, and a misplaced one
GONE = "0" * 20


def test_a_client_searches_lists_moves_and_undoes(own_page: Client, own: UserProject) -> None:
    (hit,) = own_page.get("/api/search", words='"let it rest"')["hits"]
    assert (hit["video"]["path"], hit["why"]["kind"]) == (MARKUP, "words")
    assert own_page.get("/api/videos", unlabeled=1)["total"] == UNLABELED
    moved = own_page.post("/api/moves", keys=[hit["video"]["key"]], folder="dogs")
    assert [(each["from"], each["to"]) for each in moved["moved"]] == [(MARKUP, f"dogs/{MARKUP}")]
    assert (own.videos / "dogs" / MARKUP).is_file()
    assert own_page.get(f"/api/videos/{moved['moved'][0]['new_key']}")["video"]["folder"] == "dogs"
    assert own_page.get("/api/videos", unlabeled=1)["total"] == UNLABELED - 1
    undone = own_page.post("/api/undo", batch=moved["batch"])
    assert [each["to"] for each in undone["moved"]] == [MARKUP]
    assert (own.videos / MARKUP).is_file()
    assert own_page.get("/api/videos", unlabeled=1)["total"] == UNLABELED


@pytest.mark.process
def test_this_machine_is_examined_when_asked(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the parts, which `doctor` has tests of, one is enough here."""
    monkeypatch.setattr(doctor, "LIMITS_SECONDS", {"machine": 60.0})
    findings = eventually(lambda: page.get("/api/doctor").get("findings"))
    assert "python" in {each["part"] for each in findings if each["state"] == "ok"}


def test_the_api_describes_itself(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.doctor.doctor.examine", lambda _: [])  # it starts processes
    assert page.get("/api/doctor") == {"findings": []}
    document = page.get("/api")
    assert document["api"] == 1
    for route in document["routes"]:
        assert route["text"]
        if route["method"] == "GET" and "{" not in route["path"] and "events" not in route["path"]:
            required = [name for name, each in route["query"].items() if each["required"]]
            answer = page.send("GET", route["path"])
            assert answer.status in (200, 202) or required or "search" in route["path"]


def test_lists_come_in_pages_and_in_order(page: Client) -> None:
    whole = page.get("/api/videos", limit=200)
    assert whole["total"] == len(whole["videos"]) == VIDEOS
    paths = [video["path"] for video in whole["videos"]]
    assert paths == sorted(paths, key=str.encode)
    parts = [page.get("/api/videos", offset=n, limit=10)["videos"] for n in range(0, VIDEOS, 10)]
    assert [video for part in parts for video in part] == whole["videos"]
    longest = page.get("/api/videos", order="long", limit=200)["videos"]
    seconds = [video["seconds"] for video in longest]
    assert seconds == sorted(seconds, reverse=True)
    assert page.get("/api/videos", offset=10_000)["videos"] == []


def test_filters_leave_what_fits(page: Client) -> None:
    assert {path.split("/")[0] for path in page.paths(folder=["cats", "dogs"])} == {"cats", "dogs"}
    assert all("/" not in path for path in page.paths(unlabeled=1))
    assert page.paths(offline=1) == []
    assert len(page.paths(language="EN")) == sum(
        video["speech"] for video in page.get("/api/videos", limit=200)["videos"]
    )
    assert (
        page.paths(min_seconds=3)
        == page.paths(max_seconds=1)
        == page.paths(since="2200-01-01")
        == []
    )
    assert len(page.paths(min_seconds=2, max_seconds=2, since="1990-05-31")) == VIDEOS
    folders = page.get("/api/folders")
    assert {each["name"]: each["videos"] for each in folders["folders"]} == {
        "cats": IN_FOLDER + 1, "dogs": IN_FOLDER + 1, "rockets": IN_FOLDER,
    }  # fmt: skip
    assert folders["unlabeled"] == UNLABELED


def test_a_video_has_its_words_and_its_copies(page: Client) -> None:
    found = page.get(f"/api/videos/{page.key('dogs/copy.mp4')}")
    assert [video["path"] for video in found["copies"]] == ["cats/0.mp4"]
    assert found["video"]["media"]["kind"] == "file"
    spoken = page.get(f"/api/videos/{page.key(MARKUP)}")
    assert [segment["text"] for segment in spoken["segments"]][1].startswith("<b>")
    assert spoken["translation"] == IN_ENGLISH
    assert found["translation"] is None
    assert spoken["frames"] == [0.2, 1.0, 1.8]


def test_words_are_marked_where_they_are(page: Client) -> None:
    (hit,) = page.get("/api/search", words="rest hour")["hits"]
    text = hit["why"]["text"]
    assert [text[start:end] for start, end in hit["why"]["marks"]] == ["rest", "hour"]
    assert hit["percent"] == 100
    nothing = page.get("/api/search", words="rest zebra")
    assert (nothing["hits"], nothing["weak"]) == ([], True)
    some = page.get("/api/search", words="rest zebra", nearest=1)
    assert [each["video"]["path"] for each in some["hits"]] == [MARKUP]


def test_marks_count_as_javascript_does() -> None:
    from pipeline.web.search import marks
    from store.retrieval.words import Wanted

    text = "\U0001f3ac let it \U0001f3ac rest"
    units = text.encode("utf-16-le")
    (found,) = marks(text, Wanted("rest"))
    assert units[2 * found[0] : 2 * found[1]].decode("utf-16-le") == "rest"


def test_more_like_one_and_only_in_a_folder(page: Client) -> None:
    key = page.key("rockets/1.mp4")
    like = page.get("/api/search", like=key, limit=5)
    assert key not in [hit["video"]["key"] for hit in like["hits"]]
    near = page.get("/api/search", like=key, by="picture", folder="cats", limit=1)["hits"]
    assert near[0]["video"]["path"] == "cats/looks-like-a-rocket.mp4"
    assert near[0]["why"]["kind"] == "picture"
    parts = [page.get("/api/search", like=key, limit=10, offset=n)["hits"] for n in (0, 10)]
    assert parts[0] + parts[1] == page.get("/api/search", like=key, limit=20)["hits"]


@pytest.mark.model
def test_a_search_by_meaning_waits_for_the_model_and_nothing_else_does(own_page: Client) -> None:
    first = own_page.send("GET", "/api/search?text=a%20red%20square")
    assert (first.status, list(first.document)) == (202, ["waiting"])
    assert own_page.send("GET", "/api/search?words=number").status == 200
    found = own_page.get("/api/search", text="a red square", nearest=1)
    assert found["total"] > 0
    picture = own_page.send("POST", "/api/pictures", _png(), content_type="image/png").document
    assert own_page.get("/api/search", picture=picture["picture"], nearest=1)["total"] > 0


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/api/nothing", 404, "/api"),
        ("/api/videos/", 404, "/api"),
        (f"/api/videos/{GONE}", 404, "moved or removed"),
        ("/api/videos/..%2F..%2Fetc%2Fpasswd", 404, ""),
        (f"/media/{GONE}", 404, "moved or removed"),
        ("/thumb/x", 404, "thumbnail"),
        ("/assets/../app.py", 404, ""),
        ("/assets/%2e%2e/app.py", 404, ""),
        ("/assets//etc/passwd", 404, ""),
        ("/api/videos?limit=201", 400, "limit"),
        ("/api/videos?limit=1&limit=2", 400, "once"),
        ("/api/videos?path=/etc", 400, "not known"),
        ("/api/videos?folder=cats&unlabeled=1", 400, "folder"),
        ("/api/videos?min_seconds=nan", 400, "min_seconds"),
        ("/api/videos?since=tomorrow", 400, "date"),
        ("/api/videos?folder=%00", 400, "NUL"),
        ("/api/search", 400, "what to find"),
        ("/api/search?words=...", 400, "word"),
        ("/api/search?words=a&offline=1", 400, "offline"),
        ("/api/search?like=x", 404, "moved or removed"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    page: Client, path: str, status: int, word: str
) -> None:
    answer = page.send("GET", path)
    assert answer.status == status
    assert set(answer.document) == {"error"}
    assert word in answer.document["error"] or word.capitalize() in answer.document["error"]
    assert answer.headers.items() >= HEADERS.items()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/moves", b"{"),
        ("/api/moves", b"[]"),
        ("/api/moves", b"{}"),
        ("/api/moves", b'{"keys": "x", "folder": "cats"}'),
        ("/api/moves", b'{"keys": ["x"], "folder": 1}'),
        ("/api/moves", b'{"path": "/etc/passwd"}'),
        ("/api/moves", b'{"above": 0.5}'),
        ("/api/undo", b'{"batch": "last"}'),
        ("/api/rejections", b'{"content": "x"}'),
        ("/api/decisions", b'{"decision": "keep"}'),
    ],
)
def test_a_wrong_body_changes_nothing(page: Client, path: str, body: bytes) -> None:
    answer = page.send("POST", path, body, content_type="application/json")
    assert answer.status == 400
    assert answer.document["error"]
    assert page.get("/api/videos")["total"] == VIDEOS


def test_other_methods_are_refused(page: Client) -> None:
    for method in ("PUT", "DELETE", "PATCH", "POST"):
        answer = page.send(method, "/api/videos", b"{}", content_type="application/json")
        assert answer.status == 405
    assert page.send("OPTIONS", "/api/videos", b"{}", content_type="application/json").status == 405


def test_pictures_are_pictures_and_at_most_ten_megabytes(page: Client) -> None:
    assert page.send("POST", "/api/pictures", b"no picture", content_type="image/png").status == 415
    large = bytes((10 << 20) + 1)
    assert page.send("POST", "/api/pictures", large, content_type="image/png").status == 413
    kept = page.send("POST", "/api/pictures", _png(), content_type="image/png").document["picture"]
    assert page.site.finder.pictures.file_of(kept).is_file()


def test_names_and_words_of_an_attacker_are_only_data(page: Client) -> None:
    raw = page.send("GET", "/api/videos?limit=200")
    assert raw.headers["content-type"] == "application/json"
    paths = [video["path"] for video in json.loads(raw.content)["videos"]]
    assert {MARKUP, LONG} <= set(paths)


def test_a_thumbnail_is_kept_for_good_and_many_come_together(page: Client) -> None:
    videos = page.get("/api/videos", limit=200)["videos"]
    for video in videos:
        answer = page.send("GET", video["thumb"])
        assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
        assert answer.content.startswith(b"\xff\xd8")
        assert "immutable" in answer.headers["cache-control"]


def test_the_page_comes_with_a_mark_that_saves_sending_it_again(page: Client) -> None:
    whole = page.send("GET", "/?view=sort&open=x")
    assert (whole.status, whole.headers["content-type"]) == (200, "text/html; charset=utf-8")
    again = page.send("GET", "/", if_none_match=whole.headers["etag"])
    assert (again.status, again.content) == (304, b"")
    script = page.send("GET", "/assets/map.js")
    assert (script.status, script.headers["content-type"]) == (
        200,
        "text/javascript; charset=utf-8",
    )


def test_without_a_store_the_page_says_so(own: UserProject) -> None:
    own.store.rename(own.folder / "away")
    with open_page(own) as page:
        assert page.get("/api/videos") == {"total": 0, "offset": 0, "videos": [], "version": 0}
        assert "scan" in page.get("/api/search", text="a cat")["remark"]
        assert page.get("/api/status")["embedded"] == 0
        assert page.get("/api/suggestions")["items"] == []
        assert page.get("/api/review")["groups"] == []
        assert page.get("/api/map")["keys"] == []
        (own.folder / "away").rename(own.store)
        assert page.get("/api/videos")["total"] == VIDEOS


def _png() -> bytes:
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(stream, "PNG")
    return stream.getvalue()
