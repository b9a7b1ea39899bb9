"""The content of a file, by its hash: equal bytes are one content, whatever the file is called."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from pipeline.decode.container import open_bytes

PIECE_BYTES = 1 << 18


def content_hash(location: Path, beat: Callable[[], None] = lambda: None) -> str:
    """BLAKE2b-128 of the file's bytes, in hexadecimal. `beat` is called with each piece read.

    Raises:
        VideoError: the file cannot be read.
    """
    with open_bytes(location) as file:
        digest, piece = hashlib.blake2b(digest_size=16), bytearray(PIECE_BYTES)
        while size := file.readinto(piece):
            digest.update(memoryview(piece)[:size])
            beat()
        return digest.hexdigest()
