"""Where a model's weights are, or where they would be fetched from. Nothing is fetched here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SettingsError
from pipeline.models import hub
from pipeline.models.names import (
    HUB,
    check_clip_name,
    clip_config,
    clip_repository,
    whisper_repository,
)
from pipeline.models.preprocess import CONFIG_NAME, read_config
from pipeline.settings import LOCAL_DIR, Settings
from pipeline.source.presence import Unknown, look_at

# In the order in which open_clip looks for them in a folder or a repository of the hub.
CLIP_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
TEXT_CONFIG = "config.json"  # of a text encoder that open_clip takes from transformers
TEXT_FILES = (
    TEXT_CONFIG, "tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "*.model",
)  # fmt: skip
WHISPER_FILES = ("model.bin", "config.json", "tokenizer.json")  # and a vocabulary in some form
WHISPER_BESIDE = ("config.json", "preprocessor_config.json", "tokenizer.json", "vocabulary.*")

MissingFiles = Callable[[Path], tuple[str, ...]]


@dataclass(frozen=True)
class Weights:
    """The place of one model's weights.

    Args:
        model: its name for a person.
        setting: the setting that names them.
        source: the folder or file that the setting names, or the address to fetch them from.
        path: the file or folder to load; None if they are not on this machine, or not whole.
        missing: names of files that a folder lacks.
        wanted: what to fetch; None for a folder or file that the setting names.
    """

    model: str
    setting: str
    source: str
    path: Path | None
    missing: tuple[str, ...] = ()
    wanted: hub.Wanted | None = None


def find_clip(settings: Settings) -> Weights:
    """Find CLIP's weights: a file, or a folder with the model's configuration.

    Raises:
        SettingsError: there is no such model or tag, or its files cannot be reached.
    """
    folder, checkpoint, clip = settings.clip_folder, settings.clip_checkpoint, settings.clip
    name = f"CLIP {clip.model}"
    if folder is not None:
        return _in_folder(name, "clip.model", folder, missing_clip_files)
    check_clip_name(settings)
    if clip.model.startswith(HUB):
        repository = clip.model.removeprefix(HUB)
        wanted = hub.Wanted(repository, CLIP_FILES, (CONFIG_NAME, *TEXT_FILES))
        return _snapshot(name, "clip.model", wanted, missing_clip_files)
    name = f"{name} ({clip.pretrained})"
    if checkpoint is not None:
        if _is_there(checkpoint):
            return Weights(name, "clip.pretrained", str(checkpoint), checkpoint)
        missing = (checkpoint.name,)
        return Weights(name, "clip.pretrained", str(checkpoint.parent), None, missing)
    repository, file = clip_repository(clip.model, clip.pretrained)
    wanted = hub.Wanted(repository, _alternatives(file))
    source = hub.address(repository)
    return Weights(name, "clip.pretrained", source, hub.cached(wanted), wanted=wanted)


def clip_width(settings: Settings) -> int | None:
    """Read how many numbers a vector of CLIP has, from its configuration.

    Returns:
        None while the configuration is not on this machine.

    Raises:
        SettingsError: there is no such model, or its files cannot be reached.
        ModelError: the configuration cannot be read.
    """
    if settings.clip_folder is None and not settings.clip.model.startswith(HUB):
        config = clip_config(settings.clip.model)
    else:
        folder = find_clip(settings).path
        if folder is None:
            return None
        config = read_config(f"{LOCAL_DIR}{folder}")["model_cfg"]
    width: int | None = config.get("embed_dim")
    return width


def other_width(settings: Settings, there: int | None, store: str) -> str | None:
    """Say that a store holds vectors of another width than CLIP's, and what to do.

    Args:
        settings: with CLIP's name.
        there: width in the store; None where it has none.
        store: its URI.

    Returns:
        None where nothing is wrong, or it cannot be known yet.

    Raises:
        SettingsError: as for `clip_width`.
        ModelError: as for `clip_width`.
    """
    width = clip_width(settings) if there else None
    if width in (None, there):
        return None
    return (
        f"clip.model = {settings.clip.model}: it makes vectors of {width} numbers, and those in the"
        f" store {store} have {there}; set store.uri to a new store for this model, or clip.model"
        " back"
    )


def find_whisper(settings: Settings) -> Weights:
    """Find Whisper's weights: a folder.

    Raises:
        SettingsError: there is no such model, or its files cannot be reached.
    """
    folder, name = settings.whisper_folder, f"Whisper {settings.whisper.model}"
    if folder is not None:
        return _in_folder(name, "whisper.model", folder, missing_whisper_files)
    repository = whisper_repository(settings.whisper.model)
    wanted = hub.Wanted(repository, WHISPER_FILES[:1], WHISPER_BESIDE)
    return _snapshot(name, "whisper.model", wanted, missing_whisper_files)


def missing_clip_files(folder: Path) -> tuple[str, ...]:
    """Names of the files that a folder lacks to be a model of open_clip."""
    missing = [] if _is_there(folder / CONFIG_NAME) else [CONFIG_NAME]
    if not any(_is_there(folder / name) for name in CLIP_FILES):
        missing.append(" or ".join(CLIP_FILES))
    return tuple(missing)


def missing_whisper_files(folder: Path) -> tuple[str, ...]:
    """Names of the files that a folder lacks to be a Whisper model of CTranslate2."""
    missing = [name for name in WHISPER_FILES if not _is_there(folder / name)]
    if not any(folder.glob("vocabulary.*")):
        missing.append("vocabulary.json")
    return tuple(missing)


def _is_there(file: Path) -> bool:
    seen = look_at(file)
    if isinstance(seen, Unknown):
        raise SettingsError(f"{file}: cannot be reached: {seen.reason}")
    return seen is not None


def _in_folder(name: str, setting: str, folder: Path, missing_files: MissingFiles) -> Weights:
    missing = missing_files(folder)
    return Weights(name, setting, str(folder), None if missing else folder, missing)


def _snapshot(name: str, setting: str, wanted: hub.Wanted, missing_files: MissingFiles) -> Weights:
    """The folder of a repository in the cache, where it is whole."""
    source, file = hub.address(wanted.repository), hub.cached(wanted)
    if file is None:
        return Weights(name, setting, source, None, wanted=wanted)
    missing = missing_files(file.parent)
    return Weights(name, setting, source, None if missing else file.parent, missing, wanted)


def _alternatives(file: str) -> tuple[str, ...]:
    """The files that open_clip looks for, in its order, where a tag names this one, or none."""
    if not file:
        return CLIP_FILES
    plain = file.removesuffix(".bin").removesuffix(".pth")
    return (file,) if plain == file else (f"{plain}.safetensors", file)
