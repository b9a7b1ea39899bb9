"""`web` as a process: Ctrl-C, a port that is taken, watching and serving in one."""

from __future__ import annotations

import json
import signal
import socket
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from pipeline.commands.web import _watch_and_serve
from tests.support.program import PROCESS_SECONDS, Run, Spawn
from tests.support.projects import UserProject, eventually

SECONDS = PROCESS_SECONDS


@pytest.fixture
def project(tmp_path: Path, collection: UserProject) -> UserProject:
    return collection.copied(tmp_path / "project")


def test_web_watches_serves_and_ends_at_ctrl_c(project: UserProject, spawn: Spawn) -> None:
    web = spawn("--config", project.config, "web", "--watch", "--no-browser", "--port", "0")
    assert web.stdout is not None
    address = web.stdout.readline().strip()
    key, name = _first_unlabeled(address)
    moved = _post(f"{address}api/moves", {"keys": [key], "folder": "cats"})
    new_key = moved["moved"][0]["new_key"]
    assert (project.videos / "cats" / name).is_file()
    eventually(lambda: _is_there(f"{address}api/videos/{new_key}"))  # the watch has followed
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    stream = HTTPConnection(host, int(port), timeout=SECONDS)
    stream.request("GET", "/api/events")
    answer = stream.getresponse()
    assert answer.readline()
    web.send_signal(signal.SIGINT)
    out, err = web.communicate(timeout=SECONDS)
    assert web.returncode == 0, err
    assert "1 moved" in out
    assert "Traceback" not in err
    stream.close()


def test_a_port_that_is_taken_is_one_line(project: UserProject, run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run("--config", project.config, "web", "--no-browser", "--port", port)
    assert ended.returncode == 1
    assert f"port {port} is taken" in ended.stderr
    assert "--port" in ended.stderr


@pytest.mark.parametrize("flags", [("--port", "70000"), ("--host", "no.such.host.invalid")])
def test_an_address_that_is_none_is_one_line(
    project: UserProject, run: Run, flags: tuple[str, str]
) -> None:
    ended = run("--config", project.config, "web", "--no-browser", *flags)
    assert ended.returncode == 1
    assert flags[0] in ended.stderr


class _Flow:
    def __init__(self, wrong: Exception | None = None) -> None:
        self.wrong, self.is_stopped = wrong, False

    def watch(self) -> str:
        if self.wrong:
            raise self.wrong
        eventually(lambda: self.is_stopped, pause=0.01)
        return "summary"

    def stop(self) -> None:
        self.is_stopped = True


class _Page(_Flow):
    def run(self) -> None:
        self.watch()


@pytest.mark.parametrize("who", ["watch", "page"])
def test_a_bug_in_either_stops_both_loudly(who: str) -> None:
    bug = ZeroDivisionError()
    flow, page = _Flow(bug if who == "watch" else None), _Page(bug if who == "page" else None)
    with pytest.raises(ZeroDivisionError):
        _watch_and_serve(flow, page)
    assert (flow if who == "page" else page).is_stopped


def test_where_the_watch_ends_the_page_does(monkeypatch: pytest.MonkeyPatch) -> None:
    flow, page = _Flow(), _Page()
    flow.is_stopped = True
    assert _watch_and_serve(flow, page) == "summary"
    assert page.is_stopped


def _get(url: str) -> Any:
    with urlopen(url, timeout=SECONDS) as answer:
        return json.load(answer)


def _first_unlabeled(address: str) -> tuple[str, str]:
    (video,) = _get(f"{address}api/videos?unlabeled=1&limit=1")["videos"]
    return video["key"], video["name"]


def _post(url: str, body: dict[str, Any]) -> Any:
    from urllib.request import Request

    request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=SECONDS) as answer:
        return json.load(answer)


def _is_there(url: str) -> bool:
    from urllib.error import HTTPError

    try:
        with urlopen(url, timeout=SECONDS) as answer:
            return bool(answer.status == 200)
    except HTTPError:
        return False
