"""A collection with settings of its own, as a user has it, for tests of the whole program."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

LONG_AGO = 1_500_000_000  # seconds since the epoch: nobody is writing such a file
DEADLINE_SECONDS = 240.0  # generous: other work may run on the machine
LOOK_SECONDS = 0.1  # between two looks: opening a store takes a part of a core


@dataclass(frozen=True)
class UserProject:
    """A folder with `config.toml`, and beside it the videos, the store and the artifacts."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, *, clip: Path, whisper: Path, settings: str = "") -> UserProject:
        """Write the settings (`settings`: more of them, as TOML) and an empty folder of videos."""
        text = f"""
            data.dir = "videos"
            store.uri = "store"
            export.dir = "artifacts"
            clip.model = {json.dumps(f"local-dir:{clip}")}
            whisper.model = {json.dumps(str(whisper))}
            {settings}
        """
        (folder / "videos").mkdir(parents=True)
        (folder / "config.toml").write_text(text, encoding="utf-8")
        return cls(folder)

    def copied(self, folder: Path) -> UserProject:
        """Copy all of it into a folder that is not there yet, to be changed."""
        return UserProject(shutil.copytree(self.folder, folder, symlinks=True))

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def videos(self) -> Path:
        return self.folder / "videos"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def add(self, clip: Path, name: str) -> Path:
        """Copy a clip to a name under the videos, with a time long ago."""
        return put(clip, self.videos / name)

    def add_distinct(self, clip: Path, names: Iterable[str]) -> None:
        """Copy a clip to each of these names, each time with other bytes."""
        for number, name in enumerate(names):
            distinct_copy(clip, self.videos / name, number)


def put(clip: Path, target: Path) -> Path:
    """Copy a clip to a place, with a time long ago."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(clip, target)
    os.utime(target, (LONG_AGO, LONG_AGO))
    return target


def distinct_copy(clip: Path, target: Path, number: int) -> Path:
    """Copy a video so that it shows the same and has other bytes.

    The MP4 gets a box of `number` at its end, which readers skip (ISO/IEC 14496-12, section 8.1.2:
    free space box).

    Args:
        clip: an MP4.
        target: path of the copy.
        number: another one for other bytes.
    """
    put(clip, target)
    with target.open("ab") as file:
        file.write((16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big"))
    os.utime(target, (LONG_AGO, LONG_AGO))
    return target


def eventually(
    look: Callable[[], T], *, within: float = DEADLINE_SECONDS, pause: float = LOOK_SECONDS
) -> T:
    """The first true thing that `look` returns; fails when there is none in time."""
    deadline = time.monotonic() + within
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < deadline, f"not within {within:g} s; last seen: {seen!r}"
        time.sleep(pause)


def keys(document: dict[str, Any], wanted: str) -> dict[str, Any]:
    """A part of a document: `keys(summary, "embedded failed")`."""
    return {key: document[key] for key in wanted.split()}
