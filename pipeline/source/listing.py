"""Lists the videos that a folder holds, in one pass that opens no file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SettingsError
from pipeline.records import VideoFile
from pipeline.source.names import is_listed, is_skipped, is_utf8, is_video
from pipeline.source.presence import stamp_of


@dataclass(frozen=True)
class Collection:
    """A folder of videos.

    Args:
        root: folder that keys are relative to.
        extensions: endings of videos, in lower case and without the dot; files may write them in
            either case.
        under: key of the only subfolder to list and watch, or of the only video to list; empty for
            all of `root`.
    """

    root: Path
    extensions: tuple[str, ...]
    under: str = ""

    @property
    def top(self) -> Path:
        """The folder to list and to watch."""
        return self.root / self.under

    @property
    def is_file(self) -> bool:
        """Whether `under` names one video, and not a folder."""
        return bool(self.under) and self.top.is_file()

    @property
    def folder(self) -> Path:
        """The folder to list, or the one that the only video is in."""
        return self.top.parent if self.is_file else self.top


@dataclass(frozen=True)
class Problem:
    """A file or folder that could not be listed.

    Args:
        path: its key, with bytes that are not UTF-8 escaped.
        reason: why, in words.
    """

    path: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """What a collection holds.

    Args:
        videos: files by key, in path order.
        problems: what could not be listed.
    """

    videos: dict[str, VideoFile]
    problems: tuple[Problem, ...] = ()


def list_videos(collection: Collection, *, follow_links: bool = True) -> Listing:
    """List a collection's videos; no folder twice, however many links lead to it.

    Hidden names and partial downloads are left out; a file that vanishes meanwhile is no problem.

    Args:
        collection: what to list.
        follow_links: whether to list the folders that symbolic links lead to.

    Raises:
        SettingsError: there is no such folder, or it went away meanwhile.
    """
    if collection.is_file:
        return _list_file(collection)
    identity = identify_folder(collection)
    walk = _Walk(collection, follow_links=follow_links)
    found = [video for folder in walk.folders() for video in walk.videos(folder)]
    if identify_folder(collection) != identity:
        # An unplugged drive looks like a folder whose files were all deleted: believe neither.
        raise SettingsError(
            f"{collection.root} was replaced by another folder while it was listed: scan again"
        )
    found.sort(key=lambda video: video.path)
    return Listing({video.path: video for video in found}, tuple(walk.problems))


def _list_file(collection: Collection) -> Listing:
    key = collection.under
    try:
        facts = os.stat(collection.top)
    except OSError as error:
        return Listing({}, (Problem(key, f"cannot be read: {error.strerror}"),))
    return Listing({key: VideoFile(key, collection.top, *stamp_of(facts))})


def no_videos(collection: Collection) -> str:
    """Say that a listing found nothing, and which endings it looked for."""
    return f"no videos in {collection.top}: looked for {_endings(collection)} (data.extensions)"


def _endings(collection: Collection) -> str:
    return ", ".join(f".{extension}" for extension in collection.extensions)


def linked_folders(collection: Collection) -> list[str]:
    """Name the symbolic links to folders that a listing follows, by key."""
    walk = _Walk(collection, follow_links=True)
    for _ in walk.folders():
        pass
    return walk.followed


def identify_folder(collection: Collection) -> tuple[int, int]:
    """Identify the folder to list by its device and inode: a folder put in its place has others.

    Raises:
        SettingsError: the folder is missing, cannot be reached, or is a file that is no video.
    """
    is_listable = is_listed(collection.under, collection.extensions)
    for folder in (collection.root, collection.folder if is_listable else collection.top):
        try:
            facts = os.stat(folder)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SettingsError(
                f"{folder} does not exist: connect its drive, name another folder (`scan DIR`), or"
                " set data.dir; `demo` needs no videos"
            ) from error
        except OSError as error:
            raise SettingsError(f"{folder} (data.dir) cannot be read: {error.strerror}") from error
        if not stat.S_ISDIR(facts.st_mode) and folder == collection.root:
            raise SettingsError(f"{folder} is a file, not a folder (data.dir, or the one given)")
        if not stat.S_ISDIR(facts.st_mode):
            raise SettingsError(
                f"{folder} is neither a folder nor a video that is not hidden and ends with"
                f" {_endings(collection)} (data.extensions)"
            )
    return facts.st_dev, facts.st_ino


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one that can be reached."""
    try:
        return entry.is_dir()
    except OSError:  # a link into a place that cannot be entered, or to itself
        return False


@dataclass(frozen=True, slots=True)
class _Folder:
    path: Path
    prefix: str  # of the keys in it: empty or with a slash at the end
    files: list[os.DirEntry[str]]


class _Walk:
    """One pass over a collection.

    Real folders come first and links to folders last, both in order of their names, so that a
    folder that can be reached in several ways has the same keys at every pass.
    """

    def __init__(self, collection: Collection, *, follow_links: bool) -> None:
        self.problems: list[Problem] = []
        self.followed: list[str] = []
        self._extensions = collection.extensions
        self._follow_links = follow_links
        self._root = os.path.join(collection.root, "")
        self._waiting = [f"{collection.under}/" if collection.under else ""]
        self._links: list[str] = []
        self._seen: set[tuple[int, int]] = set()

    def folders(self) -> Iterator[_Folder]:
        """Visit every folder once, with the videos in it."""
        while self._waiting or self._links:
            prefix = self._waiting.pop() if self._waiting else self._next_link()
            if prefix is not None and self._is_new(prefix):
                yield self._list(prefix)

    def videos(self, folder: _Folder) -> Iterator[VideoFile]:
        """Read the size and time of a folder's files."""
        for entry in folder.files:
            key = folder.prefix + entry.name
            if not self._can_be_stored(key):
                continue
            try:
                facts = entry.stat()
            except OSError as error:
                self._file_problem(key, entry, error)
                continue
            if stat.S_ISREG(facts.st_mode):
                location = folder.path / entry.name
                yield VideoFile(key, location, *stamp_of(facts))
            else:
                self._problem(key, "is not a regular file")

    def _next_link(self) -> str | None:
        link = self._links.pop(0)
        if self._identity(link) in self._seen:
            return None
        self.followed.append(link.rstrip("/"))
        return link

    def _is_new(self, prefix: str) -> bool:
        identity = self._identity(prefix)
        is_new = identity is not None and identity not in self._seen
        if identity is not None:
            self._seen.add(identity)
        return is_new

    def _identity(self, prefix: str) -> tuple[int, int] | None:
        try:
            facts = os.stat(self._root + prefix)
        except OSError as error:
            self._folder_problem(prefix, error)
            return None
        return facts.st_dev, facts.st_ino

    def _list(self, prefix: str) -> _Folder:
        folder = _Folder(Path(self._root + prefix), prefix, [])
        folders, links = [], []
        try:
            with os.scandir(folder.path) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                    elif entry.is_symlink() and is_folder(entry):
                        links.append(entry.name)
                    elif is_video(entry.name, self._extensions):
                        folder.files.append(entry)
                    elif entry.is_symlink() and not entry.name.startswith("."):
                        self._check_link(prefix, entry)
        except OSError as error:
            self._folder_problem(prefix, error)
        self._waiting += reversed(self._prefixes(prefix, folders))
        self._links += self._prefixes(prefix, links) if self._follow_links else []
        return folder

    def _check_link(self, prefix: str, entry: os.DirEntry[str]) -> None:
        """Report a link that leads nowhere: it may lead to a folder on a drive that is away."""
        try:
            entry.stat()
        except OSError as error:
            self._file_problem(prefix + entry.name, entry, error)

    def _prefixes(self, prefix: str, names: list[str]) -> list[str]:
        wanted = sorted(name for name in names if not is_skipped(name))
        return [f"{prefix}{name}/" for name in wanted if self._can_be_stored(prefix + name)]

    def _can_be_stored(self, key: str) -> bool:
        if is_utf8(key):
            return True
        self._problem(key, "its name is not valid UTF-8 and cannot be stored")
        return False

    def _folder_problem(self, prefix: str, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            self._problem(prefix.rstrip("/"), f"cannot be listed: {error.strerror}")

    def _file_problem(self, key: str, entry: os.DirEntry[str], error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            self._problem(key, f"cannot be read: {error.strerror}")
        elif entry.is_symlink():
            self._problem(key, "is a symbolic link that leads nowhere")

    def _problem(self, key: str, reason: str) -> None:
        self.problems.append(Problem(os.fsencode(key).decode("utf-8", "backslashreplace"), reason))
