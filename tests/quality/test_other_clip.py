"""A CLIP of another kind and width goes through the program: as open_clip computes it by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.models.openclip import open_clip
from tests.support.clips import narrow_towers, plain_model, write_small_clip
from tests.support.program import Run
from tests.support.projects import UserProject
from tests.support.reference import read_frames
from tests.support.scans import rows

KINDS = ["ViT-B-16-SigLIP2", "PE-Core-S-16-384"]
WIDTH = 64  # of the small variants; the tests' other CLIP has 32
QUESTION = "a country in the rain"
VIDEOS = {"a/speech.mp4": "speech.mp4", "b/upright.mp4": "portrait.mp4", "new.mp4": "no_audio.mp4"}


@pytest.fixture(scope="module", autouse=True)
def _narrow() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        narrow_towers(patch)
        yield


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if "SigLIP" in request.param and find_spec("transformers") is None:
        pytest.skip("transformers is not installed")
    made: Path = tmp_path_factory.mktemp("clip") / request.param
    made.mkdir()
    write_small_clip(request.param, made)
    return made


class Plain:
    """open_clip, used as its README does."""

    def __init__(self, folder: Path) -> None:
        self._model = plain_model(folder)
        config = open_clip.transform.PreprocessCfg(**self._model.visual.preprocess_cfg)
        self._transform = open_clip.transform.image_transform_v2(config, is_train=False)
        self._tokenize = open_clip.get_tokenizer(f"local-dir:{folder}")

    @torch.no_grad()
    def frames(self, video: Path) -> Any:
        frames, _ = read_frames(video, 5)
        batch = torch.stack([self._transform(Image.fromarray(frame)) for frame in frames])
        return self._model.encode_image(batch)

    @torch.no_grad()
    def text(self, text: str) -> Any:
        return self._model.encode_text(self._tokenize([text]), normalize=True)[0]


def unit(vector: Any) -> Any:
    return vector / vector.norm(dim=-1, keepdim=True)


def test_scan_query_and_export_are_what_open_clip_gives(
    run: Run, folder: Path, tmp_path: Path, whisper_dir: Path, made: Callable[[str], Path]
) -> None:
    settings = 'precision.cpu = "float32"'
    project = UserProject.make(tmp_path / "p", clip=folder, whisper=whisper_dir, settings=settings)
    for name, clip in VIDEOS.items():
        project.add(made(clip), name)

    def do(*arguments: str) -> str:
        ended = run("--config", project.config, *arguments)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    do("scan")
    plain = Plain(folder)
    frames = {name: plain.frames(project.videos / name) for name in VIDEOS}
    visual = {name: unit(vectors.mean(dim=0)).numpy() for name, vectors in frames.items()}
    kept = rows(project)
    (window,) = kept["a/speech.mp4"].speech_windows
    spoken = plain.text(window.text).numpy()

    exported = do("export")
    assert f"torch.Size([2, {2 * WIDTH}])" in exported
    labeled = torch.load(project.folder / "artifacts/labeled_embeddings.pt")
    names = [path.removeprefix("videos/") for path in labeled["video_paths"]]
    features = labeled["features"].numpy()
    assert features.shape == (2, 2 * WIDTH)
    apart = np.linalg.norm(visual["a/speech.mp4"] - visual["b/upright.mp4"])
    for name, vector in zip(names, features, strict=True):
        # OpenCV and FFmpeg turn YUV into RGB with other roundings.
        assert np.linalg.norm(vector[:WIDTH] - visual[name]) < 0.05 * apart
    np.testing.assert_allclose(features[names.index("a/speech.mp4"), WIDTH:], spoken, atol=1e-4)
    assert not features[names.index("b/upright.mp4"), WIDTH:].any()

    hits = json.loads(do("query", QUESTION, "--in", "picture", "--json"))
    asked = plain.text(QUESTION)
    best = {name: float((unit(vectors) @ asked).max()) for name, vectors in frames.items()}
    found = [best[hit["path"].removeprefix("videos/")] for hit in hits]
    assert len(found) == len(VIDEOS)
    assert (np.diff(found) < 0.02 * np.ptp(found)).all(), "the best comes first"


def test_a_store_of_another_width_is_refused_before_a_video_is_read(
    run: Run,
    folder: Path,
    tmp_path: Path,
    whisper_dir: Path,
    small_clip_dir: Path,
    made: Callable[[str], Path],
) -> None:
    project = UserProject.make(tmp_path / "p", clip=small_clip_dir, whisper=whisper_dir)
    project.add(made("no_audio.mp4"), "a.mp4")
    assert run("--config", project.config, "scan").returncode == 0
    (project.videos / "b.mp4").write_bytes(b"no video: reading it would be a failure")
    other = ("--set", f"clip.model=local-dir:{folder}")
    for command in ("scan", "watch"):
        ended = run("--config", project.config, *other, command)
        assert ended.returncode == 2
        assert f"clip.model = local-dir:{folder}: it makes vectors of {WIDTH}" in ended.stderr
        assert f"store {project.store} have 32;" in ended.stderr
        assert "set store.uri to a new store" in ended.stderr
        assert "Loading" not in ended.stderr
    ended = run("--config", project.config, *other, "export")
    assert "nothing to export. clip.model =" in ended.stderr
    told = run("--config", project.config, *other, "status").stdout
    assert f"it makes vectors of {WIDTH}" in told
    assert "`scan` embeds" not in told
    kept = rows(project)
    assert list(kept) == ["a.mp4"]
    status = json.loads(run("--config", project.config, "status", "--json").stdout)
    assert status["failed"] == 0
