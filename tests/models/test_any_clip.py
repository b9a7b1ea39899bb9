"""Each kind of CLIP gives what open_clip gives, from a folder and without a network."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import ModelError
from pipeline.models import text_files
from pipeline.models.clip import ClipEncoder
from pipeline.models.names import clip_config
from pipeline.models.preprocess import read_preprocess
from pipeline.models.text_windows import text_windows
from store.schema import Segment
from tests.support.clips import SMALL, WORDS, narrow_towers, plain_model, write_small_clip
from tests.support.late import late
from tests.support.pictures import draw

open_clip = late("open_clip")
torch = late("torch")

TEXTS = [*WORDS.splitlines(), "", "word " * 100, "FÜSSE, 北京! 🎬 #7", "a", "b"]
WITH_TRANSFORMERS = {name for name in SMALL if "hf_tokenizer_name" in clip_config(name)["text_cfg"]}
CONTEXTS = {
    "ViT-B-16-SigLIP2": 64,
    "ViT-SO400M-14-SigLIP2": 64,
    "PE-Core-S-16-384": 32,
    "coca_ViT-B-32": 76,
}

Encoders = Callable[[str, str], ClipEncoder]


@pytest.fixture(scope="module", autouse=True)
def _narrow_and_offline() -> Iterator[None]:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing may ask a network")

    with pytest.MonkeyPatch.context() as patch:
        narrow_towers(patch)
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield


@pytest.fixture(scope="module", params=SMALL)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small variant of each model in turn."""
    if request.param in WITH_TRANSFORMERS and find_spec("transformers") is None:
        pytest.skip("transformers is not installed")
    made: Path = tmp_path_factory.mktemp("clip") / request.param
    made.mkdir()
    write_small_clip(request.param, made)
    return made


@pytest.fixture(scope="module")
def clip(folder: Path) -> ClipEncoder:
    return ClipEncoder(f"local-dir:{folder}", "", device="cpu", precision="float32")


@pytest.fixture(scope="module")
def plain(folder: Path) -> Any:
    return plain_model(folder)


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    sizes = [(160, 120), (90, 160), (64, 64), (30, 20), (333, 77)]
    return [Image.fromarray(draw(n, *size, seed=n)) for n, size in enumerate(sizes)]


def assert_near(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Compare vectors by how far they are from each other, as those of other pictures are."""
    spread = np.linalg.norm(expected - expected.mean(axis=0), axis=1).mean()
    assert spread > 0
    assert np.linalg.norm(found - expected, axis=1).max() < tolerance * spread


def test_pictures_are_encoded_as_open_clip_does_it(
    clip: ClipEncoder, plain: Any, folder: Path, pictures: list[Image.Image]
) -> None:
    config = open_clip.transform.PreprocessCfg(**plain.visual.preprocess_cfg)
    transform = open_clip.transform.image_transform_v2(config, is_train=False)
    with torch.no_grad():
        batch = torch.stack([transform(picture) for picture in pictures])
        expected = plain.encode_image(batch, normalize=False).numpy()
    preprocess = read_preprocess(f"local-dir:{folder}", None)
    assert preprocess == clip.preprocess
    found = clip.encode_frames(np.stack([preprocess(picture) for picture in pictures]))
    assert found.shape == (len(pictures), clip.dimension)
    assert_near(found, expected, 1e-3)  # float32's rounding, against a spread that may be small


def test_texts_are_encoded_as_open_clip_does_it(
    clip: ClipEncoder, plain: Any, folder: Path
) -> None:
    tokenize = open_clip.get_tokenizer(f"local-dir:{folder}")
    with torch.no_grad():
        expected = plain.encode_text(tokenize(TEXTS), normalize=True).numpy()
    assert_near(clip.encode_texts(TEXTS), expected, 1e-3)
    np.testing.assert_allclose(clip.encode_texts(["a"]), expected[-2:-1], atol=1e-5)


def test_a_text_fits_as_long_as_its_end_changes_its_tokens(clip: ClipEncoder, folder: Path) -> None:
    tokenize = open_clip.get_tokenizer(f"local-dir:{folder}")
    context = CONTEXTS.get(folder.name, 77)
    assert tokenize([""]).shape == (1, context)
    counts = [count for count in range(1, 90) if clip.fits("a " * count)]
    assert counts == list(range(1, len(counts) + 1))
    longest = len(counts)
    assert 0.3 * context < longest < context
    last, cut = (tokenize(["a " * n, "a " * (n - 1) + "b"]) for n in (longest, longest + 1))
    assert (last[0] != last[1]).any()
    assert (cut[0] == cut[1]).all()


def test_each_word_of_a_transcript_is_in_a_window(clip: ClipEncoder) -> None:
    segments = [Segment(n, n + 1, line) for n, line in enumerate(WORDS.splitlines() * 9)]
    windows = text_windows(segments, clip.fits)
    assert len(windows) > 1
    assert all(clip.fits(window.text) for window in windows)
    said = " ".join(window.text for window in windows)
    assert said.split() == " ".join(segment.text for segment in segments).split()


def test_half_precision_stays_near(clip: ClipEncoder, folder: Path) -> None:
    half = ClipEncoder(f"local-dir:{folder}", "", device="cpu", precision="bfloat16")
    shape = (3, *clip.preprocess.size, 3)
    pixels = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    for ours, exact in (
        (half.encode_frames(pixels), clip.encode_frames(pixels)),
        (half.encode_texts(TEXTS), clip.encode_texts(TEXTS)),
    ):
        lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(exact, axis=1)
        cosines = (ours * exact).sum(axis=1) / lengths
        assert cosines.min() > 0.995  # bfloat16 has 8 bits


@pytest.mark.parametrize("folder", sorted(WITH_TRANSFORMERS), indirect=True)
def test_without_transformers_one_line_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_files, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"package transformers: pip install"):
        ClipEncoder(f"local-dir:{folder}", "", device="cpu", precision="float32")


@pytest.mark.parametrize("folder", ["xlm-roberta-base-ViT-B-32"], indirect=True)
@pytest.mark.parametrize("name", ["tokenizer.json", "config.json"])
def test_a_file_that_a_folder_lacks_is_named(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).unlink()
    try:
        with pytest.raises(ModelError, match=rf"{name} of xlm-roberta-base"):
            ClipEncoder(f"local-dir:{folder}", "", device="cpu", precision="float32")
    finally:
        (folder / name).write_bytes(content)
