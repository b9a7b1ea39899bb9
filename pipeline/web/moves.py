"""Files into folders, as batches that can be taken back."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.labels.move_log import Move, MoveLog
from pipeline.labels.moves import (
    LOG,
    LeftBehind,
    MovedBatch,
    Placement,
    move_videos,
    plan_moves,
    take_back,
)
from pipeline.source.listing import is_folder
from pipeline.source.names import is_listed_folder
from pipeline.web import routes
from pipeline.web.answers import ApiError
from pipeline.web.media import locate
from pipeline.web.overview import Overview
from pipeline.web.records import key_of
from pipeline.web.routes import Parameter, Route
from pipeline.web.site import Site
from pipeline.web.suggestions import surer_than

LONGEST_NAME = 255  # bytes of one name, in the file systems of our time


@dataclass(frozen=True)
class MovedVideo:
    """A file that was moved, or would be.

    Args:
        key: of its row before.
        new_key: of its row after.
        content: hash of its bytes.
        folder: where it is now; None for no folder.
    """

    key: str
    new_key: str
    content: str | None
    folder: str | None


@dataclass(frozen=True)
class LeftVideo:
    """A file that stays where it is.

    Args:
        key: of its row.
        path: of the file.
        why: what stood in the way.
    """

    key: str
    path: str
    why: str


def move(
    site: Site,
    *,
    keys: tuple[str, ...],
    folder: str | None,
    moves: list[dict[str, Any]] | None,
    above: float | None,
    preview: bool,
) -> dict[str, Any]:
    """Move videos into folders as one batch, or only say what that would do.

    The files are where they are to be when this returns; their rows follow at once, and whatever
    reads rows waits for them.

    Raises:
        ApiError: a folder has an impossible name, or leads out of the collection.
        PipelineError: the log of moves cannot be kept.
        StoreError: the store cannot be read.
    """
    wanted: list[tuple[Sequence[str], str | None]] = [(keys, folder)] if keys else []
    wanted += [(each["keys"], each["folder"]) for each in moves or ()]
    if above is not None:
        if not preview or wanted:
            raise ApiError(400, "above: only with preview, and without keys or moves")
        wanted += surer_than(site, above)
    elif not wanted:
        raise ApiError(400, "say which videos: keys and folder, or moves")
    overview = site.overview_at_hand([key for some, _ in wanted for key in some])
    placements, left = _placements(site, overview, wanted)
    if preview:
        made, stay = plan_moves(site.project, placements)
        batch = MovedBatch(len(placements), tuple(made), tuple(stay))
    else:
        batch = move_videos(site.project, placements, _quiet)
        site.moved.follow(batch.made)
    return _moved(overview, batch, left)


def undo(site: Site, *, batch: int | None) -> dict[str, Any]:
    """Take a batch of moves back; what cannot be taken back stays in the log.

    Raises:
        PipelineError: the log of moves cannot be read or written.
    """
    log = MoveLog(site.project.store.scratch(LOG))
    undone = take_back(log, _quiet, batch)
    if not undone.asked and batch is not None:
        raise ApiError(404, "this batch is no longer in the log of moves: it was taken back before")
    site.moved.follow(undone.made).result()  # else a move of what came back would not find its row
    return _moved(site.overview_at_hand([]), undone, [])


def check_folder(site: Site, name: str | None) -> str | None:
    """Check the name of a folder that videos are to be moved into, and give it as it is on disk.

    Raises:
        ApiError: it is no name of one folder, or that folder is a link out of the collection.
    """
    if name is None:
        return None
    if "/" in name or "\\" in name or name in (".", ".."):
        raise ApiError(400, f"a folder's name has no / and no \\ in it: {name}")
    if any(unicodedata.category(letter) == "Cc" for letter in name):
        raise ApiError(400, "a folder's name has no control characters in it")
    if not is_listed_folder(name):
        raise ApiError(400, f"no video is looked for in a folder of such a name: {name}")
    if name != name.strip():
        raise ApiError(400, f"a folder's name does not begin or end with a space: {name!r}")
    if len(os.fsencode(name)) > LONGEST_NAME:
        raise ApiError(400, "this name is too long for a folder")
    root = site.project.collection.root
    if not os.path.lexists(root / name):
        # macOS decomposes letters in names, keyboards compose them.
        same = {unicodedata.normalize("NFC", each): each for each in site.project.folders()}
        return same.get(unicodedata.normalize("NFC", name), name)
    with os.scandir(root) as entries:
        if not any(entry.name == name and is_folder(entry) for entry in entries):
            raise ApiError(400, f"there is a file of that name, and no folder: {name}")
    locate(root, name)
    return name


def read_moves(value: Any) -> list[dict[str, Any]]:
    """Read a list of `{"keys": [...], "folder": ...}`."""
    if not isinstance(value, list) or not value:
        raise ValueError('a list of {"keys": [...], "folder": ...}')
    found = []
    for each in value:
        if not isinstance(each, dict) or set(each) != {"keys", "folder"}:
            raise ValueError('a list of {"keys": [...], "folder": ...}')
        folder = None if each["folder"] is None else routes.text(each["folder"])
        found.append({"keys": routes.texts(each["keys"]), "folder": folder})
    return found


def _placements(
    site: Site, overview: Overview, wanted: Sequence[tuple[Sequence[str], str | None]]
) -> tuple[list[Placement], list[LeftVideo]]:
    """What is to be where, and the videos of which that cannot be said."""
    placements, left = [], []
    for keys, folder in wanted:
        name = check_folder(site, folder)
        for key in dict.fromkeys(keys):
            place = overview.place_of_key.get(key)
            if place is None:
                left.append(LeftVideo(key, "", "it is not in the store any more"))
                continue
            path = overview.paths[place]
            try:
                locate(site.project.collection.root, path)
            except ApiError as error:
                left.append(LeftVideo(key, path, str(error)))
            else:
                placements.append(Placement(path, name, overview.contents[place]))
    return placements, left


def _moved(overview: Overview, batch: MovedBatch, left: Sequence[LeftVideo]) -> dict[str, Any]:
    return {
        "batch": batch.made[0].batch or None if batch.made else None,
        "moved": [_moved_video(overview, each) for each in batch.made],
        "left": [*left, *(_left(each) for each in batch.left)],
    }


def _moved_video(overview: Overview, each: Move) -> dict[str, Any]:
    folder, slash, _ = each.target.partition("/")
    moved = MovedVideo(
        key_of(each.source),
        key_of(each.target),
        overview.content_of(each.source) or overview.content_of(each.target),
        folder if slash else None,
    )
    return {**vars(moved), "from": each.source, "to": each.target}


def _left(each: LeftBehind) -> LeftVideo:
    return LeftVideo(key_of(each.path), each.path, each.reason)


def _quiet(_: str) -> None:
    """Report nothing: the answer says it all."""


ROUTES = (
    Route(
        "POST",
        "/api/moves",
        "moves files into folders as one batch; never over another file",
        move,
        body={
            "keys": Parameter(routes.texts, "videos", ()),
            "folder": Parameter(
                routes.optional(routes.text), "where they are to be; null for no folder"
            ),
            "moves": Parameter(read_moves, 'in place of both: [{"keys": [...], "folder": ...}]'),
            "above": Parameter(
                routes.optional(routes.share), "in place of these: what is suggested as surely"
            ),
            "preview": Parameter(routes.flag, "true: only say what would be done", default=False),
        },
        lane="moves",
    ),
    Route(
        "POST",
        "/api/undo",
        "takes a batch of moves back",
        undo,
        body={
            "batch": Parameter(
                routes.optional(routes.count(1, 1 << 40)), "its number; null for the newest"
            )
        },
        lane="moves",
    ),
)
