"""Weights of a hub: told before they are fetched, fetched once, and missed with one message."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from huggingface_hub import constants

from pipeline.demo.weights import TINY_CLIP
from pipeline.doctor import weights as doctor
from pipeline.doctor.finding import State
from pipeline.errors import ModelError
from pipeline.models import hub as our_hub
from pipeline.models.fetch import fetch
from pipeline.models.weights import find_clip, find_whisper
from pipeline.settings import Settings
from tests.support.disks import small_disk
from tests.support.hub import Hub, ignore, serving, settings_with, use

pytestmark = pytest.mark.usefixtures("no_proxy")

NOBODY = "http://127.0.0.1:9"  # nobody listens there

Reach = Callable[[pytest.MonkeyPatch], Iterator[tuple[str, str]]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_with(tmp_path)


# What is told, and what is asked


def test_what_is_fetched_is_told_before_and_then_nothing_is_asked_again(
    hub: Hub, settings: Settings, tmp_path: Path
) -> None:
    told: list[tuple[str, int]] = []
    clip, whisper = fetch(settings, lambda line: told.append((line, len(hub.requests))))
    cache, size = tmp_path / "cache", (TINY_CLIP / "open_clip_model.safetensors").stat().st_size
    (first, asked_before), (second, _) = told
    assert first.startswith(f"Fetching CLIP hf-hub:us/clip: {our_hub.megabytes(size)} from ")
    assert first.endswith(f" from {hub.endpoint}/us/clip to {cache}")
    assert second == f"Fetching Whisper us/whisper: 3 MB from {hub.endpoint}/us/whisper to {cache}"
    assert asked_before == 2  # for what each repository has
    assert (whisper / "model.bin").stat().st_size == 3_000_000
    assert not (whisper / "README.md").exists()
    hub.requests.clear()
    assert fetch(settings, pytest.fail) == [clip, whisper]
    assert (find_clip(settings).path, find_whisper(settings).path) == (clip, whisper)
    assert hub.requests == []


def test_without_a_terminal_lines_say_how_far_a_download_is(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    monkeypatch.setattr(our_hub, "LINE_SECONDS", 0.0)
    (tmp_path / "whisper-like" / "model.bin").write_bytes(bytes(25_000_000))
    told: list[str] = []
    fetch(settings, told.append, finders=(find_whisper,))
    assert any(line.startswith("model.bin: ") and " of 25 MB, 00:0" in line for line in told)


def test_a_download_that_breaks_off_is_an_error_and_is_taken_up_again(
    hub: Hub, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)  # between attempts
    hub.cut = 1000
    with pytest.raises(ModelError, match=r"fetching \S+ from \S+ broke off: .*run it again"):
        fetch(settings, ignore, finders=(find_whisper,))
    assert find_whisper(settings).path is None
    hub.cut = None
    fetch(settings, ignore, finders=(find_whisper,))
    assert find_whisper(settings).path is not None


def test_a_repository_without_all_files_is_named(
    hub: Hub, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "whisper-like" / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"^whisper\.model: \S+/us/whisper has no tokenizer.json"):
        fetch(settings, ignore)
    (tmp_path / "whisper-like" / "model.bin").unlink()
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(ModelError, match=r"/us/whisper has no model.bin\n"):
        fetch(settings, ignore)


# Not in reach


def refused(patch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    yield NOBODY, "Connection refused"


def silent(patch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """Connections are accepted, and nothing is answered."""
    patch.setattr(our_hub, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}", "no answer within 0.2 s"


def no_such_name(patch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    yield "http://hub.invalid", ""


def no_name_server(patch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """The question for the address is not answered, which has no time limit of its own."""
    patch.setattr(our_hub, "ANSWER_SECONDS", 0.2)
    over = threading.Event()

    def look_up(*_: object, **__: object) -> list[object]:
        over.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "too late")

    patch.setattr(socket, "getaddrinfo", look_up)
    yield "http://hub.invalid", "no answer within 0.2 s"
    over.set()


def offline(patch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    patch.setattr(constants, "HF_HUB_OFFLINE", True)
    yield NOBODY, "HF_HUB_OFFLINE is set"


def proxy(patch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    patch.setenv("http_proxy", NOBODY.replace("//", "//name:secret@"))
    yield "http://hub.invalid", "Connection refused (through the proxy 127.0.0.1:9)"


def busy(patch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    with serving() as server:
        server.status = 503
        yield server.endpoint, "it answers 503 Service Unavailable"
        assert server.requests == ["GET /api/models/us/clip"] * 2  # of the run and the doctor


def no_hub(patch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """A page where one logs in to a network."""
    with serving() as server:
        server.status = 200
        yield server.endpoint, "what answers there is no model hub"


@pytest.mark.parametrize(
    "reach", [refused, silent, no_such_name, no_name_server, offline, proxy, busy, no_hub]
)
def test_a_hub_that_is_not_in_reach_is_one_message_with_the_ways_out(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reach: Reach
) -> None:
    with pytest.MonkeyPatch.context() as patch, contextmanager(reach)(patch) as (endpoint, reason):
        use(monkeypatch, endpoint, tmp_path / "cache")
        patch.setattr(constants, "HF_HUB_OFFLINE", reach is offline)
        with pytest.raises(ModelError) as raised:
            fetch(settings, pytest.fail)
        found = doctor.clip(settings)
    first, *ways = str(raised.value).splitlines()
    here = f"CLIP hf-hub:us/clip: its weights are not on this machine, and the hub {endpoint}"
    assert first.startswith(f"{here} cannot be reached: ")
    assert first.endswith(reason)
    assert "secret" not in first
    for way_out in ("`fetch`", "`fetch --to FOLDER`", "local-dir:FOLDER", "`demo`"):
        assert way_out in "".join(ways)
    assert (found.state, reason in found.text) == (State.PROBLEM, True)
    assert "fetch --to FOLDER" in found.advice
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_repository_that_the_hub_does_not_show_is_named(
    hub: Hub, settings: Settings, status: int
) -> None:
    hub.status = status
    with pytest.raises(ModelError, match=rf"/us/clip is not there, .*{status}.*set HF_TOKEN"):
        fetch(settings, pytest.fail)


@pytest.mark.filterwarnings("ignore:Not enough free disk space")
def test_a_disk_without_room_is_told_before_anything_is_fetched(
    hub: Hub, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", megabytes=2) as disk:
        use(monkeypatch, hub.endpoint, disk / "cache")
        with pytest.raises(ModelError, match=r"needed, and 2 MB are free; .*HF_HOME"):
            fetch(settings, pytest.fail)
        monkeypatch.setattr(our_hub, "check_room", lambda _: None)  # others fill it meanwhile
        with pytest.raises(ModelError, match=r"cannot be written: No space left .*HF_HOME"):
            fetch(settings, ignore)


def test_a_cache_that_cannot_be_written_is_named(
    hub: Hub, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    use(monkeypatch, hub.endpoint, tmp_path / "file" / "cache")
    with pytest.raises(ModelError, match=r"file/cache: cannot be written: Not a directory"):
        fetch(settings, ignore)


def test_the_doctor_tells_how_much_a_scan_would_fetch(hub: Hub, settings: Settings) -> None:
    found = doctor.whisper(settings)
    assert (found.state, "3 MB come from" in found.text) == (State.WARNING, True)
    assert "run `fetch`" in found.advice
    assert find_whisper(settings).path is None
