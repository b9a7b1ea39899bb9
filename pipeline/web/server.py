"""The server: one process, one event loop, until it is stopped."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from pipeline.errors import PipelineError
from pipeline.web.app import make_app
from pipeline.web.events import Events
from pipeline.web.guard import Door, make_door

if TYPE_CHECKING:
    from pipeline.web.site import Site

# Streams and videos in hand are cut off at the end, which is no error.
logging.getLogger("uvicorn.error").addFilter(lambda record: "Cancel " not in str(record.msg))

LAST_PORT = 65535

LAST_ANSWER_SECONDS = 1
"""Time for which answers in hand are waited for when the server ends."""


class Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: the command has handlers of its own."""
        yield


class Page:
    """A page at an address. It is bound when this is made.

    Args:
        site: what is served.
        host: name or address to bind.
        port: to bind; 0 for any that is free.

    Raises:
        PipelineError: the address cannot be bound.
    """

    def __init__(self, site: Site, host: str, port: int) -> None:
        self._socket = bind(host, port)
        self.port: int = self._socket.getsockname()[1]
        self.door = make_door(host, self.port, {socket.gethostname(), socket.getfqdn()})
        self._events = Events(site)
        self._host = host
        config = uvicorn.Config(
            make_app(site, self.door, self._events),
            http="h11",
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=LAST_ANSWER_SECONDS,
        )
        self._server = Server(config)

    @property
    def url(self) -> str:
        """What to open, with the token where one is needed."""
        return address_of(self.door, self._host)

    def run(self) -> None:
        """Serve until `stop`.

        Raises:
            BaseException: of a bug that is not one request's.
        """
        asyncio.run(self._run())

    def stop(self) -> None:
        """End the server. Safe in any thread and in a signal handler."""
        self._server.should_exit = True
        self._events.end()

    async def _run(self) -> None:
        looking = asyncio.create_task(self._events.run())
        looking.add_done_callback(lambda _: self.stop())  # a bug there stops the server
        await self._server.serve(sockets=[self._socket])
        await looking


def bind(host: str, port: int) -> socket.socket:
    """Bind an address.

    Raises:
        PipelineError: another program has the port, or there is no such address here.
    """
    if not 0 <= port <= LAST_PORT:
        raise PipelineError(f"--port {port}: a port is a number from 0 to {LAST_PORT}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PipelineError(
                f"port {port} is taken, perhaps by another `web`: open http://{host}:{port}/, or"
                " take another port with --port"
            ) from error
        raise PipelineError(f"{host} port {port}: {error.strerror}; see --host, --port") from error


def address_of(door: Door, host: str) -> str:
    """Write the link to a page: to this machine where every address is bound."""
    if host in ("0.0.0.0", "::", ""):
        host = socket.gethostname()
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{door.port}/" + (f"?token={door.token}" if door.token else "")
