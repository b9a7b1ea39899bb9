"""Files by byte range, and nothing that is not a row's file below the collection."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.web.media import _span, locate
from tests.support.api import Client
from tests.support.projects import UserProject


@pytest.fixture(scope="module")
def film(page: Client, shown: UserProject) -> tuple[str, bytes]:
    """Where a video is, and its bytes."""
    return f"/media/{page.key('cats/1.mp4')}", (shown.videos / "cats/1.mp4").read_bytes()


@given(
    size=st.integers(0, 40),
    first=st.integers(0, 50) | st.none(),
    last=st.integers(0, 50) | st.none(),
)
def test_a_range_is_what_the_standard_says(size: int, first: int | None, last: int | None) -> None:
    """RFC 9110, section 14.1.2, told as slices of a list."""
    whole = list(range(size))
    if first is None and last is None:
        wanted: list[int] = []
    elif first is None:
        wanted = whole[-last:] if last else []
    else:
        wanted = whole[first : None if last is None else last + 1]
    span = _span(f"bytes={'' if first is None else first}-{'' if last is None else last}", size)
    assert (whole[slice(*span)] if span else []) == wanted


def test_a_video_is_sent_whole_or_in_part(page: Client, film: tuple[str, bytes]) -> None:
    url, content = film
    whole = page.send("GET", url)
    assert (whole.status, whole.content) == (200, content)
    assert (whole.headers["content-type"], whole.headers["x-media"]) == ("video/mp4", "file")
    part = page.send("GET", url, range="bytes=10-99")
    assert (part.status, part.content) == (206, content[10:100])
    assert part.headers["content-range"] == f"bytes 10-99/{len(content)}"
    assert page.send("GET", url, range="bytes=-7").content == content[-7:]
    head = page.send("HEAD", url)
    assert (head.content, head.headers["content-length"]) == (b"", str(len(content)))


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=0-0," + ",".join(f"{n}-{n}" for n in range(5000)), "bytes=0-1,3-4", "bytes=",
        "bytes=-",
        "bytes=9-1", "bytes=99999999999-", "bytes=-0", "bytes=" + "9" * 5000 + "-", "lines=1-2",
        "bytes=0x1-2", "bytes=1-2-3", "bytes=\xb2-3",
    ],
)  # fmt: skip
def test_what_is_not_one_range_of_the_file_costs_nothing(
    page: Client, film: tuple[str, bytes], asked: str
) -> None:
    answer = page.send("GET", film[0], range=asked)
    assert answer.status == 416
    assert len(answer.content) < 200
    assert answer.headers["content-range"] == f"bytes */{len(film[1])}"


def test_a_file_that_went_away_is_a_word_and_no_traceback(
    own_page: Client, own: UserProject
) -> None:
    key = own_page.key("cats/1.mp4")
    (own.videos / "cats/1.mp4").unlink()
    answer = own_page.send("GET", f"/media/{key}")
    assert (answer.status, "not there" in answer.document["error"]) == (404, True)
    (own.videos / "cats/1.mp4").mkdir()
    assert own_page.send("GET", f"/media/{key}").status in (404, 415)
    os.rmdir(own.videos / "cats/1.mp4")
    os.mkfifo(own.videos / "cats/1.mp4")
    assert own_page.send("GET", f"/media/{key}").status in (404, 415)


def test_links_out_of_the_collection_are_not_followed(
    own_page: Client, own: UserProject, outside: Path
) -> None:
    (outside / "secret.mp4").write_bytes((own.videos / "cats/2.mp4").read_bytes())
    key, other = own_page.key("cats/1.mp4"), own_page.key("cats/2.mp4")
    (own.videos / "cats/1.mp4").unlink()
    (own.videos / "cats/1.mp4").symlink_to(outside / "secret.mp4")
    answer = own_page.send("GET", f"/media/{key}")
    assert (answer.status, "link" in answer.document["error"]) == (403, True)
    (own.videos / "cats/2.mp4").rename(own.videos / "inside.mp4")
    (own.videos / "cats/2.mp4").symlink_to("../inside.mp4")
    assert own_page.send("GET", f"/media/{other}").status == 200


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../secret"])
def test_a_path_that_leads_out_is_refused_whoever_gave_it(
    root: Path, outside: Path, path: str
) -> None:
    (root / "a").mkdir()
    (root.parent / "secret").write_bytes(b"")
    with pytest.raises(Exception, match="link leads out"):
        locate(root, path)
