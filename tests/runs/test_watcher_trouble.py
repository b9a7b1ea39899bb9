"""A watcher whose folder goes, whose events are lost, or which the system does not let watch."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from watchdog.observers.api import BaseObserver

from pipeline.errors import SettingsError
from pipeline.source.listing import Collection
from pipeline.source.mounts import events_arrive, filesystem_of
from pipeline.source.observer import Observation
from pipeline.source.settling import FileEvent
from pipeline.source.watcher import Changes, Watcher
from tests.support.consumer import EXTENSIONS, PATIENCE, SETTLE, watching


def test_a_missing_folder_is_an_error_at_start(root: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        Watcher(Collection(root / "gone", EXTENSIONS), settle_seconds=SETTLE).start()


# What events do not show


def test_lost_events_ask_for_a_rescan(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    with watching(root) as consumer:
        _overflow(root)
        consumer.until(lambda: consumer.rescans > 0)
        assert "some were lost" in caplog.text
        consumer.until_quiet()
        (root / "after.mp4").write_bytes(b"abc")
        consumer.until(lambda: consumer.settled["after.mp4"] == 1)


def _overflow(folder: Path) -> None:
    """Make twice the events that the kernel keeps, while no other thread of this process runs.

    A rename makes two events. One thread may have been waiting to run already, and reads some.
    """
    rename = ctypes.PyDLL(None).rename  # which keeps the interpreter to itself
    one, other = (os.fsencode(folder / name) for name in ("one.txt", "other.txt"))
    Path(os.fsdecode(one)).touch()
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    interval = sys.getswitchinterval()
    sys.setswitchinterval(PATIENCE)
    for _ in range(limit // 2):
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


def test_a_drive_that_comes_back_without_events_is_polled(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = root.with_name("away")
    with watching(root, check_seconds=0.2, poll_seconds=0.2) as consumer:
        assert not consumer.watcher.polling
        root.rename(away)
        consumer.until(lambda: consumer.rescans > 0)
        monkeypatch.setattr("pipeline.source.watcher.events_arrive", lambda _: False)  # as of NFS
        away.rename(root)
        consumer.until(lambda: consumer.watcher.polling)
        before = consumer.rescans
        consumer.until(lambda: consumer.rescans > before + 2)


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


def test_the_limit_of_inotify_instances_is_logged_and_polled_around(
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
from pipeline.source.listing import Collection
from pipeline.source.watcher import Watcher
logging.basicConfig(stream=sys.stdout)
root = Path(sys.argv[1])
with Watcher(Collection(root, ("mp4",)), settle_seconds=1, poll=False, poll_seconds=0.1) as watcher:
    print(watcher.changes(20), watcher.polling)
    (root / "a.mp4").touch()
    while not (changes := watcher.changes(20)).settled:
        pass
    print(changes.settled[0].path)
"""


def test_the_limit_of_inotify_watches_is_logged_and_only_its_part_is_polled(root: Path) -> None:
    for name in "abcdef":
        (root / name).mkdir()
    limit = "echo 3 > /proc/sys/user/max_inotify_watches && exec "
    own_limits = ["unshare", "--user", "--map-root-user", "sh", "-c"]
    if subprocess.run([*own_limits, f"{limit}true"], capture_output=True).returncode:
        pytest.skip("this system gives a process no limits of its own")
    ended = subprocess.run(
        [*own_limits, f'{limit}"$@"', "sh", sys.executable, "-c", LIMITED, root],
        capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert "fs.inotify.max_user_watches" in ended.stdout, ended.stderr
    assert ended.stdout.count("WARNING") == 1
    assert "rescan=True) True\na.mp4\n" in ended.stdout


class Broken:
    """A sink with a bug."""

    def __init__(self) -> None:
        self.failed = threading.Event()
        self.error: Exception | None = None

    def on_files(self, events: Mapping[str, FileEvent]) -> None:
        raise LookupError(*events)

    def on_folder(self, path: str) -> None: ...
    def on_folder_gone(self, path: str) -> None: ...
    def on_overflow(self) -> None: ...
    def on_limit(self, number: int) -> None: ...

    def on_error(self, error: Exception) -> None:
        self.error = error
        self.failed.set()


def test_a_bug_in_taking_notes_reaches_the_consumer_and_not_the_observer(root: Path) -> None:
    sink = Broken()
    observation = Observation(root, sink)
    (root / "a.mp4").touch()
    assert sink.failed.wait(PATIENCE)
    assert observation.is_alive()
    observation.stop()
    with watching(root) as consumer:
        consumer.watcher._inbox.on_error(sink.error or AssertionError())
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
