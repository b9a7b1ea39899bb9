"""Lists of videos, one video with its transcript, and folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.plot.legend import natural
from pipeline.web import routes
from pipeline.web.answers import ApiError
from pipeline.web.failures import failed_videos
from pipeline.web.records import Filters, Order, Video
from pipeline.web.routes import Parameter, Route
from pipeline.web.site import Site
from store.retrieval.filter import Filter

MOST_ROWS = 200
LAST_ROW = 1 << 40

PAGE: Mapping[str, Parameter] = {
    "offset": Parameter(routes.count(0, LAST_ROW), "how many to leave out first", 0),
    "limit": Parameter(routes.count(1, MOST_ROWS), f"how many, at most {MOST_ROWS}", 50),
}
FILTERS: Mapping[str, Parameter] = {
    "folder": Parameter(routes.text, "only in this folder, or in these", (), repeatable=True),
    "unlabeled": Parameter(routes.flag, "1: only in no folder", default=False),
    "offline": Parameter(routes.flag, "1: only those whose file is not there", default=False),
    "failed": Parameter(routes.flag, "1: only those that could not be embedded", default=False),
    "language": Parameter(routes.text, "only in which this is spoken: en, de, ..."),
    "min_seconds": Parameter(routes.number, "only of this length or longer"),
    "max_seconds": Parameter(routes.number, "only of this length or shorter"),
    "since": Parameter(routes.moment, "only files last modified then or later: 2024-05-31"),
}


@dataclass(frozen=True)
class VideoList:
    """A part of a list of videos.

    Args:
        total: how many there are.
        offset: how many come before the first one here.
        videos: those.
        version: of the table.
    """

    total: int
    offset: int
    videos: list[Video]
    version: int


@dataclass(frozen=True)
class VideoDetails:
    """One video, with what is said in it.

    Args:
        video: as lists have it.
        segments: the transcript with its times.
        translation: the same in English, where CLIP was given that.
        frames: seconds of the frames that stand for it.
        copies: other videos of the same content.
        version: of the table.
    """

    video: Video
    segments: list[dict[str, Any]]
    translation: str | None
    frames: list[float]
    copies: list[Video]
    version: int


@dataclass(frozen=True)
class Folder:
    """A folder that videos can be in.

    Args:
        name: its name, which is the label of its videos.
        videos: how many are in it, without offline ones.
    """

    name: str
    videos: int


@dataclass(frozen=True)
class Language:
    """A language that is spoken.

    Args:
        code: ISO 639-1.
        videos: in how many videos.
    """

    code: str
    videos: int


@dataclass(frozen=True)
class Folders:
    """What lists can be filtered by.

    Args:
        folders: by name, empty ones on disk among them.
        unlabeled: how many videos are in none.
        offline: how many videos have no file.
        failed: how many could not be embedded.
        languages: the most frequent one first.
        version: of the table.
    """

    folders: list[Folder]
    unlabeled: int
    offline: int
    failed: int
    languages: list[Language]
    version: int


def filters_of(*, folder: tuple[str, ...], offline: bool, failed: bool, **others: Any) -> Filters:
    """Make filters of the values of `FILTERS`.

    Raises:
        ApiError: no video can fulfil them.
    """
    if folder and others["unlabeled"]:
        raise ApiError(400, "folder and unlabeled: no video is in a folder and in none")
    return Filters(Filter(label=folder or None, **others), offline, failed)


def list_videos(site: Site, *, order: Order, offset: int, limit: int, **values: Any) -> VideoList:
    """List the videos that filters leave."""
    overview = site.overview()
    filters = filters_of(**values)
    part = slice(offset, offset + limit)
    if filters.failed:
        videos = failed_videos(site, filters, order)
        return VideoList(len(videos), offset, videos[part], overview.version)
    chosen = overview.select(filters, order)
    return VideoList(len(chosen), offset, site.videos(overview, chosen[part]), overview.version)


def show_video(site: Site, *, key: str) -> VideoDetails:
    """Show one video."""
    overview = site.overview()
    if key not in overview.place_of_key:
        failed = [video for video in failed_videos(site, Filters(failed=True)) if video.key == key]
        if failed:
            return VideoDetails(failed[0], [], None, [], [], overview.version)
    overview, place = site.place_of(key)
    assert overview.snapshot is not None
    columns = ["segments", "frame_times", *{"translation"} & overview.snapshot.columns]
    rows, _ = overview.snapshot.take(overview.row_ids([place]), columns)
    copies = overview.places_of_content[overview.contents[place]]
    others = [other for other in copies if other != place]
    (row,) = rows.to_pylist()
    first, *same = site.videos(overview, [place, *others[:MOST_ROWS]])
    english = row.get("translation")
    return VideoDetails(
        site.look_at(first),
        row["segments"],
        english and " ".join(segment["text"] for segment in english),
        row["frame_times"],
        same,
        overview.version,
    )


def list_folders(site: Site) -> Folders:
    """List folders and languages."""
    overview = site.overview()
    counts = dict.fromkeys(site.project.folders(), 0)
    counts |= {name: videos for name, videos in overview.folders.items() if name is not None}
    spoken = {code: videos for code, videos in overview.languages.items() if code is not None}
    return Folders(
        [Folder(name, videos) for name, videos in sorted(counts.items(), key=_by_name)],
        overview.folders.get(None, 0),
        overview.offline,
        len(site.project.store.failures()),
        [Language(*each) for each in sorted(spoken.items(), key=lambda each: (-each[1], each[0]))],
        overview.version,
    )


def _by_name(counted: tuple[str, int]) -> Any:
    return natural(counted[0])


ROUTES = (
    Route(
        "GET",
        "/api/videos",
        "videos, a page at a time",
        list_videos,
        query={
            **FILTERS,
            "order": Parameter(
                routes.choice("path", "new", "long"), "path, new or long first", "path"
            ),
            **PAGE,
        },
    ),
    Route(
        "GET",
        "/api/videos/{key}",
        "one video, with its transcript, its copies and how it plays",
        show_video,
        lane="files",
    ),
    Route("GET", "/api/folders", "folders and languages, with how many videos each", list_folders),
)
