"""The page's own files, from the package."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from pipeline.web.answers import failed

if TYPE_CHECKING:
    from starlette.responses import Response

START = "index.html"
SHARED = {"map.js": ("pipeline.plot", "map.js")}
"""Files of other packages that the page uses, too."""

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "ico": "image/x-icon",
    "json": "application/json",
    "webmanifest": "application/manifest+json",
}


class Assets:
    """The files that are there at the start; no name from a request ever becomes a path."""

    def __init__(self) -> None:
        self._files = dict(_listed(files("pipeline.web").joinpath("assets"), ""))
        for name, (package, file) in SHARED.items():
            shared = files(package).joinpath(file)
            if shared.is_file():
                self._files.setdefault(name, shared)

    def get(self, name: str, known: str | None, encodings: str) -> Response:
        """Make the response of a file.

        Args:
            name: of the file.
            known: the `If-None-Match` header: what the browser has.
            encodings: the `Accept-Encoding` header; a file goes out compressed where it may.
        """
        from starlette.responses import Response

        file = self._files.get(name)
        if file is None:
            return failed(404, "there is no such file of the page")
        content = file.read_bytes()  # of the disk: who works on the page sees what changes
        etag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
        headers = {"etag": etag, "cache-control": "no-cache", "vary": "accept-encoding"}
        if known == etag:
            return Response(None, 304, headers)
        kind = TYPES.get(name.rpartition(".")[2], "application/octet-stream")
        if "gzip" in encodings:
            content = gzip.compress(content, mtime=0)
            headers["content-encoding"] = "gzip"
        return Response(content, 200, {**headers, "content-type": kind})


def _listed(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _listed(entry, f"{prefix}{entry.name}/")
        elif entry.name.rpartition(".")[2] in TYPES:
            yield f"{prefix}{entry.name}", entry
