"""Write the plot as one HTML file that needs nothing else.

Points are drawn on a canvas; the mouse over one shows the video's thumbnail, path and transcript.
The page's policy forbids the browser to load anything from anywhere.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from pipeline.plot.layout import TITLE, Group
from store.pictures import read_jpeg, small_jpeg

THUMBNAIL_PIXELS = 160  # longer side: about 3 KB
THUMBNAIL_QUALITY = 60
MOST_THUMBNAILS = 10_000  # 40 MB, which a browser has to hold
TRANSCRIPT_CHARACTERS = 400


@dataclass(frozen=True)
class Point:
    """What the page shows of a video.

    Args:
        path: path as a person sees it.
        transcript: words of the video.
        thumbnail: JPEG; None for no picture.
    """

    path: str
    transcript: str
    thumbnail: bytes | None


def to_html(places: np.ndarray, legend: Sequence[Group], points: Sequence[Point]) -> str:
    """Write the page.

    Args:
        places: float64 `[n, 2]`, as `layout` returns them.
        legend: as `groups` returns it.
        points: one for each place.
    """
    group_of = {row: number for number, group in enumerate(legend) for row in group.rows}
    data = {
        "groups": [[group.name, group.colour, len(group.rows)] for group in legend],
        "points": [
            [round(x, 4), round(y, 4), group_of[row], each.path, _short(each.transcript)]
            for row, ((x, y), each) in enumerate(zip(places.tolist(), points, strict=True))
        ],
        "thumbnails": [_small(each.thumbnail) if each.thumbnail else "" for each in points],
    }
    page = _template().replace("{{title}}", html.escape(TITLE))
    return page.replace("{{data}}", _script_safe(data))


@cache
def _template() -> str:
    return files("pipeline.plot").joinpath("page.html").read_text(encoding="utf-8")


def _script_safe(data: object) -> str:
    """Write JSON that cannot end the script element it stands in."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _short(text: str) -> str:
    if len(text) <= TRANSCRIPT_CHARACTERS:
        return text
    return text[: TRANSCRIPT_CHARACTERS - 1] + "…"


def _small(jpeg: bytes) -> str:
    """Return base64 of a smaller JPEG; empty where the bytes hold no picture."""
    picture = read_jpeg(jpeg)
    if picture is None:
        return ""
    smaller = small_jpeg(picture, THUMBNAIL_PIXELS, THUMBNAIL_QUALITY)
    return base64.b64encode(smaller).decode("ascii")
