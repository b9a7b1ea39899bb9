"""No address of the application is open: each is asked, also one that comes to be later."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.web.app import make_app
from pipeline.web.guard import HEADERS, make_door
from tests.support.api import Client, open_page
from tests.support.projects import UserProject

NOBODY: Any = None  # no request comes so far that it is asked
APP: Any = make_app(NOBODY, make_door("127.0.0.1", 1, []), NOBODY).app
ADDRESSES = sorted(
    (method, re.sub("{.*?}", "x", route.path))
    for route in APP.routes
    for method in route.methods or ()
)
FOREIGN = (
    {"host": "rebound.example:80"},
    {"origin": "http://elsewhere.example"},
    {"origin": "null"},
    {"sec_fetch_site": "cross-site"},
)


@pytest.fixture(scope="module")
def public(shown: UserProject) -> Iterator[Client]:
    """A page at every address of this machine, so that it asks for a token."""
    with open_page(shown, host="0.0.0.0") as page:
        yield page


def test_the_addresses_are_those_that_are_documented(page: Client) -> None:
    described = {(each["method"], each["path"]) for each in page.get("/api")["routes"]}
    ours = {(method, re.sub("{.*?}", "x", path)) for method, path in described}
    pages = {("GET", "/"), ("GET", "/assets/x"), ("GET", "/api")}
    heads = {("HEAD", path) for _, path in ours | pages}
    assert set(ADDRESSES) - heads == ours | pages


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_the_token_is_asked_for_at_every_address(public: Client, method: str, path: str) -> None:
    answer = public.send(method, path, b"{}", content_type="application/json")
    assert answer.status == 401
    assert answer.headers.items() >= HEADERS.items()
    cookie = f"video-vectors-{public.port}=wrong"
    assert public.send(method, path, b"{}", cookie=cookie).status == 401


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
@pytest.mark.parametrize("headers", FOREIGN, ids=lambda headers: " ".join(headers))
def test_a_foreign_page_is_refused_at_every_address(
    page: Client, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = page.send(method, path, b"{}", content_type="application/json", **headers)
    assert answer.status in (403, 421)
    assert answer.headers.items() >= HEADERS.items()
    assert not [name for name in answer.headers if name.startswith("access-control")]
