"""The test infrastructure itself: what it needs is there, and the guards bite."""

from __future__ import annotations

import functools
import threading
from pathlib import Path

from tests.conftest import _ours


def test_whisper_is_there(whisper_dir: Path) -> None:
    names = {file.name for file in whisper_dir.iterdir()}
    assert {"model.bin", "config.json", "tokenizer.json", "vocabulary.json"} <= names


def test_assets(jfk_flac: Path, clips: tuple[Path, ...]) -> None:
    assert jfk_flac.is_file()
    assert [clip.name for clip in clips] == ["nasa_13013.mp4"]


def test_thread_guard_knows_what_is_a_leak() -> None:
    def ours() -> None: ...

    ours.__module__ = "pipeline.flow.workers"
    assert _ours(threading.Thread(target=print))
    assert _ours(threading.Thread(target=ours, daemon=True))
    assert _ours(threading.Thread(target=functools.partial(ours), daemon=True))
    assert not _ours(threading.Thread(target=print, daemon=True))
