"""A file is replaced whole or not at all."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest

from store.files import atomic_write, replacing


@pytest.mark.parametrize("sync", [True, False])
def test_a_file_is_made_and_replaced(tmp_path: Path, sync: bool) -> None:
    file = tmp_path / ("n" * 255)  # the longest name there can be
    for content in ("two\nlines é", b"\x00\xff"):
        atomic_write(file, content, sync=sync)
        assert file.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.skipif(os.name == "nt", reason="no permission bits there")
def test_a_new_file_is_as_readable_as_any_other(tmp_path: Path) -> None:
    atomic_write(tmp_path / "ours", "")
    (tmp_path / "usual").write_text("")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_an_error_leaves_the_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("before")

    def fails(_: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="No space"):
        atomic_write(file, "after")
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_several_replace_the_files_of_a_folder_one_after_the_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each writes two files; at no time are those of two of them together."""
    names, problems = ("a", "b"), []
    inside = threading.Semaphore(1)

    def export(number: int) -> None:
        with replacing(tmp_path) as staging:
            if not inside.acquire(blocking=False):
                problems.append(number)
            for name in names:
                (staging / name).write_text(f"{number}")
            inside.release()

    with caplog.at_level(logging.WARNING), replacing(tmp_path) as staging:
        (staging / "a").write_text("first")
        threads = [threading.Thread(target=export, args=[number]) for number in range(3)]
        for thread in threads:
            thread.start()
        while caplog.text.count("waiting for it to end") < len(threads):
            assert any(thread.is_alive() for thread in threads)
    for thread in threads:
        thread.join()
    assert problems == []
    assert len({(tmp_path / name).read_text() for name in names}) == 1
    assert {path.name for path in tmp_path.iterdir()} <= {*names, ".export.lock"}
