"""The application: routes to answers, behind the guard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route as Address

from pipeline.errors import VideoError
from pipeline.web import failures, moves, plane, review, search, state, suggestions, videos
from pipeline.web.answers import ApiError, NotReadyError, answer, failed, failed_with
from pipeline.web.assets import START, Assets
from pipeline.web.guard import Guard, TooLargeError
from pipeline.web.media import OTHER_TYPE, TYPES, locate_file, send_file
from pipeline.web.routes import Route, describe, read_body, read_query
from pipeline.web.thumbs import Thumbs

if TYPE_CHECKING:
    from pipeline.web.events import Events
    from pipeline.web.guard import Door
    from pipeline.web.pool import Pool
    from pipeline.web.records import Video
    from pipeline.web.site import Site

VERSION = 1
"""Version of the API: raised where an answer changes so that clients have to change, too."""

PREVIEW_SECONDS = 2.0  # for which a player waits for a preview
LOOKS = 20  # at a preview that is being made, in that time

FOR_EVER = "private, max-age=31536000, immutable"

ROUTES: tuple[Route, ...] = (
    *videos.ROUTES,
    *search.ROUTES,
    *suggestions.ROUTES,
    *moves.ROUTES,
    *review.ROUTES,
    *plane.ROUTES,
    *state.ROUTES,
    *failures.ROUTES,
)

BINARY = (
    {
        "method": "POST",
        "path": "/api/pictures",
        "text": "takes a picture as it is, at most 10 MB; gives `picture`, to search with",
    },
    {
        "method": "GET",
        "path": "/api/events",
        "text": "server-sent events: version, model and status as they change",
    },
    {"method": "GET", "path": "/thumb/{content}", "text": "the thumbnail of a content, a JPEG"},
    {"method": "GET", "path": "/media/{key}", "text": "the video, or its preview; by byte range"},
)


def make_app(site: Site, door: Door, events: Events) -> Guard:
    """Make the application of a page.

    Args:
        site: what it shows.
        events: what changes.
        door: who may ask.
    """
    assets, thumbs = Assets(), Thumbs(site)
    paths = [_path(site, route) for route in ROUTES]
    paths += [
        _get("/api", lambda _: _described()),
        _get("/", lambda request: _asset(assets, START, request)),
        _get(
            "/assets/{name:path}", lambda request: _asset(assets, _part(request, "name"), request)
        ),
        Address(
            "/api/pictures", _caught(lambda request: _picture(site, request)), methods=["POST"]
        ),
        _get("/api/events", lambda _: _events(events)),
        _get("/thumb/{content}", lambda request: _thumb(thumbs, request)),
        _get("/media/{key}", lambda request: _media(site, request)),
    ]
    handlers: Any = {HTTPException: _refused, Exception: _bug}
    app = Starlette(routes=paths, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Guard(app, door)


Handler = Callable[[Request], Awaitable[Response]]


def _get(path: str, handler: Handler) -> Address:
    return Address(path, _caught(handler), methods=["GET"])


def _path(site: Site, route: Route) -> Address:
    async def handle(request: Request) -> Response:
        values = read_query(route, request.query_params.multi_items())
        if route.method not in ("GET", "HEAD"):
            values |= read_body(route, await request.body())
        call = partial(route.call, site, **request.path_params, **values)
        lane = route.lane(values) if callable(route.lane) else route.lane
        pool: Pool = getattr(site.threads, lane)
        return answer(await pool.run(call))

    return Address(route.path, _caught(handle), methods=[route.method])


def _caught(handler: Handler) -> Handler:
    """Turn exceptions into answers."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except TooLargeError as error:
            return failed(413, str(error))
        except Exception as error:  # noqa: BLE001 - a bug is logged and answered
            return failed_with(error)

    return handle


async def _described() -> Response:
    return answer({"api": VERSION, "routes": [*map(describe, ROUTES), *BINARY]})


async def _asset(assets: Assets, name: str, request: Request) -> Response:
    headers = request.headers
    return assets.get(name, headers.get("if-none-match"), headers.get("accept-encoding", ""))


async def _picture(site: Site, request: Request) -> Response:
    content = await request.body()  # the guard counts its bytes
    pictures = site.finder.pictures
    return answer({"picture": await site.threads.files.run(lambda: pictures.add(content))})


async def _events(events: Events) -> Response:
    headers = {"cache-control": "no-store"}
    return StreamingResponse(events.stream(), 200, headers, "text/event-stream")


async def _thumb(thumbs: Thumbs, request: Request) -> Response:
    jpeg = await thumbs.get(_part(request, "content"))
    return Response(jpeg, 200, {"cache-control": FOR_EVER}, "image/jpeg")


async def _media(site: Site, request: Request) -> Response:
    files = site.threads.files
    video = await site.threads.store.run(lambda: _video_of(site, _part(request, "key")))
    location = await files.run(lambda: locate_file(site.project.collection.root, video.path))
    try:
        kind = await files.run(lambda: site.previews.kind(video.content, location))
    except VideoError as error:
        raise ApiError(415, f"this file does not play: {error.reason}") from error
    if kind == "preview":
        location = await _preview(site, video, location)
    return await send_file(
        files,
        location,
        TYPES.get(location.suffix.lower(), OTHER_TYPE),
        {"cache-control": "private, no-cache", "x-media": kind},
        request.headers.get("range"),
        head=request.method == "HEAD",
    )


async def _preview(site: Site, video: Video, location: Path) -> Path:
    """Give a preview; wait a while for one that is not made yet: most take less."""
    for _ in range(LOOKS):
        made = await site.threads.files.run(
            lambda: site.previews.get(video.content, location, video.seconds)
        )
        if made is not None:
            return made
        await asyncio.sleep(PREVIEW_SECONDS / LOOKS)
    raise NotReadyError(site.previews.progress(video.content))


def _video_of(site: Site, key: str) -> Video:
    overview, place = site.place_of(key, at_hand=True)
    return site.videos(overview, [place])[0]


def _part(request: Request, name: str) -> str:
    return str(request.path_params[name])


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known = {404: "there is no such address; GET /api lists them", 405: "not by this method"}
    return failed(error.status_code, known.get(error.status_code, str(error.detail)))


async def _bug(_: Request, error: Exception) -> Response:
    return failed_with(error)
