"""A model hub on this machine, as far as huggingface_hub asks it: what there is, and files."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import close_session, constants

from pipeline.config import load
from pipeline.settings import Settings

TEMPLATE = "/{repo_id}/resolve/{revision}/{filename}"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves folders as repositories.

    Attributes:
        repositories: folders by `OWNER/NAME`.
        status: answers everything with this one, where it is set.
        cut: breaks off after this many bytes of a file, where it is set.
        requests: what was asked, such as `HEAD /OWNER/NAME/resolve/main/config.json`.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, Path] = {}
        self.status: int | None = None
        self.cut: int | None = None
        self.requests: list[str] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub that answers until the end of the block."""
    with Hub() as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()


def use(patch: pytest.MonkeyPatch, endpoint: str, cache: Path) -> None:
    """Set what huggingface_hub makes of its environment when it is imported."""
    patch.setattr(constants, "ENDPOINT", endpoint)
    patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + TEMPLATE)
    patch.setattr(constants, "HF_HUB_CACHE", str(cache))
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    close_session()  # it has read the proxies


def settings_with(tmp_path: Path, *more: str) -> Settings:
    config = tmp_path / "config.toml"
    config.touch()
    return load(config, ["clip.model=hf-hub:us/clip", "whisper.model=us/whisper", *more])


def ignore(_: str) -> None:
    """Show nothing."""


def whisper_like(folder: Path) -> Path:
    """Make the files of a model of Whisper, 3 MB, and one that is none of it."""
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "vocabulary.txt", "README.md"):
        (folder / name).write_text(name)
    (folder / "model.bin").write_bytes(bytes(3_000_000))
    return folder


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].strip("/")
        self.server.requests.append(f"{self.command} /{path}")
        if self.server.status is not None:
            self._send(b"<html>not JSON</html>", self.server.status)
        elif path.startswith("api/models/"):
            self._list(path.removeprefix("api/models/"))
        else:
            self._file(*path.split("/resolve/main/"))

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _list(self, name: str) -> None:
        folder = self.server.repositories.get(name)
        if folder is None:
            self._send(b"{}", 404)
            return
        files = [{"rfilename": f.name, "size": f.stat().st_size} for f in sorted(folder.iterdir())]
        self._send(json.dumps({"id": name, "sha": COMMIT, "siblings": files}).encode())

    def _file(self, name: str, file: str) -> None:
        source = self.server.repositories[name] / file
        size = source.stat().st_size
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(f"{name}/{file}".encode()).hexdigest()}"')
        self.send_header("Content-Length", str(size))
        self.end_headers()
        if self.command == "GET":
            with source.open("rb") as opened:
                if self.server.cut is None:
                    shutil.copyfileobj(opened, self.wfile)
                else:
                    self.wfile.write(opened.read(self.server.cut))
                    self.close_connection = True

    def _send(self, content: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)
