"""Move files into folders, keep the store in step, and take such moves back.

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
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError
from pipeline.flow.write import Writer
from pipeline.records import Reused, VideoFile
from pipeline.source.listing import Unknown, look_at
from store.errors import StoreBusyError
from store.files import atomic_write
from store.schema import Stamp
from store.table.store import Store

if TYPE_CHECKING:
    from pipeline.labels.suggest import Suggestion
    from pipeline.project import Project
    from store.schema import Recipe

LOG = "moves.jsonl"
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}

Report = Callable[[str], None]
"""Receives a line for a person."""


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
    def stamp(self) -> Stamp:
        """Size and time that the file must still have."""
        return Stamp(self.size, self.mtime_ns)


@dataclass(frozen=True)
class MovedBatch:
    """What became of a batch of moves.

    Args:
        asked: number of moves that were to be made.
        made: moves that were made.
    """

    asked: int
    made: tuple[Move, ...]

    def as_document(self, shown: Callable[[str], str]) -> dict[str, Any]:
        """Return the JSON document.

        Args:
            shown: turns a row path into the path that a person sees.
        """
        moved = [{"from": shown(each.source), "to": shown(each.target)} for each in self.made]
        return {"moved": moved}


def move_to_folders(
    project: Project, suggestions: Sequence[Suggestion], report: Report
) -> MovedBatch:
    """Move each video with a suggested label into that folder, as one batch.

    A video whose row is no longer of the content that the suggestion is about stays where it is.

    Args:
        project: open project.
        suggestions: of its unlabeled videos.
        report: receives a line for each file, and each obstacle.

    Raises:
        PipelineError: the log of moves cannot be kept.
        StoreError: the store cannot be read or written; the files that were moved stay moved.
    """
    log = MoveLog(project.store.scratch(LOG))
    known, root = project.store.known(), str(project.collection.root)
    moves = [
        Move(root, each.path, f"{each.label}/{each.path}", *row.stamp)
        for each in suggestions
        if each.label is not None
        and (row := known.get(each.path)) is not None
        and row.content_hash == each.content_hash
    ]
    made = move_all(moves, log, report)
    _follow(project, made, report)
    return MovedBatch(len(moves), tuple(made))


def undo_last_moves(project: Project, report: Report) -> MovedBatch:
    """Take the newest batch of moves back.

    Args:
        project: open project.
        report: receives a line for each file, and each obstacle.

    Raises:
        PipelineError: the log of moves cannot be read or written.
        StoreError: the store cannot be written; the files that were moved stay moved.
    """
    log = MoveLog(project.store.scratch(LOG))
    batch = log.last_batch()
    made = move_all([move.back for move in reversed(batch)], None, report)
    _follow(project, made, report)
    if batch:
        log.drop(batch[0].batch)
    return MovedBatch(len(batch), tuple(made))


class MoveLog:
    """Keep the batches of moves that can be taken back, one JSON object a line.

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
        self._file = file

    def next_batch(self) -> int:
        """Return a number above all in the log."""
        return max((move.batch for move in self._read()), default=0) + 1

    def last_batch(self) -> list[Move]:
        """Return the moves of the newest batch, in the order in which they were made."""
        moves = self._read()
        newest = max((move.batch for move in moves), default=0)
        return [move for move in moves if move.batch == newest]

    def add(self, move: Move) -> None:
        """Note a move that is about to be made; the note is on the disk when this returns."""
        with self._errors(), self._file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(move)) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def drop(self, batch: int) -> None:
        """Forget a batch."""
        lines = [json.dumps(asdict(move)) + "\n" for move in self._read() if move.batch != batch]
        with self._errors():
            atomic_write(self._file, "".join(lines))

    def _read(self) -> list[Move]:
        with self._errors():
            try:
                lines = self._file.read_text(encoding="utf-8").splitlines(keepends=True)
            except FileNotFoundError:
                return []
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


def move_all(moves: Sequence[Move], log: MoveLog | None, report: Report) -> list[Move]:
    """Make these moves as one batch, report each, and return the ones that were made.

    Args:
        moves: in the order in which they are made.
        log: notes them; None for moves that take others back.
        report: receives a line for each file.
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
            report(f"left {move.source}: {reason}")
        else:
            report(f"{move.source} -> {move.target}")
            made.append(numbered)
    return made


def _follow(project: Project, moves: Sequence[Move], report: Report) -> None:
    """Bring the rows of moved files to their new paths.

    Where another process is writing the store, that process or the next scan does it.
    """
    if not moves:
        return
    try:
        with Store.open(project.settings.store_uri, writer=True) as store:
            _move_rows(store, project.recipe, moves)
    except StoreBusyError as busy:
        report(f"{busy.holder} is writing the store: a watch follows by itself, else the next scan")


def _move_rows(store: Store, recipe: Recipe, moves: Sequence[Move]) -> None:
    known = store.known()
    writer = Writer(store, recipe)
    moved = []
    for move in moves:
        row = known.get(move.source)
        location = Path(move.root, move.target)
        if row is not None and row.stamp == move.stamp == look_at(location):
            file = VideoFile(move.target, location, *move.stamp)
            moved.append(Reused(file, row.content_hash))
    writer.write(moved)


def _obstacle(move: Move) -> str:
    """Say why a move must not be made; empty if nothing speaks against it."""
    source, target = Path(move.root, move.source), Path(move.root, move.target)
    if os.path.islink(source):
        return "it is a symbolic link"
    seen = look_at(source)
    if isinstance(seen, Unknown):
        return f"it cannot be reached: {seen.reason}"
    if seen is None:
        return "there is no such file"
    if seen != move.stamp:
        return "it has changed meanwhile"
    return f"there is a {move.target} already" if os.path.lexists(target) else ""


def _move(move: Move) -> str:
    """Move a file to a place where none is, and say why that failed; empty if it did not."""
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
    """Rename a file, and fail where the target exists, unlike the system's rename."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        with target.open("xb"):  # takes the name with an empty file of our own
            pass
        try:
            os.replace(source, target)
        except OSError:
            target.unlink()
            raise
    else:
        source.unlink()
