"""Previews of what a browser cannot play: made one at a time, kept by content beside the store."""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Lock
from time import monotonic
from typing import TYPE_CHECKING

from pipeline.errors import VideoError
from pipeline.web.answers import BUG, ApiError

if TYPE_CHECKING:
    from pipeline.decode.playback import Playback
    from pipeline.settings import Settings
    from pipeline.web.pool import Pool

log = logging.getLogger(__name__)

FOLDER = "previews"
MOST_BYTES = 2 << 30
ASKED_SECONDS = 10.0
"""A preview that nobody has asked for as long is not begun: whoever wants it asks each second."""

ALWAYS_PREVIEWED = (".avi",)  # no file of these plays


@dataclass
class _Wanted:
    location: Path
    seconds: float
    asked: float


class _Stopped(Exception):
    """The page has ended."""


class Previews:
    """Knows how videos play, and makes the previews of those that do not. Safe in any thread.

    Args:
        folder: where previews are kept; None keeps them for this page only.
        settings: limits of what is decoded.
        pool: the one thread that makes them.
    """

    def __init__(self, folder: Path | None, settings: Settings, pool: Pool) -> None:
        self._own = TemporaryDirectory(prefix="video-vectors-") if folder is None else None
        self._folder = Path(self._own.name) if self._own else folder or Path()
        self._settings = settings
        self._pool = pool
        self._playback: dict[str, Playback] = {}
        self._failed: dict[str, str] = {}
        self._wanted: OrderedDict[str, _Wanted] = OrderedDict()
        self._making: tuple[str, float] | None = None  # content, and the share that is done
        self._ended = Event()
        self._lock = Lock()

    def close(self) -> None:
        """Stop making previews."""
        self._ended.set()
        if self._own is not None:
            self._own.cleanup()

    def known_kind(self, content: str, name: str) -> str | None:
        """How a video plays as far as that is known without a look: `file`, `preview` or None."""
        if name.lower().endswith(ALWAYS_PREVIEWED):
            return "preview"
        known = self._playback.get(content)
        return None if known is None else _kind(known)

    def kind(self, content: str, location: Path) -> str:
        """How a video plays: `file` or `preview`. Opens a file that was not looked at yet.

        Raises:
            VideoError: the file cannot be opened.
        """
        from pipeline.decode.playback import playback_of

        if content not in self._playback:
            self._playback[content] = playback_of(location)
        return _kind(self._playback[content])

    def get(self, content: str, location: Path, seconds: float) -> Path | None:
        """Give the preview of a content; where there is none it is made, and this gives None.

        Args:
            content: hash of the file's bytes, which names the preview.
            location: the file.
            seconds: its length.

        Raises:
            ApiError: it cannot be made.
        """
        file = self._file(content)
        try:
            os.utime(file)  # the one that was not asked for the longest goes first
        except OSError:
            pass
        else:
            return file
        with self._lock:
            if content in self._failed:
                raise ApiError(415, f"no preview can be made: {self._failed[content]}")
            is_new = content not in self._wanted
            self._wanted[content] = _Wanted(location, seconds, monotonic())
            self._wanted.move_to_end(content)
            is_making = self._making is not None and self._making[0] == content
        if is_new and not is_making:
            self._pool.submit(self._make_next)
        return None

    def progress(self, content: str) -> str:
        """Say how far a preview is."""
        making = self._making
        if making is not None and making[0] == content:
            return f"A preview is being made: {making[1]:.0%}."
        return "A preview is made as soon as another one is done."

    def _make_next(self) -> None:
        """Make the preview that was asked for last; nobody waits for those of long ago."""
        with self._lock:
            now = monotonic()
            for content, wanted in list(self._wanted.items()):
                if now - wanted.asked > ASKED_SECONDS:
                    del self._wanted[content]
            if not self._wanted:
                return
            content = next(reversed(self._wanted))
            wanted = self._wanted[content]
            self._making = (content, 0.0)
        try:
            self._make(content, wanted)
        except VideoError as error:
            self._failed[content] = error.reason
        except OSError as error:
            self._failed[content] = f"{self._folder} cannot be written: {error.strerror}"
        except _Stopped:
            pass
        except Exception as bug:
            log.exception("a preview of %r", str(wanted.location))
            self._failed[content] = f"{type(bug).__name__}: {BUG}"
        finally:
            with self._lock:
                self._making = None
                self._wanted.pop(content, None)

    def _make(self, content: str, wanted: _Wanted) -> None:
        from pipeline.decode.preview import make_preview

        def beat(seconds: float) -> None:
            if self._ended.is_set():
                raise _Stopped
            share = seconds / wanted.seconds if wanted.seconds else 0.0
            self._making = (content, min(max(share, 0.0), 0.99))

        if self._file(content).exists():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder / f".{content}.mp4"
        try:
            make_preview(
                wanted.location,
                unfinished,
                max_megapixels=self._settings.decode.max_megapixels,
                timeout_seconds=self._settings.decode.timeout_seconds,
                beat=beat,
            )
            unfinished.replace(self._file(content))
        finally:
            unfinished.unlink(missing_ok=True)
        trim(self._folder, MOST_BYTES)

    def _file(self, content: str) -> Path:
        return self._folder / f"{content}.mp4"


def trim(folder: Path, most_bytes: int) -> None:
    """Remove the files of a folder that were not used the longest, until the others fit."""
    files = [(file.stat().st_mtime_ns, file.stat().st_size, file) for file in folder.glob("*.mp4")]
    total = sum(size for _, size, _ in files)
    for _, size, file in sorted(files)[:-1]:
        if total <= most_bytes:
            return
        file.unlink(missing_ok=True)
        total -= size


def _kind(playback: Playback) -> str:
    return "file" if playback.value == "file" else "preview"
