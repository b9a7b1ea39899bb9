"""Conditions on the rows that a search may find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from unicodedata import normalize

from store.schema import EARLIEST_NS, LATEST_NS
from store.table.lance import Expr, col, lit

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Filter:
    """Conditions that a row has to fulfil, all of them.

    Args:
        label: keep only rows with this label, or with one of these, in whichever Unicode normal
            form they write it.
        unlabeled: keep only rows without a label.
        language: keep only rows in which this language is spoken; an ISO 639-1 code, in any case.
        min_seconds: shortest duration, itself included.
        max_seconds: longest duration, itself included.
        since: keep only rows whose file was last modified at this time or later; it has a time
            zone. A time out of the range that is kept counts as the first or the last of it.

    Raises:
        ValueError: no row can fulfil them, or `since` has no time zone.
    """

    label: str | tuple[str, ...] | None = None
    unlabeled: bool = False
    language: str | None = None
    min_seconds: float | None = None
    max_seconds: float | None = None
    since: datetime | None = None

    def __post_init__(self) -> None:
        if self.label is not None and self.unlabeled:
            raise ValueError("label and unlabeled: no video has a label and none")
        if self.since is not None and self.since.tzinfo is None:
            raise ValueError("`since` has no time zone")

    @property
    def labels(self) -> set[str]:
        """Ways to write the labels: macOS decomposes letters in names, keyboards compose them."""
        names = (self.label,) if isinstance(self.label, str) else self.label or ()
        return {*names, *(normalize(form, name) for name in names for form in ("NFC", "NFD"))}

    @property
    def is_narrow(self) -> bool:
        """Whether it leaves out any row."""
        return self != Filter()

    def where(self, *more: Expr) -> str:
        """Write the filter as SQL, which also leaves out offline rows.

        Args:
            more: further conditions.
        """
        wanted = [col("offline") == lit(value=False), *more, *self._conditions()]
        parts = [f"({one.to_sql()})" for one in wanted]
        return " AND ".join([*parts, *(["label IS NULL"] if self.unlabeled else [])])

    def _conditions(self) -> Sequence[Expr]:
        wanted = []
        if self.label is not None:
            wanted.append(col("label").isin(sorted(self.labels)))
        if self.language is not None:
            wanted.append(col("language") == lit(self.language.lower()))
        if self.min_seconds is not None:
            wanted.append(col("duration_seconds") >= lit(float(self.min_seconds)))
        if self.max_seconds is not None:
            wanted.append(col("duration_seconds") <= lit(float(self.max_seconds)))
        if self.since is not None:
            wanted.append(col("mtime_ns") >= lit(_nanoseconds(self.since)))
        return wanted


def _nanoseconds(moment: datetime) -> int:
    """Count nanoseconds since 1970, within the range of the modification times that are kept."""
    since = (moment - _EPOCH) // timedelta(microseconds=1) * 1_000
    # DataFusion reads the very first as the negative of a number that is beyond the last.
    return min(max(since, EARLIEST_NS + 1), LATEST_NS)
