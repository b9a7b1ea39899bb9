"""A collection of 100 small videos of which everything is known, with planted harm.

A folder for each shape, of all colours, counts, places and backgrounds; training saw none of the
scenes. Besides: unlabeled videos, some that change in the middle, copies, and wrong folders.
"""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.demo.drawing import SHAPES, Scene, every_scene
from pipeline.demo.videos import SPEECH, Shot, write_video
from tests.support.projects import UserProject

SIZES = ((160, 120), (128, 128), (108, 192))
LABELED, UNLABELED = 10, 4  # of each shape
CHANGING = 8
MISPLACED = 4
SHOT_SECONDS = 1.2
SPOKEN = 0.15  # of the videos have speech


@dataclass(frozen=True)
class Video:
    """What is known of a video.

    Args:
        path: in the folder of videos.
        shots: what it shows.
        speech: what is said in it, a key of SPEECH; None for nothing.
    """

    path: str
    shots: tuple[Shot, ...]
    speech: str | None = None

    @property
    def scene(self) -> Scene:
        """What it shows first."""
        return self.shots[0].scene


@dataclass(frozen=True)
class Collection:
    """The videos, all of different scenes, and the harm that was done.

    Args:
        videos: by path.
        copies: another path -> the one that it is a copy of.
        misplaced: path -> the folder that it belongs in.
    """

    videos: dict[str, Video] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)
    misplaced: dict[str, str] = field(default_factory=dict)

    @property
    def changing(self) -> list[Video]:
        """The videos of which the picture changes in the middle."""
        return [video for video in self.videos.values() if len(video.shots) > 1]

    @property
    def scenes(self) -> list[Scene]:
        """Of all videos, each once."""
        return [shot.scene for video in self.videos.values() for shot in video.shots]


@dataclass(frozen=True)
class Known:
    """A collection that the program has scanned."""

    project: UserProject
    collection: Collection

    def video(self, path: str) -> Video:
        """The video of a path, or the one that it is a copy of."""
        return self.collection.videos[self.collection.copies.get(path, path)]


def planned(seed: int) -> Collection:
    """A collection; all of it follows from the seed."""
    dice = random.Random(seed)
    of_shape = {shape: _spread(shape, dice) for shape in SHAPES}
    made = Collection()

    def add(path: str, *scenes: Scene) -> None:
        speech = dice.choice(list(SPEECH)) if dice.random() < SPOKEN else None
        start, end = SPEECH[speech] if speech else (0, 0)
        seconds = max(SHOT_SECONDS, (end - start) / len(scenes))
        shots = tuple(Shot(scene, seconds) for scene in scenes)
        made.videos[path] = Video(path, shots, speech)

    for number, shape in itertools.product(range(LABELED), SHAPES):
        add(f"{shape}/{number}.mp4", next(of_shape[shape]))
    for number, shape in itertools.product(range(UNLABELED), SHAPES):
        add(f"{shape}-{number}.mp4", next(of_shape[shape]))
    for number in range(CHANGING):
        first, second = dice.sample(SHAPES, 2)
        add(f"{first}-{second}-{number}.mp4", next(of_shape[first]), next(of_shape[second]))
    for number in range(MISPLACED):
        wrong, right = dice.sample(SHAPES, 2)
        path = f"{wrong}/misplaced-{number}.mp4"
        add(path, next(of_shape[right]))
        made.misplaced[path] = right
    doubled = dice.sample(SHAPES, 4)
    made.copies[f"{doubled[1]}/again.mp4"] = f"{doubled[0]}/0.mp4"
    made.copies[f"{doubled[0]}/again.mp4"] = f"{doubled[1]}/1.mp4"
    made.copies["again.mp4"] = f"{doubled[2]}/2.mp4"
    made.copies["the same.mp4"] = f"{doubled[3]}/3.mp4"
    return made


def write(collection: Collection, folder: Path) -> None:
    """Make its files: a copy is another encoding in another size, or the very same bytes."""
    for number, video in enumerate(collection.videos.values()):
        target = _place(folder / video.path)
        size = SIZES[number % len(SIZES)]
        write_video(target, video.shots, seed=number, speech=video.speech, size=size)
    order = list(collection.videos)
    for copy, original in collection.copies.items():
        target = _place(folder / copy)
        if copy == "the same.mp4":
            shutil.copyfile(folder / original, target)
            continue
        video, number = collection.videos[original], order.index(original)
        width, height = SIZES[number % len(SIZES)]
        size = (width * 3 // 4 & ~1, height * 3 // 4 & ~1)
        write_video(target, video.shots, seed=number, speech=video.speech, size=size, crf=32)


def _spread(shape: str, dice: random.Random) -> Iterator[Scene]:
    """Scenes of a shape that training never saw, of all colours in turn."""
    scenes = [scene for scene in every_scene() if scene.held_out and scene.shape == shape]
    dice.shuffle(scenes)
    by_colour: dict[str, list[Scene]] = {}
    for scene in scenes:
        by_colour.setdefault(scene.colour, []).append(scene)
    colours: Sequence[list[Scene]] = list(by_colour.values())
    for turn in itertools.zip_longest(*colours):
        yield from dice.sample([scene for scene in turn if scene], k=sum(map(bool, turn)))


def _place(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    return file
