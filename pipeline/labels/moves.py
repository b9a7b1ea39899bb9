"""Moving files into folders, with the store in step, and taking that back.

No file is ever moved over another one. Each move is logged beside the store before it is made. The
row follows by the file's content, as after any move that a scan finds: no model runs.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.flow.catalog import Catalog
from pipeline.flow.write import Writer
from pipeline.records import Reused, VideoFile
from pipeline.source.listing import read_stamp
from store.errors import StoreBusyError
from store.schema import Recipe, Stamp
from store.table.store import Store

LOG = "moves.jsonl"
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Move:
    """Args:
    root: the collection's folder.
    source, target: keys below it.
    size, mtime_ns: of the file.
    batch: moves of one number were made together.
    """

    root: str
    source: str
    target: str
    size: int
    mtime_ns: int
    batch: int = 0

    @property
    def back(self) -> Move:
        return replace(self, source=self.target, target=self.source)

    @property
    def stamp(self) -> Stamp:
        return Stamp(self.size, self.mtime_ns)


class MoveLog:
    """The batches of moves that can be taken back, one JSON object a line.

    Args:
        file: where it is kept; None where the store is not a local folder.

    Raises:
        PipelineError: there is no place for it, or it cannot be read or written.
    """

    def __init__(self, file: Path | None) -> None:
        if file is None:
            raise PipelineError(
                "moves are logged beside the store, which has to be a local folder for that;"
                " move the files by hand: the next scan follows"
            )
        self._file = file

    def next_batch(self) -> int:
        """A number above all that there are."""
        return max((move.batch for move in self._read()), default=0) + 1

    def last_batch(self) -> list[Move]:
        """The moves of the newest batch, in the order that they were made in."""
        moves = self._read()
        newest = max((move.batch for move in moves), default=0)
        return [move for move in moves if move.batch == newest]

    def add(self, move: Move) -> None:
        """Note a move that is about to be made; on the disk when this returns."""
        with self._errors(), self._file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(move)) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def drop(self, batch: int) -> None:
        """Forget a batch."""
        lines = [json.dumps(asdict(move)) + "\n" for move in self._read() if move.batch != batch]
        unfinished = self._file.with_suffix(".new")
        with self._errors():
            unfinished.write_text("".join(lines), encoding="utf-8")
            unfinished.replace(self._file)

    def _read(self) -> list[Move]:
        if not self._file.exists():
            return []
        with self._errors():
            lines = self._file.read_text(encoding="utf-8").splitlines(keepends=True)
        # A line without an end was cut short: its move was never made.
        return [Move(**json.loads(line)) for line in lines if line.endswith("\n")]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise PipelineError(
                f"{self._file}: {error.strerror}: the log of moves; what was"
                " moved before stays, and the next scan follows it"
            ) from error


def move_all(moves: Sequence[Move], log: MoveLog | None, say: Say) -> list[Move]:
    """Make these moves as one batch, and tell of each; the ones that were made.

    Args:
        log: notes them; None for those that take others back.
    """
    batch = log.next_batch() if log else 0
    made = []
    for move in moves:
        numbered = replace(move, batch=batch)
        reason = _obstacle(numbered)
        if not reason:
            if log:
                log.add(numbered)
            reason = _move(numbered)
        if reason:
            say(f"left {move.source}: {reason}")
        else:
            say(f"{move.source} -> {move.target}")
            made.append(numbered)
    return made


def follow(uri: str, recipe: Recipe, moves: Sequence[Move], say: Say) -> None:
    """Bring the rows of moved files to their new paths.

    Where another process is writing the store, that one or the next scan does it.
    """
    try:
        with Store.open(uri, writer=True) as store:
            _follow(store, recipe, moves)
    except StoreBusyError as busy:
        say(f"{busy.holder} is writing the store: a watch follows by itself, else the next scan")


def _follow(store: Store, recipe: Recipe, moves: Sequence[Move]) -> None:
    known = store.known()
    failed = {failure.path: failure for failure in store.failures()}
    writer = Writer(store, Catalog(known, failed, recipe), lambda *_: None)
    moved = []
    for move in moves:
        row = known.get(move.source)
        location = Path(move.root, move.target)
        if row is not None and row.stamp == move.stamp == read_stamp(location):
            file = VideoFile(move.target, location, *move.stamp)
            moved.append(Reused(file, row.content_hash))
    writer.write(moved)


def _obstacle(move: Move) -> str:
    """Why a move must not be made; empty if nothing speaks against it."""
    source, target = Path(move.root, move.source), Path(move.root, move.target)
    if source.is_symlink():
        return "it is a symbolic link"
    if not source.is_file():
        return "there is no such file"
    if read_stamp(source) != move.stamp:
        return "it has changed meanwhile"
    return f"there is a {move.target} already" if os.path.lexists(target) else ""


def _move(move: Move) -> str:
    """Move a file to a place where none is; why it could not be done, or nothing."""
    source, target = Path(move.root, move.source), Path(move.root, move.target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _rename(source, target)
    except FileExistsError:
        return f"there is a {move.target} already"
    except OSError as error:
        return f"it cannot be moved: {error.strerror}"
    return ""


def _rename(source: Path, target: Path) -> None:
    """A rename that fails where the target exists, unlike the system's."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        with target.open("xb"):  # the name is taken, by an empty file of our own
            pass
        try:
            os.replace(source, target)
        except OSError:
            target.unlink()
            raise
    else:
        source.unlink()
