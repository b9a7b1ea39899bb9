"""Names that no library knows are refused, without importing a library for good ones."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import load
from pipeline.errors import SettingsError
from pipeline.models import names
from pipeline.models.names import check_names, resolve_clip
from pipeline.settings import Settings
from tests.support.late import late

open_clip = late("open_clip")
tokenizer = late("faster_whisper.tokenizer")
whisper_models = late("faster_whisper.utils")

LIBRARIES = ("torch", "open_clip", "faster_whisper", "ctranslate2")
SettingsWith = Callable[..., Settings]


@pytest.fixture
def settings_with(tmp_path: Path) -> SettingsWith:
    config = tmp_path / "config.toml"
    config.touch()
    return lambda *overrides: load(config, overrides)


@pytest.fixture
def no_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing a library of the models raises."""
    import faster_whisper  # noqa: F401 - what the tests compare with

    original = builtins.__import__

    def checked(name: str, *rest: Any, **named: Any) -> Any:
        assert name.partition(".")[0] not in LIBRARIES
        return original(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", checked)


@pytest.mark.usefixtures("no_libraries")
@pytest.mark.parametrize(
    "override",
    [
        "whisper.model=base",
        "whisper.model=distil-large-v3.5",
        "whisper.model=owner/name",
        "whisper.language=yue",
        "clip.model=ViT-B-32-quickgelu",
        "clip.model=hf-hub:owner/name",
        "clip.model=local-dir:folder",
        "clip.pretrained=laion2b_s34b_b79k",
        "clip.pretrained=./checkpoint.pt",
    ],
)
def test_a_good_name_costs_no_import(settings_with: SettingsWith, override: str) -> None:
    check_names(settings_with(override))


@pytest.mark.usefixtures("no_libraries")
def test_all_names_are_found_in_the_libraries_sources(settings_with: SettingsWith) -> None:
    for model in whisper_models.available_models():
        check_names(settings_with(f"whisper.model={model}"))
    for code in tokenizer._LANGUAGE_CODES:
        check_names(settings_with(f"whisper.language={code}"))


@pytest.mark.usefixtures("no_libraries")
def test_where_a_model_is_on_the_hub_costs_no_import() -> None:
    for model in whisper_models.available_models():
        assert names.whisper_repository(model) == whisper_models._MODELS[model]
    repository, file = names.clip_repository("ViT-B/32", "openai")
    assert (repository, file) == ("timm/vit_base_patch32_clip_224.openai", "")


@pytest.mark.model
def test_tags_found_in_the_source_are_those_that_open_clip_lists() -> None:
    tags = names.clip_tags()
    for model, tag in open_clip.list_pretrained():
        assert tags[model][tag] == open_clip.get_pretrained_cfg(model, tag)["hf_hub"]
    for model in open_clip.list_models():
        for tag in tags.get(model, ()):
            resolve_clip(model, tag)


@pytest.mark.model
@pytest.mark.parametrize(
    ("overrides", "setting", "near"),
    [
        (["whisper.model=bsae"], "whisper.model", "base"),
        (["whisper.model=largev3"], "whisper.model", "large-v3"),
        (["whisper.model=a/b/c"], "whisper.model", "known: tiny"),
        (["whisper.language=xx"], "whisper.language", "known: af"),
        (["whisper.model=base.en", "whisper.language=de"], "whisper.language", "English only"),
        (["clip.model=ViT-B/33"], "clip.model", "ViT-B-32"),
        (["clip.model=hub:owner/name"], "clip.model", "hf-hub:OWNER/NAME"),
        (["clip.pretrained=opneai"], "clip.pretrained", "openai"),
        (["clip.pretrained=webli"], "clip.pretrained", "openai"),  # another model's
        (["clip.model=ViT-B/33", "clip.pretrained=./file.pt"], "clip.model", "ViT-B-32"),
    ],
)
def test_a_wrong_name_is_refused_with_some_like_it(
    settings_with: SettingsWith, overrides: list[str], setting: str, near: str
) -> None:
    with pytest.raises(SettingsError, match=rf"^{setting} = .*{near}"):
        check_names(settings_with(*overrides))


@pytest.mark.model
def test_a_library_whose_source_looks_different_judges_itself(
    settings_with: SettingsWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*_: Any) -> str:
        return ""

    names.clip_tags.cache_clear()
    monkeypatch.setattr(names, "_source", nothing)
    check_names(settings_with("whisper.language=de"))
    assert names.whisper_repository("base") == whisper_models._MODELS["base"]
    assert names.clip_repository("ViTamin-S", "datacomp1b")[1] == "pytorch_model.bin"
    with pytest.raises(SettingsError, match="near: base"):
        check_names(settings_with("whisper.model=bsae"))
    names.clip_tags.cache_clear()
