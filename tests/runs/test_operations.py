"""Whatever happens to a folder between two scans, the table is what a fresh embedding gives.

No content goes through a model twice.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import config
from pipeline.decode.content import content_hash
from pipeline.flow import write_loop
from pipeline.flow.flow import Flow
from pipeline.flow.local import LocalEngine
from pipeline.flow.progress import Report
from pipeline.models.clip import ClipEncoder
from pipeline.project import Project
from pipeline.records import Prepare
from pipeline.speech import SpeechStatus, SpeechWindow, Transcript
from store.schema import Row, Segment
from store.table.store import Store
from tests.support.media import make_video
from tests.support.projects import LONG_AGO, UserProject

PATHS = ("a.mp4", "b.mp4", "pets/a.mp4", "pets/b.mp4", "soccer/a.mp4", "soccer/deep/c.mp4")
FOLDERS = ("pets", "soccer", "cats")
SPOKEN = 2  # of the contents
CONTENTS = 6

Recipe = tuple[int, str]
"""Frames a video, and the language of the words: one setting for each half."""

FIRST: Recipe = (2, "en")
RECIPES: tuple[Recipe, ...] = (FIRST, (3, "en"), (2, "de"), (3, "de"))


class Scribe:
    """In the place of Whisper: hears in every clip words of its own, in its language."""

    def __init__(self, language: str) -> None:
        self._language = language
        self.heard = 0

    def transcribe(self, clips: Sequence[Sequence[SpeechWindow]]) -> list[Transcript]:
        self.heard += len(clips)
        return [self._words(windows[0]) for windows in clips]

    def _words(self, window: SpeechWindow) -> Transcript:
        words = f"{self._language} {abs(window.samples.astype(int)).sum()}"
        segment = Segment(0.0, 1.0, words)
        return Transcript(SpeechStatus.SPEECH, (segment,), self._language, 1.0)


class CountingClip:
    """CLIP that counts the pictures it prepares and encodes."""

    def __init__(self, clip: ClipEncoder) -> None:
        self._clip = clip
        self.dimension, self.fits, self.encode_texts = clip.dimension, clip.fits, clip.encode_texts
        self.prepared = 0
        self.encoded = 0

    def preprocess(self, image: Any) -> np.ndarray:
        self.prepared += 1
        return self._clip.preprocess(image)

    def encode_frames(self, pixels: np.ndarray) -> np.ndarray:
        self.encoded += len(pixels)
        return self._clip.encode_frames(pixels)


class Light:
    """Models that are there already, for one scan."""

    def __init__(self, clip: ClipEncoder, language: str) -> None:
        self._clip, self._scribe = CountingClip(clip), Scribe(language)
        self.clip: Callable[[], Any] = lambda: self._clip
        self.whisper: Callable[[], Any] = lambda: self._scribe
        self.loaded_clip = None  # for what is no video's: it would be counted
        self.loading_seconds = 0.0

    def preprocess(self) -> Prepare:
        return self._clip.preprocess

    @property
    def runs(self) -> tuple[int, int, int]:
        """Pictures prepared and encoded, and clips heard."""
        return self._clip.prepared, self._clip.encoded, self._scribe.heard


def scan(project: UserProject, clip: ClipEncoder, recipe: Recipe) -> tuple[int, int, int]:
    """One scan; what the models did."""
    frames, language = recipe
    changed = config.load(
        project.config,
        [f"clip.frames={frames}", f"whisper.language={language}", "whisper.model=base"],
    )
    models: Any = Light(clip, language)
    with Project.open_to_scan(changed) as opened:
        report = Report()
        Flow(opened, report, LocalEngine(changed, report.say, models=models)).scan()
    return models.runs


def rows(project: UserProject) -> dict[str, Row]:
    with Store.open(str(project.store)) as store:
        return store.rows(store.known())


@dataclass(frozen=True)
class World:
    """What never changes: the model, the files there may be, and the row of each by recipe."""

    clip: ClipEncoder
    files: tuple[Path, ...]
    fresh: dict[tuple[Recipe, str], Row]


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory,
    small_clip: ClipEncoder,
    small_clip_dir: Path,
    whisper_dir: Path,
) -> World:
    folder = tmp_path_factory.mktemp("world")
    fresh: dict[tuple[Recipe, str], Row] = {}
    for number, recipe in enumerate(RECIPES):
        project = UserProject.make(folder / str(number), clip=small_clip_dir, whisper=whisper_dir)
        for content in range(CONTENTS):
            spoken = content < SPOKEN
            make_video(
                project.videos / f"{content}.mp4", seconds=3 if spoken else 1, fps=4,
                width=64, height=48, audio="speech" if spoken else None, pictures=content,
            )  # fmt: skip
        runs = scan(project, small_clip, recipe)
        assert runs == (recipe[0] * CONTENTS, recipe[0] * CONTENTS, SPOKEN)
        fresh |= {(recipe, row.content_hash): row for row in rows(project).values()}
    assert len(fresh) == CONTENTS * len(RECIPES)
    return World(small_clip, tuple(sorted(project.videos.iterdir())), fresh)


class Folder:
    """A collection that things happen to. Two contents never have the same time."""

    def __init__(self, project: UserProject, world: World) -> None:
        self.project = project
        self.recipe = FIRST
        self._world = world
        self._seconds = itertools.count(LONG_AGO)
        (project.videos / "notes.txt").touch()  # an empty folder looks like an unplugged drive

    def add(self, path: str, content: int) -> None:
        """A new file, or another content in the place of one."""
        self._write(path, self._world.files[content].read_bytes())

    def corrupt(self, path: str, content: int) -> None:
        """A new broken file, or one that has broken."""
        self._write(path, b"broken" + bytes([content]))

    def move(self, path: str, to: str) -> None:
        """To another name or category, perhaps over another file."""
        if self._at(path).exists():
            self._at(to).parent.mkdir(parents=True, exist_ok=True)
            self._at(path).replace(self._at(to))

    def swap(self, path: str, other: str) -> None:
        if self._at(path).exists() and self._at(other).exists():
            self.move(path, "between")
            self.move(other, path)
            self.move("between", other)

    def copy(self, path: str, to: str, keep_time: bool) -> None:
        if self._at(path).exists() and path != to:
            self._at(to).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self._at(path), self._at(to))
            if not keep_time:
                self.touch(to)

    def delete(self, path: str) -> None:
        self._at(path).unlink(missing_ok=True)

    def touch(self, path: str) -> None:
        if self._at(path).exists():
            seconds = next(self._seconds)
            os.utime(self._at(path), (seconds, seconds))

    def relabel(self, folder: str, to: str) -> None:
        """Another name for a category."""
        if self._at(folder).exists() and not self._at(to).exists():
            self._at(folder).rename(self._at(to))

    def change(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def scan(self) -> None:
        """Scan, and see that all is as it should be."""
        playable, broken = self._on_disk()
        expected = self._expected_runs(set(playable.values()))
        assert scan(self.project, self._world.clip, self.recipe) == expected
        after = rows(self.project)
        assert {path: row.content_hash for path, row in after.items()} == playable
        for path, row in after.items():
            self._check(path, row)
        with Store.open(str(self.project.store)) as store:
            assert {each.path for each in store.failures()} == broken

    def _expected_runs(self, wanted: set[str]) -> tuple[int, int, int]:
        """What is to be done about these contents that the table does not have yet."""
        frames, language = self.recipe
        before = rows(self.project).values()
        seen = {row.content_hash for row in before if f"frames={frames} " in row.visual_recipe}
        heard = {row.content_hash for row in before if f"={language} " in row.transcript_recipe}
        spoken = {digest for digest in wanted if self._world.fresh[FIRST, digest].segments}
        pictures = frames * len(wanted - seen)
        return pictures, pictures, len(spoken - heard)

    def _check(self, path: str, row: Row) -> None:
        """It is its file's, with the parts that a fresh embedding gives."""
        facts = self._at(path).stat()
        assert (row.size, row.mtime_ns, row.offline) == (facts.st_size, facts.st_mtime_ns, False)
        assert row.label == (path.partition("/")[0] if "/" in path else None)
        fresh = self._world.fresh[self.recipe, row.content_hash]
        for name in ("visual", "speech", "frame_vectors", "frame_times", "speech_vectors"):
            np.testing.assert_allclose(getattr(row, name), getattr(fresh, name), atol=2e-3)
        for name in ("recipe", "transcript", "segments", "speech_status", "width", "thumbnail"):
            assert getattr(row, name) == getattr(fresh, name), name

    def _on_disk(self) -> tuple[dict[str, str], set[str]]:
        """Paths with the content of each, and those of broken files."""
        root = self.project.videos
        files = {path.relative_to(root).as_posix(): path for path in root.rglob("*.mp4")}
        contents = {path: content_hash(file) for path, file in files.items()}
        broken = {p for p, digest in contents.items() if (FIRST, digest) not in self._world.fresh}
        return {path: contents[path] for path in contents.keys() - broken}, broken

    def _at(self, path: str) -> Path:
        return self.project.videos / path

    def _write(self, path: str, content: bytes) -> None:
        self._at(path).parent.mkdir(parents=True, exist_ok=True)
        self._at(path).write_bytes(content)
        self.touch(path)


paths, contents = st.sampled_from(PATHS), st.integers(0, CONTENTS - 1)
operations = st.one_of(
    st.tuples(st.just("add"), paths, contents),
    st.tuples(st.just("add"), paths, contents),
    st.tuples(st.just("corrupt"), paths, st.integers(0, 1)),
    st.tuples(st.just("move"), paths, paths),
    st.tuples(st.just("swap"), paths, paths),
    st.tuples(st.just("copy"), paths, paths, st.booleans()),
    st.tuples(st.just("delete"), paths),
    st.tuples(st.just("touch"), paths),
    st.tuples(st.just("relabel"), st.sampled_from(FOLDERS), st.sampled_from(FOLDERS)),
    st.tuples(st.just("change"), st.sampled_from(RECIPES)),
)


@pytest.fixture(scope="module")
def new_project(small_clip_dir: Path, whisper_dir: Path) -> Callable[[str], UserProject]:
    def make(folder: str) -> UserProject:
        return UserProject.make(Path(folder) / "project", clip=small_clip_dir, whisper=whisper_dir)

    return make


@settings(max_examples=settings().max_examples // 6)  # each is several scans
@given(st.lists(st.lists(operations, min_size=1, max_size=8), min_size=1, max_size=5))
def test_any_sequence_of_operations_ends_as_a_fresh_embedding(
    world: World, new_project: Callable[[str], UserProject], sequence: list[list[tuple[Any, ...]]]
) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Folder(new_project(made), world)
        for path, content in zip(PATHS, range(CONTENTS), strict=True):
            folder.add(path, content)
        folder.scan()
        for happened in sequence:
            for name, *arguments in happened:
                getattr(folder, name)(*arguments)
            folder.scan()


def test_files_that_each_take_the_place_of_the_next_keep_their_rows(
    world: World,
    new_project: Callable[[str], UserProject],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(write_loop, "COMMIT_ROWS", 8)
    project = new_project(str(tmp_path))
    numbers = range(20)  # more than one commit holds
    project.add_distinct(world.files[-1], (f"{number:03}.mp4" for number in numbers))
    assert scan(project, world.clip, FIRST)[1] == FIRST[0] * len(numbers)
    before = {path: row.content_hash for path, row in rows(project).items()}
    for number in reversed(numbers):
        file = project.videos / f"{number:03}.mp4"
        file.rename(file.with_stem(f"{number + 1:03}"))
        # Of another time, since all of them have the same size.
        os.utime(file.with_stem(f"{number + 1:03}"), (LONG_AGO + 1 + number,) * 2)
    assert scan(project, world.clip, FIRST) == (0, 0, 0)
    after = {path: row.content_hash for path, row in rows(project).items()}
    assert after == {f"{int(path[:3]) + 1:03}.mp4": each for path, each in before.items()}
