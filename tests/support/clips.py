"""Small variants of the architectures that open_clip knows, with random weights, in folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.late import late

open_clip = late("open_clip")
torch = late("torch")

SMALL_TEXT = {"width": 32, "heads": 2, "layers": 2}
SMALL_PICTURE = {"width": 64, "layers": 2}
VOCABULARY = 400  # of the tokenizers that are trained here
SQUASHED = {"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash"}
MOBILE = {"mean": [0.0] * 3, "std": [1.0] * 3, "interpolation": "bilinear"}

# What is narrower than in open_clip's configuration of that name, and how pictures are prepared.
SMALL: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "ViT-B-32-quickgelu": (SMALL_PICTURE, SMALL_TEXT, {}),
    "ViT-B-16-quickgelu": (SMALL_PICTURE, SMALL_TEXT, {}),
    "ViT-L-14-336-quickgelu": (SMALL_PICTURE, SMALL_TEXT, {}),
    "ViT-B-16-SigLIP2": ({}, {**SMALL_TEXT, "vocab_size": VOCABULARY}, SQUASHED),
    "ViT-SO400M-14-SigLIP2": ({}, {**SMALL_TEXT, "vocab_size": VOCABULARY}, SQUASHED),
    "MobileCLIP2-S0": ({}, SMALL_TEXT, MOBILE),
    "PE-Core-S-16-384": ({}, SMALL_TEXT, {**SQUASHED, "interpolation": "bilinear"}),
    "xlm-roberta-base-ViT-B-32": (SMALL_PICTURE, {}, {}),
    "nllb-clip-base-siglip": ({}, {}, SQUASHED),
    "EVA02-B-16": ({}, SMALL_TEXT, {}),
    "coca_ViT-B-32": ({**SMALL_PICTURE, "attn_pooler_queries": 8}, SMALL_TEXT, {}),
}

_NARROW = {"depth": 2, "embed_dim": 64, "num_heads": 2}
_NARROW_TOWERS: dict[str, dict[str, Any]] = {
    "vit_base_patch16_siglip_224": _NARROW,
    "vit_base_patch16_siglip_384": _NARROW,
    "vit_so400m_patch14_siglip_224": _NARROW,
    "vit_pe_core_small_patch16_384": _NARROW,
    "eva02_base_patch16_clip_224": _NARROW,
    "fastvit_mci0": {"layers": (1, 1, 1, 1), "embed_dims": (16, 32, 64, 128)},
}


def narrow_towers(patch: pytest.MonkeyPatch) -> None:
    """Let timm make narrow variants of the picture towers above, of the same kind."""
    import timm

    create = timm.create_model

    def create_narrow(name: str, **options: Any) -> Any:
        return create(name, **{**options, **_NARROW_TOWERS[name]})

    patch.setattr(timm, "create_model", create_narrow)


def write_small_clip(name: str, folder: Path) -> None:
    """Write a small variant of a model: its configuration, weights and what splits its texts."""
    from safetensors.torch import save_file

    picture, text, preprocess = SMALL[name]
    config = open_clip.get_model_config(name)
    config["vision_cfg"] |= picture
    config["text_cfg"] |= text
    config["embed_dim"] = 64  # the width of towers of timm without a projection
    if "multimodal_cfg" in config:
        config["multimodal_cfg"] |= SMALL_TEXT
    document = {"model_cfg": config, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(document), encoding="utf-8")
    if write := _TEXT_FILES.get(config["text_cfg"].get("hf_tokenizer_name", "").split("-")[0]):
        write(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = plain_model(folder, load_weights=False)
        for parameter in model.parameters():  # some begin as zeros, and would hide a mistake
            parameter.data += 0.02 * torch.randn(parameter.shape)
    weights = {key: value.contiguous().clone() for key, value in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")


def plain_model(folder: Path, *, load_weights: bool = True) -> Any:
    """The model by open_clip alone; where it takes a text encoder from a hub, from the folder."""
    text = open_clip.get_model_config(f"local-dir:{folder}")["text_cfg"]
    own = {"text_cfg": {**text, "hf_model_name": str(folder), "hf_model_pretrained": False}}
    more = own if "hf_model_name" in text else {}
    return open_clip.create_model(f"local-dir:{folder}", load_weights=load_weights, **more).eval()


WORDS = """Ask not what your country can do for you, ask what you can do for your country.
Ein Hund läuft über die Wiese. Un perro corre por el campo. Собака бежит по полю. 一只狗在草地上跑。
كلب يجري في الحقل. 犬が草原を走っている。
Two red squares and a blue circle, in the rain, at night."""


def _gemma_like(folder: Path) -> None:
    """Byte fallback, an end but no start, padding 0: as SigLIP 2's."""
    _write_tokenizer(folder, ["<pad>", "<eos>", "<bos>", "<unk>"], "$A <eos>", model="bpe")


def _xlm_roberta_like(folder: Path) -> None:
    """Unigrams, a start and an end, padding 1; and an encoder of two layers."""
    from transformers import XLMRobertaConfig

    size = _write_tokenizer(folder, ["<s>", "<pad>", "</s>", "<unk>"], "<s> $A </s>", "unigram")
    layers = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = XLMRobertaConfig(
        vocab_size=size, intermediate_size=64, max_position_embeddings=130, **layers
    )
    config.save_pretrained(folder)


def _nllb_like(folder: Path) -> None:
    """A language before the text and an end after it, padding 1; and an encoder of two layers."""
    from transformers import M2M100Config

    special = ["<s>", "<pad>", "</s>", "<unk>", "eng_Latn"]
    size = _write_tokenizer(folder, special, "eng_Latn $A </s>", "bpe")
    sides = {f"{s}_{k}": v for s in ("encoder", "decoder") for k, v in _SIDE.items()}
    M2M100Config(vocab_size=size, d_model=32, max_position_embeddings=130, **sides).save_pretrained(
        folder
    )


_SIDE = {"layers": 2, "attention_heads": 2, "ffn_dim": 64}

_TEXT_FILES: dict[str, Callable[[Path], None]] = {
    "timm/ViT": _gemma_like,
    "xlm": _xlm_roberta_like,
    "facebook/nllb": _nllb_like,
}


def _write_tokenizer(folder: Path, special: list[str], template: str, model: str) -> int:
    """Train a tokenizer of a kind and write its files; returns the number of its tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    options = {"vocab_size": VOCABULARY, "special_tokens": special, "show_progress": False}
    if model == "unigram":
        tokenizer = Tokenizer(models.Unigram())
        trainer: Any = trainers.UnigramTrainer(unk_token="<unk>", **options)
    else:
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
        trainer = trainers.BpeTrainer(**options)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(WORDS.splitlines(), trainer)
    ids = [(token, tokenizer.token_to_id(token)) for token in special]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=ids)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token=next(token for token in ("<eos>", "</s>") if token in special),
    ).save_pretrained(folder)
    return int(tokenizer.get_vocab_size())
