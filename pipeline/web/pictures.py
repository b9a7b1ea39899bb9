"""Pictures that somebody searches with, kept in files for a while."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from pipeline.errors import VideoError
from pipeline.web.answers import ApiError

KEPT = 16
ID_BYTES = 10


class Pictures:
    """Keeps the last pictures; safe in any thread."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="video-vectors-")
        self._files: OrderedDict[str, Path] = OrderedDict()
        self._lock = Lock()

    def close(self) -> None:
        """Remove all of them."""
        self._folder.cleanup()

    def add(self, content: bytes) -> str:
        """Keep a picture, and name it.

        Raises:
            ApiError: the bytes are no picture that can be read.
        """
        from pipeline.decode.images import read_picture

        name = blake2b(content, digest_size=ID_BYTES).hexdigest()
        file = Path(self._folder.name, name)
        with self._lock:
            file.write_bytes(content)
            try:
                read_picture(file)
            except VideoError as error:
                file.unlink()
                self._files.pop(name, None)
                raise ApiError(415, "this is no picture that can be read") from error
            self._files[name] = file
            self._files.move_to_end(name)
            while len(self._files) > KEPT:
                self._files.popitem(last=False)[1].unlink(missing_ok=True)
        return name

    def file_of(self, name: str) -> Path:
        """Give the file of a picture.

        Raises:
            ApiError: it is not kept any more.
        """
        with self._lock:
            file = self._files.get(name)
        if file is None:
            raise ApiError(404, "this picture is not here any more; drop it once more")
        return file
