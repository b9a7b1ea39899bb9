"""Tables for a person, on stdout: what is found and what failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.terminal import clock, printable, start_of

TRANSCRIPT_CHARACTERS = 60
UNWRAPPED_COLUMNS = 10_000  # where lines are read by another program, each row is one line


def print_hits(hits: list[dict[str, Any]], *, empty: str = "Nothing was found.") -> None:
    """Match (the score where there is no telling), label, path, the reason, and the start of the
    transcript of each hit."""
    judged = any(hit["match"] is not None for hit in hits)
    rows: list[tuple[str, ...]] = [
        (
            ("" if hit["match"] is None else f"{hit['match']:.0f}%")
            if judged
            else f"{hit['score']:.3f}",
            hit["label"] or "",
            hit["path"],
            reason(hit["why"]),
            start_of(hit["transcript"], TRANSCRIPT_CHARACTERS),
        )
        for hit in hits
    ]
    header = ("match" if judged else "score", "label", "path", "why", "transcript")
    print_table(header, rows, empty=empty)


def reason(why: dict[str, Any]) -> str:
    """`picture at 00:12`, or `speech at 00:12: what is said`."""
    when = "" if why["time"] is None else f" at {clock(why['time'])}"
    said = f": {start_of(why['sentence'], TRANSCRIPT_CHARACTERS)}" if why["sentence"] else ""
    return f"{why['kind']}{when}{said}"


def print_failures(failures: list[dict[str, Any]]) -> None:
    """Path, stage, reason and attempts of each failed file."""
    rows: list[tuple[str, ...]] = [
        (f["path"], f["stage"], f["reason"], str(f["attempts"])) for f in failures
    ]
    print_table(("path", "stage", "reason", "attempts"), rows, empty="No video has failed.")


def print_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, empty: str) -> None:
    """Rows of cells, shown as they are: names and words may hold anything."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console = Console(width=UNWRAPPED_COLUMNS)
    if not rows:
        console.print(empty)
        return
    table = Table(*header, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(printable(cell), overflow="fold") for cell in row))
    console.print(table)
