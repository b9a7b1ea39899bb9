"""Which rows a search may find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from store.table.lance import Expr, col, lit


@dataclass(frozen=True)
class Filter:
    """Args:
    label: with this one.
    unlabeled: without any.
    language: in which this is spoken; an ISO 639-1 code.
    min_seconds, max_seconds: of a duration within these, both included.
    since: of files that were changed last at this time or later; with a time zone.

    Raises:
        ValueError: no row can be like that, or `since` has no time zone.
    """

    label: str | None = None
    unlabeled: bool = False
    language: str | None = None
    min_seconds: float | None = None
    max_seconds: float | None = None
    since: datetime | None = None

    def __post_init__(self) -> None:
        if self.label is not None and self.unlabeled:
            raise ValueError("no video has a label and none")
        if self.since is not None and self.since.tzinfo is None:
            raise ValueError("`since` has no time zone")

    @property
    def is_narrow(self) -> bool:
        """Whether it leaves out anything."""
        return self != Filter()

    def where(self, *more: Expr) -> str:
        """SQL that also leaves out what is offline, and what does not fulfil `more`."""
        wanted = [col("offline") == lit(False), *more, *self._conditions()]
        parts = [f"({one.to_sql()})" for one in wanted]
        return " AND ".join([*parts, *(["label IS NULL"] if self.unlabeled else [])])

    def _conditions(self) -> Sequence[Expr]:
        wanted = []
        if self.label is not None:
            wanted.append(col("label") == lit(self.label))
        if self.language is not None:
            wanted.append(col("language") == lit(self.language))
        if self.min_seconds is not None:
            wanted.append(col("duration_seconds") >= lit(float(self.min_seconds)))
        if self.max_seconds is not None:
            wanted.append(col("duration_seconds") <= lit(float(self.max_seconds)))
        if self.since is not None:
            wanted.append(col("mtime_ns") >= lit(int(self.since.timestamp()) * 1_000_000_000))
        return wanted
