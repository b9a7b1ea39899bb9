"""In a long video a caption finds the seconds at which it is true."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pipeline import config
from pipeline.demo.drawing import Scene, arrange, draw, held_out_scenes
from pipeline.demo.weights import TINY_CLIP
from pipeline.project import Project
from pipeline.search.question import Question
from pipeline.search.searcher import Searcher
from store.schema import Row
from store.table.store import Store
from tests.support.meaning.wording import captions_of
from tests.support.program import Run
from tests.support.projects import UserProject, put

SCENES = 50
SECONDS = 12  # of each scene: ten minutes together
FRAMES = 5  # of the recipe: each shows another scene


def write_long(path: Path, scenes: Sequence[Scene]) -> Path:
    """Write an h264 video of one frame a second, with a keyframe every five."""
    dice = random.Random(3)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=1, options={"g": "5", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for shot, scene in enumerate(scenes):
            picture = draw(scene, arrange(scene, dice), (160, 120), (0, 0))
            pixels = picture.round().clip(0, 255).astype(np.uint8)
            for second in range(SECONDS):
                frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
                frame.pts, frame.time_base = shot * SECONDS + second, Fraction(1)
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def row_of(project: UserProject) -> Row:
    with Store.open(str(project.store)) as store:
        return store.rows(["long.mp4"])["long.mp4"]


def shares(project: UserProject, captions: Sequence[str]) -> float:
    """Ask with each caption; share of those that are answered with a second of their scene."""
    with Project.open(config.load(project.config)) as opened:
        searcher = Searcher(opened)
        asked = [Question(text=text, nearest=True) for text in captions]
        hits = [searcher.ask(question).hits[0] for question in asked]
    seconds = [hit.why.time for hit in hits]
    right = [t is not None and int(t) // SECONDS == i for i, t in enumerate(seconds)]
    return sum(right) / len(right)


def test_a_caption_finds_its_scene_in_ten_minutes(
    tmp_path: Path, whisper_dir: Path, run: Run
) -> None:
    scenes = held_out_scenes(SCENES, seed=2)
    captions = [said.text for said in captions_of(scenes)]
    project = UserProject.make(tmp_path / "project", clip=TINY_CLIP, whisper=whisper_dir)
    put(write_long(tmp_path / "long.mp4", scenes), project.videos / "long.mp4")
    scan = ("--config", project.config, "scan")

    assert run(*scan, "--set", "clip.moments_seconds=0").returncode == 0
    before = row_of(project)
    assert len(before.moment_times) == 0
    # Of each frame its scene, and of nothing else.
    assert shares(project, captions) <= 2 * FRAMES / SCENES

    assert "1 embedded" in run(*scan).stdout
    after = row_of(project)
    assert list(after.moment_times) == [10.0 * i for i in range(60)]
    for part in ("visual", "speech", "frame_times", "frame_vectors"):
        assert np.array_equal(getattr(after, part), getattr(before, part)), part
    assert after.thumbnail == before.thumbnail
    assert shares(project, captions) >= 0.9

    ended = run("--config", project.config, "query", "--text", captions[30], "--nearest", "--json")
    (hit,) = json.loads(ended.stdout)
    assert 30 * SECONDS <= hit["why"]["time"] < 31 * SECONDS
