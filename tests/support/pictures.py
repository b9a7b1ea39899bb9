"""Pictures that change with time and carry their own frame number.

    +--------------------+   a gradient and discs that move, both by `seed`,
    |   gradient   o     |   and in the middle square, where CLIP's crop leaves it,
    |     o  +-------+   |   the frame number as 2 x 8 bits, black or white;
    |        |# ##  #|   |   under each row of bits stands its complement, so that
    +--------+-------+---+   a bit is read by comparing and a wrong reading is noticed.

Positions are fractions of the picture as it is seen: upright, with square pixels.
"""

from __future__ import annotations

import functools

import numpy as np

BITS = 16
COLUMNS = 8
# Of the middle square: left, right, top, bottom of the code.
LEFT, RIGHT, TOP, BOTTOM = 0.10, 0.90, 0.56, 0.92
LEAST_CONTRAST = 60


@functools.lru_cache(maxsize=1024)
def draw(
    index: int, width: int, height: int, *, seed: int = 0, pixel_aspect: float = 1.0
) -> np.ndarray:
    """Frame `index` of the clip `seed`: uint8 `[height, width, 3]`, RGB; read-only.

    Args:
        index: 0 to 65535.
        width: of the stored picture, pixels; it is `width * pixel_aspect` wide when seen.
        height: pixels.
        seed: decides colours and movement.
        pixel_aspect: a pixel's width over its height.
    """
    dice = np.random.default_rng(seed)
    x = (np.arange(width, dtype=np.float32) + 0.5) / width
    y = ((np.arange(height, dtype=np.float32) + 0.5) / height)[:, None]
    corners = dice.uniform(20, 235, size=(3, 3)).astype(np.float32)
    turn = 0.5 + 0.5 * np.sin(2 * np.pi * (index / 60 + x * dice.integers(1, 3)))
    gradient = ((1 - y) * corners[0] + y * corners[1])[:, None]
    picture = gradient + 0.4 * turn[:, None] * (corners[2] - gradient)
    aspect = width * pixel_aspect / height
    for _ in range(3):
        centre, speed = dice.uniform(0, 1, 2), dice.uniform(0.01, 0.03, 2)
        radius, colour = dice.uniform(0.08, 0.2), dice.uniform(0, 255, 3)
        cx, cy = np.abs((centre + speed * index) % 2 - 1)  # there and back
        picture[((x - cx) * aspect) ** 2 + (y - cy) ** 2 < radius**2] = colour
    picture = picture.round().clip(0, 255).astype(np.uint8)
    for row, bits in enumerate(_rows(index)):
        for column, bit in enumerate(bits):
            picture[_cell(row, column, width, height, pixel_aspect)] = 255 if bit else 0
    picture.flags.writeable = False  # who asks again gets the same one
    return picture


def read_frame_number(rgb: np.ndarray) -> int:
    """Read the number of a drawn frame from the whole picture or its middle square.

    Args:
        rgb: uint8 `[height, width, 3]`, upright, with square pixels, at least 48 pixels high.

    Raises:
        ValueError: no frame number can be read: a bit has no contrast.
    """
    height, width, _ = rgb.shape
    shades = rgb[_samples(width, height)].mean(axis=(-2, -1)).reshape(-1, 2, COLUMNS)
    upper, lower = shades[:, 0].ravel(), shades[:, 1].ravel()
    if (unclear := np.abs(upper - lower) < LEAST_CONTRAST).any():
        bit = int(unclear.argmax())
        raise ValueError(f"no frame number: bit {bit} reads {upper[bit]:.0f} over {lower[bit]:.0f}")
    return int(np.packbits(upper > lower).view(">u2")[0])


@functools.lru_cache(maxsize=1024)
def _samples(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels within each cell, nine of each, row by row: y and x, int64 `[cells, 9]` each."""
    found = []
    for row in range(2 * BITS // COLUMNS):
        for column in range(COLUMNS):
            rows, columns = _cell(row, column, width, height, 1.0, inset=0.25)
            ys = np.linspace(rows.start, rows.stop - 1, 3).round().astype(int)
            xs = np.linspace(columns.start, columns.stop - 1, 3).round().astype(int)
            found.append(np.stack(np.meshgrid(ys, xs, indexing="ij")).reshape(2, -1))
    y, x = np.stack(found, axis=1)
    return y, x


def _rows(index: int) -> list[list[int]]:
    """Bits of the number, the highest first, each row followed by its complement."""
    bits = [index >> (BITS - 1 - bit) & 1 for bit in range(BITS)]
    rows = []
    for start in range(0, BITS, COLUMNS):
        row = bits[start : start + COLUMNS]
        rows += [row, [1 - bit for bit in row]]
    return rows


@functools.lru_cache(maxsize=1024)
def _cell(
    row: int, column: int, width: int, height: int, pixel_aspect: float, *, inset: float = 0.0
) -> tuple[slice, slice]:
    """Where a bit lies in the picture; `inset` leaves that fraction off at each edge."""
    seen_width = width * pixel_aspect
    side = min(seen_width, height)
    left = (seen_width - side) / 2 + LEFT * side
    top = (height - side) / 2 + TOP * side
    cell_width = (RIGHT - LEFT) * side / COLUMNS
    cell_height = (BOTTOM - TOP) * side / (2 * BITS // COLUMNS)
    rows = slice(
        round(top + (row + inset) * cell_height), round(top + (row + 1 - inset) * cell_height)
    )
    columns = slice(
        round((left + (column + inset) * cell_width) / pixel_aspect),
        round((left + (column + 1 - inset) * cell_width) / pixel_aspect),
    )
    return rows, columns
