"""Whisper as the settings have it: its language, its folder, its numbers."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from pipeline.errors import ModelError, SettingsError
from pipeline.models.transcriber import Transcriber


def test_a_language_that_the_model_does_not_know(whisper_dir: Path) -> None:
    with pytest.raises(SettingsError, match=r"whisper\.language = 'xx'"):
        Transcriber(str(whisper_dir), language="xx")


def test_a_folder_that_is_not_there_is_named_with_its_setting(tmp_path: Path) -> None:
    folder = tmp_path / "absent"
    with pytest.raises(ModelError) as raised:
        Transcriber(str(folder))
    assert f"whisper.model = {folder}" in str(raised.value)
    assert "model.bin" in str(raised.value)


def test_a_folder_without_all_parts_says_which(whisper_dir: Path, tmp_path: Path) -> None:
    shutil.copy(whisper_dir / "config.json", tmp_path)
    with pytest.raises(ModelError, match=r"no model\.bin, tokenizer\.json, vocabulary\.json"):
        Transcriber(str(tmp_path))


def test_weights_that_are_no_weights(whisper_dir: Path, tmp_path: Path) -> None:
    for part in ("config.json", "tokenizer.json", "vocabulary.json"):
        shutil.copy(whisper_dir / part, tmp_path)
    (tmp_path / "model.bin").write_bytes(b"no weights")
    with pytest.raises(ModelError, match=re.escape(str(tmp_path))):
        Transcriber(str(tmp_path))


def test_a_number_type_that_the_device_lacks_names_the_setting(whisper_dir: Path) -> None:
    with pytest.raises(ModelError, match=r"whisper\.weights or precision\.cpu, .*int5"):
        Transcriber(str(whisper_dir), compute_type="int5")
