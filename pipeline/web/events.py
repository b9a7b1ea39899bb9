"""What changes, told to every open page as server-sent events.

The table's version is looked at once a second: that sees every writer, also one in another process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.errors import PipelineError
from store.errors import StoreError

if TYPE_CHECKING:
    from pipeline.web.site import Site

LOOK_SECONDS = 1.0
QUIET_SECONDS = 15.0  # after which a comment shows that the stream still lives
MOST_WAITING = 16  # events of one stream whose reader does not read

log = logging.getLogger(__name__)


class Events:
    """Looks for changes while anybody listens, and keeps what is due in order.

    Args:
        site: what is looked at.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._listeners: set[asyncio.Queue[bytes | None]] = set()
        self._last: dict[str, Any] = {}
        self._ended = asyncio.Event()
        self._is_ended = False  # also before there is a loop
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self) -> None:
        """Look until `end`; for a task of the event loop."""
        self._loop = asyncio.get_running_loop()
        while not (self._is_ended or self._ended.is_set()):
            await self._look()
            await _wait(self._ended.wait(), LOOK_SECONDS)
        self._tell(None)

    def end(self) -> None:
        """End `run` and every stream. Safe in any thread."""
        self._is_ended = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ended.set)

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield what a new listener has to know, and then what changes."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(MOST_WAITING)
        self._listeners.add(queue)
        try:
            message: bytes | None = _message(self._last) if self._last else b": hello\n\n"
            while message is not None and not self._ended.is_set():
                yield message
                try:
                    message = await asyncio.wait_for(queue.get(), QUIET_SECONDS)
                except TimeoutError:
                    message = b": still here\n\n"
        finally:
            self._listeners.discard(queue)

    async def _look(self) -> None:
        try:
            self._site.moved.keep_in_order()
            if not self._listeners:
                self._last = {}
                return
            now = await self._site.threads.store.run(self._site.look)
        except (PipelineError, StoreError) as error:
            log.warning("%s", error)  # the next look may see again
            return
        changed = {name: value for name, value in now.items() if self._last.get(name) != value}
        self._last = now
        if changed:
            self._tell(_message(changed))

    def _tell(self, message: bytes | None) -> None:
        """Give every stream a message, or None for its end; a full one loses its oldest."""
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(message)


def _message(facts: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(facts, option=orjson.OPT_NON_STR_KEYS) + b"\n\n"


async def _wait(event: Any, seconds: float) -> None:
    try:
        await asyncio.wait_for(event, seconds)
    except TimeoutError:
        return
