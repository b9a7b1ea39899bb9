"""A page served inside the test, and a plain client of its API: `http.client`, no browser."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

import pytest

from pipeline import load_settings
from pipeline.project import Project
from pipeline.web import events
from pipeline.web.server import Page
from pipeline.web.site import Site
from tests.support.projects import UserProject, eventually

SECONDS = 60.0  # of one request: other work may run on the machine
SOON_SECONDS = 0.1  # between two looks for changes, which tests wait for


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.content)


@dataclass(frozen=True)
class Client:
    """Asks a page, as any program would."""

    port: int
    site: Site
    headers: Mapping[str, str]

    def send(
        self, method: str, path: str, body: bytes | None = None, **headers: str | None
    ) -> Answer:
        """One request; a header that is None is left out, `_` in a name stands for `-`."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {**self.headers, **named}
        try:
            connection.putrequest(method, path, skip_host="host" in named)
            if body is not None:
                sent.setdefault("content-length", str(len(body)))
            for name, value in sent.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            content = answer.read()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, content)
        finally:
            connection.close()

    def get(self, path: str, **query: Any) -> Any:
        """A document; while it is not ready, it is asked for again."""

        def look() -> Answer | None:
            address = path + (f"?{urlencode(query, doseq=True)}" if query else "")
            answer = self.send("GET", address)
            return answer if answer.status != 202 else None

        answer = eventually(look, pause=0.05)
        assert answer.status == 200, answer.content
        return answer.document

    def post(self, path: str, *, method: str = "POST", **body: Any) -> Any:
        """The document of a change that is made."""
        answer = self.try_post(path, method=method, **body)
        assert answer.status == 200, answer.content
        return answer.document

    def try_post(self, path: str, *, method: str = "POST", **body: Any) -> Answer:
        """The answer to a change, whatever it is."""
        content = json.dumps(body).encode()
        return self.send(method, path, content, content_type="application/json")

    def key(self, path: str) -> str:
        """The key of a video that is in the store."""
        videos = self.get("/api/videos", limit=200)["videos"]
        (key,) = (video["key"] for video in videos if video["path"] == path)
        return str(key)

    def paths(self, **query: Any) -> list[str]:
        """The paths of the videos that filters leave."""
        return [video["path"] for video in self.get("/api/videos", limit=200, **query)["videos"]]


@contextmanager
def open_page(project: UserProject, *, host: str = "127.0.0.1") -> Iterator[Client]:
    """Serve a project in a thread; at another host the client has no token."""
    with (
        pytest.MonkeyPatch.context() as patch,
        Project.open(load_settings(project.config)) as opened,
        Site(opened) as site,
    ):
        patch.setattr(events, "LOOK_SECONDS", SOON_SECONDS)
        page = Page(site, host, 0)
        thread = threading.Thread(target=page.run)
        thread.start()
        try:
            yield Client(page.port, site, {})
        finally:
            page.stop()
            thread.join(SECONDS)
            assert not thread.is_alive(), "the server does not end"
