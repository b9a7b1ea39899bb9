"""The door: who may ask, checked on raw headers before anything else looks at a request.

A page that serves a private collection on a port of this machine can be reached by every web page
that its owner opens. What keeps those out:

- the `Host` header has to be one of ours, so that no other name can be bound to this address (DNS
  rebinding);
- an `Origin` has to be ours, and what a foreign page asks the browser to fetch is refused by
  `Sec-Fetch-Site`; there is no CORS header;
- a body is JSON, which a foreign form cannot send, or a picture, and has a limit;
- at another address than loopback every request needs a token.

Answers carry headers by which a browser loads nothing from elsewhere, and shows the page in no
other page.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from pipeline.web.answers import failed

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

READ_METHODS = frozenset({"GET", "HEAD"})
JSON_BYTES = 8 << 20  # the keys of 300,000 videos
PICTURE_BYTES = 10 << 20
PICTURES = "/api/pictures"
TOKEN_BYTES = 24

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
_LENGTH = re.compile("[0-9]{1,15}")
_RAW_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


@dataclass(frozen=True)
class Door:
    """Where the page is served, and what is asked of those who come.

    Args:
        port: of the address.
        names: host names that are ours, in lower case and without a port.
        any_address: whether a bare IP address is ours, too: no name can be bound to one.
        token: what requests have to carry; None where only this machine can reach the page.
    """

    port: int
    names: frozenset[str]
    any_address: bool = False
    token: str | None = field(default=None, repr=False)

    @property
    def cookie(self) -> str:
        """Name of the cookie with the token; browsers share cookies between ports."""
        return f"video-vectors-{self.port}"

    def is_ours(self, host: str) -> bool:
        """Whether a `Host` header, or the part of an origin behind `http://`, names this page."""
        name, bracket, rest = host.lower().rpartition("]")
        if bracket:
            name, port = f"{name}]", rest.removeprefix(":") if rest else ""
        else:
            name, _, port = host.lower().partition(":")
        if port != str(self.port) and not (port == "" and self.port == 80):
            return False
        return name in self.names or (self.any_address and _is_address(name))

    def has_token(self, given: str | None) -> bool:
        """Whether this is the token, compared in constant time."""
        if self.token is None:
            return True
        return given is not None and secrets.compare_digest(given.encode(), self.token.encode())


def make_door(host: str, port: int, names: Iterable[str]) -> Door:
    """Make the door of an address; any but loopback gets a random token.

    Args:
        host: the address that is bound, as a person wrote it.
        port: that is bound.
        names: of this machine, by which others reach it.
    """
    local = {"localhost", "127.0.0.1", "[::1]"}
    if is_loopback(host):
        return Door(port, frozenset(local | {_bracketed(host.lower())}))
    ours = {_bracketed(name.lower()) for name in (host, *names) if name}
    token = secrets.token_urlsafe(TOKEN_BYTES)
    return Door(port, frozenset(local | ours), any_address=True, token=token)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """Refuses what is not allowed, and adds the headers of safety to every answer.

    Args:
        app: what is guarded.
        door: the rules.
    """

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} is served here")
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value)
        request = _Request(scope["method"], scope["path"], scope["query_string"], headers)
        refused = self._refusal(request)
        app = self.app if refused is None else failed(*refused)
        if refused is None and self._door.token is not None and request.token_in_link is not None:
            app = self._welcome()
        await app(scope, _limited(receive, request), _safe(send))

    def _refusal(self, request: _Request) -> tuple[int, str] | None:
        """Status and sentence for a request that is refused; None for one that is allowed."""
        door = self._door
        hosts = request.all("host")
        if len(hosts) != 1 or not door.is_ours(hosts[0]):
            return 421, "this page answers to its own address only; open the one that `web` printed"
        if not _is_own_origin(request, door):
            return 403, "a page of another origin asked for this, and only this page may"
        if not (door.has_token(request.token_in_link) or door.has_token(request.cookie(door))):
            return 401, "open the link with the token that `web` printed when it started"
        if request.method in READ_METHODS:
            return None
        return _body_refusal(request)

    def _welcome(self) -> ASGIApp:
        """Keep the token of the link in a cookie, and take it out of the address."""
        from starlette.responses import RedirectResponse

        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            self._door.cookie, self._door.token or "", httponly=True, samesite="strict", path="/"
        )
        return answer


@dataclass(frozen=True)
class _Request:
    """The parts of a request that the rules look at."""

    method: str
    path: str
    query: bytes
    headers: dict[bytes, list[bytes]]

    def all(self, name: str) -> list[str]:
        return [value.decode("latin-1") for value in self.headers.get(name.encode(), [])]

    def one(self, name: str) -> str | None:
        """A header's value; of several the last, which is none that an attacker could add to."""
        values = self.all(name)
        return values[-1] if values else None

    @property
    def token_in_link(self) -> str | None:
        """The token of the link that `web` printed, which leads to the start page."""
        if self.path != "/" or self.method not in READ_METHODS:
            return None
        return parse_qs(self.query.decode("latin-1")).get("token", [None])[0]

    def cookie(self, door: Door) -> str | None:
        for header in self.all("cookie"):
            try:
                found = SimpleCookie(header).get(door.cookie)
            except CookieError:
                continue
            if found is not None:
                return found.value
        return None

    @property
    def most_bytes(self) -> int:
        return PICTURE_BYTES if self.path == PICTURES else JSON_BYTES


def _is_own_origin(request: _Request, door: Door) -> bool:
    origins, site = request.all("origin"), request.one("sec-fetch-site")
    if any(not _is_our_origin(origin, door) for origin in origins):
        return False
    if request.method not in READ_METHODS:
        # Browsers send no Sec-Fetch-Site to a plain http address that is not this machine's own.
        is_plain = site is None and (not origins or door.token is not None)
        return site == "same-origin" or is_plain
    # A link from elsewhere may open the page; nothing else may be fetched from there.
    is_opened = request.one("sec-fetch-mode") == "navigate" and request.path == "/"
    return site in (None, "same-origin", "none") or is_opened


def _is_our_origin(origin: str, door: Door) -> bool:
    scheme, slashes, host = origin.partition("://")
    return scheme == "http" and bool(slashes) and door.is_ours(host)


def _body_refusal(request: _Request) -> tuple[int, str] | None:
    kind = (request.one("content-type") or "").partition(";")[0].strip().lower()
    if request.path == PICTURES:
        if kind and not (kind.startswith("image/") or kind == "application/octet-stream"):
            return 415, "send a picture as it is, with its own content type"
    elif kind != "application/json":
        return 415, "send JSON, with the content type application/json"
    length = request.one("content-length")
    if length is not None and (not _LENGTH.fullmatch(length) or int(length) > request.most_bytes):
        return 413, f"the body is larger than {request.most_bytes >> 20} MB"
    return None


class TooLargeError(Exception):
    """A body that grows beyond its limit; it has said nothing, or less, of its length."""


def _limited(receive: Receive, request: _Request) -> Receive:
    """Count the bytes of a body as they come, whatever its header said."""
    left = request.most_bytes

    async def limited() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise TooLargeError(f"the body is larger than {request.most_bytes >> 20} MB")
        return message

    return limited


def _safe(send: Send) -> Send:
    async def safe(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name for name, _ in _RAW_HEADERS}
            kept = [pair for pair in message.get("headers", []) if pair[0] not in names]
            message = {**message, "headers": [*kept, *_RAW_HEADERS]}
        await send(message)

    return safe


def _is_address(name: str) -> bool:
    try:
        ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
