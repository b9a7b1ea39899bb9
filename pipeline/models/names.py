"""The names of models that the settings may have."""

from __future__ import annotations

import difflib
from pathlib import Path

from pipeline.errors import SettingsError

_QUICK_GELU = "-quickgelu"


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
    import open_clip

    if ":" in model:
        return model, None
    name = model.replace("/", "-")
    known = open_clip.list_models()
    if name not in known:
        close = ", ".join(difflib.get_close_matches(name, known, n=5)) or ", ".join(known[:5])
        raise SettingsError(f"clip.model = {model!r}: open_clip has no such model; near: {close}")
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
    import open_clip

    tags: list[str] = open_clip.list_pretrained_tags_by_model(name)
    return tags
