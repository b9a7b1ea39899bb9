"""Files that no program expects: each costs at most itself."""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline import config
from pipeline.errors import ModelError
from pipeline.flow.flow import Flow, Summary
from pipeline.flow.local import LocalEngine
from pipeline.flow.progress import Report
from pipeline.models.loaded import Models
from pipeline.project import Project
from store.table.store import Store
from tests.support.flows import watching
from tests.support.media import make_video
from tests.support.projects import LONG_AGO, UserProject, eventually

Made = Callable[[str], Path]


@pytest.fixture(scope="module")
def models(
    tmp_path_factory: pytest.TempPathFactory, small_clip_dir: Path, whisper_dir: Path
) -> Models:
    """Loaded once: only the flow matters here."""
    folder = tmp_path_factory.mktemp("models") / "project"
    project = UserProject.make(folder, clip=small_clip_dir, whisper=whisper_dir)
    return Models(config.load(project.config), lambda _: None)


@pytest.fixture
def project(tmp_path: Path, small_clip_dir: Path, whisper_dir: Path) -> UserProject:
    """An empty one."""
    return UserProject.make(tmp_path / "project", clip=small_clip_dir, whisper=whisper_dir)


def scan(
    project: UserProject, models: Any, report: Report | None = None, overrides: Sequence[str] = ()
) -> Summary:
    settings = config.load(project.config, overrides)
    with Project.open_to_scan(settings) as opened:
        report = report or Report()
        return Flow(opened, report, LocalEngine(settings, report.say, models=models)).scan()


def rows(project: UserProject) -> set[str]:
    with Store.open(str(project.store)) as store:
        return set(store.known())


def failures(project: UserProject) -> dict[str, tuple[str, str]]:
    """Stage and reason, by path."""
    with Store.open(str(project.store)) as store:
        return {each.path: (each.stage, each.reason) for each in store.failures()}


# names


def test_any_name_is_a_name(
    project: UserProject, models: Models, made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    composed, decomposed = (unicodedata.normalize(form, "\u00e9.mp4") for form in ("NFC", "NFD"))
    wanted = {
        *('it\'s "so".mp4', "a\nerror: forged.mp4", "\x1b[31mred.mp4", "\U0001f3ac.mp4"),
        *("x" * 251 + ".mp4", "Case.mp4", "case.mp4", composed, decomposed, "' OR 1=1 --/a.mp4"),
    }
    project.add_distinct(made("no_audio.mp4"), sorted(wanted))
    project.add(made("not_a_video.mp4"), "b\nerror: forged.mp4")
    put_bytes(project, b"caf\xe9.mp4", made("portrait.mp4").read_bytes())
    (project.videos / "loop").mkdir()
    (project.videos / "loop" / "back").symlink_to(project.videos, target_is_directory=True)
    first = scan(project, models)
    assert (first.embedded, first.failed) == (len(wanted), 1)
    assert rows(project) == wanted
    shown = capsys.readouterr().err
    assert r"Cannot list caf\xe9.mp4 (its name is not valid UTF-8 and cannot be stored)" in shown
    assert "\nerror: forged" not in shown
    assert "\x1b" not in shown
    again = scan(project, models)
    assert (again.embedded, again.unchanged, again.removed) == (0, len(wanted), 0)


def put_bytes(project: UserProject, name: bytes, content: bytes) -> None:
    with open(os.fsencode(project.videos) + b"/" + name, "wb") as file:
        file.write(content)


# files that cannot be opened


class Remover(Report):
    """Deletes a file once it is on its way down the line."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def expect(self, files: int) -> None:
        self._file.unlink(missing_ok=True)
        super().expect(files)


def test_a_file_that_vanishes_between_listing_and_opening_is_no_failure(
    project: UserProject, models: Models, made: Made
) -> None:
    gone = project.add(made("portrait.mp4"), "gone.mp4")
    project.add(made("no_audio.mp4"), "stays.mp4")
    summary = scan(project, models, Remover(gone))
    assert (summary.embedded, summary.failed) == (1, 0)
    assert rows(project) == {"stays.mp4"}
    assert failures(project) == {}


@contextmanager
def as_a_user(folder: Path) -> Iterator[None]:
    """Be somebody whom rights can stop, and whose folder this is, also where tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 65534, 65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def anyones(small_clip_dir: Path) -> Iterator[UserProject]:
    """An empty project that any user may enter; tmp_path is root's alone, and weights may be."""
    with tempfile.TemporaryDirectory() as folder:
        clip = shutil.copytree(small_clip_dir, Path(folder) / "clip")
        yield UserProject.make(Path(folder) / "project", clip=clip, whisper=Path("nowhere"))


BY_NAME = ("whisper.model=base",)  # which is not looked for: models are loaded


def test_a_file_that_may_not_be_read_fails_with_the_reason(
    anyones: UserProject, models: Models, made: Made
) -> None:
    project = anyones
    project.add(made("no_audio.mp4"), "open.mp4")
    assert scan(project, models, overrides=BY_NAME).embedded == 1
    project.add(made("portrait.mp4"), "closed.mp4").chmod(0)
    with as_a_user(project.folder.parent):
        summary = scan(project, models, overrides=BY_NAME)
    assert (summary.unchanged, summary.failed) == (1, 1)
    assert failures(project) == {"closed.mp4": ("read", "Permission denied")}


class Forbidder(Report):
    """Takes the rights on a folder away once its files are on their way down the line."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def expect(self, files: int) -> None:
        self._folder.chmod(0)
        super().expect(files)


def test_a_folder_that_cannot_be_entered_costs_nothing_but_its_own_files(
    anyones: UserProject, models: Models, made: Made, caplog: pytest.LogCaptureFixture
) -> None:
    project = anyones
    project.add(made("music.mp4"), "first.mp4")
    scan(project, models, overrides=BY_NAME)  # which imports what is root's alone
    project.add_distinct(made("no_audio.mp4"), (f"{n}.mp4" for n in range(5)))
    project.add(made("portrait.mp4"), "closed/a.mp4")
    copy = project.add(made("portrait.mp4"), "copy")
    closed = project.videos / "closed"
    with as_a_user(project.folder.parent):
        summary = scan(project, models, Forbidder(closed), overrides=BY_NAME)
        assert (summary.embedded, summary.failed) == (5, 0)
        assert failures(project) == {}
        assert "'closed/a.mp4' cannot be reached (Permission denied)" in caplog.text
        closed.chmod(0o700)
        assert scan(project, models, overrides=BY_NAME).embedded == 1
        closed.chmod(0)
        # A copy is no move: nothing says that the file in the closed folder is gone.
        copy.rename(project.videos / "copy.mp4")
        summary = scan(project, models, overrides=BY_NAME)
        assert (summary.copied, summary.moved, summary.removed) == (1, 0, 0)
        assert {"closed/a.mp4", "copy.mp4"} < rows(project)
        closed.chmod(0o700)


# times


FAR_AWAY = 13_569_465_600  # seconds: the year 2400, beyond nanoseconds in 64 bits; ext4 holds it


@pytest.fixture
def far_away(project: UserProject, made: Made) -> Path:
    """A video from the far future; skips the test where the file system has no such time."""
    file = project.add(made("portrait.mp4"), "far/away.mp4")
    os.utime(file, (FAR_AWAY, FAR_AWAY))
    if file.stat().st_mtime_ns != FAR_AWAY * 10**9:
        pytest.skip("this file system keeps no time after the year 2262")
    return file


def test_a_video_from_the_far_future_is_one_like_any_other(
    project: UserProject, models: Models, made: Made, far_away: Path
) -> None:
    project.add(made("no_audio.mp4"), "now.mp4")
    assert scan(project, models).embedded == 2
    again = scan(project, models)
    assert (again.unchanged, again.embedded) == (2, 0)
    far_away.rename(project.videos / "moved.mp4")
    assert scan(project, models).moved == 1


def test_a_watch_takes_a_video_from_the_far_future(
    project: UserProject, models: Models, far_away: Path
) -> None:
    with watching(project, models, Report()):
        eventually(lambda: rows(project) == {"far/away.mp4"})
        far_away.rename(project.videos / "moved.mp4")
        eventually(lambda: rows(project) == {"moved.mp4"})


# files that change places


def become_a_folder(file: Path) -> None:
    """Put a folder of the file's name in its place, with the file in it."""
    made = file.with_name("made")
    made.mkdir()
    file.rename(made / file.name)
    made.rename(file)


def test_a_file_that_became_a_folder_of_its_name_has_moved(
    project: UserProject, models: Models, made: Made
) -> None:
    file = project.add(made("portrait.mp4"), "a.mp4")
    assert scan(project, models).embedded == 1
    become_a_folder(file)
    assert scan(project, models).moved == 1
    assert rows(project) == {"a.mp4/a.mp4"}


def test_a_watch_follows_a_file_that_becomes_a_folder_of_its_name(
    project: UserProject, models: Models, made: Made
) -> None:
    file = project.add(made("portrait.mp4"), "a.mp4")
    with watching(project, models, Report()):
        eventually(lambda: rows(project) == {"a.mp4"})
        become_a_folder(file)
        eventually(lambda: rows(project) == {"a.mp4/a.mp4"})


# absurd claims


def patched(content: bytes, at: int, new: bytes) -> bytes:
    return content[:at] + new + content[at + len(new) :]


def test_a_video_is_what_decodes_of_it_whatever_it_claims(
    project: UserProject, models: Models, made: Made, tmp_path: Path
) -> None:
    mp4 = made("no_audio.mp4").read_bytes()
    times, sizes, header = (mp4.index(name) + 4 for name in (b"stts", b"stsz", b"mdhd"))
    make_video(tmp_path / "plain.mkv", pictures=3)
    mkv = (tmp_path / "plain.mkv").read_bytes()
    width = mkv.index(bytes.fromhex("b081a0 ba8178"))  # 160 x 120; and how it should be displayed
    duration = mkv.index(bytes.fromhex("448988")) + 3
    claims = {
        "large.mkv": patched(mkv, width, bytes.fromhex("b0830186a0 ba830186a0")),  # 100,000 each
        "years.mkv": patched(mkv, duration, struct.pack(">d", 1e18)),  # milliseconds
        "endless.mkv": patched(mkv, duration, struct.pack(">d", float("inf"))),
        "long.mp4": patched(mp4, header + 16, struct.pack(">I", 2**32 - 1)),
        "many.mp4": patched(mp4, times + 8, struct.pack(">I", 2**32 - 1)),
        "too_many.mp4": patched(mp4, sizes + 8, struct.pack(">I", 2**32 - 1)),
    }
    for name, content in claims.items():
        put_bytes(project, name.encode(), content)
        os.utime(project.videos / name, (LONG_AGO, LONG_AGO))
    scan(project, models)
    assert failures(project).keys() == {"too_many.mp4"}
    with Store.open(str(project.store)) as store:
        kept = store.rows(store.known())
    assert kept.keys() == claims.keys() - {"too_many.mp4"}
    for row in kept.values():
        assert (row.width, row.height, row.duration_seconds) == (160, 120, 2)
        assert row.frames_readable == 50
        assert list(row.frame_times) == pytest.approx([0, 0.48, 0.96, 1.44, 1.96])
    assert kept["many.mp4"].frames_total == 50


# models that fail


class NoDevice:
    """CLIP on a device that has gone."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self.preprocess, self.whisper = models.preprocess, models.whisper

    def clip(self) -> Any:
        return self

    def encode_frames(self, _: Any) -> Any:
        raise RuntimeError("CUDA error: the device has fallen off the bus")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._models.clip(), name)


def test_twenty_failures_of_the_models_in_a_row_are_not_the_videos_fault(
    project: UserProject, models: Models, made: Made
) -> None:
    project.add_distinct(made("no_audio.mp4"), (f"{n:02}.mp4" for n in range(40)))
    with pytest.raises(ModelError, match=r"20 videos in a row .* fallen off the bus"):
        scan(project, NoDevice(models))
    assert len(failures(project)) < 30
    with Store.open(str(project.store), writer=True) as store:
        store.forget_failures()
    assert scan(project, models).embedded == 40
