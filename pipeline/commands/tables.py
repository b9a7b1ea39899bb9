"""Tables for a person, on stdout: a row a line, and every path whole, to be copied."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import Any

from pipeline.commands.output import write
from pipeline.terminal import clock, printable, start_of, styled

GAP = "  "
LEAST_CUT = 20  # characters that stay of a column which is cut at the edge of a terminal
SAID_CHARACTERS = 60


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
            hit["path"],
            _reason(hit["why"]),
            start_of(hit["why"]["sentence"] or hit["transcript"], SAID_CHARACTERS),
        )
        for hit in hits
    ]
    header = ("match" if is_judged else "score", "path", "why", "said")
    marks = ["match" if hit["good"] else "" for hit in hits]
    print_table(header, rows, empty=empty, marks=marks, cut=True)


def print_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    empty: str,
    marks: Sequence[str] | None = None,
    cut: bool = False,
) -> None:
    """Print a table on stdout; cells may hold any text, and control characters are escaped.

    Args:
        header: names of the columns.
        rows: cells of each row, as many as the header has.
        empty: what to print where there are no rows.
        marks: by row a word of `terminal.STYLES`, which colours its first cell.
        cut: whether the last column is cut at the edge of a terminal. All else stays whole: a
            longer row goes on in the terminal's next line, and can be copied.
    """
    if not rows:
        write(f"{empty}\n")
        return
    from rich.cells import cell_len, set_cell_size

    edge = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    cells = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    if edge is not None:  # one long path does not push all other rows over the edge
        widths = [min(width, edge // 2) for width in widths]
    lines = []
    for mark, row in zip(["", *(marks or [""] * len(rows))], cells, strict=True):
        *padded, last = (
            set_cell_size(cell, max(width, cell_len(cell)))
            for cell, width in zip(row, widths, strict=True)
        )
        start, last = GAP.join([*padded, ""]), last.rstrip()
        if cut and edge is not None:
            last = start_of(last, max(LEAST_CUT, edge - cell_len(start)))
        lines.append(styled(row[0], mark, sys.stdout) + (start + last)[len(row[0]) :].rstrip())
    write("\n".join([*lines, ""]))


def _match(hit: dict[str, Any]) -> str:
    """The match, rounded down: 100% is only what matches wholly."""
    return "" if hit["match"] is None else f"{int(hit['match'])}%"


def _reason(why: dict[str, Any]) -> str:
    """`picture 00:12`, `speech 00:12` or `words 00:12`: where to start a player to meet it."""
    return why["kind"] if why["time"] is None else f"{why['kind']} {clock(int(why['time']))}"
