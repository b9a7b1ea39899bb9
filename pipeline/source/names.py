"""Which names of files and folders belong to a collection."""

from __future__ import annotations

PARTIAL_EXTENSIONS = frozenset({"part", "partial", "crdownload", "download", "tmp"})
PARTIAL_FOLDER = ".download"  # Safari downloads into a folder of the video's name and this ending


def is_video(name: str, extensions: tuple[str, ...]) -> bool:
    """Whether a file name is that of a whole video: of a listed extension, and not hidden."""
    _, dot, extension = name.rpartition(".")
    extension = extension.lower()
    return (
        bool(dot)
        and extension in extensions
        and not name.startswith(".")
        and extension not in PARTIAL_EXTENSIONS
    )


def is_listed(key: str, extensions: tuple[str, ...]) -> bool:
    """Whether a listing would hold a file of this key."""
    folder, _, name = key.rpartition("/")
    return is_video(name, extensions) and is_listed_folder(folder) and is_utf8(name)


def is_listed_folder(key: str) -> bool:
    """Whether a listing would enter a folder of this key."""
    return is_utf8(key) and not any(map(is_skipped, key.split("/")))


def is_utf8(name: str) -> bool:
    """Whether a name, as `os.fsdecode` gives it, was valid UTF-8 on disk."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_skipped(folder: str) -> bool:
    """Whether a listing leaves out a folder of this name: hidden, or a download that goes on."""
    return folder.startswith(".") or folder.lower().endswith(PARTIAL_FOLDER)
