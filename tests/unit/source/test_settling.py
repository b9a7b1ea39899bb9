"""When a file is whole, from events, looks and a time that the tests make up."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.source.settling import GRACE_SECONDS, NEVER, REMEMBERED, FileEvent, Settler
from store.schema import Stamp

SETTLE = 2.0
A, B = Stamp(1, 10), Stamp(2, 20)


@dataclass
class Folder:
    """Files in memory, a clock that only `pass_time` moves, and what was reported so far."""

    settler: Settler = field(default_factory=lambda: Settler(SETTLE))
    now: float = 100.0
    files: dict[str, Stamp] = field(default_factory=dict)
    reports: list[tuple[str, Stamp | None]] = field(default_factory=list)

    def change(self, key: str, kind: FileEvent, stamp: Stamp | None = None) -> None:
        if kind is FileEvent.GONE:
            self.files.pop(key, None)
        elif stamp is not None:
            self.files[key] = stamp
        self.settler.note(key, kind, self.now)

    def look(self) -> None:
        looks = {key: self.files.get(key) for key in self.settler.due_keys(self.now)}
        settled = self.settler.settle(looks, self.now)
        self.reports += settled.files.items()
        self.reports += [(key, None) for key in settled.gone]

    def pass_time(self, seconds: float) -> None:
        """As a consumer does: look whenever the settler says that it is time."""
        end = self.now + seconds
        self.look()
        while (at := self.settler.next_look) <= end:
            assert at > self.now, "a deadline in the past would make the consumer spin"
            self.now = at
            self.look()
        self.now = end


@pytest.fixture
def folder() -> Folder:
    return Folder()


@pytest.mark.parametrize("kind", [FileEvent.CLOSED, FileEvent.RENAMED, FileEvent.TOUCHED])
def test_a_whole_file_settles_after_the_grace(folder: Folder, kind: FileEvent) -> None:
    folder.change("a", kind, A)
    folder.pass_time(GRACE_SECONDS - 0.01)
    assert folder.reports == []
    folder.pass_time(0.01)
    assert folder.reports == [("a", A)]


@pytest.mark.parametrize("kind", [FileEvent.FOUND, FileEvent.WRITTEN])
def test_an_open_file_settles_when_two_looks_are_equal(folder: Folder, kind: FileEvent) -> None:
    folder.change("a", kind, A)
    folder.pass_time(SETTLE - 0.01)
    assert folder.reports == []
    folder.pass_time(0.01)
    assert folder.reports == [("a", A)]


def test_a_file_that_grows_without_events_does_not_settle(folder: Folder) -> None:
    folder.change("a", FileEvent.FOUND, A)
    for size in range(10):
        folder.files["a"] = Stamp(size, size)
        folder.pass_time(SETTLE / 2)
    assert folder.reports == []


def test_a_write_between_two_equal_looks_starts_again(folder: Folder) -> None:
    folder.change("a", FileEvent.WRITTEN, A)
    folder.pass_time(SETTLE - 0.1)
    folder.change("a", FileEvent.WRITTEN, A)  # as in a file system that counts time in seconds
    folder.pass_time(0.2)
    assert folder.reports == []
    folder.pass_time(SETTLE)
    assert folder.reports == [("a", A)]


def test_a_slow_copy_is_reported_once_when_it_is_closed(folder: Folder) -> None:
    folder.change("a", FileEvent.FOUND, Stamp(0, 0))
    for size in range(1, 50):
        folder.change("a", FileEvent.WRITTEN, Stamp(size, size))
        folder.pass_time(0.3)
    folder.change("a", FileEvent.CLOSED)
    folder.pass_time(60)
    assert folder.reports == [("a", (49, 49))]


def test_closing_a_file_that_has_settled_meanwhile_is_no_news(folder: Folder) -> None:
    folder.change("a", FileEvent.WRITTEN, A)
    folder.pass_time(60)
    folder.change("a", FileEvent.CLOSED)
    folder.pass_time(60)
    assert folder.reports == [("a", A)]


def test_closing_it_with_more_in_it_is_news(folder: Folder) -> None:
    folder.change("a", FileEvent.WRITTEN, A)
    folder.pass_time(60)
    folder.files["a"] = B
    folder.change("a", FileEvent.CLOSED)
    folder.pass_time(60)
    assert folder.reports == [("a", A), ("a", B)]


def test_a_writer_that_opens_it_again_within_the_grace_is_waited_for(folder: Folder) -> None:
    folder.change("a", FileEvent.CLOSED, A)
    folder.pass_time(GRACE_SECONDS / 2)
    folder.change("a", FileEvent.WRITTEN, B)
    folder.pass_time(SETTLE / 2)
    folder.change("a", FileEvent.CLOSED)
    folder.pass_time(60)
    assert folder.reports == [("a", B)]


def test_a_moved_file_is_gone_and_there_at_the_same_look(folder: Folder) -> None:
    folder.files["old"] = A
    folder.change("old", FileEvent.GONE)
    folder.change("new", FileEvent.RENAMED, A)
    folder.now += GRACE_SECONDS
    folder.look()
    assert folder.reports == [("new", A), ("old", None)]


def test_a_file_replaced_by_deleting_it_first_is_not_reported_gone(folder: Folder) -> None:
    folder.change("a", FileEvent.GONE)
    folder.pass_time(GRACE_SECONDS / 2)
    folder.change("a", FileEvent.RENAMED, B)
    folder.pass_time(60)
    assert folder.reports == [("a", B)]


def test_a_file_that_is_there_although_an_event_called_it_gone_settles(folder: Folder) -> None:
    folder.files["a"] = A
    folder.settler.note("a", FileEvent.GONE, folder.now)
    folder.pass_time(60)
    assert folder.reports == [("a", A)]


def test_a_file_that_vanishes_without_an_event_is_gone(folder: Folder) -> None:
    folder.change("a", FileEvent.CLOSED, A)
    del folder.files["a"]
    folder.pass_time(60)
    assert folder.reports == [("a", None)]


def test_finding_a_file_again_does_not_disturb_it(folder: Folder) -> None:
    folder.change("a", FileEvent.CLOSED, A)
    folder.change("a", FileEvent.FOUND)
    folder.pass_time(GRACE_SECONDS)
    assert folder.reports == [("a", A)]


def test_a_look_that_an_event_has_overtaken_tells_nothing(folder: Folder) -> None:
    folder.change("a", FileEvent.CLOSED, A)
    folder.now += GRACE_SECONDS
    assert folder.settler.due_keys(folder.now) == ["a"]
    folder.settler.note("a", FileEvent.CLOSED, folder.now)  # between the look and its telling
    assert folder.settler.settle({"a": A}, folder.now).files == {}
    folder.pass_time(GRACE_SECONDS)
    assert folder.reports == [("a", A)]


def test_no_look_is_due_where_nothing_is_pending(folder: Folder) -> None:
    assert folder.settler.next_look == NEVER
    folder.change("a", FileEvent.CLOSED, A)
    folder.pass_time(60)
    folder.settler.note("b", FileEvent.FOUND, folder.now)
    folder.settler.forget("b")
    assert folder.settler.next_look == NEVER


def test_memory_does_not_grow_with_the_files_that_were_never_closed(folder: Folder) -> None:
    for number in range(REMEMBERED + 10):
        folder.change(f"{number}", FileEvent.FOUND, A)
    folder.pass_time(60)
    assert len(folder.reports) == REMEMBERED + 10
    assert len(folder.settler._unclosed) == REMEMBERED


KEYS = st.sampled_from(["a", "b"])
PAUSES = st.sampled_from([0.0, 0.01, 0.3, 0.5, 0.7, 1.9, 2.0, 2.1, 5.0])
OPERATIONS = st.sampled_from(["write", "close", "put", "touch", "delete", "move"])


@given(st.lists(st.tuples(OPERATIONS, KEYS, PAUSES), max_size=30))
def test_whatever_happens_the_last_content_is_reported_once(
    operations: list[tuple[str, str, float]],
) -> None:
    folder, opened = Folder(), set[str]()
    last_change: dict[str, int] = {}  # how many reports there were then
    for number, (operation, key, pause) in enumerate(operations):
        for changed in _do(folder, opened, operation, key, Stamp(number, number)):
            last_change[changed] = len(folder.reports)
        folder.pass_time(pause)
    folder.pass_time(60)
    for key, since in last_change.items():
        after = [stamp for name, stamp in folder.reports[since:] if name == key]
        assert after == [folder.files.get(key)]
    assert folder.settler.next_look == NEVER


def _do(folder: Folder, opened: set[str], operation: str, key: str, stamp: Stamp) -> list[str]:
    """An operation, with the events that inotify has for it; returns the files that it changed."""
    is_there = key in folder.files
    match operation:
        case "write":
            if not is_there:
                folder.change(key, FileEvent.FOUND, stamp)
            folder.change(key, FileEvent.WRITTEN, stamp)
            opened.add(key)
        case "close" if key in opened:
            folder.change(key, FileEvent.CLOSED)
            opened.discard(key)
            return []
        case "put":
            folder.change(key, FileEvent.RENAMED, stamp)
            opened.discard(key)
        case "touch" if is_there:
            folder.change(key, FileEvent.TOUCHED, stamp)
        case "delete" if is_there:
            folder.change(key, FileEvent.GONE)
            opened.discard(key)
        case "move" if is_there and key == "a":
            moved = folder.files["a"]
            folder.change("a", FileEvent.GONE)
            folder.change("b", FileEvent.RENAMED, moved)
            opened -= {"a", "b"}
            return ["a", "b"]
        case _:
            return []
    return [key]
