"""Write the plot as one HTML file that needs nothing else.

map.js draws the points. Under the mouse, or by keys, one shows its thumbnail, path and words,
and a click keeps them, with a link to the file. The page's policy forbids the browser to load
anything from anywhere.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePath
from urllib.parse import quote

import numpy as np

from pipeline.plot.legend import TITLE, Group, caption
from store.pictures import read_jpeg, small_jpeg

THUMBNAIL_PIXELS = 160  # longer side: about 3 KB
THUMBNAIL_QUALITY = 60
MOST_THUMBNAILS = 10_000  # 40 MB, which a browser has to hold
TRANSCRIPT_CHARACTERS = 400


@dataclass(frozen=True)
class Point:
    """What the page shows of a video.

    Args:
        path: path below the collection's root.
        transcript: words of the video.
        thumbnail: JPEG; None for no picture.
    """

    path: str
    transcript: str
    thumbnail: bytes | None


@dataclass(frozen=True)
class Folder:
    """Where the videos are.

    Args:
        shown: the collection's root as a person wrote it.
        link: the same as a URL, relative to the page's or absolute.
    """

    shown: str
    link: str


def to_html(
    places: np.ndarray, legend: Sequence[Group], points: Sequence[Point], folder: Folder
) -> str:
    """Write the page.

    Args:
        places: float64 `[n, 2]`, as `layout` returns them.
        legend: as `groups` returns it.
        points: one for each place.
        folder: the collection's root.
    """
    group_of = {row: number for number, group in enumerate(legend) for row in group.rows}
    about = caption(len(points), folder.shown)
    x, y = places.round(4).T.tolist()
    data = {
        "folder": f"{folder.shown.rstrip('/')}/",
        "link": f"{folder.link.rstrip('/')}/",
        "groups": [
            {"name": group.name, "colour": group.colour, "count": len(group.rows)}
            for group in legend
        ],
        "x": x,
        "y": y,
        "group": [group_of[row] for row in range(len(points))],
        "paths": [each.path for each in points],
        "transcripts": [_short(each.transcript) for each in points],
        "thumbnails": [_small(each.thumbnail) if each.thumbnail else "" for each in points],
    }
    parts = {
        "title": html.escape(f"{TITLE}: {about}"),
        "heading": html.escape(TITLE),
        "caption": html.escape(about),
        "data": _script_safe(data),
        "map": _file("map.js"),
        "script": _file("page.js"),
    }
    return re.sub(r"{{(\w+)}}", lambda part: parts[part[1]], _file("page.html"))


def link_of(root: Path, page: Path) -> str:
    """Make a URL of a folder: relative to a page, so that both can move together.

    Args:
        root: the folder.
        page: file of the page.
    """
    try:
        # As browsers do, not following links of the file system.
        relative = os.path.relpath(os.path.abspath(root), os.path.abspath(page.parent))
    except ValueError:  # on another drive of Windows
        return root.absolute().as_uri()
    return quote(f"./{PurePath(relative).as_posix()}")


@cache
def _file(name: str) -> str:
    return files("pipeline.plot").joinpath(name).read_text(encoding="utf-8")


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
