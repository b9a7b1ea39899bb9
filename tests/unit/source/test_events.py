"""What an observer notes while its consumer is at work."""

from __future__ import annotations

from pathlib import Path

from pipeline.source.events import EventInbox
from pipeline.source.listing import Collection
from pipeline.source.settling import NEVER, FileEvent


def test_a_file_that_comes_after_a_look_that_saw_none_is_looked_at_again(tmp_path: Path) -> None:
    inbox = EventInbox(Collection(tmp_path, ("mp4",)), settle_seconds=2.0)
    inbox.on_file("a.mp4", FileEvent.GONE)
    while not (due := inbox.take_due()).files:
        inbox.wait(NEVER, NEVER)
    inbox.on_file("a.mp4", FileEvent.FOUND)  # a hard link, of which nobody closes anything
    assert inbox.settle({"a.mp4": None}, due.at).gone == ()
    assert inbox.take_due().files == ("a.mp4",)
