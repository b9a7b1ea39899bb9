"""Models that cannot translate are refused at once, whatever their folder's name."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from faster_whisper.utils import _MODELS

from pipeline.config import load
from pipeline.errors import SettingsError
from pipeline.models.recipe import recipe_of
from pipeline.models.translation import DISTILLED, ENGLISH_ONLY, TURBO, why_not_in

CANNOT = {name for name in _MODELS if name.endswith(".en") or "turbo" in name or "distil" in name}


@pytest.fixture
def check(tmp_path: Path) -> Callable[[str], object]:
    """`check("base")`: make the recipe of translations by that model."""
    config = tmp_path / "config.toml"
    config.touch()
    return lambda model: recipe_of(load(config, [f"whisper.model={model}", "speech.text=english"]))


def test_each_name_that_there_is(check: Callable[[str], object]) -> None:
    assert {"turbo", "large-v3-turbo", "base.en"} <= CANNOT
    for name in sorted(_MODELS):
        if name not in CANNOT:
            check(name)
            continue
        with pytest.raises(SettingsError, match=r'speech\.text = "english": whisper\.model'):
            check(name)
    with pytest.raises(SettingsError, match="turbo"):
        check("someone/faster-whisper-large-v3-Turbo-int8")


def folder_of(folder: Path, *, task: int, layers: int) -> Path:
    """What tells the models apart, as the converter of CTranslate2 writes it."""
    tokens = [{"id": 50256, "content": "<|endoftext|>"}, {"id": task, "content": "<|translate|>"}]
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": tokens}))
    names = ["decoder/embeddings/weight"]
    names += [f"decoder/layer_{n}/{part}/weight" for n in range(layers) for part in ("a", "b")]
    names += ["encoder/layer_9/a/weight"]
    with (folder / "model.bin").open("wb") as file:
        file.write(struct.pack("=I", 6) + string("WhisperSpec") + struct.pack("=II", 3, len(names)))
        for name in names:
            file.write(string(name) + struct.pack("=BIIBI", 2, 3, 4, 0, 48) + bytes(48))
    return folder


def string(text: str) -> bytes:
    """As CTranslate2 writes it."""
    return struct.pack("=H", len(text) + 1) + text.encode() + b"\0"


@pytest.mark.parametrize(
    ("task", "layers", "why"),
    [
        (50357, 6, ENGLISH_ONLY),  # base.en
        (50359, 4, TURBO),  # large-v3-turbo
        (50359, 32, ""),  # large-v3
        (50359, 2, DISTILLED),  # distil-large-v3
        (50358, 2, DISTILLED),  # distil-large-v2
        (50358, 4, ""),  # tiny
    ],
)
def test_a_folder_is_known_by_its_files(tmp_path: Path, task: int, layers: int, why: str) -> None:
    assert why_not_in(folder_of(tmp_path, task=task, layers=layers)) == why


def test_a_turbo_in_a_folder_is_refused(tmp_path: Path, check: Callable[[str], object]) -> None:
    folder_of(tmp_path, task=50359, layers=4)
    with pytest.raises(SettingsError, match=r"turbo.*take tiny, base"):
        check(str(tmp_path))


def test_whisper_base_in_a_folder_translates(whisper_dir: Path) -> None:
    assert why_not_in(whisper_dir) == ""


@pytest.mark.parametrize("text", [None, "[]", "{}", '{"added_tokens": 3}', "no json"])
def test_a_folder_of_something_else_is_judged_where_it_is_loaded(
    tmp_path: Path, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "tokenizer.json").write_text(text)
        (tmp_path / "model.bin").write_text(text)
    assert why_not_in(tmp_path) == ""
