"""Thumbnails by content: requests that come while one is read share the next read."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from pipeline.web.answers import ApiError

if TYPE_CHECKING:
    from pipeline.web.site import Site

KEPT = 2_000  # about 6 KB each
MOST_AT_ONCE = 200


class Thumbs:
    """Reads thumbnails, many at a time, and keeps the last ones.

    A grid asks for each of its pictures by itself; one read of the table for each would take as
    many milliseconds as there are pictures.

    Args:
        site: whose rows they belong to.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._wanted: dict[str, asyncio.Future[bytes | None]] = {}
        self._reader: asyncio.Task[None] | None = None

    async def get(self, content: str) -> bytes:
        """Give the JPEG of a content. For the event loop.

        Raises:
            ApiError: no row has this content, or it has no picture.
            StoreError: the store cannot be read.
        """
        if content in self._kept:
            self._kept.move_to_end(content)
            return self._kept[content]
        future = self._wanted.get(content)
        if future is None:
            future = self._wanted[content] = asyncio.get_running_loop().create_future()
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read())
        jpeg = await asyncio.shield(future)
        if not jpeg:
            raise ApiError(404, "no video in the store has this thumbnail any more")
        return jpeg

    async def _read(self) -> None:
        while self._wanted:
            batch = dict(list(self._wanted.items())[:MOST_AT_ONCE])
            for content in batch:
                del self._wanted[content]
            try:
                found = await self._site.threads.store.run(lambda batch=batch: self._look(batch))  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001 - raised where each is waited for
                for future in batch.values():
                    future.set_exception(error)
                continue
            for content, future in batch.items():
                future.set_result(found.get(content))
            self._kept.update((content, jpeg) for content, jpeg in found.items() if jpeg)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def _look(self, contents: dict[str, asyncio.Future[bytes | None]]) -> dict[str, bytes]:
        overview = self._site.overview()
        places = {
            c: overview.places_of_content[c][0] for c in contents if c in overview.places_of_content
        }
        if not places or overview.snapshot is None:
            return {}
        ids = np.sort(overview.row_ids(list(places.values())))
        rows, _ = overview.snapshot.take(ids, ["content_hash", "thumbnail"])
        columns = (rows.column(name).to_pylist() for name in ("content_hash", "thumbnail"))
        return dict(zip(*columns, strict=True))
