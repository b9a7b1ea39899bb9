"""Videos into folders: moves that really move files, and what is suggested."""

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
from pipeline.labels.suggest import Likely, Suggestion
from pipeline.source.listing import is_folder, is_listed_folder
from pipeline.web import routes
from pipeline.web.answers import ApiError, Waiting
from pipeline.web.media import locate
from pipeline.web.overview import Filters, Overview, Video, key_of
from pipeline.web.routes import Parameter, Route
from pipeline.web.site import SURE, Site
from pipeline.web.videos import PAGE

LONGEST_NAME = 255  # bytes of one name, in the file systems of our time
MOST_SUGGESTED = 9  # folders of one video: the keys of a keyboard

COMPUTING = "What the folders have in common is being learned; a large collection takes a while."
NO_FOLDERS = "No video is in a folder yet: sort some by hand, and folders are suggested."


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


@dataclass(frozen=True)
class Suggested:
    """A folder that a video may belong in.

    Args:
        name: of the folder.
        probability: that it does, 0 to 1.
        witnesses: the nearest videos of that folder.
    """

    name: str
    probability: float
    witnesses: list[Video]


@dataclass(frozen=True)
class ToSort:
    """A video that is in no folder.

    Args:
        video: as lists have it.
        folders: that it may belong in, the likeliest first.
        sure: whether the first one is likely enough to be suggested.
    """

    video: Video
    folders: list[Suggested]
    sure: bool


@dataclass(frozen=True)
class Suggestions:
    """A part of the videos that are in no folder.

    Args:
        total: how many there are.
        sure: for how many of them a folder is likely enough.
        offset: how many come before the first one here.
        items: those.
        remark: what there is to know, a sentence.
        version: of the table that they were made from.
    """

    total: int
    sure: int
    offset: int
    items: list[ToSort]
    remark: str | None
    version: int


@dataclass(frozen=True)
class _Item:
    """A video to sort: its place, and folder, probability and paths of witnesses of each guess."""

    place: int
    folders: list[tuple[str, float, list[str]]]

    @property
    def probability(self) -> float:
        return self.folders[0][1] if self.folders else 0.0


@dataclass(frozen=True)
class Queue:
    """The videos to sort, the surest first."""

    items: list[_Item]
    sure: int
    version: int


def move(
    site: Site,
    *,
    keys: tuple[str, ...],
    folder: str | None,
    moves: list[dict[str, Any]] | None,
    above: float | None,
    preview: bool,
) -> dict[str, Any] | Waiting:
    """Move videos into folders as one batch, or only say what that would do.

    Raises:
        ApiError: a folder has an impossible name, or leads out of the collection.
        PipelineError: the log of moves cannot be kept.
        StoreError: the store cannot be written; the files that were moved stay moved.
    """
    wanted: list[tuple[Sequence[str], str | None]] = [(keys, folder)] if keys else []
    wanted += [(each["keys"], each["folder"]) for each in moves or ()]
    if above is not None:
        if not preview or wanted:
            raise ApiError(400, "above: only with preview, and without keys or moves")
        sure = _above(site, above)
        if isinstance(sure, Waiting):
            return sure
        wanted += sure
    elif not wanted:
        raise ApiError(400, "say which videos: keys and folder, or moves")
    overview = site.overview_at_hand([key for some, _ in wanted for key in some])
    placements, left = _placements(site, overview, wanted)
    if preview:
        made, stay = plan_moves(site.project, placements)
        batch = MovedBatch(len(placements), tuple(made), tuple(stay))
    else:
        batch = move_videos(site.project, placements, _quiet)
        site.follow(batch.made)
    return _moved(overview, batch, left)


def undo(site: Site, *, batch: int | None) -> dict[str, Any]:
    """Take a batch of moves back; what cannot be taken back stays in the log.

    Raises:
        PipelineError: the log of moves cannot be read or written.
        StoreError: the store cannot be written; the files that were moved stay moved.
    """
    log = MoveLog(site.project.store.scratch(LOG))
    undone = take_back(log, _quiet, batch)
    if not undone.asked and batch is not None:
        raise ApiError(404, "this batch is no longer in the log of moves: it was taken back before")
    site.follow(undone.made)
    return _moved(site.overview_at_hand([]), undone, [])


def suggest(site: Site, *, order: str, offset: int, limit: int) -> Suggestions | Waiting:
    """List the videos that are in no folder, each with the folders that it may belong in."""
    overview = site.overview()
    queue = _queue(site, overview)
    if isinstance(queue, Waiting):
        return queue
    items = queue.items if order == "sure" else queue.items[::-1]
    shown = [
        ToSort(
            site.videos(overview, [each.place])[0],
            [Suggested(name, p, _near(site, overview, near)) for name, p, near in each.folders],
            each.probability >= SURE,
        )
        for each in items[offset : offset + limit]
    ]
    remark = None if any(name is not None for name in overview.folders) else NO_FOLDERS
    return Suggestions(len(items), queue.sure, offset, shown, remark, queue.version)


def reject(site: Site, *, content: str, folder: str) -> dict[str, Any]:
    """Do not suggest a folder for this content again."""
    site.judgements.reject(content, folder)
    return {"content": content, "rejected": site.judgements.now().rejected.get(content, [])}


def take_rejection_back(site: Site, *, content: str, folder: str) -> dict[str, Any]:
    """Allow a folder that was rejected for this content."""
    site.judgements.reject(content, folder, is_rejected=False)
    return {"content": content, "rejected": site.judgements.now().rejected.get(content, [])}


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
            (video,) = overview.videos([place])
            try:
                locate(site.project.collection.root, video.path)
            except ApiError as error:
                left.append(LeftVideo(key, video.path, str(error)))
            else:
                placements.append(Placement(video.path, name, video.content))
    return placements, left


def _above(site: Site, least: float) -> list[tuple[list[str], str | None]] | Waiting:
    """The videos whose likeliest folder has at least this probability, by folder."""
    overview = site.overview()
    queue = _queue(site, overview)
    if isinstance(queue, Waiting):
        return queue
    wanted: dict[str, list[str]] = {}
    for each in queue.items:
        if each.folders and each.probability >= least:
            wanted.setdefault(each.folders[0][0], []).append(overview.keys[each.place])
    return [(keys, folder) for folder, keys in sorted(wanted.items())]


def _queue(site: Site, overview: Overview) -> Queue | Waiting:
    """The videos to sort as they are now, with what was learned last."""
    advice = site.advice.get(overview.version)
    if advice is None:
        return Waiting(COMPUTING)
    found, version = advice
    decided = site.judgements.now()
    key = (overview.version, version, id(decided))

    def make() -> Queue:
        guesses = {each.path: each for each in found.suggestions}
        items = []
        for place in overview.select(Filters(unlabeled=True)).tolist():
            guess = guesses.get(overview.paths[place])
            is_same = guess is not None and guess.content_hash == overview.contents[place]
            folders = _likely(guess, decided.rejected) if guess is not None and is_same else []
            items.append(_Item(place, folders))
        items.sort(key=lambda item: -item.probability)
        return Queue(items, sum(item.probability >= SURE for item in items), version)

    queue: Queue = site.queue.get(key, make)
    return queue


def _likely(
    guess: Suggestion, rejected: dict[str, list[str]]
) -> list[tuple[str, float, list[str]]]:
    """Folder, probability and paths of the nearest videos, without what was rejected."""
    if guess.guess is None:
        return []
    likely = [Likely(guess.guess, guess.confidence, guess.neighbours), *guess.others]
    found = [(each.folder, each.probability, [n.path for n in each.neighbours]) for each in likely]
    no = rejected.get(guess.content_hash, ())
    return [each for each in found if each[0] not in no][:MOST_SUGGESTED]


def _near(site: Site, overview: Overview, paths: Sequence[str]) -> list[Video]:
    places = [overview.place_of_path[path] for path in paths if path in overview.place_of_path]
    return site.videos(overview, places)


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


CONTENT_AND_FOLDER = {
    "content": Parameter(routes.text, "hash of a video's content", ...),
    "folder": Parameter(routes.text, "name of a folder", ...),
}

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
    Route(
        "GET",
        "/api/suggestions",
        "the videos in no folder, with the folders that they may belong in; 202 while it learns",
        suggest,
        query={
            "order": Parameter(
                routes.choice("sure", "unsure"), "sure or unsure: which come first", "sure"
            ),
            **PAGE,
        },
    ),
    Route("POST", "/api/rejections", "suggests a folder no more", reject, body=CONTENT_AND_FOLDER),
    Route(
        "DELETE",
        "/api/rejections",
        "takes a rejection back",
        take_rejection_back,
        body=CONTENT_AND_FOLDER,
    ),
)
