"""The hash of a file's bytes: files with equal bytes have one content, whatever their names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from pipeline.decode.container import open_bytes

CHUNK_BYTES = 1 << 18


def content_hash(location: Path, beat: Callable[[], None] = lambda: None) -> str:
    """BLAKE2b-128 of the file's bytes, in hexadecimal.

    Args:
        location: the file.
        beat: called after each chunk.

    Raises:
        VideoError: the file cannot be read.
    """
    with open_bytes(location) as file:
        digest, chunk = hashlib.blake2b(digest_size=16), bytearray(CHUNK_BYTES)
        while size := file.readinto(chunk):
            digest.update(memoryview(chunk)[:size])
            beat()
        return digest.hexdigest()
