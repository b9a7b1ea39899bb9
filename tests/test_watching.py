"""A real folder, the real observer: what lands is reported once and whole, what cannot be told
file by file becomes a wish to rescan, and nothing that goes wrong stays silent."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from watchdog.observers.api import BaseObserver

from pipeline.discover import Collection, list_videos
from pipeline.errors import SettingsError
from pipeline.mounts import events_arrive, filesystem_of
from pipeline.observing import Observation
from pipeline.settling import Kind
from pipeline.watching import Changes, Watcher

EXTENSIONS = ("mp4",)
SETTLE = 0.4
QUIET = 1.5  # seconds in which what was to come would have come
PATIENCE = 20.0


class Consumer:
    """Takes changes from a watcher and keeps what they said."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self.settled: Counter[str] = Counter()
        self.sizes: dict[str, int] = {}
        self.vanished: Counter[str] = Counter()
        self.rescans = 0

    def take(self, timeout: float) -> Changes:
        changes = self.watcher.changes(timeout)
        self.settled.update(video.path for video in changes.settled)
        self.sizes |= {video.path: video.size for video in changes.settled}
        self.vanished.update(changes.vanished)
        self.rescans += changes.rescan
        return changes

    def until(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not done() and time.monotonic() < end:
            self.take(end - time.monotonic())
        assert done(), (self.settled, self.vanished, self.rescans)

    def until_quiet(self) -> None:
        while self.take(QUIET):
            pass


@contextmanager
def watching(root: Path, under: str = "", **options: float | bool) -> Iterator[Consumer]:
    collection = Collection(root, EXTENSIONS, under)
    with Watcher(collection, settle_seconds=SETTLE, **options) as watcher:  # type: ignore[arg-type]
        yield Consumer(watcher)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "videos").mkdir()
    return tmp_path / "videos"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    return tmp_path / "outside"


def test_a_dropped_file_is_reported_as_a_listing_would(root: Path) -> None:
    with watching(root) as consumer:
        (root / "a.mp4").write_bytes(b"abc")
        changes = consumer.take(PATIENCE)
    assert changes.settled == tuple(list_videos(Collection(root, EXTENSIONS)).videos.values())
    assert changes == Changes(changes.settled)


def test_a_file_that_is_copied_in_slowly_is_reported_once_when_it_is_whole(root: Path) -> None:
    def copy() -> None:
        with (root / "slow.mp4").open("wb", buffering=0) as file:
            for _ in range(20):
                file.write(b"x" * 1000)
                time.sleep(0.1)

    copier = threading.Thread(target=copy)
    with watching(root) as consumer:
        copier.start()
        consumer.until(lambda: consumer.settled["slow.mp4"] > 0)
        copier.join()
        consumer.until_quiet()
    assert consumer.settled == {"slow.mp4": 1}
    assert consumer.sizes == {"slow.mp4": 20_000}
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
        assert not consumer.take(2.0)
        assert 1.9 < time.monotonic() - start < 4.0
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


def test_a_missing_folder_is_an_error_at_start(root: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        Watcher(Collection(root / "gone", EXTENSIONS), settle_seconds=SETTLE).start()


# What events cannot tell


def test_lost_events_ask_for_a_rescan(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    with watching(root) as consumer:
        _overflow(root)
        consumer.until(lambda: consumer.rescans > 0)
        assert "some were lost" in caplog.text
        consumer.until_quiet()
        (root / "after.mp4").write_bytes(b"abc")
        consumer.until(lambda: consumer.settled["after.mp4"] == 1)


def _overflow(folder: Path) -> None:
    """More events than the kernel keeps, while no other thread of this process can run."""
    rename = ctypes.PyDLL(None).rename  # which keeps the interpreter to itself
    one, other = (os.fsencode(folder / name) for name in ("one.txt", "other.txt"))
    Path(os.fsdecode(one)).touch()
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    interval = sys.getswitchinterval()
    sys.setswitchinterval(PATIENCE)
    for _ in range(limit // 4 + 100):
        rename(one, other)
        rename(other, one)
    sys.setswitchinterval(interval)


def test_an_observer_that_died_is_started_again(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with watching(root, check_seconds=0.2) as consumer:
        [observer] = [each for each in threading.enumerate() if isinstance(each, BaseObserver)]
        observer.stop()
        observer.join()
        consumer.until(lambda: consumer.rescans > 0)
        assert "the observer had died" in caplog.text
        (root / "a.mp4").write_bytes(b"abc")
        consumer.until(lambda: consumer.settled["a.mp4"] == 1)


def test_a_drive_that_goes_and_comes_back_loses_no_file(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (root / "a.mp4").write_bytes(b"abc")
    away = root.with_name("away")
    with watching(root, check_seconds=0.2) as consumer:
        (root / "b.mp4").write_bytes(b"abc")  # something is pending when it goes
        root.rename(away)
        consumer.until(lambda: "is gone" in caplog.text)
        away.rename(root)
        consumer.until(lambda: "it is there again" in caplog.text)
        assert not consumer.vanished
        (root / "c.mp4").write_bytes(b"abc")
        consumer.until(lambda: consumer.settled["c.mp4"] == 1)


def test_a_deleted_root_is_not_a_collection_of_deleted_files(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (root / "a.mp4").write_bytes(b"abc")
    with watching(root, check_seconds=0.2) as consumer:
        shutil.rmtree(root)
        consumer.until(lambda: "is gone" in caplog.text)
        root.mkdir()
        consumer.until(lambda: "it is there again" in caplog.text)
        (root / "b.mp4").write_bytes(b"abc")
        consumer.until(lambda: consumer.settled["b.mp4"] == 1)
    assert not consumer.vanished


def test_polling_asks_for_rescans_and_runs_no_thread(root: Path) -> None:
    before = threading.active_count()
    with watching(root, poll=True, poll_seconds=0.3) as consumer:
        assert threading.active_count() == before
        assert consumer.watcher.polling
        start = time.monotonic()
        consumer.until(lambda: consumer.rescans == 3)
        assert time.monotonic() - start >= 0.9


def test_the_limit_of_inotify_instances_is_told_and_polled_around(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.open(root, os.O_RDONLY)
    os.close(lowest_free)
    watcher = Watcher(
        Collection(root, EXTENSIONS), settle_seconds=SETTLE, poll=False, poll_seconds=0.1
    )
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        watcher.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "fs.inotify.max_user_instances" in caplog.text
    assert watcher.polling
    assert watcher.changes(PATIENCE) == Changes(rescan=True)
    watcher.stop()


LIMITED = """
import logging, sys
from pathlib import Path
from pipeline.discover import Collection
from pipeline.watching import Watcher
logging.basicConfig(stream=sys.stdout)
root = Path(sys.argv[1])
with Watcher(Collection(root, ("mp4",)), settle_seconds=1, poll=False, poll_seconds=0.1) as watcher:
    print(watcher.changes(20), watcher.polling)
    (root / "a.mp4").touch()
    while not (changes := watcher.changes(20)).settled:
        pass
    print(changes.settled[0].path)
"""


def test_the_limit_of_inotify_watches_is_told_and_only_its_part_is_polled(root: Path) -> None:
    for name in "abcdef":
        (root / name).mkdir()
    limit = "echo 3 > /proc/sys/user/max_inotify_watches && exec "
    own_limits = ["unshare", "--user", "--map-root-user", "sh", "-c"]
    if subprocess.run([*own_limits, f"{limit}true"], capture_output=True).returncode:
        pytest.skip("this system gives a process no limits of its own")
    ended = subprocess.run(
        [*own_limits, f'{limit}"$@"', "sh", sys.executable, "-c", LIMITED, root],
        capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert "fs.inotify.max_user_watches" in ended.stdout, ended.stderr
    assert ended.stdout.count("WARNING") == 1
    assert "rescan=True) True\na.mp4\n" in ended.stdout


class Broken:
    """A listener with a bug."""

    def __init__(self) -> None:
        self.told = threading.Event()
        self.error: Exception | None = None

    def on_file(self, path: str, kind: Kind) -> None:
        raise LookupError(path)

    def on_folder(self, path: str) -> None: ...
    def on_folder_gone(self, path: str) -> None: ...
    def on_overflow(self) -> None: ...
    def on_limit(self, number: int) -> None: ...

    def on_error(self, error: Exception) -> None:
        self.error = error
        self.told.set()


def test_a_bug_in_taking_notes_reaches_the_consumer_and_not_the_observer(root: Path) -> None:
    listener = Broken()
    observation = Observation(root, listener)
    (root / "a.mp4").touch()
    assert listener.told.wait(PATIENCE)
    assert observation.is_alive()
    observation.stop()
    with watching(root) as consumer:
        consumer.watcher._inbox.on_error(listener.error or AssertionError())
        with pytest.raises(LookupError, match=r"a\.mp4"):
            consumer.watcher.changes(PATIENCE)


# Whether events arrive at all

MOUNTS = r"""/dev/vda1 / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
nas:/films /mnt/nas nfs4 rw,vers=4.2 0 0
/dev/sdb1 /mnt/nas/local ext4 rw 0 0
//box/share /mnt/my\040films cifs rw 0 0
systemd-1 /mnt/auto autofs rw 0 0
me@host:/ /mnt/auto fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/me/videos", "ext4"),
        ("/mnt/nas", "nfs4"),
        ("/mnt/nas/a/b", "nfs4"),
        ("/mnt/nasty", "ext4"),
        ("/mnt/nas/local/a", "ext4"),
        ("/mnt/my films/a", "cifs"),
        ("/mnt/auto/a", "fuse.sshfs"),
        ("/", "ext4"),
    ],
)
def test_the_innermost_and_latest_mount_counts(folder: str, kind: str) -> None:
    assert filesystem_of(folder, MOUNTS) == kind


def test_events_arrive_in_a_local_folder_which_stays_untouched(root: Path) -> None:
    before = root.stat()
    assert events_arrive(root)
    assert (root.stat().st_mtime_ns, list(root.iterdir())) == (before.st_mtime_ns, [])
