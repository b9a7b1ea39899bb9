"""A recipe changes when the vectors would, and not when only the place of something does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config import load
from pipeline.errors import SettingsError
from pipeline.models.recipe import recipe_of
from store.schema import Recipe

RecipeWith = Callable[..., Recipe]


@pytest.fixture
def recipe_with(tmp_path: Path) -> RecipeWith:
    """`recipe_with("clip.frames=3", ...)`: the recipe of the defaults, some of them changed."""
    config = tmp_path / "config.toml"
    config.touch()
    return lambda *overrides: recipe_of(load(config, overrides))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder of weights, of which only the bytes matter here."""
    folder = tmp_path / "here" / "model"
    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text("{}")
    (folder / "open_clip_model.safetensors").write_bytes(bytes(1000))
    for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.json"):
        (folder / name).write_text("{}")
    return folder


def parts_that_differ(first: Recipe, second: Recipe) -> set[str]:
    return {name for name in Recipe._fields if getattr(first, name) != getattr(second, name)}


@pytest.mark.parametrize(
    ("override", "touched"),
    [
        ("clip.frames=6", {"visual"}),
        ("clip.sampling=keyframes", {"visual"}),
        ("clip.model=ViT-B/16", {"visual", "speech"}),
        ("clip.pretrained=laion2b_s34b_b79k", {"visual", "speech"}),
        ("clip.transcript=first_window", {"speech"}),
        ("speech.text=english", {"speech"}),
        ("whisper.model=small", {"transcript", "speech"}),
        ("whisper.language=en", {"transcript", "speech"}),
        ("whisper.vad=false", {"transcript", "speech"}),
        ("whisper.windows=full", {"transcript", "speech"}),
        # Where and how fast, but not what:
        ("device=cuda", set()),
        ("precision.cpu=bfloat16", set()),
        ("precision.cuda=float32", set()),
        ("whisper.weights=float", set()),
        ("clip.batch_frames=1", set()),
        ("decode.workers=7", set()),
        ("queue.items=1", set()),
        ("data.dir=elsewhere", set()),
        ("store.uri=elsewhere", set()),
    ],
)
def test_a_setting_touches_what_is_made_with_it(
    recipe_with: RecipeWith, override: str, touched: set[str]
) -> None:
    assert parts_that_differ(recipe_with(), recipe_with(override)) == touched


def test_all_spellings_of_a_model_are_one_recipe(recipe_with: RecipeWith) -> None:
    names = ("ViT-B/32", "ViT-B-32", "ViT-B-32-quickgelu")
    assert len({recipe_with(f"clip.model={name}") for name in names}) == 1


def test_a_recipe_is_readable(recipe_with: RecipeWith) -> None:
    recipe = recipe_with()
    assert "ViT-B-32@openai" in recipe.visual
    assert "frames=5" in recipe.visual
    assert recipe.transcript.startswith("whisper base@hub language=auto vad=on windows=fitted ")
    assert recipe.transcript in recipe.speech


@pytest.mark.model
@pytest.mark.parametrize(
    ("override", "near"),
    [
        ("whisper.model=bsae", "base"),
        ("whisper.language=xx", "known: af"),
        ("clip.model=ViT-B/33", "ViT-B-32"),
        ("clip.pretrained=opneai", "openai"),
    ],
)
def test_there_is_no_recipe_of_what_does_not_exist(
    recipe_with: RecipeWith, override: str, near: str
) -> None:
    with pytest.raises(SettingsError, match=f"^{override.partition('=')[0]} = .*{near}"):
        recipe_with(override)


KINDS = ["clip.model=local-dir:{}", "whisper.model={}"]


@pytest.mark.parametrize("kind", KINDS)
def test_weights_may_move(recipe_with: RecipeWith, weights: Path, kind: str) -> None:
    before = recipe_with(kind.format(weights))
    there = weights.parents[1] / "there"
    weights.parent.rename(there)
    (there / "model").rename(there / "renamed")
    assert recipe_with(kind.format(there / "renamed")) == before
    assert recipe_with(kind.format("./there/renamed")) == before  # as the config file sees it


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_of_something_else_is_no_model(
    recipe_with: RecipeWith, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "holiday.mp4").write_bytes(b"a video")
    setting = kind.partition("=")[0]
    with pytest.raises(SettingsError, match=rf"^{setting}: .* has no .*(model\.bin|open_clip)"):
        recipe_with(kind.format(tmp_path))


@pytest.mark.parametrize("kind", KINDS)
def test_one_other_byte_is_another_recipe(
    recipe_with: RecipeWith, weights: Path, kind: str
) -> None:
    before = recipe_with(kind.format(weights))
    file = weights / "open_clip_model.safetensors"
    file.write_bytes(bytes(500) + b"\x01" + bytes(499))
    changed = parts_that_differ(before, recipe_with(kind.format(weights)))
    made_with = {"visual", "speech"} if kind.startswith("clip") else {"transcript", "speech"}
    assert changed == made_with


def test_what_lies_beside_a_model_does_not_count(recipe_with: RecipeWith, weights: Path) -> None:
    before = recipe_with(f"clip.model=local-dir:{weights}")
    (weights / ".DS_Store").write_bytes(b"x")
    (weights / ".cache").mkdir()
    (weights / "README.md").write_text("a few words about it")
    assert recipe_with(f"clip.model=local-dir:{weights}") == before


def test_a_checkpoint_file_counts_by_its_bytes(recipe_with: RecipeWith, weights: Path) -> None:
    file = weights / "trained.pt"
    file.write_bytes(b"one")
    before = recipe_with(f"clip.pretrained={file}")
    moved = file.rename(weights.parent / "renamed.pt")
    assert recipe_with(f"clip.pretrained={moved}") == before
    moved.write_bytes(b"two")
    after = recipe_with(f"clip.pretrained={moved}")
    assert parts_that_differ(before, after) == {"visual", "speech"}


@pytest.mark.parametrize(
    ("override", "setting"),
    [
        ("clip.model=local-dir:gone", "clip.model"),
        ("clip.pretrained=./gone.pt", "clip.pretrained"),
        ("whisper.model=./gone", "whisper.model"),
    ],
)
def test_weights_that_are_not_there_name_their_setting(
    recipe_with: RecipeWith, override: str, setting: str
) -> None:
    with pytest.raises(SettingsError, match=f"{setting}: .*gone") as raised:
        recipe_with(override)
    assert "does not exist" in str(raised.value)
