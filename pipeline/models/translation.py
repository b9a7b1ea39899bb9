"""Which models of Whisper translate into English; imports no model library."""

from __future__ import annotations

import json
import re
from pathlib import Path

ENGLISH_ONLY = "knows English only"
TURBO = "is a turbo, which was trained without translations"
DISTILLED = "is distilled, which was trained without translations"

# The number of the task's token: models for English only lack a token before it, and those of
# large-v3, turbo among them, have a language more. All others have 50358.
TRANSLATE_ENGLISH_ONLY, TRANSLATE_V3 = 50357, 50359
TURBO_LAYERS = 4  # of the decoder, where large-v3 has 32


def cannot_translate(model: str, why: str) -> str:
    """Say that a model cannot translate, and what to do.

    Args:
        model: as `whisper.model` has it.
        why: what is the matter with it.
    """
    return (
        f'speech.text = "english": whisper.model = {model!r} {why}; take tiny, base, small, medium'
        ' or large-v3, or set speech.text = "transcript"'
    )


def why_not(repository: str) -> str:
    """Say why the model of a repository does not translate, by its name; empty where it may."""
    name = repository.rpartition("/")[2].lower()
    kinds = {r"turbo": TURBO, r"distil": DISTILLED, r"\.en\b": ENGLISH_ONLY}
    return next((why for kind, why in kinds.items() if re.search(kind, name)), "")


def why_not_in(folder: Path) -> str:
    """Say why the model in a folder does not translate.

    Args:
        folder: with a model in CTranslate2's format, whatever its name.

    Returns:
        Empty where it may, and where files are missing or are none of a model: loading it says so.
    """
    try:
        tokens = json.loads((folder / "tokenizer.json").read_bytes())["added_tokens"]
        heads = json.loads((folder / "config.json").read_bytes()).get("alignment_heads") or []
        task = next((each["id"] for each in tokens if each["content"] == "<|translate|>"), None)
        layers = max((layer + 1 for layer, _ in heads), default=None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""
    if task == TRANSLATE_ENGLISH_ONLY:
        return ENGLISH_ONLY
    is_turbo = task == TRANSLATE_V3 and layers is not None and layers <= TURBO_LAYERS
    return TURBO if is_turbo else ""
