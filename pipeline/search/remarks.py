"""What a person has to know beside the hits, or in their place."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline import project
from pipeline.search.question import Remark, RemarkKind
from store.retrieval.calibration import FEWEST_ROWS
from store.retrieval.filter import Filter
from store.retrieval.hits import Hit
from store.retrieval.queries import Query, SimilarTo, Words
from store.table.store import Store

MOST_NAMED = 20  # labels or languages in one remark

EMPTY_STORE = Remark(RemarkKind.EMPTY_STORE, project.NOTHING_EMBEDDED)
ALL_OFFLINE = Remark(RemarkKind.ALL_OFFLINE, project.ALL_OFFLINE)
ONLY_VIDEO = Remark(RemarkKind.ONLY_VIDEO, "No other video is embedded.")
NOBODY_SPEAKS = Remark(RemarkKind.NOBODY_SPEAKS, "Nobody speaks in any video.")
NOTHING_MATCHES = Remark(
    RemarkKind.NOTHING_MATCHES, "Nothing matches well; --nearest shows what is nearest."
)
ONLY_NEAREST = Remark(RemarkKind.ONLY_NEAREST, "Nothing matches well; these are the nearest.")
OTHER_RECIPE = Remark(
    RemarkKind.OTHER_RECIPE,
    "The other videos were embedded with other settings: `scan` embeds them with these.",
)
NOT_JUDGED = Remark(
    RemarkKind.NOT_JUDGED,
    f"Not enough videos to judge how well they match: it takes {FEWEST_ROWS}.",
)


def on_hits(hits: Sequence[Hit]) -> Remark | None:
    """The remark on hits of which some may match well, or could not be judged."""
    return NOT_JUDGED if any(hit.match is None for hit in hits) else None


def on_filter(store: Store, only: Filter) -> Remark | None:
    """The remark on a label or a language that no video has; None where there are both."""
    if only.label is not None:
        labels = store.values("label")
        if not only.labels & set(labels):
            asked = only.label if isinstance(only.label, str) else ", ".join(only.label)
            return _no_such(RemarkKind.NO_SUCH_LABEL, "label", asked, labels)
    if only.language is not None:
        languages = store.values("language")
        if only.language.lower() not in languages:
            return _no_such(RemarkKind.NO_SUCH_LANGUAGE, "language", only.language, languages)
    return None


def on_nothing(store: Store, queries: Sequence[Query], only: Filter) -> Remark | None:
    """Find out why a search found no video at all; None where it simply found none.

    Args:
        store: that was searched.
        queries: what was sought.
        only: which videos might be found.
    """
    if remark := on_filter(store, only):
        return remark
    known = store.known()
    present = {path: row for path, row in known.items() if not row.offline}
    if not present:
        return ALL_OFFLINE if known else EMPTY_STORE
    vectors = [query for query in queries if not isinstance(query, Words)]
    own = {query.path for query in vectors if isinstance(query, SimilarTo)}
    others = [row for path, row in present.items() if path not in own]
    if not others:
        return ONLY_VIDEO
    if only.is_narrow or not vectors:
        return None
    recipes = {(query.visual_recipe, query.speech_recipe) for query in vectors}
    is_same = any((row.visual_recipe, row.speech_recipe) in recipes for row in others)
    return NOBODY_SPEAKS if is_same else OTHER_RECIPE


def _no_such(kind: RemarkKind, what: str, asked: str, there: Sequence[str]) -> Remark:
    return Remark(kind, f"No video has the {what} {asked}; there {_are(there, what)}.")


def _are(there: Sequence[str], what: str) -> str:
    if not there:
        return f"is no {what} at all"
    named = ", ".join(there[:MOST_NAMED]) + (", ..." if len(there) > MOST_NAMED else "")
    return f"is {named}" if len(there) == 1 else f"are {named}"
