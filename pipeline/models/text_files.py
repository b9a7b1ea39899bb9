"""The files by which some models of CLIP split texts, loaded from a folder: no hub is asked.

OpenAI's CLIP and those like it use the tokenizer that open_clip brings. Others, such as SigLIP and
all for many languages, name a repository of the hub with a tokenizer of transformers, and a few of
them one with the configuration of a text encoder, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.errors import ModelError
from pipeline.models import hub
from pipeline.models.names import HUB, clip_config
from pipeline.models.preprocess import read_config
from pipeline.models.weights import TEXT_CONFIG, TEXT_FILES, Weights, find_clip
from pipeline.settings import LOCAL_DIR, Settings

TOKENIZERS = (
    "tokenizer.json", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "vocab.txt",
    "vocab.json",
)  # fmt: skip
TEXT_MODELS = ("bert", "m2m_100", "mt5", "roberta", "xlm-roberta")  # that open_clip takes
INSTALL = "pip install 'video-vectors[transformers]'"
_WIDTH = 16  # tokens of a window that shows where padding goes


def find_texts(settings: Settings) -> Weights | None:
    """Find the files by which CLIP splits texts.

    Args:
        settings: which model.

    Returns:
        Their folder, or where they would be fetched from; None where open_clip brings them, and
        where the model is not on this machine yet and so cannot be asked.

    Raises:
        SettingsError: there is no such model or tag.
        ModelError: the configuration in a folder cannot be read.
    """
    model, own = settings.clip.model, settings.clip_folder
    if own is None and model.startswith(HUB):
        own = find_clip(settings).path
        if own is None:
            return None
    text = read_config(f"{LOCAL_DIR}{own}")["model_cfg"] if own else clip_config(model)
    text = text["text_cfg"]
    repository = text.get("hf_model_name") or text.get("hf_tokenizer_name")
    if not repository:
        return None
    name = f"CLIP {model}, its tokenizer"
    if own is not None and not (missing := missing_text_files(text, own)):
        return Weights(name, "clip.model", str(own), own)
    if settings.clip_folder is not None:
        return Weights(name, "clip.model", str(own), None, missing)
    main = (TEXT_CONFIG,) if "hf_model_name" in text else TOKENIZERS
    wanted = hub.Wanted(repository, main, TEXT_FILES)
    file = hub.cached(wanted)
    there = file is not None and not missing_text_files(text, file.parent)
    path = file.parent if file is not None and there else None
    return Weights(name, "clip.model", hub.address(repository), path, wanted=wanted)


def missing_text_files(text: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    """Names of the files that a folder lacks to split and encode texts.

    Args:
        text: `text_cfg` of open_clip's configuration.
        folder: where they should be.
    """
    missing = []
    if text.get("hf_model_name") and not _is_text_model(folder):
        missing.append(f"{TEXT_CONFIG} of {text['hf_model_name']}")
    if text.get("hf_tokenizer_name") and not any((folder / name).is_file() for name in TOKENIZERS):
        missing.append(f"{TOKENIZERS[0]} of {text['hf_tokenizer_name']}")
    return tuple(missing)


def load_tokenizer(name: str, text: Mapping[str, Any], folder: Path | None) -> Any:
    """Load the tokenizer that open_clip uses for a model.

    Args:
        name: open_clip's name of the model, or `local-dir:FOLDER`.
        text: `text_cfg` of its configuration.
        folder: with the tokenizer's files, where the model has one of transformers.
    """
    from pipeline.models.openclip import DEFAULT_CONTEXT_LENGTH, HFTokenizer, open_clip

    if not text.get("hf_tokenizer_name"):
        return open_clip.get_tokenizer(name)
    assert folder is not None  # `check_texts` has seen to it

    return HFTokenizer(
        str(folder),
        context_length=text.get("context_length", DEFAULT_CONTEXT_LENGTH),
        tokenizer_mode=text.get("tokenizer_mode"),
        **text.get("tokenizer_kwargs", {}),
    )


def check_texts(name: str, text: Mapping[str, Any], folder: Path | None) -> None:
    """Make sure that all is there that a model's texts need; parameters as of `load_tokenizer`.

    Raises:
        ModelError: transformers or a file is missing.
    """
    if not (text.get("hf_tokenizer_name") or text.get("hf_model_name")):
        return
    if find_spec("transformers") is None:
        raise ModelError(f"CLIP {name} splits texts with the package transformers: {INSTALL}")
    if folder is None or (missing := missing_text_files(text, folder)):
        lacks = ", ".join(missing) if folder else "folder with the files of its tokenizer"
        raise ModelError(f"CLIP {name}: there is no {lacks}; `fetch --to FOLDER` brings them all")


def text_tower(text: Mapping[str, Any], folder: Path | None) -> dict[str, Any]:
    """Arguments by which open_clip takes a text encoder's configuration from a folder.

    Args:
        text: `text_cfg` of open_clip's configuration.
        folder: with the files of its texts.
    """
    if folder is None or not text.get("hf_model_name"):
        return {}
    return {"text_cfg": {**text, "hf_model_name": str(folder), "hf_model_pretrained": False}}


def last_padding(tokenize: Any) -> int:
    """Find the place of a window that a text takes last; -1 for all that pad after the text."""
    empty, word = tokenize(["", "a"], context_length=_WIDTH)
    padding = empty.mode().values
    pads, still = ((each == padding).nonzero().flatten() for each in (empty, word))
    return int(pads[-1]) - _WIDTH if pads[-1] == still[-1] else int(pads[0])


def _is_text_model(folder: Path) -> bool:
    """Whether a folder has the configuration of an encoder of texts, not that of a whole CLIP."""
    try:
        config = json.loads((folder / TEXT_CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return config.get("model_type") in TEXT_MODELS
