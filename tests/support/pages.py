"""A collection to look at with the page: real files, and rows that are made up.

Three folders whose vectors lie apart, unlabeled videos that lie near one of them, and names and
words that an attacker might choose. No model runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from pipeline import load_settings
from pipeline.decode.content import content_hash
from pipeline.demo.weights import TINY_CLIP
from pipeline.project import Project
from pipeline.source.presence import look_at
from store.pictures import small_jpeg
from store.schema import Recipe, Row, Segment
from store.table.store import Store
from tests.support.program import Spawn
from tests.support.projects import UserProject, distinct_copy
from tests.support.rows import failed, make_row

FOLDERS = ("cats", "dogs", "rockets")
IN_FOLDER = 9
UNLABELED = 6
MARKUP = "<img src=x onerror=window.hacked=1>.mp4"
SAID = "<b>Let it rest</b> for an hour."
IN_ENGLISH = "<b>In English</b> it rests, too."
LONG = "a very long name " + "of a film " * 18 + ".mp4"
DIMENSION = 64  # of TINY_CLIP
SPREAD = 0.5


def make_collection(folder: Path, clip: Path, whisper: Path) -> UserProject:
    """Make the project: 9 videos in each of 3 folders, 6 unlabeled ones, and one that failed.

    A copy of a cat is among the dogs, and a rocket among the cats.

    Args:
        folder: that is made.
        clip: an MP4 that every video shows, each with other bytes.
        whisper: a folder with the weights of Whisper, which are not loaded.
    """
    project = UserProject.make(folder, clip=TINY_CLIP, whisper=whisper)
    with Project.open(load_settings(project.config)) as opened:
        recipe = opened.recipe
    names = [f"{name}/{number}.mp4" for name in FOLDERS for number in range(IN_FOLDER)]
    names += [f"new-{number}.mp4" for number in range(UNLABELED - 2)] + [MARKUP, LONG]
    kinds = [*np.repeat(range(len(FOLDERS)), IN_FOLDER), *(n % 3 for n in range(UNLABELED))]
    rows = []
    for number, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        distinct_copy(clip, project.videos / name, number)
        rows.append(_row(project.videos, name, int(kind), number, recipe))
    rows += [_copy(project, rows[0], "dogs/copy.mp4"), _misplaced(project, clip, recipe)]
    (project.videos / "broken.mp4").write_bytes(b"no video")
    with Store.open(str(project.store), writer=True) as store:
        store.upsert(rows)
        store.record_failures([failed("broken.mp4", size=8, reason="no video stream")])
    return project


@contextmanager
def served(spawn: Spawn, project: UserProject) -> Iterator[str]:
    """Serve a project in a process of its own; gives the page's address."""
    arguments = ("--config", project.config, "web", "--port", "0", "--no-browser")
    process = spawn(*arguments, stderr=None)
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:"), address
    yield address.rstrip("/")


def _row(root: Path, name: str, kind: int, seed: int, recipe: Recipe) -> Row:
    stamp = look_at(root / name)
    assert stamp is not None
    vector = _near(kind, seed)
    spoken = tuple(
        Segment(s * 0.8, s * 0.8 + 0.7, text) for s, text in enumerate(_words(name, seed))
    )
    return replace(
        make_row(name, seed, d=DIMENSION, windows=len(spoken)),
        content_hash=content_hash(root / name), size=stamp.size, mtime_ns=stamp.mtime_ns,
        duration_seconds=2.0, width=160, height=120, visual=vector,
        frame_times=np.array([0.2, 1.0, 1.8]), frame_vectors=np.stack([vector] * 3),
        segments=spoken, transcript=" ".join(each.text for each in spoken), speech_windows=spoken,
        translation=(Segment(0.0, 1.5, IN_ENGLISH),) if name == MARKUP else None,
        thumbnail=_picture(kind, seed), embedded_at=datetime.now(UTC), visual_recipe=recipe.visual,
        transcript_recipe=recipe.transcript, speech_recipe=recipe.speech,
    )  # fmt: skip


def _words(name: str, seed: int) -> list[str]:
    if name == MARKUP:
        return ["First we knead the dough.", SAID]
    return [f"This is number {seed}.", "And here it ends."] if seed % 2 else []


def _near(kind: int, seed: int) -> np.ndarray:
    """A vector near the middle of its folder."""
    middle = np.eye(DIMENSION, dtype=np.float32)[kind]
    noise = np.random.default_rng(seed).standard_normal(DIMENSION) * SPREAD / DIMENSION**0.5
    vector = middle + noise
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def _picture(kind: int, seed: int) -> bytes:
    from PIL import Image

    colour = [40 + 20 * (seed % 5)] * 3
    colour[kind] = 200
    return small_jpeg(Image.new("RGB", (160, 120), tuple(colour)), 160, 60)


def _copy(project: UserProject, row: Row, name: str) -> Row:
    target = project.videos / name
    target.write_bytes((project.videos / row.path).read_bytes())
    stamp = look_at(target)
    assert stamp is not None
    return replace(row, path=name, label=name.split("/")[0], mtime_ns=stamp.mtime_ns)


def _misplaced(project: UserProject, clip: Path, recipe: Recipe) -> Row:
    name, number = "cats/looks-like-a-rocket.mp4", 99
    distinct_copy(clip, project.videos / name, number)
    return _row(project.videos, name, FOLDERS.index("rockets"), number, recipe)
