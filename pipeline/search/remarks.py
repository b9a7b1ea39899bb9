"""What a person has to know beside the hits, or in their place."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.search.question import Question, Remark, RemarkKind
from store.retrieval.calibration import FEWEST_ROWS
from store.retrieval.filter import Filter
from store.retrieval.hits import Hit
from store.table.store import Store

EMPTY_STORE = Remark(RemarkKind.EMPTY_STORE, "Nothing is embedded yet: run `scan` first.")
NOTHING_MATCHES = Remark(
    RemarkKind.NOTHING_MATCHES, "Nothing matches well; --nearest shows what is nearest."
)
ONLY_NEAREST = Remark(RemarkKind.ONLY_NEAREST, "Nothing matches well; these are the nearest.")
OTHER_RECIPE = Remark(
    RemarkKind.OTHER_RECIPE,
    "What was made with other settings is not compared: scan, or see `status`.",
)
NOT_JUDGED = Remark(
    RemarkKind.NOT_JUDGED,
    f"Not enough videos to judge how well they match: it takes {FEWEST_ROWS}.",
)


def on_hits(hits: Sequence[Hit]) -> Remark | None:
    """The remark on hits of which some may match well."""
    return NOT_JUDGED if all(hit.match is None for hit in hits) else None


def on_nothing(store: Store, question: Question, only: Filter) -> Remark | None:
    """Why a search found no video at all; None where it simply found none."""
    may_differ = question.needs_recipe and not only.is_narrow
    return OTHER_RECIPE if may_differ and store.known() else None
