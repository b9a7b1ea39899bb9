"""The queue of videos to sort, with the folders that they probably belong in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.labels.suggest import Likely, Suggestion
from pipeline.project import NOTHING_EMBEDDED
from pipeline.web import routes
from pipeline.web.overview import Filters, Overview, Video
from pipeline.web.routes import Parameter, Route
from pipeline.web.site import SURE, Site
from pipeline.web.videos import PAGE
from store.retrieval.filter import Filter

MOST_SUGGESTED = 9  # folders of one video: the keys of a keyboard

NO_FOLDERS = "No video is in a folder yet: sort some by hand, and folders are suggested."


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


def suggest(site: Site, *, order: str, offset: int, limit: int) -> Suggestions:
    """List the videos that are in no folder, each with the folders that it may belong in."""
    overview = site.overview()
    queue = _queue(site, overview)
    items = queue.items if order == "sure" else queue.items[::-1]
    shown = [
        ToSort(
            site.videos(overview, [each.place])[0],
            [Suggested(name, p, site.videos_at(overview, near)) for name, p, near in each.folders],
            each.probability >= SURE,
        )
        for each in items[offset : offset + limit]
    ]
    remark = None if overview.folders.keys() - {None} else NO_FOLDERS
    remark = remark if len(overview) else NOTHING_EMBEDDED
    return Suggestions(len(items), queue.sure, offset, shown, remark, queue.version)


def reject(site: Site, *, content: str, folder: str) -> dict[str, Any]:
    """Do not suggest a folder for this content again."""
    site.judgements.reject(content, folder)
    return {"content": content, "rejected": site.judgements.now().rejected.get(content, [])}


def take_rejection_back(site: Site, *, content: str, folder: str) -> dict[str, Any]:
    """Allow a folder that was rejected for this content."""
    site.judgements.reject(content, folder, is_rejected=False)
    return {"content": content, "rejected": site.judgements.now().rejected.get(content, [])}


def surer_than(site: Site, least: float) -> list[tuple[list[str], str | None]]:
    """List the videos whose likeliest folder has at least this probability, by folder."""
    overview = site.overview()
    queue = _queue(site, overview)
    wanted: dict[str, list[str]] = {}
    for each in queue.items:
        if each.folders and each.probability >= least:
            wanted.setdefault(each.folders[0][0], []).append(overview.keys[each.place])
    return [(keys, folder) for folder, keys in sorted(wanted.items())]


def _queue(site: Site, overview: Overview) -> Queue:
    """The videos to sort as they are now, with what was learned last."""
    found, version = site.advice.get(overview.version)
    decided = site.judgements.now()
    key = (overview.version, version, decided)

    def make() -> Queue:
        guesses = {each.path: each for each in found.suggestions}
        items = []
        for place in overview.select(Filters(Filter(unlabeled=True))).tolist():
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


CONTENT_AND_FOLDER = {
    "content": Parameter(routes.text, "hash of a video's content", ...),
    "folder": Parameter(routes.text, "name of a folder", ...),
}

ROUTES = (
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
