"""Writes weights of the hub as folders that settings can name, for a machine without a network."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from pipeline.errors import PipelineError, SettingsError
from pipeline.models import hub
from pipeline.models.fetch import fetch, fetch_texts
from pipeline.models.names import resolve_clip
from pipeline.models.preprocess import CONFIG_NAME, read_preprocess
from pipeline.models.text_files import find_texts
from pipeline.models.weights import CLIP_FILES, Weights, find_clip, find_whisper
from pipeline.settings import LOCAL_DIR, Settings
from store.files import atomic_write


def write_bundle(settings: Settings, folder: Path, say: Callable[[str], None]) -> dict[str, str]:
    """Write `FOLDER/clip` and `FOLDER/whisper`; what a setting has in a folder already stays there.

    Args:
        settings: which models.
        folder: is made where it does not exist.
        say: shows a line to a person.

    Returns:
        The settings to change, by name; paths are absolute.

    Raises:
        SettingsError: there is no such model, or something of that name is in the folder.
        ModelError: the weights cannot be fetched.
        PipelineError: the folder cannot be written.
    """
    folder = folder.absolute()
    targets = {name: folder / name for name, find in _MODELS.items() if find(settings).wanted}
    for target in targets.values():
        if target.exists():
            raise SettingsError(f"{target}: exists already; remove it, or name another folder")
    fetch(settings, say)
    fetch_texts(settings, say)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, target in targets.items():
            say(f"Writing {target}")
            _write_whole(target, lambda unfinished, name=name: _write(name, settings, unfinished))  # type: ignore[misc]
    except OSError as error:
        raise PipelineError(f"{folder}: cannot be written: {error.strerror}") from error
    scheme = {"clip": LOCAL_DIR, "whisper": ""}
    return {f"{name}.model": f"{scheme[name]}{target}" for name, target in targets.items()}


_MODELS: dict[str, Callable[[Settings], Weights]] = {"clip": find_clip, "whisper": find_whisper}


def _write(name: str, settings: Settings, folder: Path) -> None:
    weights = _MODELS[name](settings)
    assert weights.wanted is not None
    for file in hub.cached_files(weights.wanted):
        shutil.copyfile(file, folder / file.name)
    if weights.path is not None and weights.path.is_file():
        _finish_clip(settings, folder, folder / weights.path.name)
    texts = find_texts(settings) if name == "clip" else None
    for file in hub.cached_files(texts.wanted) if texts and texts.wanted else ():
        shutil.copyfile(file, folder / file.name)


def _finish_clip(settings: Settings, folder: Path, weights: Path) -> None:
    """Make a folder with the weights of a tag one that open_clip takes.

    The configuration is that of the tag, not the repository's own, so that vectors are the same.
    """
    from pipeline.models.openclip import open_clip

    name, tag = resolve_clip(settings.clip.model, settings.clip.pretrained)
    preprocess = asdict(read_preprocess(name, tag))
    preprocess.pop("size")  # it is the model's
    config = {"model_cfg": open_clip.get_model_config(name), "preprocess_cfg": preprocess}
    atomic_write(folder / CONFIG_NAME, json.dumps(config, indent=2))
    weights.rename(folder / CLIP_FILES[weights.suffix != ".safetensors"])


def _write_whole(folder: Path, write: Callable[[Path], None]) -> None:
    """Make a folder by `write(unfinished)`, whole or not at all."""
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        write(unfinished)
        unfinished.chmod(0o755)  # mkdtemp makes it private
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
