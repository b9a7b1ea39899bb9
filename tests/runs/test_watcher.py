"""A real folder, the real observer: what lands is reported once and whole."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watchdog.events import FileSystemEvent

from pipeline.source.listing import Collection, list_videos
from pipeline.source.watcher import Changes, Watcher
from tests.support.consumer import EXTENSIONS, PATIENCE, QUIET, watching


def test_a_dropped_file_is_reported_as_a_listing_would(root: Path) -> None:
    with watching(root) as consumer:
        (root / "a.mp4").write_bytes(b"abc")
        changes = consumer.take(PATIENCE)
    assert changes.settled == tuple(list_videos(Collection(root, EXTENSIONS)).videos.values())
    assert changes == Changes(changes.settled)


def test_a_file_that_is_copied_in_slowly_is_reported_once_when_it_is_whole(root: Path) -> None:
    def copy() -> None:
        with (root / "slow.mp4").open("wb", buffering=0) as file:
            for _ in range(10):
                file.write(b"x" * 1000)
                time.sleep(0.1)

    copier = threading.Thread(target=copy)
    with watching(root, settle=0.6) as consumer:
        copier.start()
        consumer.until(lambda: consumer.settled["slow.mp4"] > 0)
        copier.join()
        consumer.until_quiet()
    assert consumer.settled == {"slow.mp4": 1}
    assert consumer.sizes == {"slow.mp4": 10_000}
    assert not consumer.vanished


def test_a_hundred_files_at_once_are_reported_once_each(root: Path, outside: Path) -> None:
    names = [f"{number}.mp4" for number in range(100)]
    for name in names:
        (outside / name).write_bytes(b"x" * 100_000)
    with watching(root) as consumer:
        for name in names[:50]:
            shutil.copy2(outside / name, root / name)
        for name in names[50:]:
            (outside / name).rename(root / name)
        consumer.until(lambda: set(consumer.settled) == set(names))
        consumer.until_quiet()
    assert consumer.settled == dict.fromkeys(names, 1)
    assert set(consumer.sizes.values()) == {100_000}


def test_a_download_counts_when_it_gets_its_final_name(root: Path) -> None:
    with watching(root) as consumer:
        for ending in ("part", "crdownload", "tmp"):
            (root / f"{ending}.mp4.{ending}").write_bytes(b"abc")
            (root / f".{ending}.mp4").write_bytes(b"abc")
        assert not consumer.take(QUIET)
        for ending in ("part", "crdownload", "tmp"):
            (root / f"{ending}.mp4.{ending}").rename(root / f"{ending}.mp4")
        consumer.until(lambda: len(consumer.settled) == 3)
        consumer.until_quiet()
    assert consumer.settled == {"part.mp4": 1, "crdownload.mp4": 1, "tmp.mp4": 1}
    assert not consumer.vanished


def test_a_renamed_file_comes_with_its_old_name_in_one_piece(root: Path) -> None:
    (root / "old.mp4").write_bytes(b"abc")
    (root / "Dance").mkdir()
    with watching(root) as consumer:
        (root / "old.mp4").rename(root / "Dance" / "new.mp4")
        changes = consumer.take(PATIENCE)
    assert [video.path for video in changes.settled] == ["Dance/new.mp4"]
    assert changes.vanished == ("old.mp4",)


def test_a_file_moved_to_a_folder_that_is_as_new_is_never_lost_in_between(root: Path) -> None:
    (root / "old.mp4").write_bytes(b"abc")
    with watching(root) as consumer:
        (root / "Dance").mkdir()
        (root / "old.mp4").rename(root / "Dance" / "new.mp4")
        consumer.until(lambda: bool(consumer.vanished))
        assert consumer.settled == {"Dance/new.mp4": 1}
        consumer.until_quiet()
    assert (consumer.settled, consumer.vanished) == ({"Dance/new.mp4": 1}, {"old.mp4": 1})


def test_deleted_and_hidden_files_vanish(root: Path, outside: Path) -> None:
    for name in "abc":
        (root / f"{name}.mp4").write_bytes(b"abc")
    with watching(root) as consumer:
        (root / "a.mp4").unlink()
        (root / "b.mp4").rename(root / ".b.mp4")
        (root / "c.mp4").rename(outside / "c.mp4")
        consumer.until(lambda: len(consumer.vanished) == 3)
        consumer.until_quiet()
    assert consumer.vanished == {"a.mp4": 1, "b.mp4": 1, "c.mp4": 1}
    assert not consumer.settled


def test_new_folders_are_seen_to_the_bottom(root: Path) -> None:
    wanted = {f"new{number}/deep/er/{number}.mp4" for number in range(20)}
    with watching(root) as consumer:
        for key in wanted:
            (root / key).parent.mkdir(parents=True)
            (root / key).write_bytes(b"abc")
        consumer.until(lambda: set(consumer.settled) == wanted)
        consumer.until_quiet()
        (root / "new3/deep/er/late.mp4").write_bytes(b"abc")
        consumer.until(lambda: "new3/deep/er/late.mp4" in consumer.settled)
    assert set(consumer.settled.values()) == {1}


def test_a_folder_moved_in_reports_all_that_is_in_it(root: Path, outside: Path) -> None:
    wanted = {f"pack/{number}/{number}.mp4" for number in range(30)}
    for key in wanted:
        (outside / key).parent.mkdir(parents=True)
        (outside / key).write_bytes(b"abc")
    with watching(root) as consumer:
        (outside / "pack").rename(root / "pack")
        consumer.until(lambda: set(consumer.settled) == wanted)
        consumer.until_quiet()
        (root / "pack/1/late.mp4").write_bytes(b"abc")
        consumer.until(lambda: "pack/1/late.mp4" in consumer.settled)
    assert set(consumer.settled.values()) == {1}


@pytest.mark.skipif(sys.platform != "linux", reason="another observer")
def test_files_of_a_folder_moved_in_are_reported_once_however_late_the_observer_names_them(
    root: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from watchdog import events
    from watchdog.observers import inotify

    may_walk, walk = threading.Event(), events.generate_sub_created_events

    def late(folder: str) -> Iterator[FileSystemEvent]:
        assert may_walk.wait(PATIENCE)
        yield from walk(folder)

    monkeypatch.setattr(inotify, "generate_sub_created_events", late)
    (outside / "pack/deep").mkdir(parents=True)
    (outside / "pack/deep/a.mp4").write_bytes(b"abc")
    with watching(root) as consumer:
        (outside / "pack").rename(root / "pack")
        consumer.until(lambda: "pack/deep/a.mp4" in consumer.settled)
        may_walk.set()
        consumer.until_quiet()
    assert consumer.settled == {"pack/deep/a.mp4": 1}


def test_a_renamed_folder_asks_for_a_rescan_and_tells_its_files(root: Path) -> None:
    (root / "old").mkdir()
    (root / "old/a.mp4").write_bytes(b"abc")
    with watching(root) as consumer:
        (root / "old").rename(root / "new")
        consumer.until(lambda: consumer.rescans > 0 and bool(consumer.settled))
        assert consumer.settled == {"new/a.mp4": 1}
        assert consumer.vanished == {"old/a.mp4": 1}
        (root / "new/b.mp4").write_bytes(b"abc")
        consumer.until(lambda: consumer.settled["new/b.mp4"] == 1)


@pytest.mark.parametrize("way", ["moved out", "deleted", "hidden"])
def test_a_folder_that_goes_asks_for_a_rescan(root: Path, outside: Path, way: str) -> None:
    (root / "old").mkdir()
    (root / "old/a.mp4").write_bytes(b"abc")
    with watching(root) as consumer:
        match way:
            case "moved out":
                (root / "old").rename(outside / "old")
            case "deleted":
                shutil.rmtree(root / "old")
            case "hidden":
                (root / "old").rename(root / ".old")
        consumer.until(lambda: consumer.rescans > 0)
    assert not consumer.settled


def test_only_the_subfolder_asked_for_is_watched(root: Path) -> None:
    (root / "in/side").mkdir(parents=True)
    with watching(root, "in/side") as consumer:
        (root / "in/b.mp4").write_bytes(b"abc")
        (root / "in/side/a.mp4").write_bytes(b"abc")
        consumer.until(lambda: bool(consumer.settled))
        consumer.until_quiet()
    assert consumer.settled == {"in/side/a.mp4": 1}


def test_a_root_behind_a_link_is_watched(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    with watching(tmp_path / "link") as consumer:
        (root / "a.mp4").write_bytes(b"abc")
        consumer.until(lambda: bool(consumer.settled))
    assert consumer.settled == {"a.mp4": 1}


def test_links_to_folders_are_left_to_rescans_and_the_log_says_so(
    root: Path, outside: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (root / "linked").symlink_to(outside)
    with watching(root):
        assert "'linked': only rescans find what changes there" in caplog.text


def test_a_file_without_a_close_settles_by_two_looks(root: Path, outside: Path) -> None:
    (outside / "a.mp4").write_bytes(b"abc")
    with watching(root) as consumer:
        os.link(outside / "a.mp4", root / "a.mp4")
        consumer.until(lambda: bool(consumer.settled))
    assert consumer.settled == {"a.mp4": 1}


def test_reading_videos_is_no_news(root: Path) -> None:
    (root / "a.mp4").write_bytes(b"abc")
    with watching(root) as consumer:
        assert (root / "a.mp4").read_bytes() == b"abc"
        assert not consumer.take(QUIET)


def test_names_that_cannot_be_stored_are_left_to_the_listing(root: Path) -> None:
    with watching(root) as consumer:
        for name in (b"/\xff.mp4", b"/fine.mp4"):
            with open(os.fsencode(root) + name, "wb"):
                pass
        os.mkdir(os.fsencode(root) + b"/\xff")
        consumer.until(lambda: bool(consumer.settled))
        consumer.until_quiet()
    assert consumer.settled == {"fine.mp4": 1}


def test_files_that_a_listing_found_can_be_waited_for(root: Path) -> None:
    with watching(root, poll=True) as consumer:
        (root / "a.mp4").write_bytes(b"abc")
        consumer.watcher.consider(["a.mp4"])
        consumer.until(lambda: bool(consumer.settled))
    assert consumer.settled == {"a.mp4": 1}


# Idle, woken, stopped


def test_idle_costs_nothing_and_ends_at_the_timeout(root: Path) -> None:
    with watching(root) as consumer:
        consumer.until_quiet()
        start, used = time.monotonic(), time.process_time()
        assert not consumer.take(1.0)
        assert time.monotonic() - start > 0.9
        assert time.process_time() - used < 0.05


@pytest.mark.parametrize("end", [Watcher.wake, Watcher.stop])
def test_a_consumer_that_waits_can_be_called_back(
    root: Path, end: Callable[[Watcher], None]
) -> None:
    with watching(root) as consumer:
        answers: list[Changes] = []
        waiting = threading.Thread(target=lambda: answers.append(consumer.take(PATIENCE)))
        waiting.start()
        end(consumer.watcher)
        waiting.join(PATIENCE)
        assert answers == [Changes()]


def test_stop_can_be_called_twice_and_leaves_no_thread(root: Path) -> None:
    before = threading.active_count()
    with watching(root) as consumer:
        assert threading.active_count() > before
        consumer.watcher.stop()
        assert threading.active_count() == before
        assert consumer.watcher.changes() == Changes()
        consumer.watcher.stop()
