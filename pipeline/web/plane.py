"""The map: the collection laid out in the plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.project import NOTHING_EMBEDDED
from pipeline.web.overview import Overview
from pipeline.web.records import Filters
from pipeline.web.routes import Route
from pipeline.web.site import Site

if TYPE_CHECKING:
    from pipeline.plot.places import Places

DIGITS = 4  # of a coordinate: finer than a pixel


@dataclass(frozen=True, eq=False)
class Plane:
    """Points, one a video; every list but `folders` and `colours` has one entry a point.

    Args:
        keys: of the rows.
        contents: of the rows, for thumbnails.
        x: float64 coordinates, -1 to 1.
        y: likewise, upwards.
        folder: int64 indices into `folders`.
        folders: names; None for the videos in no folder.
        colours: of the folders, as `#rrggbb`.
        remark: what there is to know, a sentence.
        version: of the table.
    """

    keys: list[str]
    contents: list[str]
    x: np.ndarray
    y: np.ndarray
    folder: np.ndarray
    folders: list[str | None]
    colours: list[str]
    remark: str | None
    version: int


def show_map(site: Site) -> Plane:
    """Give the map as it was last laid out, with the folders that the videos are in now."""
    overview = site.overview()
    laid_out, version = site.laid_out.get(overview.what_is_shown)
    plane: Plane = site.plane.get(
        (overview.version, version), lambda: _in_plane(overview, laid_out)
    )
    return plane


def _in_plane(overview: Overview, laid_out: Places) -> Plane:
    from pipeline.plot.legend import UNLABELED, groups

    online = overview.select(Filters())
    is_there, points = laid_out.place([overview.contents[place] for place in online])
    places = online[is_there].tolist()
    labels = overview.labels(places)
    legend = groups(labels)
    folder = np.zeros(len(places), np.int64)
    for number, group in enumerate(legend):
        folder[list(group.rows)] = number
    x, y = points.round(DIGITS).T
    names: list[Any] = [None if group.name == UNLABELED else group.name for group in legend]
    return Plane(
        [overview.keys[place] for place in places],
        [overview.contents[place] for place in places],
        x.copy(),
        y.copy(),
        folder,
        names,
        [group.colour for group in legend],
        laid_out.remark if places else NOTHING_EMBEDDED,
        overview.version,
    )


ROUTES = (
    Route(
        "GET",
        "/api/map",
        "every video as a point, alike beside alike; 202 while it is laid out",
        show_map,
        lane="files",
    ),
)
