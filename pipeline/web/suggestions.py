"""The queue of videos to sort, with the folders that they probably belong in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.labels.advice import Likely, Suggestion, Suggestions
from pipeline.project import NOTHING_EMBEDDED
from pipeline.web import routes
from pipeline.web.overview import Overview
from pipeline.web.records import Filters, Video
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
class SuggestionList:
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
    """A video to sort.

    Args:
        place: of its row.
        number: of its suggestion; None for none.
        folder: likeliest folder that was not rejected; None for none.
        probability: that it is that one.
    """

    place: int
    number: int | None = None
    folder: str | None = None
    probability: float = 0.0


@dataclass(frozen=True)
class Queue:
    """The videos to sort, the surest first.

    Args:
        items: those.
        sure: for how many of them a folder is likely enough.
        suggestions: what was suggested last.
        rejected: folders that are no longer suggested, by content.
        version: of the table that the suggestions were made from.
    """

    items: list[_Item]
    sure: int
    suggestions: Suggestions
    rejected: dict[str, list[str]]
    version: int

    def likely(self, item: _Item) -> list[Likely]:
        """Give the folders that a video may belong in, without those that were rejected."""
        return [] if item.number is None else _likely(self.suggestions[item.number], self.rejected)


def suggest(site: Site, *, order: str, offset: int, limit: int) -> SuggestionList:
    """List the videos that are in no folder, each with the folders that it may belong in."""
    overview = site.overview()
    queue = _queue(site, overview)
    items = queue.items if order == "sure" else queue.items[::-1]
    shown = [
        ToSort(
            site.videos(overview, [each.place])[0],
            [
                Suggested(
                    likely.folder,
                    likely.probability,
                    site.videos_at(overview, [near.path for near in likely.neighbours]),
                )
                for likely in queue.likely(each)
            ],
            each.probability >= SURE,
        )
        for each in items[offset : offset + limit]
    ]
    remark = None if overview.folders.keys() - {None} else NO_FOLDERS
    remark = remark if len(overview) else NOTHING_EMBEDDED
    return SuggestionList(len(items), queue.sure, offset, shown, remark, queue.version)


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
        if each.folder is not None and each.probability >= least:
            wanted.setdefault(each.folder, []).append(overview.keys[each.place])
    return [(keys, folder) for folder, keys in sorted(wanted.items())]


def _queue(site: Site, overview: Overview) -> Queue:
    """The videos to sort as they are now, with what was learned last."""
    found, version = site.advice.get(overview.version)
    decided = site.judgements.now()
    key = (overview.version, version, decided)

    def make() -> Queue:
        suggestions = found.suggestions
        numbers = {path: number for number, path in enumerate(suggestions.paths)}
        items = []
        for place in overview.select(Filters(Filter(unlabeled=True))).tolist():
            number, content = numbers.get(overview.paths[place]), overview.contents[place]
            if number is None or suggestions.hashes[number] != content:
                items.append(_Item(place))
            elif content in decided.rejected:
                likely = _likely(suggestions[number], decided.rejected)
                first = likely[0] if likely else Likely("", 0.0)
                items.append(_Item(place, number, first.folder or None, first.probability))
            else:
                guess, sure = suggestions.folders[number], float(suggestions.confidence[number])
                items.append(_Item(place, number, guess, sure))
        items.sort(key=lambda item: -item.probability)
        sure = sum(item.probability >= SURE for item in items)
        return Queue(items, sure, suggestions, decided.rejected, version)

    queue: Queue = site.queue.get(key, make)
    return queue


def _likely(guess: Suggestion, rejected: dict[str, list[str]]) -> list[Likely]:
    """Give the folders of a suggestion without those that were rejected for its content."""
    if guess.guess is None:
        return []
    likely = [Likely(guess.guess, guess.confidence, guess.neighbours), *guess.others]
    no = rejected.get(guess.content_hash, ())
    return [each for each in likely if each.folder not in no][:MOST_SUGGESTED]


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
