"""CLIP's preprocessing is open_clip's own, read without weights and without building a model."""

from __future__ import annotations

import json
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.demo.weights import TINY_CLIP
from pipeline.errors import ModelError
from pipeline.models.names import resolve_clip
from pipeline.models.preprocess import Preprocess, read_preprocess
from tests.support.late import late
from tests.support.pictures import draw

open_clip = late("open_clip")
torch = late("torch")

SIZES = [(160, 120), (90, 160), (300, 300), (30, 20), (333, 77)]

# OpenAI's and others' means and sizes; bilinear; squashed; a picture tower of timm; a ResNet.
NAMED = [
    ("ViT-B/32", "openai"),
    ("ViT-B-32", "laion2b_s34b_b79k"),
    ("ViT-L-14-336", "openai"),
    ("ViT-B-16-SigLIP", "webli"),
    ("ViT-H-14-CLIPA-336", "datacomp1b"),
    ("MobileCLIP-S1", "datacompdr"),
    ("RN50x4", "openai"),
]


def whole_model(name: str, pretrained: str | None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The model as open_clip creates it, without memory for its weights."""
    monkeypatch.setattr(open_clip.factory, "download_pretrained", lambda *_, **__: "not fetched")
    with torch.device("meta"):
        return open_clip.create_model(name, pretrained, load_weights=False, device="meta")


def transform_of(model: Any) -> Any:
    config = open_clip.transform.PreprocessCfg(**model.visual.preprocess_cfg)
    return open_clip.transform.image_transform_v2(config, is_train=False)


def assert_same(ours: Preprocess, theirs: Any) -> None:
    for seed, size in enumerate(SIZES):
        picture = Image.fromarray(draw(seed, *size, seed=seed))
        prepared = ours(picture)
        assert (prepared.dtype, prepared.shape) == (np.uint8, (*ours.size, 3))
        normalised = (prepared / 255 - np.array(ours.mean)) / np.array(ours.std)
        expected = theirs(picture).permute(1, 2, 0).numpy()
        np.testing.assert_allclose(normalised, expected, atol=1e-5)  # float32 against float64


@pytest.mark.parametrize(("model", "pretrained"), NAMED)
def test_named_models_are_prepared_for_as_open_clip_does_it(
    model: str, pretrained: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, weights = resolve_clip(model, pretrained)
    theirs = whole_model(name, weights, monkeypatch)
    assert_same(read_preprocess(name, weights), transform_of(theirs))


@pytest.mark.parametrize("changes", [{}, {"resize_mode": "longest", "fill_color": 90}])
def test_a_folder_is_prepared_for_as_open_clip_does_it(
    changes: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = json.loads((TINY_CLIP / "open_clip_config.json").read_text())
    config["preprocess_cfg"].update(changes)
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    name = f"local-dir:{tmp_path}"
    theirs = whole_model(name, None, monkeypatch)
    assert_same(read_preprocess(name, None), transform_of(theirs))


def test_no_model_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(*_: object, **__: object) -> None:
        raise AssertionError("preprocessing needs no model")

    monkeypatch.setattr(torch.nn.Module, "__init__", build)
    preprocess = read_preprocess("ViT-L-14-336", "openai")
    assert preprocess.size == (336, 336)


def test_a_process_gets_the_numbers_and_makes_the_same_picture() -> None:
    preprocess = read_preprocess(f"local-dir:{TINY_CLIP}", None)
    picture = Image.fromarray(draw(0, 160, 120, seed=0))
    expected = preprocess(picture)
    received = pickle.loads(pickle.dumps(preprocess))
    assert received == preprocess
    np.testing.assert_array_equal(received(picture), expected)
    assert expected.flags.writeable  # else torch prints a warning


@pytest.mark.parametrize("text", [None, "not JSON", "{}"])
def test_a_configuration_that_cannot_be_read_names_the_setting(
    text: str | None, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / "open_clip_config.json").write_text(text)
    with pytest.raises(ModelError, match=r"^clip\.model = local-dir:"):
        read_preprocess(f"local-dir:{tmp_path}", None)


@settings(max_examples=30)
@given(
    st.tuples(st.integers(8, 400), st.integers(8, 400)),
    st.sampled_from(["bicubic", "bilinear"]),
    st.sampled_from(["shortest", "squash"]),
)
def test_pictures_of_any_size_are_cut_as_open_clip_cuts_them(
    size: tuple[int, int], interpolation: str, mode: str
) -> None:
    ours = Preprocess((48, 48), (0.5,) * 3, (0.5,) * 3, interpolation, mode)
    config = open_clip.transform.PreprocessCfg(**asdict(ours))
    theirs = open_clip.transform.image_transform_v2(config, is_train=False)
    picture = Image.fromarray(draw(1, *size, seed=1))
    cut = theirs(picture).permute(1, 2, 0).numpy() / 2 + 0.5
    np.testing.assert_array_equal(ours(picture), np.rint(cut * 255))
