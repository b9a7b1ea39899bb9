"""What `models` lists is what open_clip has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.models.known import RECOMMENDED, KnownModel, _parameters, known_models
from pipeline.models.names import clip_config
from tests.support.late import late
from tests.support.program import Run

open_clip = late("open_clip")
torch = late("torch")


@pytest.fixture(scope="module")
def models() -> dict[str, KnownModel]:
    return {model.model: model for model in known_models()}


def test_every_model_with_weights_is_listed_with_its_tags(models: dict[str, KnownModel]) -> None:
    for name, tag in open_clip.list_pretrained():
        assert tag in models[name.removesuffix("-quickgelu")].tags


def test_the_parameters_of_every_model_are_known(models: dict[str, KnownModel]) -> None:
    assert set(_parameters()) == set(open_clip.list_models())
    assert all(model.download_bytes for model in models.values())


@pytest.fixture
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights without first values: on the device `meta` to draw them takes most of the time."""
    for name in ("normal_", "uniform_", "trunc_normal_", "kaiming_uniform_", "xavier_uniform_"):
        monkeypatch.setattr(f"torch.nn.init.{name}", lambda tensor, *_, **__: tensor)
    monkeypatch.setattr("timm.layers.weight_init._trunc_normal_", lambda tensor, *_: tensor)


@pytest.mark.usefixtures("_unset")
@pytest.mark.parametrize("name", [*RECOMMENDED, "coca_ViT-B-32", "PE-Core-S-16-384"])
def test_the_figures_are_those_of_the_model(models: dict[str, KnownModel], name: str) -> None:
    """On the device `meta`, where tensors have shapes and no numbers."""
    known = models[name]
    with torch.device("meta"), torch.no_grad():
        model = open_clip.create_model(name, load_weights=False, device="meta")
        picture = model.encode_image(torch.zeros(1, 3, known.picture, known.picture))
        text = model.encode_text(torch.zeros(1, known.context, dtype=torch.long))
    assert sum(each.numel() for each in model.parameters()) == _parameters()[name]
    assert picture.shape == text.shape == (1, known.width)
    assert model.context_length == known.context


def test_what_is_recommended_is_there_and_comes_first(models: dict[str, KnownModel]) -> None:
    assert list(models)[: len(RECOMMENDED)] == list(RECOMMENDED)
    assert models["ViT-B-32-SigLIP2-256"].languages == "many"
    assert models["MobileCLIP2-S0"].languages == "English"
    for name, model in models.items():
        config: dict[str, Any] = clip_config(name)
        assert model.width == config["embed_dim"]
        assert model.needs_transformers == ("hf_tokenizer_name" in config["text_cfg"])


def test_the_command_prints_a_row_a_model(run: Run, models: dict[str, KnownModel]) -> None:
    lines = run("models").stdout.splitlines()
    assert len(lines) == 1 + len(models)
    default = next(line for line in lines if line.startswith("ViT-B-32 "))
    assert default.split()[1:6] == ["512", "77", "224", "605", "MB"]
    assert len(json.loads(run("models", "--json").stdout)) == len(models)
