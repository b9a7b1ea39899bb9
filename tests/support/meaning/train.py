"""Trains the small CLIP of the tests, in minutes on two cores.

    python -m tests.support.meaning.train FOLDER

Pictures of `drawing`, as h264 and CLIP's preprocessing leave them, against captions and unrelated
texts of `wording`. The loss is SigLIP's (Zhai et al., 2023): every pair is judged by itself, so
that a caption may be true of several pictures, and a text of none. Unrelated texts are also to
resemble their own parts and no others, which is what searching spoken words needs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from open_clip.transform import image_transform
from PIL import Image
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy, logsigmoid, normalize, pad

from pipeline.demo.drawing import VALUES, Scene, arrange, clutter, draw, every_scene, nearly
from pipeline.demo.videos import through_codec
from pipeline.models.openclip import open_clip
from tests.support.meaning.wording import caption, captions_of, part, unrelated

MODEL: dict[str, Any] = {
    "embed_dim": 64,
    "init_logit_bias": -6.0,
    "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 12, "head_width": 32},
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 40, "heads": 4, "layers": 2},
}
SETTINGS: dict[str, Any] = {
    "seed": 4,
    "pictures": 16_000,
    "clutter": 0.05,  # of the pictures
    "steps": 800,
    "batch": 64,  # pictures
    "unrelated": 64,  # texts a step
    "word_deviation": 0.1,  # of the initial word vectors
    "learning_rate": 3e-3,
    "weight_decay": 0.05,
}
SIZES = ((128, 128), (160, 120), (120, 160), (192, 108))
CRF = (18, 34)
READING_SCALE = 10.0  # of unit vectors, for answers that can be certain


def fingerprint() -> str:
    """Of what the weights depend on: the model, the settings, the scenes and the wording."""
    dice = random.Random(0)
    scenes = [(repr(scene), scene.held_out) for scene in every_scene()]
    texts = [text.text for text in captions_of(every_scene()[::40])]
    made_of = [MODEL, SETTINGS, scenes, texts, [unrelated(dice) for _ in range(100)]]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the model is written")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(SETTINGS["seed"])
    dice = random.Random(SETTINGS["seed"])
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {text}", flush=True)

    scenes, pixels = pictures(dice)
    say(f"{len(scenes)} pictures")
    model = train(scenes, pixels, dice, say)
    save(model, options.folder)
    say(f"written to {options.folder}")


def pictures(dice: random.Random) -> tuple[list[Scene | None], torch.Tensor]:
    """Scenes (None: clutter), and uint8 `[n, 3, 64, 64]`, as the program hands them to CLIP."""
    by_count: dict[int, list[Scene]] = {}
    for scene in every_scene():
        if not scene.held_out:
            by_count.setdefault(scene.count, []).append(scene)
    counts = sorted(by_count)
    geometry = image_transform(MODEL["vision_cfg"]["image_size"], is_train=False).transforms[:-2]
    scenes: list[Scene | None] = []
    pixels = []
    while len(scenes) < SETTINGS["pictures"]:
        size, crf, chunk = dice.choice(SIZES), dice.randint(*CRF), []
        for count in dice.choices(counts, weights=(55, 15, 15, 15), k=250):
            is_scene = dice.random() > SETTINGS["clutter"]
            chunk.append(dice.choice(by_count[count]) if is_scene else None)
        drawn = [draw(s, arrange(s, dice), size) if s else clutter(size, dice) for s in chunk]
        for picture in through_codec(drawn, crf):
            image = Image.fromarray(picture)
            for step in geometry:
                image = step(image)
            pixels.append(np.asarray(image))
        scenes += chunk
    return scenes, torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()


def train(
    scenes: Sequence[Scene | None],
    pixels: torch.Tensor,
    dice: random.Random,
    say: Callable[[str], None],
) -> open_clip.CLIP:
    """A model that has learnt what is in the pictures."""
    model = open_clip.CLIP(**MODEL).train()
    # Most words are met a few times only: they must differ from one another from the start.
    torch.nn.init.normal_(model.token_embedding.weight, std=SETTINGS["word_deviation"])
    reader = torch.nn.Linear(MODEL["embed_dim"], sum(map(len, VALUES.values())), bias=False)
    optimizer, schedule = _optimizer([*model.named_parameters(), *reader.named_parameters()])
    for step in range(SETTINGS["steps"]):
        chosen = dice.sample(range(len(scenes)), SETTINGS["batch"])
        images = normalize(model.encode_image(_disturbed(pixels[chosen])), dim=-1)
        loss = _loss(model, reader, images, [scenes[index] for index in chosen], dice)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            say(f"step {step}: loss {loss.item():.2f}")
    return model.eval()


def _loss(
    model: Any,
    reader: torch.nn.Linear,
    images: torch.Tensor,
    scenes: Sequence[Scene | None],
    dice: random.Random,
) -> torch.Tensor:
    """Pictures against all texts, and unrelated texts against all but their own parts.

    Captions come from the pictures, and from scenes that differ from them in one thing only:
    without those, a batch holds too few pairs that are hard to tell apart.
    """
    about = [scene for scene in scenes if scene]
    about += [other for other in (nearly(scene, dice) for scene in about) if not other.held_out]
    captions = [caption(scene, dice) for scene in about]
    whole = [unrelated(dice) for _ in range(SETTINGS["unrelated"])]
    texts = [said.text for said in captions] + whole + [part(text, dice) for text in whole]
    tokens = open_clip.tokenize(texts, context_length=MODEL["text_cfg"]["context_length"])
    words = normalize(model.encode_text(tokens), dim=-1)
    said, wholes, parts = words.split([len(captions), len(whole), len(whole)])
    true = [[scene is not None and each.describes(scene) for each in captions] for scene in scenes]
    shown = pad(torch.tensor(true), (0, 2 * len(whole)))
    alike = pad(torch.eye(len(whole), dtype=torch.bool), (len(said), 0))
    return (
        sigmoid_loss(model, images, words, shown)
        + sigmoid_loss(model, wholes, torch.cat([said, parts]), alike)
        + reading_loss(reader, images, [scene.facts if scene else {} for scene in scenes])
        + reading_loss(reader, said, [each.facts for each in captions])
    )


def reading_loss(
    reader: torch.nn.Linear, vectors: torch.Tensor, facts: Sequence[dict[str, Any]]
) -> torch.Tensor:
    """How badly a linear reader, the same for pictures and captions, tells the facts of each.

    By captions alone pictures and words learn the shapes from one another, and so slowly.
    """
    answers = reader(READING_SCALE * vectors).split([len(each) for each in VALUES.values()], dim=1)
    loss = vectors.new_zeros(())
    for (name, values), answer in zip(VALUES.items(), answers, strict=True):
        stated = [index for index, each in enumerate(facts) if name in each]
        right = torch.tensor([values.index(facts[index][name]) for index in stated])
        loss = loss + cross_entropy(answer[stated], right)
    return loss


def sigmoid_loss(
    model: Any, ones: torch.Tensor, others: torch.Tensor, match: torch.Tensor
) -> torch.Tensor:
    """SigLIP's loss of all pairs of unit vectors; `match` `[n, m]` says which belong together."""
    logits = model.logit_scale.exp() * ones @ others.T + model.logit_bias
    return -logsigmoid(torch.where(match, logits, -logits)).sum() / len(ones)


def save(model: open_clip.CLIP, folder: Path) -> None:
    """As open_clip's `local-dir:` wants it, with float16 weights."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in model.state_dict().items()
    }
    save_file(weights, folder / "open_clip_model.safetensors", {"made_of": fingerprint()})
    config = {"model_cfg": MODEL, "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")


def _optimizer(parameters: Sequence[tuple[str, torch.nn.Parameter]]) -> tuple[Any, Any]:
    """AdamW, which leaves biases, norms and the words alone; a warm-up, then half a cosine."""
    decayed, kept = [], []
    for name, parameter in parameters:
        plain = parameter.ndim < 2 or "embedding" in name
        (kept if plain else decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": SETTINGS["weight_decay"]},
        {"params": kept, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=SETTINGS["learning_rate"], betas=(0.9, 0.98))
    steps = SETTINGS["steps"]

    def rate(step: int) -> float:
        return min((step + 1) / 50, 0.5 + 0.5 * math.cos(math.pi * step / steps))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, rate)


def _disturbed(pixels: torch.Tensor) -> torch.Tensor:
    """Moved by up to two pixels, brighter or darker, noisy; normalised as CLIP does."""
    n = len(pixels)
    values = pixels.float() / 255
    padded = pad(values, (2, 2, 2, 2), mode="replicate")
    x, y = torch.randint(0, 5, (2,)).tolist()
    values = padded[:, :, y : y + 64, x : x + 64]
    values = values * (1 + 0.08 * torch.randn(n, 1, 1, 1)) + 0.03 * torch.randn(n, 3, 1, 1)
    values = (values + 0.025 * torch.rand(n, 1, 1, 1) * torch.randn_like(values)).clamp(0, 1)
    mean = torch.tensor(open_clip.OPENAI_DATASET_MEAN).view(1, 3, 1, 1)
    return (values - mean) / torch.tensor(open_clip.OPENAI_DATASET_STD).view(1, 3, 1, 1)


if __name__ == "__main__":
    main()
