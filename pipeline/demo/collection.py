"""The demo's collection: drawn videos in folders by shape, some with real recorded speech.

Besides, one of everything that a real collection has: unlabeled videos, a duplicate, a video in the
wrong folder, and a broken file. The same files come out every time.
"""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.demo.drawing import Scene, every_scene
from pipeline.demo.videos import SPEECH, Shot, write_video

FOLDERS = ("square", "star", "ring", "triangle")
LABELED, UNLABELED = 9, 3  # of each shape
SIZES = ((160, 120), (128, 128), (108, 192))
SHOT_SECONDS = 1.2
SPOKEN = ("And so my fellow Americans", "ask what you can do for your country")

MISPLACED = "square/in-the-wrong-folder.mp4"
DUPLICATE = "seen-before.mp4"
BROKEN = "broken.mp4"
CHANGING = "changes-in-the-middle.mp4"
_SEED = 3


@dataclass(frozen=True)
class DemoVideo:
    """A video to draw.

    Args:
        path: in the folder of videos.
        shots: what it shows, one after the other.
        speech: what is said in it, a key of `SPEECH`; None for no sound.
    """

    path: str
    shots: tuple[Shot, ...]
    speech: str | None = None


def planned() -> list[DemoVideo]:
    """Every video that is drawn."""
    dice = random.Random(_SEED)
    scenes = {shape: _shuffled(shape, dice) for shape in FOLDERS}
    speeches = itertools.cycle((*SPOKEN, None, None, None))
    videos = [
        _video(f"{shape}/{number}.mp4", next(speeches), next(scenes[shape]))
        for shape, number in itertools.product(FOLDERS, range(1, LABELED + 1))
    ]
    videos += [
        _video(f"new-{number}.mp4", None, next(scenes[shape]))
        for number, shape in enumerate(FOLDERS * UNLABELED, start=1)
    ]
    videos.append(_video(MISPLACED, None, next(scenes["star"])))
    spoken = "ask not what your country can do for you"
    videos.append(_video(CHANGING, spoken, next(scenes["ring"]), next(scenes["square"])))
    return videos


def write_collection(folder: Path) -> int:
    """Draw the collection into a folder; returns how many files it has."""
    videos = planned()
    for number, video in enumerate(videos):
        target = folder / video.path
        target.parent.mkdir(parents=True, exist_ok=True)
        size = SIZES[number % len(SIZES)]
        write_video(target, video.shots, seed=number, speech=video.speech, size=size)
    shutil.copyfile(folder / videos[0].path, folder / DUPLICATE)
    whole = (folder / videos[1].path).read_bytes()
    (folder / BROKEN).write_bytes(whole[: len(whole) // 3])
    return len(videos) + 2


def _video(path: str, speech: str | None, *scenes: Scene) -> DemoVideo:
    start, end = SPEECH[speech] if speech else (0.0, 0.0)
    seconds = max(SHOT_SECONDS, (end - start) / len(scenes))
    return DemoVideo(path, tuple(Shot(scene, seconds) for scene in scenes), speech)


def _shuffled(shape: str, dice: random.Random) -> Iterator[Scene]:
    scenes = [scene for scene in every_scene() if scene.shape == shape]
    return iter(dice.sample(scenes, k=len(scenes)))
