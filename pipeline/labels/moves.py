"""Move files into folders, keep the store in step, and take such moves back.

No file is ever moved over another one. Each move is logged beside the store before it is made. The
row follows by the file's content, as after any move that a scan finds: no model runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline.flow.rows import place_of
from pipeline.labels.file_moves import already_over, make, obstacle
from pipeline.labels.move_log import Move, MoveLog
from pipeline.project import open_store
from pipeline.records import VideoFile
from pipeline.source.presence import look_at
from store.errors import StoreBusyError
from store.table.store import Store

if TYPE_CHECKING:
    from pipeline.labels.advice import Suggestion
    from pipeline.project import Project

LOG = "moves.jsonl"
ROWS_AT_ONCE = 1_000  # in memory: about 15 MB

Report = Callable[[str], None]
"""Receives a line for a person."""


@dataclass(frozen=True)
class LeftBehind:
    """A file that was not moved.

    Args:
        path: row path where the file should have been.
        reason: what stood in the way.
    """

    path: str
    reason: str


@dataclass(frozen=True)
class MovedBatch:
    """What became of a batch of moves.

    Args:
        asked: number of moves that were to be made.
        made: moves that were made, of one batch of the log.
        left: files that were not moved.
    """

    asked: int = 0
    made: tuple[Move, ...] = ()
    left: tuple[LeftBehind, ...] = ()

    def as_document(self, shown: Callable[[str], str]) -> dict[str, Any]:
        """Return the JSON document.

        Args:
            shown: turns a row path into the path that a person sees.
        """
        return {
            "moved": [{"from": shown(each.source), "to": shown(each.target)} for each in self.made],
            "left": [{"path": shown(each.path), "reason": each.reason} for each in self.left],
        }


@dataclass(frozen=True)
class Placement:
    """A video and the folder that it is to be in.

    Args:
        path: row path of the video.
        folder: name of a top folder; None for the collection's root, where videos are unlabeled.
        content_hash: content that is meant; None for whatever is there.
    """

    path: str
    folder: str | None
    content_hash: str | None = None

    @property
    def target(self) -> str:
        """Row path of the video in that folder."""
        name = self.path.rpartition("/")[2]
        return name if self.folder is None else f"{self.folder}/{name}"


def move_to_folders(
    project: Project, suggestions: Sequence[Suggestion], report: Report
) -> MovedBatch:
    """Move each video with a suggested label into that folder, as one batch.

    A video whose row is no longer of the content that the suggestion is about stays where it is.

    Args:
        project: open project.
        suggestions: of its unlabeled videos.
        report: receives a line for each file.

    Raises:
        PipelineError: the log of moves cannot be kept.
        StoreError: the store cannot be read or written; the files that were moved stay moved.
    """
    wanted = [
        Placement(each.path, each.label, each.content_hash)
        for each in suggestions
        if each.label is not None
    ]
    batch = move_videos(project, wanted, report)
    follow(project, batch.made, report)
    return batch


def plan_moves(
    project: Project, wanted: Sequence[Placement]
) -> tuple[list[Move], list[LeftBehind]]:
    """Say what moving these videos would do, and move nothing.

    Args:
        project: open project.
        wanted: videos, and where each of them is to be.

    Returns:
        The moves that can be made, and the videos that stay where they are.

    Raises:
        StoreError: the store cannot be read.
    """
    known, root = project.store.known({each.path for each in wanted}), str(project.collection.root)
    moves: dict[str, Move] = {}
    left = []
    for each in wanted:
        row = known.get(each.path)
        if row is None:
            left.append(LeftBehind(each.path, "it is not in the store any more"))
        elif each.content_hash not in (None, row.content_hash):
            left.append(LeftBehind(each.path, "it has another content meanwhile"))
        elif row.label == each.folder:
            place = f"in {each.folder}" if each.folder is not None else "in no folder"
            left.append(LeftBehind(each.path, f"it is {place} already"))
        elif each.target in moves:
            left.append(LeftBehind(each.path, f"another {each.target} comes from elsewhere"))
        else:
            move = Move(root, each.path, each.target, *row.stamp)
            if reason := obstacle(move):
                left.append(LeftBehind(each.path, reason))
            else:
                moves[each.target] = move
    return list(moves.values()), left


def move_videos(project: Project, wanted: Sequence[Placement], report: Report) -> MovedBatch:
    """Move files as one batch; `follow` then brings their rows after them.

    Args:
        project: open project.
        wanted: videos, and where each of them is to be.
        report: receives a line for each file.

    Raises:
        PipelineError: the log of moves cannot be kept.
        StoreError: the store cannot be read.
    """
    log = MoveLog(project.store.scratch(LOG))
    moves, left = plan_moves(project, wanted)
    for each in left:
        report(f"left {each.path}: {each.reason}")
    batch = move_all(moves, log, report)
    return MovedBatch(len(wanted), batch.made, (*left, *batch.left))


def undo_last_moves(project: Project, report: Report) -> MovedBatch:
    """Take the newest batch of moves back; the moves that cannot be taken back stay in the log.

    Args:
        project: open project.
        report: receives a line for each file.

    Raises:
        PipelineError: the log of moves cannot be read or written.
        StoreError: the store cannot be written; the files that were moved stay moved.
    """
    batch = take_back(MoveLog(project.store.scratch(LOG)), report)
    follow(project, batch.made, report)
    return batch


def move_all(moves: Sequence[Move], log: MoveLog, report: Report) -> MovedBatch:
    """Make these moves in their order as one batch of the log."""
    number = log.start_batch()
    made, left = [], []
    for move in (replace(move, batch=number) for move in moves):
        reason = obstacle(move)
        if not reason:
            log.add(move)
            reason = make(move)
            if reason:
                log.withdraw(move)
        if reason:
            left.append(LeftBehind(move.source, reason))
            report(f"left {move.source}: {reason}")
        else:
            made.append(move)
            report(f"{move.source} -> {move.target}")
    return MovedBatch(len(moves), tuple(made), tuple(left))


def take_back(log: MoveLog, report: Report, number: int | None = None) -> MovedBatch:
    """Take a batch of the log back, the last move first.

    Args:
        log: of the moves.
        report: receives a line for each file.
        number: of the batch; None for the newest one.
    """
    batch = log.batch(number)
    made, left, over = [], [], []
    for move in reversed(batch):
        if reason := already_over(move):
            over.append(move)
            report(f"nothing to take back of {move.source}: {reason}")
        elif reason := obstacle(move.back) or make(move.back):
            left.append(LeftBehind(move.target, reason))
            report(f"left {move.target}: {reason}")
        else:
            made.append(move.back)
            report(f"{move.target} -> {move.source}")
    if len(left) < len(batch):
        log.forget({*over, *(move.back for move in made)})
    if left:
        report(
            f"{len(left)} of {len(batch)} moves stay in {log.file}: run `suggest --undo` again when"
            " nothing is in their way, or delete their lines there to give them up"
        )
    return MovedBatch(len(batch), tuple(made), tuple(left))


def follow(project: Project, moves: Sequence[Move], report: Report) -> bool:
    """Bring the rows of moved files to their new paths.

    Args:
        project: open project.
        moves: that were made.
        report: receives a line where another process is writing the store.

    Returns:
        Whether it was done; else a watch that is writing does it, or the next scan.

    Raises:
        StoreError: the store cannot be written.
    """
    if not moves:
        return True
    try:
        with open_store(project.settings, writer=True) as store:
            for start in range(0, len(moves), ROWS_AT_ONCE):
                _move_rows(store, moves[start : start + ROWS_AT_ONCE])
    except StoreBusyError as busy:
        report(f"{busy.holder} is writing the store: a watch follows by itself, else the next scan")
        return False
    return True


def _move_rows(store: Store, moves: Sequence[Move]) -> None:
    """Move the rows of files that are where they were moved to, as they were before."""
    rows = store.rows([move.source for move in moves])
    moved = []
    for move in moves:
        row = rows.get(move.source)
        if row is not None and row.stamp == move.stamp == look_at(move.destination):
            file = VideoFile(move.target, move.destination, *move.stamp)
            moved.append(replace(row, **place_of(file), offline=False))
    store.upsert(moved)
    targets = {row.path for row in moved}
    gone = [move.source for move in moves if move.target in targets and move.source not in targets]
    store.remove(gone)
    store.forget_failures([*targets, *gone])
