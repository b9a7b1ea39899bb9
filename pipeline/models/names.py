"""Checks the names of models and languages that the settings give.

The libraries know which names there are, but take seconds to import. So a name is first looked up
in their source; only a name that is not found there is left to the library itself to judge.
"""

from __future__ import annotations

import ast
import difflib
import json
import re
from collections.abc import Collection
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.errors import SettingsError
from pipeline.models.translation import cannot_translate, why_not, why_not_in
from pipeline.settings import LOCAL_DIR, Settings

HUB = "hf-hub:"
_QUICK_GELU = "-quickgelu"
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


def check_names(settings: Settings) -> None:
    """Refuse models and a language that do not exist, by their names.

    Args:
        settings: of the run.

    Raises:
        SettingsError: the setting, and names like the one that it gives.
    """
    check_clip_name(settings)
    check_whisper_name(settings)
    _check_language(settings)
    check_translates(settings)


def check_clip_name(settings: Settings) -> None:
    """Refuse a CLIP model or tag that does not exist; see `check_names`."""
    model, pretrained = settings.clip.model, settings.clip.pretrained
    scheme, colon, rest = model.partition(":")
    if colon:
        if f"{scheme}:" != LOCAL_DIR and not (f"{scheme}:" == HUB and _REPOSITORY.fullmatch(rest)):
            allowed = f"{LOCAL_DIR}FOLDER or {HUB}OWNER/NAME"
            raise SettingsError(f"clip.model = {model!r}: with a colon, it must be {allowed}")
        return
    name, checkpoint = model.replace("/", "-"), settings.clip_checkpoint
    has_weights = checkpoint is not None or pretrained in clip_tags().get(name, ())
    if not (has_weights and _source("open_clip", f"model_configs/{name}.json")):
        resolve_clip(model, str(checkpoint or pretrained))


def check_whisper_name(settings: Settings) -> None:
    """Refuse a Whisper model that does not exist; see `check_names`."""
    if settings.whisper_folder is None:
        whisper_repository(settings.whisper.model)


def whisper_repository(model: str) -> str:
    """Name the hub's repository of a Whisper model.

    Args:
        model: `base` and the like, or the repository itself.

    Raises:
        SettingsError: there is no such model.
    """
    if _REPOSITORY.fullmatch(model):
        return model
    written = re.search(rf'"{re.escape(model)}": "(.+?)"', _source("faster_whisper", "utils.py"))
    if written:
        return written[1]
    from faster_whisper.utils import _MODELS

    _check(f"whisper.model = {model!r}: there is no such model", model, _MODELS)
    return str(_MODELS[model])


def clip_repository(model: str, pretrained: str) -> tuple[str, str]:
    """Name the hub's repository of a CLIP model and, where open_clip names one, the file in it.

    Args:
        model: `ViT-B/32` and the like, in OpenAI's or open_clip's spelling.
        pretrained: a tag of open_clip.

    Raises:
        SettingsError: there is no such model or tag, or the hub does not have it.
    """
    written = clip_tags().get(model.replace("/", "-"), {}).get(pretrained)
    if written is None:
        from pipeline.models.openclip import open_clip

        name, tag = resolve_clip(model, pretrained)
        written = open_clip.get_pretrained_cfg(name, tag)["hf_hub"]
    if not written:
        raise SettingsError(
            f"clip.pretrained = {pretrained!r}: this version of open_clip does not have it on the"
            " hub; update open_clip_torch, or set clip.pretrained to a checkpoint file"
        )
    repository, _, file = written.rpartition("/")
    return repository, file


def clip_config(model: str) -> dict[str, Any]:
    """Read open_clip's configuration of a model.

    Args:
        model: `ViT-B/32` and the like, in OpenAI's or open_clip's spelling.

    Raises:
        SettingsError: there is no such model.
    """
    name = model.replace("/", "-")
    written = _source("open_clip", f"model_configs/{name}.json")
    if written:
        config: dict[str, Any] = json.loads(written)
        return config
    from pipeline.models.openclip import open_clip

    known = open_clip.list_models()
    _check(f"clip.model = {model!r}: open_clip has no such model", name, known)
    return dict(open_clip.get_model_config(name))


def _check_language(settings: Settings) -> None:
    code, model = settings.whisper.language, settings.whisper.model
    wrong = f"whisper.language = {code!r}"
    if code == "auto":
        return
    if f'"{code}",' not in _source("faster_whisper", "tokenizer.py"):
        from faster_whisper.tokenizer import _LANGUAGE_CODES

        _check(f"{wrong}: Whisper does not know this language", code, _LANGUAGE_CODES)
    if settings.whisper_folder is None and model.endswith(".en") and code != "en":
        raise SettingsError(f"{wrong}: the model {model} knows English only")


def check_translates(settings: Settings) -> None:
    """Refuse a Whisper model that cannot translate where a translation is wanted.

    Raises:
        SettingsError: it cannot, or there is no such model.
    """
    if settings.speech.text != "english":
        return
    model, folder = settings.whisper.model, settings.whisper_folder
    why = why_not(whisper_repository(model)) if folder is None else why_not_in(folder)
    if why:
        raise SettingsError(cannot_translate(model, why))


def _check(problem: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        close = difflib.get_close_matches(name, known, n=5)
        near = f"near: {', '.join(close)}" if close else f"known: {', '.join(known)}"
        raise SettingsError(f"{problem}; {near}")


@cache
def clip_tags() -> dict[str, dict[str, str]]:
    """Read the tags of each model in open_clip's source, and where on the hub they are.

    They stand as `_VITB32 = dict(openai=_pcfg(hf_hub="..."), ...)` and as
    `{"ViT-B-32": _VITB32, ...}`. What is written in another form is left out.
    """
    tables: dict[str, dict[str, str]] = {}
    tags: dict[str, dict[str, str]] = {}
    for node in ast.parse(_source("open_clip", "pretrained.py")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            tables[ast.unparse(node.targets[0])] = _places(node.value)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            for key, table in zip(node.value.keys, node.value.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    if isinstance(table, ast.Call):
                        found = _places(table)
                    else:
                        found = tables.get(ast.unparse(table), {})
                    tags[key.value] = tags[key.value + _QUICK_GELU] = found
    return tags


def _places(table: ast.Call) -> dict[str, str]:
    """Read `openai=_pcfg(hf_hub="OWNER/NAME/"), ...`; empty for a tag that is not on the hub."""
    return {tag.arg: _place(tag.value) for tag in table.keywords if tag.arg}


def _place(config: ast.expr) -> str:
    for keyword in config.keywords if isinstance(config, ast.Call) else ():
        if keyword.arg == "hf_hub" and isinstance(keyword.value, ast.Constant):
            return str(keyword.value.value)
    return ""


@cache
def _source(package: str, file: str) -> str:
    """Read a file of a package that is not imported; empty where it cannot be found."""
    spec = find_spec(package)
    found = [Path(folder) / file for folder in (spec and spec.submodule_search_locations) or []]
    return next((path.read_text(encoding="utf-8") for path in found if path.is_file()), "")


def resolve_clip(model: str, pretrained: str) -> tuple[str, str | None]:
    """Resolve the settings of CLIP to what open_clip loads.

    Weights that were trained with QuickGELU get the architecture that has it. open_clip only warns
    about the other one, and computes something else.

    Args:
        model: `ViT-B/32` and the like, in OpenAI's or open_clip's spelling, or with a scheme:
            `local-dir:FOLDER`, `hf-hub:OWNER/NAME`.
        pretrained: a tag of open_clip, or the absolute path of a checkpoint.

    Returns:
        open_clip's name of the model, and the tag or checkpoint; None where the name has a scheme.

    Raises:
        SettingsError: there is no such model or tag.
    """
    from pipeline.models.openclip import open_clip

    if ":" in model:
        return model, None
    name = model.replace("/", "-")
    known = open_clip.list_models()
    _check(f"clip.model = {model!r}: open_clip has no such model", name, known)
    plain = name.removesuffix(_QUICK_GELU)
    tags = {*open_clip.list_pretrained_tags_by_model(name), *_tags(plain)}
    if Path(pretrained).is_absolute():
        return name, pretrained
    if pretrained not in tags:
        raise SettingsError(
            f"clip.pretrained = {pretrained!r}: neither a file nor a tag of {name};"
            f" known: {', '.join(sorted(tags))}"
        )
    trained = open_clip.get_pretrained_cfg(name, pretrained)
    trained = trained or open_clip.get_pretrained_cfg(plain, pretrained)
    quick = plain + _QUICK_GELU
    return (quick if trained.get("quick_gelu") and quick in known else plain), pretrained


def _tags(name: str) -> list[str]:
    from pipeline.models.openclip import open_clip

    tags: list[str] = open_clip.list_pretrained_tags_by_model(name)
    return tags
