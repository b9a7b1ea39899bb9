"""The models that open_clip knows, with what a choice depends on; imports neither it nor torch.

What a model needs stands in open_clip's configurations. Its parameters, `parameters.json`, were
counted once, since that takes a model built; models that are not in it have no size.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipeline.models.names import clip_config, clip_tags

BYTES = 4  # of a parameter: most weights are stored as float32, a few of the largest take half

# Tokenizers of models that were trained on texts in many languages, as their cards say: SigLIP 2,
# SigLIP i18n, LAION's with XLM-RoBERTa, NLLB-CLIP, Meta CLIP 2. All others know English.
MANY_LANGUAGES = (
    r"timm/ViT-.*(SigLIP2|i18n).*|xlm-roberta-.*|facebook/(nllb|xlm-v)-.*|google/mt5-.*"
)
RECOMMENDED = {
    "ViT-B-32": "default",
    "ViT-B-32-SigLIP2-256": "many languages",
    "MobileCLIP2-S0": "small machine",
    "ViT-SO400M-16-SigLIP2-384": "best",
}


@dataclass(frozen=True)
class KnownModel:
    """A model of CLIP that open_clip has weights for.

    Args:
        model: for `clip.model`.
        tags: for `clip.pretrained`.
        width: numbers of each half of an embedding.
        context: tokens of the text encoder's window.
        picture: height and width that a frame is resized to, pixels.
        download_bytes: about, at four bytes a parameter; None where it is not known.
        languages: that its texts may be in: `English`, or `many`.
        needs_transformers: whether the package transformers splits its texts.
        recommended: what the README recommends it for, or nothing.
    """

    model: str
    tags: tuple[str, ...]
    width: int
    context: int
    picture: int
    download_bytes: int | None
    languages: str
    needs_transformers: bool
    recommended: str


def known_models() -> list[KnownModel]:
    """List the models that have weights, those that the README recommends first."""
    found = [_known(name) for name in sorted(clip_tags()) if _is_one(name)]
    places = list(RECOMMENDED)
    return sorted(found, key=lambda m: places.index(m.model) if m.recommended else len(places))


def _is_one(name: str) -> bool:
    """Whether it has tags, and is no second name for the activation, which the tag decides."""
    return bool(clip_tags()[name]) and not name.endswith("-quickgelu")


def _known(name: str) -> KnownModel:
    config = clip_config(name)
    text, count = config["text_cfg"], _parameters().get(name)
    tokenizer = text.get("hf_tokenizer_name", "")
    return KnownModel(
        name,
        tuple(clip_tags()[name]),
        width=config["embed_dim"],
        context=text.get("context_length", 77),
        picture=config["vision_cfg"].get("image_size", 224),
        download_bytes=count * BYTES if count else None,
        languages="many" if re.fullmatch(MANY_LANGUAGES, tokenizer) else "English",
        needs_transformers=bool(tokenizer),
        recommended=RECOMMENDED.get(name, ""),
    )


@cache
def _parameters() -> dict[str, int]:
    file = Path(__file__).with_name("parameters.json")
    counts: dict[str, int] = json.loads(file.read_text(encoding="utf-8"))
    return counts
