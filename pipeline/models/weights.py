"""Where a model's weights are, or where they would be fetched from. Nothing is fetched here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import Settings
from pipeline.errors import SettingsError
from pipeline.models.names import check_clip_name, check_whisper_name, resolve_clip
from pipeline.models.preprocess import CONFIG_NAME
from pipeline.source.listing import Unknown, look_at

# In the order in which open_clip looks for them in a folder or a repository of the hub.
CLIP_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
WHISPER_FILES = ("model.bin", "config.json", "tokenizer.json")  # and a vocabulary in some form
OPENAI_CACHE = Path("~/.cache/clip")  # where open_clip keeps what has a URL


@dataclass(frozen=True)
class Weights:
    """The place of one model's weights.

    Args:
        setting: the setting that names them.
        source: the folder or file that the setting names, or the address to fetch them from.
        path: where they are on this machine; None if they are not, or not whole.
        missing: names of files that `source` lacks; empty where it is an address.
    """

    setting: str
    source: str
    path: Path | None
    missing: tuple[str, ...] = ()


def find_clip(settings: Settings) -> Weights:
    """Find CLIP's weights.

    Raises:
        SettingsError: there is no such model or tag, or its files cannot be reached.
    """
    folder, checkpoint = settings.clip_folder, settings.clip_checkpoint
    if folder is not None:
        return _in_folder("clip.model", folder, missing_clip_files(folder))
    if checkpoint is not None:
        if _is_there(checkpoint):
            return Weights("clip.pretrained", str(checkpoint), checkpoint)
        return Weights("clip.pretrained", str(checkpoint.parent), None, (checkpoint.name,))
    check_clip_name(settings)
    if ":" in settings.clip.model:
        return _on_hub("clip.model", settings.clip.model.partition(":")[2], CLIP_FILES)
    return _tagged(settings)


def find_whisper(settings: Settings) -> Weights:
    """Find Whisper's weights.

    Raises:
        SettingsError: there is no such model, or its files cannot be reached.
    """
    from faster_whisper.utils import _MODELS

    folder, name = settings.whisper_folder, settings.whisper.model
    if folder is not None:
        return _in_folder("whisper.model", folder, missing_whisper_files(folder))
    check_whisper_name(settings)
    return _on_hub("whisper.model", _MODELS.get(name, name), WHISPER_FILES[:1])


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


def _in_folder(setting: str, folder: Path, missing: tuple[str, ...]) -> Weights:
    return Weights(setting, str(folder), None if missing else folder, missing)


def _tagged(settings: Settings) -> Weights:
    import open_clip

    name, tag = resolve_clip(settings.clip.model, settings.clip.pretrained)
    facts: dict[str, Any] = open_clip.get_pretrained_cfg(name, tag)
    if facts.get("hf_hub"):
        repository, _, file = facts["hf_hub"].rpartition("/")
        return _on_hub("clip.pretrained", repository, (file,) if file else CLIP_FILES)
    cached = OPENAI_CACHE.expanduser() / Path(facts["url"]).name
    return Weights("clip.pretrained", facts["url"], cached if _is_there(cached) else None)


def _on_hub(setting: str, repository: str, names: Sequence[str]) -> Weights:
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(repository, name) for name in names]
    cached = next((Path(each) for each in found if isinstance(each, str)), None)
    return Weights(setting, f"https://huggingface.co/{repository}", cached)
