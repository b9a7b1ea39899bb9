"""Videos that could not be embedded: why, what to do, and another try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.errors import Stage
from pipeline.project import open_store
from pipeline.web.records import Failure, Filters, Order, Video, key_of, time_of
from pipeline.web.routes import Route
from pipeline.web.site import Site

if TYPE_CHECKING:
    from store.schema import FailedFile

HINTS = {
    Stage.READ: "See whether the file can be opened, and whether its drive is there.",
    Stage.DECODE: "See whether a player shows it; if not, copy it again from where it came from.",
    Stage.CRASH: "Reading it ended the process. It is skipped until the file changes, or a retry.",
}


def failed_videos(site: Site, filters: Filters, order: Order = "path") -> list[Video]:
    """List the videos that could not be embedded, of those that filters leave.

    Nothing is known of what is said in them, nor of their length.

    Raises:
        StoreError: the store cannot be read.
    """
    only = filters.only
    if filters.offline or {only.language, only.min_seconds, only.max_seconds} != {None}:
        return []
    videos = [describe_failed(each) for each in site.project.store.failures()]
    if only.label is not None:
        videos = [video for video in videos if video.folder in only.labels]
    if only.unlabeled:
        videos = [video for video in videos if video.folder is None]
    if only.since is not None:
        videos = [video for video in videos if video.modified_at >= only.since]
    if order == "new":
        videos.sort(key=lambda video: video.modified_at, reverse=True)
    return videos


def describe_failed(failed: FailedFile) -> Video:
    """Describe a video that could not be embedded, as lists have the others."""
    hint = HINTS.get(Stage(failed.stage)) if failed.stage in set(Stage) else None
    folder, slash, _ = failed.path.partition("/")
    return Video(
        key=key_of(failed.path),
        content=failed.content_hash or "",
        path=failed.path,
        name=failed.path.rpartition("/")[2],
        folder=folder if slash else None,
        modified_at=time_of(failed.mtime_ns),
        failure=Failure(failed.stage, failed.reason, hint, failed.failed_at, failed.attempts),
    )


def list_failures(site: Site) -> dict[str, Any]:
    """List what could not be embedded."""
    failed = failed_videos(site, Filters(failed=True))
    return {"failures": [{"path": each.path, **vars(each.failure)} for each in failed]}


def retry(site: Site) -> dict[str, Any]:
    """Forget failures, so that the next scan tries these videos again.

    Raises:
        StoreBusyError: a scan or a watch is writing the store.
    """
    with open_store(site.project.settings, writer=True) as store:
        forgotten = store.forget_failures()
    text = f"Forgot {forgotten} failures; the next scan tries these videos again."
    return {"forgotten": forgotten, "text": text}


ROUTES = (
    Route("GET", "/api/failures", "videos that could not be embedded, and why", list_failures),
    Route(
        "POST",
        "/api/failures/retry",
        "forgets failures, so that the next scan tries again",
        retry,
        lane="moves",
    ),
)
