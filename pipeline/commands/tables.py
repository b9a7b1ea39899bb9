"""Tables of hits and of failures for a person, on stdout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.commands.output import write
from pipeline.terminal import clock, printable, start_of

if TYPE_CHECKING:
    from pipeline.flow.status import FailedVideo

TRANSCRIPT_CHARACTERS = 60
UNWRAPPED_COLUMNS = 10_000  # one line a row, where another program reads the output


def print_hits(hits: Sequence[dict[str, Any]], *, empty: str) -> None:
    """Print a row a hit; the first column is the match, or the score where no hit is judged.

    Args:
        hits: fields of each `Hit`, as its JSON has them.
        empty: what to print where there are no hits.
    """
    is_judged = any(hit["match"] is not None for hit in hits)
    rows = [
        (
            _match(hit) if is_judged else f"{hit['score']:.3f}",
            hit["label"] or "",
            hit["path"],
            _reason(hit["why"]),
            start_of(hit["transcript"], TRANSCRIPT_CHARACTERS),
        )
        for hit in hits
    ]
    header = ("match" if is_judged else "score", "label", "path", "why", "transcript")
    print_table(header, rows, empty=empty)


def print_failures(failures: Sequence[FailedVideo]) -> None:
    """Print a row a failed video."""
    rows = [(failed.path, failed.stage, failed.reason, str(failed.attempts)) for failed in failures]
    print_table(("path", "stage", "reason", "attempts"), rows, empty="No video has failed.")


def print_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, empty: str) -> None:
    """Print a table on stdout; cells may hold any text, and control characters are escaped.

    Args:
        header: names of the columns.
        rows: cells of each row, as many as the header has.
        empty: what to print where there are no rows.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console = Console(width=UNWRAPPED_COLUMNS)
    if not rows:
        write(f"{empty}\n")
        return
    table = Table(*header, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(printable(cell), overflow="fold") for cell in row))
    with console.capture() as captured:
        console.print(table)
    write(captured.get())


def _match(hit: dict[str, Any]) -> str:
    return "" if hit["match"] is None else f"{hit['match']:.0f}%"


def _reason(why: dict[str, Any]) -> str:
    """`picture at 00:12`, or `speech at 00:12: what is said`."""
    when = "" if why["time"] is None else f" at {clock(why['time'])}"
    said = f": {start_of(why['sentence'], TRANSCRIPT_CHARACTERS)}" if why["sentence"] else ""
    return f"{why['kind']}{when}{said}"
