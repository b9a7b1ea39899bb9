"""Open pages are told of every change, whoever makes it; streams end with the page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any

from store.table.store import Store
from tests.support.api import SECONDS, Client, open_page
from tests.support.projects import UserProject


@contextmanager
def stream(page: Client) -> Iterator[HTTPResponse]:
    connection = HTTPConnection("127.0.0.1", page.port, timeout=SECONDS)
    with closing(connection):
        connection.request("GET", "/api/events")
        with connection.getresponse() as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield answer


def events(answer: HTTPResponse) -> Iterator[dict[str, Any]]:
    for line in answer:
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))


def test_the_version_is_told_whoever_writes(own_page: Client, own: UserProject) -> None:
    with stream(own_page) as answer:
        told = events(answer)
        first = next(told)
        assert first == {"version": own_page.get("/api/videos")["version"], "model": "not loaded"}
        with Store.open(str(own.store), writer=True) as store:
            store.remove(["new-0.mp4"])
        assert next(told)["version"] > first["version"]


def test_the_status_is_told_once_somebody_has_asked_for_it(own_page: Client) -> None:
    status = own_page.get("/api/status")
    with stream(own_page) as answer:
        assert next(events(answer))["status"] == status
        moved = own_page.post("/api/moves", keys=[own_page.key("new-0.mp4")], folder="cats")
        later = next(
            event["status"] for event in events(answer) if event.get("status", status) != status
        )
        assert later["undo"]["batch"] == moved["batch"]


def test_open_streams_end_with_the_page(own: UserProject) -> None:
    with ExitStack() as streams:
        with open_page(own) as page:
            answers = [streams.enter_context(stream(page)) for _ in range(3)]
            for answer in answers:
                next(events(answer))
        for answer in answers:
            assert list(events(answer)) == []  # ended, and not cut off
