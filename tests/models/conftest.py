"""Recordings of speech, Whisper to hear them, and a hub to fetch models from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import close_session

from pipeline.demo.weights import TINY_CLIP
from pipeline.models.transcriber import Transcriber
from tests.support.hub import Hub, serving, use, whisper_like
from tests.support.sounds import SPANISH, sound_of


@pytest.fixture(scope="session")
def jfk(jfk_flac: Path) -> np.ndarray:
    """Says ASK_NOT."""
    return sound_of(jfk_flac)


@pytest.fixture(scope="session")
def nasa(clips: tuple[Path, ...]) -> np.ndarray:
    """Says NASA."""
    return sound_of(next(clip for clip in clips if clip.name == "nasa_13013.mp4"))


@pytest.fixture(scope="session")
def galdos() -> np.ndarray:
    """Eight seconds of clear Spanish."""
    return sound_of(SPANISH)


@pytest.fixture(scope="session")
def transcriber(whisper_dir: Path) -> Transcriber:
    """Whisper base, as a scan on a CPU runs it."""
    return Transcriber(str(whisper_dir), threads=1)


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No proxy that the developer's shell has set."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    yield
    close_session()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub on this machine with two small models, and an empty cache."""
    whisper = whisper_like(tmp_path / "whisper-like")
    with serving() as server:
        use(monkeypatch, server.endpoint, tmp_path / "cache")
        server.repositories = {"us/clip": TINY_CLIP, "us/whisper": whisper}
        yield server
