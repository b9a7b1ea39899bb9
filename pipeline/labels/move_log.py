"""Moves of files, and the log beside the store from which they can be taken back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from store.files import atomic_write
from store.schema import Stamp

_WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Move:
    """A file's way from one place in a collection to another.

    Args:
        root: the collection's folder.
        source: row path before the move.
        target: row path after it.
        size: bytes of the file.
        mtime_ns: modification time of the file.
        batch: number that the moves made together share.
    """

    root: str
    source: str
    target: str
    size: int
    mtime_ns: int
    batch: int = 0

    @property
    def back(self) -> Move:
        """The move that takes this one back."""
        return replace(self, source=self.target, target=self.source)

    @property
    def origin(self) -> Path:
        """The file before the move."""
        return Path(self.root, self.source)

    @property
    def destination(self) -> Path:
        """The file after the move."""
        return Path(self.root, self.target)

    @property
    def stamp(self) -> Stamp:
        """Size and time that the file must still have."""
        return Stamp(self.size, self.mtime_ns)


class MoveLog:
    """Keep the moves that can be taken back, one JSON object a line.

    A move is logged before it is made, so that a crash leaves no moved file that the log does not
    know of. A second line withdraws a move that failed.

    Args:
        file: where the log is kept; None where the store is not a local folder.

    Raises:
        PipelineError: there is no place for the log, or it cannot be read or written.
    """

    def __init__(self, file: Path | None) -> None:
        if file is None:
            raise PipelineError(
                "moves are logged beside the store, which has to be a local folder for that;"
                " move the files by hand: the next scan follows"
            )
        self.file = file

    def start_batch(self) -> int:
        """Clear the log of withdrawn moves and cut lines, and return a number above all in it."""
        moves, is_clean = self._read_all()
        if not is_clean:
            self._replace(moves)
        return max((move.batch for move in moves), default=0) + 1

    def last_batch(self) -> list[Move]:
        """Return the moves of the newest batch, in the order in which they were made."""
        return self.batch(None)

    def batch(self, number: int | None) -> list[Move]:
        """Return the moves of a batch, or of the newest one, in the order of making."""
        moves = self._read()
        newest = max((move.batch for move in moves), default=0)
        wanted = newest if number is None else number
        return [move for move in moves if move.batch == wanted]

    def add(self, move: Move) -> None:
        """Note a move that is about to be made; the note is on the disk when this returns."""
        self._append(asdict(move))

    def withdraw(self, move: Move) -> None:
        """Note that a move was not made after all."""
        self._append({**asdict(move), _WITHDRAWN: True})

    def forget(self, moves: Set[Move]) -> None:
        """Remove moves from the log."""
        self._replace([move for move in self._read() if move not in moves])

    def _append(self, entry: dict[str, Any]) -> None:
        with self._errors(), self.file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def _replace(self, moves: Sequence[Move]) -> None:
        with self._errors():
            atomic_write(self.file, "".join(json.dumps(asdict(move)) + "\n" for move in moves))

    def _read(self) -> list[Move]:
        return self._read_all()[0]

    def _read_all(self) -> tuple[list[Move], bool]:
        """Read the moves, and whether the log holds nothing else."""
        moves: dict[Move, None] = {}
        with self._errors():
            try:
                text = self.file.read_text(encoding="utf-8")
            except FileNotFoundError:
                return [], True
            lines = text.splitlines(keepends=True)
            for line in lines:
                if not line.endswith("\n"):  # cut short by a crash: its move was never made
                    break
                entry = json.loads(line)
                if entry.pop(_WITHDRAWN, False):
                    moves.pop(Move(**entry), None)
                else:
                    moves[Move(**entry)] = None
        return list(moves), len(moves) == len(lines)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise PipelineError(
                f"{self.file}: {error.strerror}: the log of moves; what was"
                " moved before stays, and the next scan follows it"
            ) from error
        except (ValueError, TypeError) as error:
            raise PipelineError(
                f"{self.file}: the log of moves is damaged ({error}): repair it, or delete it to"
                " give up taking its moves back"
            ) from error
