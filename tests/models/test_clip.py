"""CLIP gives what open_clip gives, of the right weights, or says what is missing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import ModelError, SettingsError
from pipeline.models.clip import ClipEncoder
from pipeline.models.names import resolve_clip
from tests.support.late import late
from tests.support.models import CLIP_CONFIGS
from tests.support.pictures import draw
from tests.support.program import ROOT

open_clip = late("open_clip")
torch = late("torch")

CPU = {"device": "cpu", "precision": "float32"}


@pytest.fixture(scope="module")
def clip(small_clip_dir: Path) -> ClipEncoder:
    return ClipEncoder(f"local-dir:{small_clip_dir}", "openai", **CPU, batch_frames=4)


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    """Landscape, portrait, square and tiny."""
    sizes = [(160, 120), (90, 160), (64, 64), (30, 20), (333, 77)]
    return [Image.fromarray(draw(n, *size, seed=n)) for n, size in enumerate(sizes)]


# Which model, which weights


@pytest.mark.parametrize(
    ("model", "pretrained", "name"),
    [
        ("ViT-B/32", "openai", "ViT-B-32-quickgelu"),
        ("ViT-B-32", "openai", "ViT-B-32-quickgelu"),
        ("ViT-B-32-quickgelu", "openai", "ViT-B-32-quickgelu"),
        ("ViT-B/16", "openai", "ViT-B-16-quickgelu"),
        ("ViT-B/32", "laion2b_s34b_b79k", "ViT-B-32"),
        ("ViT-B-32-quickgelu", "laion2b_s34b_b79k", "ViT-B-32"),
        ("ViT-B/32", "/some/checkpoint.pt", "ViT-B-32"),
        ("ViT-B-32-quickgelu", "/some/checkpoint.pt", "ViT-B-32-quickgelu"),
    ],
)
def test_weights_get_the_activation_that_they_were_trained_with(
    model: str, pretrained: str, name: str
) -> None:
    assert resolve_clip(model, pretrained) == (name, pretrained)


def test_a_folder_needs_no_tag() -> None:
    assert resolve_clip("local-dir:/some/folder", "openai") == ("local-dir:/some/folder", None)


def test_an_unknown_model_is_an_error_that_names_some_near_ones() -> None:
    with pytest.raises(SettingsError, match=r"clip\.model = 'ViT-B/33'.*ViT-B-32"):
        ClipEncoder("ViT-B/33", "openai", **CPU)


def test_an_unknown_tag_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"clip\.pretrained = 'opnai'.*laion2b.*openai"):
        ClipEncoder("ViT-B/32", "opnai", **CPU)


# No weights, no vectors


def no_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def no_weights(folder: Path) -> None:
    (folder / "open_clip_model.safetensors").unlink()


def no_config(folder: Path) -> None:
    (folder / "open_clip_config.json").unlink()


def cut_short(folder: Path) -> None:
    file = folder / "open_clip_model.safetensors"
    file.write_bytes(file.read_bytes()[:100_000])


def other_architecture(folder: Path) -> None:
    file = folder / "open_clip_config.json"
    config = json.loads(file.read_text())
    config["model_cfg"]["vision_cfg"]["layers"] = 3
    file.write_text(json.dumps(config))


@pytest.mark.parametrize(
    "damage",
    [
        no_folder,
        no_weights,
        no_config,
        cut_short,
        other_architecture,
    ],
)
def test_a_folder_without_whole_weights_is_an_error_that_says_what_to_do(
    tmp_path: Path, small_clip_dir: Path, damage: Any
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(small_clip_dir, folder)
    damage(folder)
    with pytest.raises(ModelError) as raised:
        ClipEncoder(f"local-dir:{folder}", "openai", **CPU)
    message = str(raised.value)
    assert message.startswith(f"clip.model = local-dir:{folder}: cannot be loaded: ")
    assert "must hold open_clip_config.json and open_clip_model.safetensors" in message


def test_a_checkpoint_that_cannot_be_loaded_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = CLIP_CONFIGS["small"]  # the real one takes a second to make
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-B-32-quickgelu", small)
    checkpoint = tmp_path / "checkpoint.pt"
    checkpoint.write_bytes(b"no weights")
    with pytest.raises(ModelError, match="cannot be loaded") as raised:
        ClipEncoder("ViT-B/32", str(checkpoint), **CPU)
    message = str(raised.value)
    assert str(checkpoint) in message
    assert "set clip.pretrained to a checkpoint of this model" in message.lower()


# The same vectors


def test_pictures_are_encoded_as_open_clip_does_it(
    clip: ClipEncoder, small_clip_dir: Path, pictures: list[Image.Image]
) -> None:
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{small_clip_dir}")
    with torch.no_grad():
        expected = model.eval().encode_image(torch.stack([preprocess(p) for p in pictures]))
    prepared = np.stack([clip.preprocess(picture) for picture in pictures])
    assert (prepared.dtype, prepared.shape) == (np.uint8, (len(pictures), 64, 64, 3))
    encoded = clip.encode_frames(prepared)
    assert encoded.dtype == np.float32
    np.testing.assert_allclose(encoded, expected.numpy(), atol=1e-5)


ENCODING = """
import sys
import numpy as np
from pipeline.demo.weights import TINY_CLIP
from pipeline.models.clip import ClipEncoder

clip = ClipEncoder(f"local-dir:{TINY_CLIP}", "", device="cpu", precision="float32")
clip.encode_texts(["a question"])
clip.encode_frames(np.zeros((1, *clip.preprocess.size, 3), np.uint8))
heavy = {"torch._dynamo", "torchvision.models.resnet", "timm.models.vision_transformer"}
print(heavy & sys.modules.keys())
"""


@pytest.mark.process
def test_an_encoder_imports_no_model_that_it_is_not() -> None:
    """They are two fifths of what a question in a process of its own would wait for."""
    ended = subprocess.run(
        [sys.executable, "-c", ENCODING], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "set()\n"


def test_texts_are_encoded_as_open_clip_does_it_and_of_unit_length(
    clip: ClipEncoder, small_clip_dir: Path
) -> None:
    texts = ["ask not what your country can do", "", "Füße 北京 🎬", "word " * 100, "a", "b"]
    name = f"local-dir:{small_clip_dir}"
    model, _ = open_clip.create_model_from_pretrained(name)
    with torch.no_grad():
        tokens = open_clip.get_tokenizer(name)(texts)
        expected = model.eval().encode_text(tokens, normalize=True)
    encoded = clip.encode_texts(texts)
    assert (encoded.dtype, encoded.shape) == (np.float32, (len(texts), clip.dimension))
    np.testing.assert_allclose(encoded, expected.numpy(), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(encoded, axis=1), 1, atol=1e-5)


def test_what_fits_is_what_the_tokenizer_does_not_cut(clip: ClipEncoder) -> None:
    # 77 places: a start, an end, and 75 tokens; each of these words is one.
    assert clip.fits("")
    assert clip.fits("word " * 75)
    assert not clip.fits("word " * 76)
    assert not clip.fits("word " * 500)


# Memory


class SmallMemory(ClipEncoder):
    """On a device that holds `room` pictures or texts at a time."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.room = 10**9
        self.sizes: list[int] = []
        super().__init__(*args, **options)
        self.sizes.clear()

    def _encode(self, method: Any, batch: Any) -> Any:
        self.sizes.append(len(batch))
        if len(batch) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super()._encode(method, batch)


@pytest.fixture
def cramped(small_clip_dir: Path) -> SmallMemory:
    return SmallMemory(f"local-dir:{small_clip_dir}", "openai", **CPU, batch_frames=16)


@pytest.mark.parametrize(
    ("room", "sizes"),
    [
        (16, [16, 4]),
        (8, [16, 8, 8, 4]),
        (3, [16, 8, 4, *[2] * 10]),
        (1, [16, 8, 4, 2, *[1] * 20]),
    ],
)
def test_what_memory_cannot_hold_is_halved_until_it_can(
    clip: ClipEncoder, cramped: SmallMemory, room: int, sizes: list[int]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (20, 64, 64, 3)).astype(np.uint8)
    cramped.room = room
    np.testing.assert_allclose(cramped.encode_frames(pixels), clip.encode_frames(pixels), atol=1e-5)
    assert cramped.sizes == sizes


def test_one_picture_that_memory_cannot_hold_is_an_error(cramped: SmallMemory) -> None:
    cramped.room = 0
    with pytest.raises(torch.OutOfMemoryError):
        cramped.encode_frames(np.zeros((5, 64, 64, 3), np.uint8))
    assert cramped.sizes == [5, 2, 1]


@pytest.mark.parametrize("lost", [False, True])
def test_a_bad_batch_is_told_from_a_device_that_is_lost(
    small_clip_dir: Path, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    clip = ClipEncoder(f"local-dir:{small_clip_dir}", "", **CPU)

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(clip, "_encode_pixels", fails)
    if lost:
        monkeypatch.setattr("torch.ones", fails)
    with pytest.raises(ModelError if lost else RuntimeError, match="launch failure"):
        clip.encode_frames(np.zeros((1, 64, 64, 3), np.uint8))
