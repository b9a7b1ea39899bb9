"""What a listing holds, what it leaves out, and what it says about the rest."""

from __future__ import annotations

import os
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import SettingsError
from pipeline.source.listing import (
    Collection,
    Problem,
    identify_folder,
    linked_folders,
    list_videos,
)
from pipeline.source.names import is_listed, is_video
from pipeline.source.presence import stamp_of
from store.schema import Stamp

EXTENSIONS = ("mp4", "mov")


def put(root: Path, *keys: str) -> None:
    for key in keys:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_bytes(key.encode())


def keys(root: Path, under: str = "") -> list[str]:
    listing = list_videos(Collection(root, EXTENSIONS, under))
    assert listing.problems == ()
    return list(listing.videos)


@pytest.fixture
def a_user() -> Iterator[None]:
    """Somebody whom rights can stop, also where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


def test_videos_are_keyed_by_their_path_under_the_root(tmp_path: Path) -> None:
    put(tmp_path, "b.mp4", "Dance/x/deep.MOV", "Dance/a.Mp4", "notes.txt", "mp4", "Dance/noext")
    listing = list_videos(Collection(tmp_path, EXTENSIONS))
    assert list(listing.videos) == ["Dance/a.Mp4", "Dance/x/deep.MOV", "b.mp4"]
    video = listing.videos["Dance/x/deep.MOV"]
    facts = (tmp_path / "Dance/x/deep.MOV").stat()
    assert (video.path, video.label) == ("Dance/x/deep.MOV", "Dance")
    assert video.location == tmp_path / "Dance/x/deep.MOV"
    assert (video.size, video.mtime_ns) == (facts.st_size, facts.st_mtime_ns)


def test_a_subfolder_alone_has_the_same_keys(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "x/b.mp4", "x/y/c.mp4", "xx/d.mp4")
    assert keys(tmp_path, "x") == ["x/b.mp4", "x/y/c.mp4"]
    assert keys(tmp_path, "x/y") == ["x/y/c.mp4"]


@pytest.mark.parametrize(
    "name",
    [".hidden.mp4", "a.mp4.part", "a.mp4.crdownload", "a.mp4.tmp", "a.mp4.partial",
     "a.mp4.download", ".folder/a.mp4", "a.mp4.download/a.mp4", "x/.git/y/a.mp4"],
)  # fmt: skip
def test_hidden_and_partial_files_are_never_listed(tmp_path: Path, name: str) -> None:
    put(tmp_path, name)
    assert keys(tmp_path) == []
    assert not is_listed(name, EXTENSIONS)


def test_partial_files_are_not_listed_even_if_the_settings_name_their_extension() -> None:
    assert not is_video("a.part", ("part",))


def test_links_to_files_and_folders_are_followed(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    put(root, "a.mp4")
    put(elsewhere, "b.mp4", "sub/c.mp4")
    (root / "linked.mp4").symlink_to(elsewhere / "b.mp4")
    (root / "folder.mp4").symlink_to(elsewhere)
    assert keys(root) == ["a.mp4", "folder.mp4/b.mp4", "folder.mp4/sub/c.mp4", "linked.mp4"]
    assert linked_folders(Collection(root, EXTENSIONS)) == ["folder.mp4"]
    assert list(list_videos(Collection(root, EXTENSIONS), follow_links=False).videos) == [
        "a.mp4",
        "linked.mp4",
    ]


def test_loops_of_links_end_and_no_folder_is_listed_twice(tmp_path: Path) -> None:
    put(tmp_path, "real/a.mp4", "z/b.mp4")
    (tmp_path / "a_link").symlink_to(tmp_path / "real")  # sorts first, yet the real one counts
    (tmp_path / "real" / "up").symlink_to(tmp_path)
    (tmp_path / "z" / "self").symlink_to(tmp_path / "z")
    (tmp_path / "z" / "endless").symlink_to(tmp_path / "z" / "endless")
    listing = list_videos(Collection(tmp_path, EXTENSIONS))
    assert list(listing.videos) == ["real/a.mp4", "z/b.mp4"]
    reason = "cannot be read: Too many levels of symbolic links"
    assert listing.problems == (Problem("z/endless", reason),)


def test_a_folder_behind_two_links_is_listed_by_the_first(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    put(elsewhere, "sub/a.mp4", "b.mp4")
    root.mkdir()
    (root / "1").symlink_to(elsewhere / "sub")
    (root / "2").symlink_to(elsewhere)
    assert keys(root) == ["1/a.mp4", "2/b.mp4"]


def test_a_root_that_is_a_link_is_listed(tmp_path: Path) -> None:
    put(tmp_path / "real", "a.mp4")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert keys(tmp_path / "link") == ["a.mp4"]


def test_what_cannot_be_a_video_is_reported(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "nothing")
    (tmp_path / "itself.mp4").symlink_to(tmp_path / "itself.mp4")
    (tmp_path / "folder on a drive that is away").symlink_to(tmp_path / "nothing")
    (tmp_path / ".lock").symlink_to("me@host:1")
    listing = list_videos(Collection(tmp_path, EXTENSIONS))
    assert listing.videos == {}
    assert {(problem.path, problem.reason) for problem in listing.problems} == {
        ("pipe.mp4", "is not a regular file"),
        ("dangling.mp4", "is a symbolic link that leads nowhere"),
        ("folder on a drive that is away", "is a symbolic link that leads nowhere"),
        ("itself.mp4", "cannot be read: Too many levels of symbolic links"),
    }


def test_names_that_are_not_utf8_are_reported_and_the_rest_is_listed(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path)
    os.mkdir(root + b"/caf\xe9")
    for name in (b"/caf\xe9/a.mp4", b"/\xff\xfe.mp4", b"/\xff.txt", b"/fine.mp4"):
        with open(root + name, "wb"):
            pass
    listing = list_videos(Collection(tmp_path, EXTENSIONS))
    assert list(listing.videos) == ["fine.mp4"]
    reason = "its name is not valid UTF-8 and cannot be stored"
    assert set(listing.problems) == {Problem(r"caf\xe9", reason), Problem(r"\xff\xfe.mp4", reason)}


def test_a_forbidden_folder_is_reported(a_user: None) -> None:
    with tempfile.TemporaryDirectory() as made:  # tmp_path itself is root's alone
        root = Path(made)
        put(root, "open/a.mp4", "closed/b.mp4")
        (root / "closed").chmod(0)
        listing = list_videos(Collection(root, EXTENSIONS))
        (root / "closed").chmod(0o700)
    assert list(listing.videos) == ["open/a.mp4"]
    assert listing.problems == (Problem("closed", "cannot be listed: Permission denied"),)


def test_folders_nested_beyond_the_longest_path_are_reported(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4")
    home, name = os.getcwd(), "d" * 250
    try:
        os.chdir(tmp_path)
        for _ in range(20):
            os.mkdir(name)
            os.chdir(name)
    finally:
        os.chdir(home)
    listing = list_videos(Collection(tmp_path, EXTENSIONS))
    assert list(listing.videos) == ["a.mp4"]
    [problem] = listing.problems
    assert problem.reason == "cannot be listed: File name too long"


@pytest.mark.parametrize("under", ["", "sub"])
def test_a_missing_root_or_a_file_is_an_error_that_names_the_setting(
    tmp_path: Path, under: str
) -> None:
    for root, reason in (
        (tmp_path / "gone", "does not exist"),
        (tmp_path / "file", "not a folder"),
    ):
        (tmp_path / "file").touch()
        with pytest.raises(SettingsError, match=rf"{root.name} .*{reason}.*data\.dir"):
            list_videos(Collection(root, EXTENSIONS, under))


def test_the_identity_of_a_folder_that_was_exchanged_is_another(tmp_path: Path) -> None:
    folder = Collection(tmp_path / "videos", EXTENSIONS)
    folder.root.mkdir()
    before = identify_folder(folder)
    folder.root.rename(tmp_path / "old")
    folder.root.mkdir()
    assert identify_folder(folder) != before


@pytest.mark.parametrize(
    ("mtime_ns", "kept"),
    [
        (0, 0),
        (-1, -1),
        (2**63 - 1, 2**63 - 1),
        (2**63, 2**63 - 1),
        (2446 * 31_556_952 * 10**9, 2**63 - 1),
        (-(2**63) - 1, -(2**63)),
    ],
)
def test_a_stamp_holds_the_nearest_time_that_the_store_can_keep(mtime_ns: int, kept: int) -> None:
    facts = SimpleNamespace(st_size=1, st_mtime_ns=mtime_ns)
    assert stamp_of(facts) == Stamp(1, kept)


names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=30
).filter(lambda name: not name.startswith(".") and name.lower()[-9:] != ".download")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    wanted=st.dictionaries(st.lists(names, max_size=2).map(tuple), names, max_size=6),
)
def test_any_name_is_listed_under_itself(
    tmp_path_factory: pytest.TempPathFactory, wanted: dict[tuple[str, ...], str]
) -> None:
    root = tmp_path_factory.mktemp("any")
    made = {"/".join((*folders, f"{name}.mp4")) for folders, name in wanted.items()}
    put(root, *made)
    assert keys(root) == sorted(made)
    assert all(is_listed(key, EXTENSIONS) for key in made)
    assert all((root / key).read_bytes() == key.encode() for key in made)


def test_hostile_names_are_names_like_any_other(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "é.mp4") for form in ("NFC", "NFD"))
    hostile = {
        *('it\'s "so".mp4', "a\nb.mp4", "\x1b[31m.mp4", "🎬.mp4", "x" * 251 + ".mp4"),
        *("Case.mp4", "case.mp4", "-rf.mp4", " .mp4", "a\\b.mp4", composed, decomposed),
    }
    put(tmp_path, *hostile)
    assert set(keys(tmp_path)) == hostile


def test_each_folder_is_read_once_and_no_file_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a collection costs what it holds, however large it is."""
    made = [f"{folder}/{name}.mp4" for folder in ("a", "a/b", "c") for name in range(20)]
    put(tmp_path, *made)
    scandir, read = os.scandir, []

    def scan(path: Any) -> Any:
        read.append(Path(path).relative_to(tmp_path).as_posix())
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    monkeypatch.setattr("builtins.open", None)
    monkeypatch.setattr(os, "open", None)
    assert keys(tmp_path) == sorted(made)
    assert sorted(read) == [".", "a", "a/b", "c"]
