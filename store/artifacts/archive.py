"""ZIP archives with a matrix whose rows are written in any order: `zipfile` goes front to back.

Members are stored as they are, with sizes of 64 bits, and can be mapped into memory (PKWARE, ".ZIP
File Format Specification" 6.3.10, sections 4.3 and 4.5.3).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO
from zlib import crc32

import numpy as np

from store.files import durable

_ALIGNMENT = 64  # bytes, of what a member holds, as torch.save has it
_PAGE = 4096  # of a matrix, since a system reads the page of which a part is written
_PADDING = 0x4246  # the extra field that torch.save pads with
_HEADER_BYTES = 30 + 20 + 4  # of a member, without its name and the padding itself
_VERSION = 45  # what a reader has to know: 4.5, sizes of 64 bits
_YEAR_1980 = 1 << 5 | 1  # its first day: the same content gives the same bytes
_IN_64_BITS = 0xFFFFFFFF  # where a size of 32 bits would be
_BLOCK_ROWS = 4096


class Matrix:
    """float32 `[n, width]` in a file: first written row by row, then read front to back.

    Args:
        file: where it is.
        stream: the file while it is written.
        begin: of the first row, in bytes.
        shape: rows and columns.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, file: Path, stream: IO[bytes], begin: int, shape: tuple[int, int]) -> None:
        self.shape = shape
        self._file, self._stream, self._begin = file, stream, begin
        self._row_bytes = shape[1] * self.dtype.itemsize
        self._crcs = np.zeros(shape[0], np.uint32)

    def __len__(self) -> int:
        return self.shape[0]

    def put(self, places: np.ndarray, rows: np.ndarray) -> None:
        """Write some rows.

        Args:
            places: int64 `[b]`, ascending: which rows they are.
            rows: float32 `[b, width]`.

        Raises:
            OSError: there is no room for them.
        """
        if not len(places):
            return
        self._crcs[places] = [crc32(row) for row in rows]
        ends = np.flatnonzero(np.diff(places) != 1) + 1
        firsts = places[np.concatenate([[0], ends])]
        for run, first in zip(np.split(rows, ends), firsts.tolist(), strict=True):
            self._stream.seek(self._begin + first * self._row_bytes)
            self._stream.write(run.data)

    def __iter__(self) -> Iterator[np.ndarray]:
        """float32 `[b, width]`, block after block, once the archive is closed."""
        for at in range(0, len(self), _BLOCK_ROWS):
            yield self._read(at, min(at + _BLOCK_ROWS, len(self)))

    def whole(self) -> np.ndarray:
        """float32 `[n, width]`, in memory."""
        return self._read(0, len(self))

    def _read(self, first: int, end: int) -> np.ndarray:
        place = self._begin + first * self._row_bytes
        numbers = np.fromfile(self._file, self.dtype, (end - first) * self.shape[1], offset=place)
        return numbers.reshape(end - first, self.shape[1])

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self) * self._row_bytes

    @property
    def crc(self) -> int:
        """CRC-32 of all rows."""
        return joined_crc(self._crcs, self._row_bytes)


@dataclass(frozen=True)
class _Member:
    name: bytes
    at: int  # its header, in bytes
    begin: int  # what it holds
    size: int = 0
    crc: int = 0

    @classmethod
    def after(cls, end: int, name: str, alignment: int) -> _Member:
        """The next one, which is empty yet: its header, then what it holds."""
        begin = end + _HEADER_BYTES + len(name.encode())
        return cls(name.encode(), end, begin + -begin % alignment)

    def header(self) -> bytes:
        padding = bytes(self.begin - self.at - _HEADER_BYTES - len(self.name))
        extra = struct.pack("<HHQQHH", 1, 16, self.size, self.size, _PADDING, len(padding))
        facts = self._facts(len(extra + padding))
        return struct.pack("<IH", 0x04034B50, _VERSION) + facts + self.name + extra + padding

    def entry(self) -> bytes:
        """In the archive's directory."""
        extra = struct.pack("<HHQQQ", 1, 24, self.size, self.size, self.at)
        begin = struct.pack("<IHH", 0x02014B50, _VERSION, _VERSION) + self._facts(len(extra))
        return begin + struct.pack("<HHHII", 0, 0, 0, 0, _IN_64_BITS) + self.name + extra

    def _facts(self, extra_bytes: int) -> bytes:
        sizes = (self.crc, _IN_64_BITS, _IN_64_BITS, len(self.name), extra_bytes)
        return struct.pack("<HHHHIIIHH", 0, 0, 0, _YEAR_1980, *sizes)


class Archive:
    """One that is being written, front to back but for its matrices."""

    def __init__(self, file: Path, stream: IO[bytes]) -> None:
        self._file, self._stream = file, stream
        self._members: list[_Member] = []
        self._matrices: dict[int, Matrix] = {}  # by their place among the members
        self._end = 0

    def add(self, name: str, pieces: Iterable[bytes | memoryview]) -> None:
        """A member of that name, which is ASCII."""
        member = _Member.after(self._end, name, _ALIGNMENT)
        self._stream.seek(member.begin)
        crc = size = 0
        for piece in pieces:
            self._stream.write(piece)
            size, crc = size + memoryview(piece).nbytes, crc32(piece, crc)
        self._append(replace(member, size=size, crc=crc))

    def matrix(self, name: str, shape: tuple[int, int]) -> Matrix:
        """A member whose rows are put as long as the archive is open, each once."""
        member = _Member.after(self._end, name, _PAGE)
        matrix = Matrix(self._file, self._stream, member.begin, shape)
        self._matrices[len(self._members)] = matrix
        self._append(replace(member, size=matrix.size))
        return matrix

    def _append(self, member: _Member) -> None:
        self._members.append(member)
        self._end = member.begin + member.size

    def finish(self) -> None:
        """Write the headers, and the directory."""
        members = self._members
        for place, matrix in self._matrices.items():
            members[place] = replace(members[place], crc=matrix.crc)
        for member in members:
            self._stream.seek(member.at)
            self._stream.write(member.header())
        entries = b"".join(member.entry() for member in members)
        count, end = len(members), self._end + len(entries)
        facts = (count, count, len(entries), self._end)
        self._stream.seek(self._end)
        self._stream.write(entries)
        self._stream.write(
            struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, _VERSION, _VERSION, 0, 0, *facts)
        )
        self._stream.write(struct.pack("<IIQI", 0x07064B50, 0, end, 1))
        short = (0xFFFF, 0xFFFF, _IN_64_BITS, _IN_64_BITS)
        self._stream.write(struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, *short, 0))


@contextmanager
def archive(file: Path) -> Iterator[Archive]:
    """A new file, on the disk when the block ends."""
    with durable(file) as stream:
        made = Archive(file, stream)
        yield made
        made.finish()


def joined_crc(crcs: np.ndarray, length: int) -> int:
    """CRC-32 of pieces one after the other, from those of each.

    Args:
        crcs: uint32 `[n]`.
        length: of each piece, in bytes.

    A piece changes what came before it by a matrix of bits that depends on its length alone, and
    adds its own CRC (crc32_combine of zlib). Pieces are joined two by two, log2(n) times.
    """
    zeros = bytes(length)
    shift = np.array([crc32(zeros, 1 << bit) ^ crc32(zeros) for bit in range(32)], np.uint32)
    while len(crcs) > 1:
        if len(crcs) % 2:
            crcs = np.concatenate([np.zeros(1, np.uint32), crcs])  # as if there were none
        crcs = _times(crcs[::2], shift) ^ crcs[1::2]
        shift = _times(shift, shift)
    return int(crcs[0]) if len(crcs) else 0


def _times(numbers: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The matrix, uint32 `[32]` for the bits of a number, times each of the numbers, uint32."""
    product = np.zeros_like(numbers)
    for bit, column in enumerate(matrix):
        product ^= (numbers >> np.uint32(bit) & np.uint32(1)) * column
    return product
