"""What an observer notes while its consumer is at work."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from watchdog.events import FileMovedEvent

from pipeline.source import events
from pipeline.source.events import EventInbox
from pipeline.source.listing import Collection
from pipeline.source.observer import _Handler
from pipeline.source.settling import NEVER, FileEvent


def test_a_file_that_comes_after_a_look_that_saw_none_is_looked_at_again(tmp_path: Path) -> None:
    inbox = EventInbox(Collection(tmp_path, ("mp4",)), settle_seconds=2.0)
    inbox.on_files({"a.mp4": FileEvent.GONE})
    while not (due := inbox.take_due()).files:
        inbox.wait(NEVER, NEVER)
    inbox.on_files({"a.mp4": FileEvent.FOUND})  # a hard link, of which nobody closes anything
    assert inbox.settle({"a.mp4": None}, due.at).gone == ()
    assert inbox.take_due().files == ("a.mp4",)


def test_both_names_of_a_moved_file_are_looked_at_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the observer is held up: its row would go, or its file be taken for a copy."""
    clock = count(step=0.2)
    monkeypatch.setattr(events, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    inbox = EventInbox(Collection(tmp_path, ("mp4",)), settle_seconds=2.0)
    moved = FileMovedEvent(str(tmp_path / "old.mp4"), str(tmp_path / "new.mp4"))
    _Handler(f"{tmp_path}/", inbox).dispatch(moved)
    while not (due := inbox.take_due()).files:
        pass
    assert set(due.files) == {"new.mp4", "old.mp4"}
