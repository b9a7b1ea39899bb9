"""Texts: captions of scenes in many wordings, and texts about nothing that is drawn."""

from __future__ import annotations

import functools
import random
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.demo.drawing import COLOURS, SHAPES, Scene

_NUMBERS = {2: ("two", "2", "a pair of"), 3: ("three", "3"), 4: ("four", "4")}
_BACKGROUNDS = {"white": ("white",), "grey": ("grey", "gray"), "black": ("black",)}
_PLACES = {
    "middle": ("in the middle", "in the centre", "in the center"),
    "left": ("on the left", "at the left", "on the left side"),
    "right": ("on the right", "at the right", "on the right side"),
    "top": ("at the top", "on top", "at the upper edge"),
    "bottom": ("at the bottom", "at the lower edge"),
}
_OPENINGS = (
    "", "", "", "", "a picture of", "a photo of", "an image of", "a drawing of", "i see",
)  # fmt: skip
# How often a caption says it. Without the shape it is "a red shape"; the count is always said.
_SAID = {"colour": 0.9, "shape": 0.9, "place": 0.75, "background": 0.5}
_BRIEF = dict.fromkeys(_SAID, 0.4)
_LITTLE_WORDS = (
    "the", "a", "of", "and", "in", "on", "at", "is", "are", "was", "to", "i", "with", "for", "you",
    "there", "that", "we", "not", "it", "this", "what", "your",
)  # fmt: skip
_CAPTION_WORDS = (
    "red", "blue", "green", "yellow", "pink", "circle", "square", "star", "ring", "cross",
    "left", "right", "top", "bottom", "middle", "two", "three", "four", "white",
    "black", "grey", "background", "picture", "photo",
)  # fmt: skip


@dataclass(frozen=True)
class Caption:
    """A text and the facts that it states, as `Scene.facts` names them."""

    text: str
    facts: dict[str, Any]

    def describes(self, scene: Scene) -> bool:
        """Whether everything it states is true of the scene."""
        return all(getattr(scene, name) == value for name, value in self.facts.items())


def caption(scene: Scene, dice: random.Random) -> Caption:
    """Some of what a scene shows, in one of many wordings; one in four says little."""
    said = _BRIEF if dice.random() < 0.25 else _SAID
    facts = {
        name: value
        for name, value in scene.facts.items()
        if name == "count" or dice.random() < said[name]
    }
    return Caption(_worded(facts, dice), facts)


def captions_of(scenes: Sequence[Scene], seed: int = 0) -> list[Caption]:
    """A caption of each scene that is true of it alone among `scenes`, in order."""
    dice = random.Random(seed)
    return [_the_only_one(scene, scenes, dice) for scene in scenes]


def unrelated(dice: random.Random) -> str:
    """A text that describes no picture: words of any kind, a sentence of them, or letters."""
    kind = dice.random()
    if kind < 0.2:
        return " ".join(_letters(dice) for _ in range(dice.randint(1, 5)))
    if kind < 0.35:  # worded like a caption, about something else
        return _like_a_caption(dice)
    if kind < 0.6:
        return " ".join(dice.choices(words(), k=dice.randint(1, 6)))
    return _sentence(dice)


def part(text: str, dice: random.Random) -> str:
    """A third of the words of a text or more, in a row: what someone remembers of it."""
    all_words = text.split()
    kept = dice.randint((len(all_words) + 2) // 3, len(all_words))
    start = dice.randint(0, len(all_words) - kept)
    return " ".join(all_words[start : start + kept])


@functools.cache
def words() -> tuple[str, ...]:
    """Whole words of CLIP's vocabulary that no caption uses."""
    from pipeline.models.openclip import open_clip

    tokens = open_clip.tokenizer.SimpleTokenizer().encoder
    tokens = open_clip.tokenizer.SimpleTokenizer().encoder
    pieces = (token.removesuffix("</w>") for token in tokens if "</w>" in token)
    taken = {*_LITTLE_WORDS, *_CAPTION_WORDS, *_words_of_captions()}
    return tuple(
        piece
        for piece in pieces
        if piece.isascii() and piece.isalpha() and len(piece) > 2 and piece not in taken
    )


def _words_of_captions() -> set[str]:
    wordings = [*_NUMBERS.values(), *_BACKGROUNDS.values(), *_PLACES.values()]
    phrases = [*SHAPES, *COLOURS, *_OPENINGS, *(phrase for each in wordings for phrase in each)]
    return {word for phrase in phrases for word in phrase.split()}


def _the_only_one(scene: Scene, scenes: Sequence[Scene], dice: random.Random) -> Caption:
    for _ in range(1000):
        said = caption(scene, dice)
        if sum(said.describes(other) for other in scenes) == 1:
            return said
    raise ValueError(f"no caption tells it from the others: {scene}")


def _worded(facts: dict[str, Any], dice: random.Random) -> str:
    thing = _thing(facts, dice)
    place = dice.choice(_PLACES[facts["place"]]) if "place" in facts else ""
    ground = _ground(facts["background"], dice) if "background" in facts else ""
    there = "there is" if facts["count"] == 1 else "there are"
    orders = (
        (dice.choice(_OPENINGS), thing, place, ground),
        (there, thing, place, ground),
        (thing, ground, place),
        (place, there, thing, ground) if place else (thing, ground),
        (ground, there, thing, place) if ground else (thing, place),
    )
    return " ".join(piece for piece in dice.choice(orders) if piece)


def _thing(facts: dict[str, Any], dice: random.Random) -> str:
    count = facts["count"]
    noun = facts.get("shape", "shape")
    adjectives = [facts["colour"]] if "colour" in facts else []
    if count > 1:
        plural = "crosses" if noun == "cross" else f"{noun}s"
        return " ".join([dice.choice(_NUMBERS[count]), *adjectives, plural])
    first = (adjectives or [noun])[0]
    article = "an" if first[0] in "aeiou" else "a"
    return " ".join([dice.choice((article, article, "one", "the", "")), *adjectives, noun]).strip()


def _ground(colour: str, dice: random.Random) -> str:
    name = dice.choice(_BACKGROUNDS[colour])
    return dice.choice((f"on a {name} background", f"on {name}", f"against a {name} background"))


def _letters(dice: random.Random) -> str:
    return "".join(dice.choices(string.ascii_lowercase, k=dice.randint(2, 7)))


def _like_a_caption(dice: random.Random) -> str:
    thing = dice.choice(words())
    return dice.choice(
        (
            f"a {thing}",
            f"a photo of a {thing}",
            f"a picture of {thing}",
            f"two {thing}s",
            f"there is a {thing} on the left",
            f"a {thing} on a white background",
            f"a {dice.choice(_CAPTION_WORDS)} {thing}",
            f"{dice.choice(('three', 'four'))} {thing} {dice.choice(words())}",
        )
    )


def _sentence(dice: random.Random) -> str:
    """Little words and others, as sentences have them, with a word of the captions now and then."""
    sources: tuple[Sequence[str], ...] = (_LITTLE_WORDS, words(), _CAPTION_WORDS)
    kinds = dice.choices(sources, weights=(40, 54, 6), k=dice.randint(3, 16))
    return " ".join(dice.choice(kind) for kind in kinds)
