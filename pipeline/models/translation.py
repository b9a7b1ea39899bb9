"""Which models of Whisper translate into English; imports no model library."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

ENGLISH_ONLY = "knows English only"
TURBO = "is a turbo, which was trained without translations"
DISTILLED = "is distilled, which was trained without translations"

# The number of the task's token: models for English only lack a token before it, and those of
# large-v3, turbo among them, have a language more. All others have 50358.
TRANSLATE_ENGLISH_ONLY, TRANSLATE_V3 = 50357, 50359
TURBO_LAYERS = 4  # of the decoder, where large-v3 has 32
DISTILLED_LAYERS = 2  # where the smallest of OpenAI's, tiny, has 4


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
        task = next((each["id"] for each in tokens if each["content"] == "<|translate|>"), None)
        layers = _decoder_layers(folder / "model.bin")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error):
        return ""
    if task == TRANSLATE_ENGLISH_ONLY:
        return ENGLISH_ONLY
    if 0 < layers <= DISTILLED_LAYERS:
        return DISTILLED
    is_turbo = task == TRANSLATE_V3 and 0 < layers <= TURBO_LAYERS
    return TURBO if is_turbo else ""


def _decoder_layers(file: Path) -> int:
    """Count a decoder's layers in the names of its weights; those themselves are passed over.

    The format is that of CTranslate2's `ModelSpec.save`.
    """
    with file.open("rb") as model:

        def number(kind: str) -> int:
            (value,) = struct.unpack(f"={kind}", model.read(struct.calcsize(f"={kind}")))
            return int(value)

        number("I")  # version of the format
        model.seek(number("H"), 1)  # name of the kind of model
        number("I")  # its version
        layers = set()
        for _ in range(number("I")):
            name = model.read(number("H"))
            layers |= set(re.findall(rb"^decoder/layer_(\d+)/", name))
            model.seek(4 * number("B") + 1, 1)  # dimensions and type
            model.seek(number("I"), 1)
    return len(layers)
