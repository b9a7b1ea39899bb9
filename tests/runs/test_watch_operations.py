"""Whatever happens to a folder under watch, the store equals it once it is quiet.

`OPERATIONS=200` runs more of them, `SEED=7` others.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.decode.content import content_hash
from pipeline.models.clip import ClipEncoder
from store.schema import Row
from tests.support.flows import HeldUp, Tally, failures, opened, rows, watching
from tests.support.media import make_video
from tests.support.projects import LONG_AGO, UserProject, eventually

OPERATIONS = int(os.environ.get("OPERATIONS", "25"))
SEED = int(os.environ.get("SEED", "20"))
CONTENTS = 6
MOST_FILES = 15  # fewer than those that may vanish at once without a second thought
FOLDERS = ("", "pets", "soccer", "soccer/deep", "cats")
DECODES_SECONDS = 1.5  # at most: longer than a moved file takes to settle, so that it waits
PAUSE_SECONDS = 0.6  # at most, between two operations: files settle after half a second
QUIET_SECONDS = 120.0


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Small videos without sound, each with a size of its own."""
    folder = tmp_path_factory.mktemp("contents")
    files = [folder / f"{number}.mp4" for number in range(CONTENTS)]
    for number, file in enumerate(files):
        make_video(file, seconds=1, fps=4, width=64 + 16 * number, height=48, pictures=number)
    return tuple(files)


class Hands:
    """Somebody at work in a folder of videos."""

    def __init__(self, project: UserProject, contents: tuple[Path, ...], dice: random.Random):
        self._root = project.videos
        self._landing = project.folder / "landing"
        self._dice = dice
        self._numbers = itertools.count()
        self.in_hand = threading.Event()  # set whenever a thread is about to decode
        self._made = [file.read_bytes() for file in contents]
        (self._root / "notes.txt").touch()  # an empty folder looks like an unplugged drive

    def do_something(self) -> None:
        """One operation on a random file; moves are the most frequent, as in sorting."""
        operation: Any  # of a file, or of none
        files = self.files()
        if len(files) < 3:
            operation = self.land
        elif len(files) >= MOST_FILES:
            operation = self.delete
        else:
            operations = (self.land, self.write, self.copy, self.replace, self.touch, self.delete)
            weighted: list[Any] = [*operations, self.sort, self.sort, self.rename_folder]
            weighted += [self.land_and_sort] * 3
            operation = self._dice.choice(weighted)
        if operation in (self.land, self.write, self.land_and_sort, self.rename_folder):
            operation()
        else:
            operation(self._dice.choice(files))

    def files(self) -> list[Path]:
        return sorted(self._root.rglob("*.mp4"))

    def land(self) -> None:
        """A file comes whole, from elsewhere on the disk."""
        self._landing.write_bytes(self._content())
        self._landing.replace(self._new_place())

    def land_and_sort(self) -> None:
        """A file comes, and is sorted while a thread has a file in hand, mostly this one."""
        place = self._new_place()
        self.in_hand.clear()
        self._landing.write_bytes(self._content())
        self._landing.replace(place)
        self.in_hand.wait(PAUSE_SECONDS * 2)
        place.replace(self._folder() / place.name)

    def write(self) -> None:
        """A file is written in its place."""
        self._new_place().write_bytes(self._content())

    def copy(self, file: Path) -> None:
        shutil.copy2(file, self._new_place())

    def replace(self, file: Path) -> None:
        """Another content, written over a file."""
        file.write_bytes(self._content())

    def touch(self, file: Path) -> None:
        seconds = LONG_AGO + next(self._numbers)
        os.utime(file, (seconds, seconds))

    def delete(self, file: Path) -> None:
        file.unlink()

    def sort(self, file: Path) -> None:
        """Into a folder, under its name, or over another file, or back to where it was."""
        target = self._folder() / file.name
        others = [other for other in self.files() if other != file]
        if self._dice.random() < 0.2 and others:
            target = self._dice.choice(others)
        file.replace(target)
        if self._dice.random() < 0.2:
            threading.Event().wait(self._dice.uniform(0, PAUSE_SECONDS))
            target.replace(file)

    def rename_folder(self) -> None:
        folders = [self._root / name for name in FOLDERS if name and (self._root / name).is_dir()]
        free = [self._root / name for name in FOLDERS if name and not (self._root / name).exists()]
        if folders and free:
            folder, to = self._dice.choice(folders), self._dice.choice(free)
            if not to.is_relative_to(folder) and to.parent.is_dir():
                folder.rename(to)

    def _content(self) -> bytes:
        """A content that was there before, or, as often, a new one.

        That is a video with a box that readers skip (ISO/IEC 14496-12, section 8.1.2: free space).
        """
        if self._dice.random() < 0.5:
            box = (16).to_bytes(4, "big") + b"free" + next(self._numbers).to_bytes(8, "big")
            self._made.append(self._dice.choice(self._made[:CONTENTS]) + box)
            return self._made[-1]
        return self._dice.choice(self._made)

    def _folder(self) -> Path:
        folder = self._root / self._dice.choice(FOLDERS)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _new_place(self) -> Path:
        return self._folder() / f"{next(self._numbers)}.mp4"


@pytest.fixture(scope="module")
def fresh(
    tmp_path_factory: pytest.TempPathFactory,
    contents: tuple[Path, ...],
    small_clip: ClipEncoder,
    small_clip_dir: Path,
    whisper_dir: Path,
) -> tuple[ClipEncoder, dict[str, Row]]:
    """The model, and the row of each video, by its name, from a scan in peace."""
    folder = tmp_path_factory.mktemp("fresh") / "project"
    project = UserProject.make(folder, clip=small_clip_dir, whisper=whisper_dir)
    for file in contents:
        project.add(file, file.name)
    with opened(project, HeldUp(small_clip), Tally()) as flow:
        assert flow.scan().embedded == CONTENTS
    return small_clip, rows(project)


def test_after_any_operations_under_watch_the_store_equals_the_folder(
    project: UserProject,
    contents: tuple[Path, ...],
    fresh: tuple[ClipEncoder, dict[str, Row]],
) -> None:
    dice, delays = random.Random(SEED), random.Random(SEED + 1)
    clip, rows_of = fresh
    hands, report = Hands(project, contents, dice), Tally()
    pause = threading.Event()

    def decodes() -> None:
        hands.in_hand.set()
        pause.wait(delays.uniform(0, DECODES_SECONDS))

    def state() -> tuple[dict[str, str], dict[str, str]]:
        with_rows = {path: row.content_hash for path, row in rows(project).items()}
        files = {file.relative_to(project.videos).as_posix(): file for file in hands.files()}
        return with_rows, {path: content_hash(file) for path, file in files.items()}

    def is_quiet() -> bool:
        with_rows, on_disk = state()
        return with_rows == on_disk and report.ended == report.expected

    with watching(project, HeldUp(clip, decodes=decodes), report):
        for _ in range(OPERATIONS):
            hands.do_something()
            pause.wait(dice.choice((0, 0, dice.uniform(0, PAUSE_SECONDS))))
        try:
            eventually(is_quiet, within=QUIET_SECONDS, pause=0.1)
        except AssertionError:
            with_rows, on_disk = state()
            assert with_rows == on_disk
            assert report.ended == report.expected
            raise
    assert failures(project) == {}
    for path, row in rows(project).items():
        facts = (project.videos / path).stat()
        assert (row.size, row.mtime_ns, row.offline) == (facts.st_size, facts.st_mtime_ns, False)
        assert row.label == (path.partition("/")[0] if "/" in path else None)
        content = (project.videos / path).read_bytes()
        (base,) = (file for file in contents if content.startswith(file.read_bytes()))
        wanted = rows_of[base.name]
        assert row.width == wanted.width
        np.testing.assert_allclose(row.visual, wanted.visual, atol=1e-4)
