"""Pictures with a known meaning: so many shapes, of one kind and colour, somewhere.

    one red circle on the left, on white       three blue squares on grey
    +---------+                                +---------+
    |  __     |                                |      #  |
    | (__)    |                                |         |
    |         |                                | #    #  |
    +---------+                                +---------+

Lengths and places are fractions of the middle square of the picture, which is what CLIP's crop
leaves of it.
"""

from __future__ import annotations

import itertools
import math
import random
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")
COLOURS = {
    "red": (215, 30, 35),
    "orange": (250, 140, 20),
    "yellow": (240, 220, 30),
    "green": (30, 150, 50),
    "turquoise": (40, 205, 200),
    "blue": (35, 60, 210),
    "purple": (125, 40, 160),
    "pink": (250, 130, 190),
}
BACKGROUNDS = {"white": (245, 245, 245), "grey": (128, 128, 128), "black": (15, 15, 15)}
RADIUS = 0.2
COUNTS = (1, 2, 3, 4)
PLACES = {
    "top": (0.5, 0.24),
    "left": (0.24, 0.5),
    "middle": (0.5, 0.5),
    "right": (0.76, 0.5),
    "bottom": (0.5, 0.76),
}

VALUES: dict[str, tuple[Any, ...]] = {
    "count": COUNTS,
    "colour": tuple(COLOURS),
    "shape": SHAPES,
    "place": tuple(PLACES),
    "background": tuple(BACKGROUNDS),
}

ONE_IN = 6  # of the combinations of known pairs is held out
_OVERSAMPLED = 2  # drawn so many times larger, for smooth edges


@dataclass(frozen=True)
class Scene:
    """What a picture shows. A single shape has a place; several are spread (`place` is None)."""

    count: int
    colour: str
    shape: str
    place: str | None
    background: str

    @property
    def facts(self) -> dict[str, Any]:
        """Attribute -> value, without what the scene has not."""
        named = {name: getattr(self, name) for name in VALUES}
        return {name: value for name, value in named.items() if value is not None}

    @property
    def held_out(self) -> bool:
        """Whether training never sees it.

        Either its colour and shape never meet there (6 pairs of 48), or they do, but not in this
        combination.
        """
        colour, shape = list(COLOURS).index(self.colour), SHAPES.index(self.shape)
        if (colour + 3 * shape) % len(COLOURS) == 0:  # one colour of each shape
            return True
        return zlib.crc32(repr(self).encode()) % ONE_IN == 0


def every_scene() -> list[Scene]:
    """All combinations, in a fixed order."""
    looks = list(itertools.product(COLOURS, SHAPES))
    single = itertools.product((1,), looks, PLACES, BACKGROUNDS)
    several = itertools.product(COUNTS[1:], looks, (None,), BACKGROUNDS)
    return [
        Scene(count, colour, shape, place, background)
        for count, (colour, shape), place, background in itertools.chain(single, several)
    ]


def nearly(scene: Scene, dice: random.Random) -> Scene:
    """Change one thing about a scene."""
    fixed = "count" if scene.count == 1 else "place"  # one shape has a place, several have none
    name = dice.choice([name for name in VALUES if name != fixed])
    current = getattr(scene, name)
    others = [value for value in VALUES[name] if value not in (current, 1)]
    return replace(scene, **{name: dice.choice(others)})


def held_out_scenes(n: int, seed: int = 0) -> list[Scene]:
    """`n` different scenes that training never sees; the same ones for the same seed."""
    return random.Random(seed).sample([scene for scene in every_scene() if scene.held_out], n)


@dataclass(frozen=True)
class Arrangement:
    """What a scene leaves open, decided once: a video keeps it from frame to frame."""

    centres: tuple[tuple[float, float], ...]
    radius: float
    tilt: float  # radians
    fill: tuple[int, int, int]
    ground: tuple[int, int, int]


def arrange(scene: Scene, dice: random.Random) -> Arrangement:
    """Place the shapes of a scene so that none touches another or the edge."""
    radius = RADIUS * dice.uniform(0.9, 1.1)
    return Arrangement(
        centres=tuple(_centres(scene, radius, dice)),
        radius=radius,
        tilt=dice.uniform(-0.12, 0.12),
        fill=_near(COLOURS[scene.colour], dice),
        ground=_near(BACKGROUNDS[scene.background], dice),
    )


def draw(
    scene: Scene,
    arrangement: Arrangement,
    size: tuple[int, int],
    shift: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """uint8 `[height, width, 3]`, RGB.

    Args:
        scene: what to draw.
        arrangement: of `arrange`.
        size: width and height in pixels.
        shift: moves the shapes to the right and down.
    """
    width, height = (_OVERSAMPLED * pixels for pixels in size)
    side = min(width, height)
    canvas = Image.new("RGB", (width, height), arrangement.ground)
    pen = ImageDraw.Draw(canvas)
    for x, y in arrangement.centres:
        centre = (
            (width - side) / 2 + (x + shift[0]) * side,
            (height - side) / 2 + (y + shift[1]) * side,
        )
        _draw_shape(pen, scene.shape, centre, arrangement.radius * side, arrangement)
    return np.asarray(canvas.reduce(_OVERSAMPLED))


def clutter(size: tuple[int, int], dice: random.Random) -> np.ndarray:
    """A picture that no caption describes: stripes or rags of any colour on a gradient."""
    width, height = size
    corners = Image.new("RGB", (2, 2))
    corners.putdata([_any_colour(dice) for _ in range(4)])
    canvas = corners.resize(size, Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(canvas)
    for _ in range(dice.randrange(25)):
        points = [(dice.uniform(0, width), dice.uniform(0, height)) for _ in range(3)]
        if dice.random() < 0.5:
            pen.line(points, fill=_any_colour(dice), width=dice.randrange(1, 12))
        else:
            pen.polygon(points, fill=_any_colour(dice))
    return np.asarray(canvas)


def _centres(scene: Scene, radius: float, dice: random.Random) -> list[tuple[float, float]]:
    if scene.place:
        around = PLACES[scene.place]
        wobble = [dice.uniform(-0.04, 0.04) for _ in around]
        x, y = (_inside(at + by, radius) for at, by in zip(around, wobble, strict=True))
        return [(x, y)]
    quarters = list(itertools.product((0.25, 0.75), repeat=2))
    free = max(0.25 - radius - 0.01, 0.0)
    return [
        (x + dice.uniform(-free, free), y + dice.uniform(-free, free))
        for x, y in dice.sample(quarters, scene.count)
    ]


def _inside(at: float, radius: float) -> float:
    return min(max(at, radius + 0.02), 1 - radius - 0.02)


def _near(colour: tuple[int, int, int], dice: random.Random) -> tuple[int, int, int]:
    red, green, blue = (min(max(part + dice.randint(-10, 10), 0), 255) for part in colour)
    return red, green, blue


def _any_colour(dice: random.Random) -> tuple[int, int, int]:
    return dice.randrange(256), dice.randrange(256), dice.randrange(256)


def _draw_shape(
    pen: ImageDraw.ImageDraw,
    shape: str,
    centre: tuple[float, float],
    radius: float,
    arrangement: Arrangement,
) -> None:
    if shape in _CORNERS:
        points = [_turned(point, arrangement.tilt) for point in _CORNERS[shape]]
        pen.polygon(
            [(centre[0] + radius * x, centre[1] + radius * y) for x, y in points],
            fill=arrangement.fill,
        )
        return
    pen.circle(centre, radius, fill=arrangement.fill)
    if shape == "ring":
        pen.circle(centre, 0.55 * radius, fill=arrangement.ground)


def _turned(point: tuple[float, float], angle: float) -> tuple[float, float]:
    x, y = point
    return (
        x * math.cos(angle) - y * math.sin(angle),
        x * math.sin(angle) + y * math.cos(angle),
    )


def _regular(radii: tuple[float, ...], start: float = -math.pi / 2) -> list[tuple[float, float]]:
    """Points at equal angles from `start` (straight up), at these distances."""
    angles = [start + 2 * math.pi * number / len(radii) for number in range(len(radii))]
    return [(r * math.cos(a), r * math.sin(a)) for r, a in zip(radii, angles, strict=True)]


_ARM = 0.33
_CORNERS = {
    "square": _regular((1.15,) * 4, start=-math.pi / 4),
    "triangle": _regular((1.1,) * 3),
    "star": _regular((1.15, 0.45) * 5),
    "cross": [
        (-_ARM, -1), (_ARM, -1), (_ARM, -_ARM), (1, -_ARM), (1, _ARM), (_ARM, _ARM),
        (_ARM, 1), (-_ARM, 1), (-_ARM, _ARM), (-1, _ARM), (-1, -_ARM), (-_ARM, -_ARM),
    ],
}  # fmt: skip
