"""open_clip; no other module imports it.

It brings torchvision and timm, which import every model that they know, and with those the
compiler of torch: two fifths of what `import open_clip` takes. These packages are initialised only
when something is looked up in them, as for a CLIP whose tower is one of timm's.
"""

# ruff: noqa: E402 - the packages have to be made late before open_clip is imported

from __future__ import annotations

from store.lazy_import import initialise_late

for _name in ("torchvision", "torchvision.models", "torchvision.ops", "timm"):
    initialise_late(_name)

import open_clip
from open_clip.tokenizer import DEFAULT_CONTEXT_LENGTH, HFTokenizer
from open_clip.transform import PreprocessCfg, image_transform_v2, merge_preprocess_dict
from torchvision.transforms import Normalize

__all__ = [
    "DEFAULT_CONTEXT_LENGTH",
    "HFTokenizer",
    "Normalize",
    "PreprocessCfg",
    "image_transform_v2",
    "merge_preprocess_dict",
    "open_clip",
]
