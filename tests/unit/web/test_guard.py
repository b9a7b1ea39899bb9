"""Who may ask: every attack is refused at the door, and every answer carries the headers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipeline.web.guard import HEADERS, JSON_BYTES, Door, Guard, is_loopback, make_door

OURS = "127.0.0.1:8321"
LOCAL = make_door("127.0.0.1", 8321, [])
OPEN = make_door("0.0.0.0", 8321, ["desk.local"])


def ask(
    door: Door = LOCAL,
    method: str = "GET",
    path: str = "/api",
    query: str = "",
    chunks: tuple[bytes, ...] = (b"{}",),
    **headers: str | list[str] | None,
) -> tuple[int, dict[str, str]]:
    """Status and headers of an answer; what passes the door reads the body and is a 200."""
    given = {"host": OURS, **{name.replace("_", "-"): value for name, value in headers.items()}}
    raw = [
        (name.encode(), each.encode("latin-1"))
        for name, value in given.items()
        for each in ([value] if isinstance(value, str) else value or [])
    ]
    sent: list[Any] = []
    left = list(chunks)

    async def receive() -> Any:
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    async def send(message: Any) -> None:
        sent.append(message)

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(),
             "headers": raw}  # fmt: skip
    asyncio.run(Guard(behind, door)(scope, receive, send))
    start = sent[0]
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}


POST: dict[str, Any] = {"method": "POST", "path": "/api/moves", "content_type": "application/json"}


@pytest.mark.parametrize("host", [OURS, "localhost:8321", "LOCALHOST:8321", "[::1]:8321"])
def test_our_own_names_are_answered(host: str) -> None:
    assert ask(host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8321", "evil.example", "127.0.0.1", "127.0.0.1:80", "192.168.1.2:8321",
        "127.0.0.1.evil.example:8321", "localhost.evil.example:8321", "desk.local:8321", "",
        "127.0.0.1:8321@evil.example", "evil.example#127.0.0.1:8321", None, [OURS, OURS],
        [OURS, "evil.example"],
    ],
)  # fmt: skip
def test_a_name_that_somebody_bound_to_this_address_is_refused(host: Any) -> None:
    assert ask(host=host)[0] == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"https://{OURS}"},
        {"origin": "http://localhost:3000"},
        {"origin": [f"http://{OURS}", "http://evil.example"]},
        {"origin": "http://evil.example", "sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "method": "POST"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_what_a_foreign_page_asks_for_is_refused(method: str, headers: dict[str, Any]) -> None:
    wanted = {**POST, **headers, "method": method, "path": "/thumb/x"}
    assert ask(**wanted)[0] == 403


def test_a_change_needs_the_page_or_a_client_that_is_no_browser() -> None:
    assert ask(**POST)[0] == 200  # curl sends neither
    assert ask(**POST, origin=f"http://{OURS}", sec_fetch_site="same-origin")[0] == 200
    assert ask(**POST, origin=f"http://{OURS}")[0] == 403
    assert ask(**POST, sec_fetch_site="none")[0] == 403


def test_a_link_from_elsewhere_opens_the_page_and_nothing_else() -> None:
    opened = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    assert ask(path="/", **opened)[0] == 200
    assert ask(path="/media/x", **opened)[0] == 403
    assert ask(path="/", sec_fetch_site="cross-site", sec_fetch_mode="no-cors")[0] == 403


@pytest.mark.parametrize("kind", [None, "text/plain", "multipart/form-data", "application/jsonp"])
def test_a_body_that_a_form_can_send_is_refused(kind: str | None) -> None:
    assert ask(**{**POST, "content_type": kind})[0] == 415


def test_a_body_is_json_or_a_picture_and_has_a_limit() -> None:
    assert ask(**{**POST, "content_type": "Application/JSON; charset=utf-8"})[0] == 200
    picture = {**POST, "path": "/api/pictures"}
    assert ask(**{**picture, "content_type": "image/png"})[0] == 200
    assert ask(**{**picture, "content_type": "application/json"})[0] == 415
    assert ask(**POST, content_length=str(JSON_BYTES + 1))[0] == 413
    for length in ("-1", "1e3", "\xb2", "9" * 5000):
        assert ask(**POST, content_length=length)[0] == 413


def test_a_body_that_says_nothing_of_its_length_is_counted() -> None:
    from pipeline.web.guard import TooLargeError

    with pytest.raises(TooLargeError):
        ask(**POST, chunks=(bytes(JSON_BYTES), b"1"))


@pytest.mark.parametrize("status", [200, 401, 403, 413, 415, 421])
def test_every_answer_has_the_headers_of_safety_and_none_of_cors(status: int) -> None:
    asked: dict[int, dict[str, Any]] = {
        200: {}, 401: {"door": OPEN}, 403: {"origin": "null"}, 415: {"method": "POST"},
        413: {**POST, "content_length": "99999999999"}, 421: {"host": "evil.example"},
    }  # fmt: skip
    answered, headers = ask(**asked[status])
    assert answered == status
    assert headers.items() >= HEADERS.items()
    assert not [name for name in headers if name.startswith("access-control")]


def test_the_policy_names_no_source_but_ourselves() -> None:
    directives = dict(
        directive.strip().split(" ", 1)
        for directive in HEADERS["content-security-policy"].split(";")
    )
    assert set(directives.values()) == {"'self'", "'none'"}
    assert directives["default-src"] == directives["frame-ancestors"] == "'none'"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_alone_needs_no_token(host: str) -> None:
    assert is_loopback(host)
    assert make_door(host, 1, []).token is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "desk.local", ""])
def test_at_any_other_address_a_token_is_needed(host: str) -> None:
    assert not is_loopback(host)
    one, other = (make_door(host, 8321, []) for _ in range(2))
    assert one.token != other.token
    assert len(one.token or "") >= 32


@pytest.mark.parametrize("path", ["/", "/api", "/assets/app.js", "/thumb/x", "/media/x"])
@pytest.mark.parametrize("token", [None, "", "wrong", "é", "a" * 10_000])
def test_without_the_token_nothing_is_shown(path: str, token: str | None) -> None:
    cookie = None if token is None else f"{OPEN.cookie}={token}"
    assert ask(OPEN, path=path, host="192.168.1.2:8321", cookie=cookie)[0] == 401
    assert ask(OPEN, path=path, host="192.168.1.2:8321", query=f"token={token}")[0] == 401


def test_the_link_gives_a_cookie_that_opens_everything() -> None:
    status, headers = ask(OPEN, path="/", host="desk.local:8321", query=f"token={OPEN.token}")
    assert (status, headers["location"]) == (303, "/")
    cookie, *attributes = headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(attributes)
    for path in ("/", "/api/videos", "/media/x", "/api/events"):
        assert ask(OPEN, path=path, host="desk.local:8321", cookie=f"other=1; {cookie}")[0] == 200
    # Only the start page takes the token from the address.
    assert ask(OPEN, path="/api", host="desk.local:8321", query=f"token={OPEN.token}")[0] == 401
    # A browser sends no Sec-Fetch-Site to such an address.
    origin = "http://desk.local:8321"
    assert ask(OPEN, **POST, host="desk.local:8321", cookie=cookie, origin=origin)[0] == 200
    evil = "http://evil.example:8321"
    assert ask(OPEN, **POST, host="desk.local:8321", cookie=cookie, origin=evil)[0] == 403
    assert ask(OPEN, path="/", host="evil.example:8321", cookie=cookie)[0] == 421


def test_the_token_is_in_no_text_of_the_door() -> None:
    assert OPEN.token
    assert OPEN.token not in repr(OPEN)
