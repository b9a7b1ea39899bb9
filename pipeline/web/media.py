"""Videos as a player takes them: parts of files, by byte range, read in threads."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pipeline.web.answers import ApiError, failed

if TYPE_CHECKING:
    from starlette.responses import Response

    from pipeline.web.pool import Pool

CHUNK_BYTES = 1 << 18

TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/mp4",  # the same boxes; Chromium refuses what is called QuickTime
    ".mkv": "video/webm",  # likewise Matroska
    ".webm": "video/webm",
}
OTHER_TYPE = "application/octet-stream"

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})\Z")


@dataclass(frozen=True)
class OpenFile:
    """A regular file, open to be read.

    Args:
        stream: its bytes.
        size: how many there are.
        mtime_ns: modification time.
    """

    stream: IO[bytes]
    size: int
    mtime_ns: int

    @property
    def etag(self) -> str:
        """Another one where the file is another one."""
        return f'"{self.size:x}-{self.mtime_ns:x}"'


def locate(root: Path, path: str) -> Path:
    """Find the file of a row, and make sure that it is below the collection's folder.

    Args:
        root: the collection's folder.
        path: of the row.

    Raises:
        ApiError: it is not there, or links lead out of the folder.
    """
    real_root = os.path.realpath(root)
    try:
        real = os.path.realpath(os.path.join(real_root, path), strict=True)
    except OSError as error:
        raise ApiError(404, f"the file is not there: {error.strerror}") from error
    if os.path.commonpath((real, real_root)) != real_root:
        raise ApiError(403, "a link leads out of the collection, and nothing there is shown")
    return Path(real)


def locate_file(root: Path, path: str) -> Path:
    """Find the file of a row, as `locate` does, and make sure that it is a regular one.

    A pipe of that name would keep whoever opens it waiting.

    Raises:
        ApiError: as of `locate`, or it is something else.
    """
    location = locate(root, path)
    if not location.is_file():
        raise ApiError(404, "it is no regular file")
    return location


def open_file(location: Path) -> OpenFile:
    """Open a file to be sent.

    Raises:
        ApiError: it cannot be read, or is no regular file.
    """
    try:
        descriptor = os.open(location, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _NO_FOLLOW)
    except OSError as error:
        raise ApiError(404, f"the file cannot be read: {error.strerror}") from error
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        os.close(descriptor)
        raise ApiError(404, "it is no regular file")
    return OpenFile(os.fdopen(descriptor, "rb", buffering=0), facts.st_size, facts.st_mtime_ns)


async def send_file(
    pool: Pool, location: Path, kind: str, headers: dict[str, str], asked: str | None, *, head: bool
) -> Response:
    """Make the response of a file, or of the one range of it that was asked for.

    Several ranges in one request, which no player asks for, are refused: thousands of them would
    cost far more than they bring.

    Args:
        pool: threads that read it.
        location: the file.
        kind: its content type.
        headers: more headers.
        asked: the `Range` header.
        head: whether only headers are wanted.

    Raises:
        ApiError: it cannot be read.
    """
    from starlette.responses import Response, StreamingResponse

    file = await pool.run(lambda: open_file(location))
    span = _span(asked, file.size)
    if span is None:
        file.stream.close()
        refused = failed(416, "ask for one range of bytes that the file has")
        refused.headers["content-range"] = f"bytes */{file.size}"
        return refused
    start, end = span
    headers = {
        **headers,
        "accept-ranges": "bytes",
        "content-length": str(end - start),
        "content-type": kind,
        "etag": file.etag,
        "last-modified": formatdate(file.mtime_ns / 1e9, usegmt=True),
    }
    if asked is not None:
        headers["content-range"] = f"bytes {start}-{end - 1}/{file.size}"
    status = 200 if asked is None else 206
    if head:
        file.stream.close()
        return Response(None, status, headers)
    return StreamingResponse(_chunks(pool, file.stream, start, end), status, headers)


async def _chunks(pool: Pool, stream: IO[bytes], start: int, end: int) -> AsyncIterator[bytes]:
    with stream:
        await pool.run(lambda: stream.seek(start))
        left = end - start
        while left:
            wanted = min(left, CHUNK_BYTES)
            chunk = await pool.run(lambda wanted=wanted: stream.read(wanted))  # type: ignore[misc]
            if not chunk:  # it became shorter: the connection ends, and the player asks again
                return
            left -= len(chunk)
            yield chunk


def _span(asked: str | None, size: int) -> tuple[int, int] | None:
    """Start and end of what to send; None where it is not one range that the file has."""
    if asked is None:
        return 0, size
    found = _RANGE.match(asked.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
    return (start, end) if start < end else None


_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
