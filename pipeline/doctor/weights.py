"""The hub and folders of weights: where they are, or would come from; nothing is fetched here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.config import Settings
from pipeline.doctor.finding import OK, PROBLEM, WARNING, Finding
from pipeline.errors import PipelineError

ADVICE = "a scan fetches them; without a network, see README, Settings"
# The names that open_clip looks for in a repository of the hub, in its order.
HUB_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def clip(settings: Settings) -> Finding:
    """Of CLIP."""
    folder, checkpoint = settings.clip_folder, settings.clip_checkpoint
    if folder is not None:
        names = ("open_clip_config.json",)
        return _folder("clip", "clip.model", folder, names, HUB_NAMES)
    if checkpoint is not None:
        return _file(checkpoint)
    if ":" in settings.clip.model:
        return _hub("clip", settings.clip.model.partition(":")[2], HUB_NAMES)
    return _tagged(settings)


def whisper(settings: Settings) -> Finding:
    """Of Whisper."""
    from faster_whisper.utils import _MODELS, available_models

    folder, name = settings.whisper_folder, settings.whisper.model
    if folder is not None:
        names = ("model.bin", "config.json", "tokenizer.json")
        return _folder("whisper", "whisper.model", folder, names, names[:1])
    if "/" not in name and name not in available_models():
        known = ", ".join(available_models())
        return Finding("whisper", PROBLEM, f"whisper.model = {name}: unknown", f"known: {known}")
    return _hub("whisper", _MODELS.get(name, name), ("model.bin",))


def _tagged(settings: Settings) -> Finding:
    import open_clip

    from pipeline.models.clip import resolve

    try:
        name, tag = resolve(settings.clip.model, settings.clip.pretrained)
    except PipelineError as error:
        return Finding("clip", PROBLEM, str(error))
    facts: dict[str, Any] = open_clip.get_pretrained_cfg(name, tag)
    hub = facts.get("hf_hub", "")
    if hub:
        repository, _, file = hub.rpartition("/")
        return _hub("clip", repository, (file,) if file else HUB_NAMES)
    url = facts["url"]
    cached = Path("~/.cache/clip").expanduser() / Path(url).name
    return _cached("clip", cached if cached.is_file() else None, url)


def _hub(part: str, repository: str, names: tuple[str, ...]) -> Finding:
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(repository, name) for name in names]
    cached = next((Path(each) for each in found if isinstance(each, str)), None)
    return _cached(part, cached, f"https://huggingface.co/{repository}")


def _cached(part: str, file: Path | None, source: str) -> Finding:
    if file is not None:
        return Finding(part, OK, f"weights: {file}")
    return Finding(part, WARNING, f"its weights are not here; they come from {source}", ADVICE)


def _file(path: Path) -> Finding:
    if path.is_file():
        return Finding("clip", OK, f"weights: {path}")
    text = f"clip.pretrained = {path}: there is no such file"
    return Finding("clip", PROBLEM, text, "correct the path, or set a tag of open_clip")


def _folder(
    part: str, setting: str, folder: Path, needed: tuple[str, ...], one_of: tuple[str, ...]
) -> Finding:
    missing = [name for name in needed if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in one_of):
        missing.append(" or ".join(one_of))
    if missing:
        text = f"{setting}: {folder} has no {', '.join(dict.fromkeys(missing))}"
        return Finding(part, PROBLEM, text, "correct the path, or put the weights there")
    return Finding(part, OK, f"weights: {folder}")
