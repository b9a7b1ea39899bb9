"""What would harm a classifier, case by case; decisions are kept by content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from pipeline.project import NOTHING_EMBEDDED
from pipeline.web import routes
from pipeline.web.overview import Overview
from pipeline.web.records import Video
from pipeline.web.routes import Parameter, Route
from pipeline.web.site import Site

if TYPE_CHECKING:
    from pipeline.labels.check import CheckResult, Duplicates, Misplaced, Overlap


MOST_CASES = 500


@dataclass(frozen=True)
class Case:
    """Videos of which a person has to say where they belong.

    Args:
        id: names the case by its content, for `POST /api/decisions`.
        kind: `duplicate` or `misplaced`.
        videos: those; of a misplaced one first itself, then the nearest in the likely folder.
        text: what is the matter, a sentence.
        folder: where the misplaced one is.
        likely: where it probably belongs.
        confidence: that its folder is wrong, 0 to 1.
    """

    id: str
    kind: str
    videos: list[Video]
    text: str
    folder: str | None = None
    likely: str | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class Alike:
    """Two folders that look alike.

    Args:
        id: names the case.
        folders: both.
        share: of their clips that look like the other one's, 0 to 1.
        text: what is the matter, a sentence.
    """

    id: str
    folders: tuple[str, str]
    share: float
    text: str


@dataclass(frozen=True)
class Review:
    """What is to be decided.

    Args:
        left: number of cases that are not decided, by kind: `duplicate`, `misplaced`, `overlap`.
        groups: the first of each kind that is about videos, one case each.
        overlaps: folders that look alike.
        small: folders with few clips.
        decided: cases that were decided, and are left out.
        remark: what there is to know, a sentence.
        version: of the table that was checked.
    """

    left: Mapping[str, int]
    groups: list[Case]
    overlaps: list[Alike]
    small: list[dict[str, Any]]
    decided: int
    remark: str | None
    version: int


@dataclass(frozen=True)
class _Found:
    """A case whose videos are not described yet."""

    case: Case
    paths: Sequence[str]


def review(site: Site, *, limit: int) -> Review:
    """List the cases that are not decided, of each kind the first ones."""
    overview = site.overview()
    result, version = site.checked.get(overview.version)
    decisions = site.judgements.now().decisions
    found = [*_duplicates(overview, result), *_misplaced(overview, result)]
    alike = [_alike(each) for each in result.overlapping]
    everything = {each.case.id for each in found} | {each.id for each in alike}
    overlaps = [each for each in alike if each.id not in decisions]
    left, shown = Counter({"overlap": len(overlaps)}), list[Case]()
    for each in found:
        if each.case.id not in decisions:
            left[each.case.kind] += 1
            if left[each.case.kind] <= limit:
                videos = site.videos_at(overview, each.paths)
                shown.append(replace(each.case, videos=videos))
    return Review(
        left,
        shown,
        overlaps,
        [{"folder": each.label, "clips": each.clips} for each in result.small],
        len(everything & decisions.keys()),
        None if len(overview) else NOTHING_EMBEDDED,
        version,
    )


def decide(site: Site, *, id: str, decision: str) -> dict[str, Any]:  # noqa: A002 - a field
    """Keep a decision, so that the case does not come back."""
    site.judgements.decide(id, decision)
    return {"id": id, "decision": decision}


def take_decision_back(site: Site, *, id: str) -> dict[str, Any]:  # noqa: A002 - a field
    """Forget a decision, so that the case comes back."""
    site.judgements.decide(id, None)
    return {"id": id, "decision": None}


def _duplicates(overview: Overview, result: CheckResult) -> Iterator[_Found]:
    for each in (*result.in_two_folders, *result.labeled_and_unlabeled):
        content = {place.path: overview.content_of(place.path) for place in each.videos}
        paths = [path for path in content if content[path] is not None]
        if len({_folder(path) for path in paths}) > 1:
            case = _case_of("duplicate", {*filter(None, content.values())})
            yield _Found(Case(case, "duplicate", [], _about(each)), paths)


def _about(each: Duplicates) -> str:
    what = "The same bytes are" if each.exact else "Nearly the same clip is"
    folders = sorted(each.labels)
    if len(folders) > 1:
        return f"{what} in {', '.join(folders[:-1])} and {folders[-1]}."
    return f"{what} in {folders[0]} and in no folder."


def _misplaced(overview: Overview, result: CheckResult) -> Iterator[_Found]:
    for each in result.misplaced:
        content = overview.content_of(each.path)
        if content is not None and _folder(each.path) == each.label:
            case = _case_of("misplaced", {content, each.label})
            yield _Found(_wrong(case, each), [each.path, *each.neighbours])


def _folder(path: str) -> str | None:
    top, slash, _ = path.partition("/")
    return top if slash else None


def _wrong(case: str, each: Misplaced) -> Case:
    text = f"It is in {each.label}, and looks like those in {each.looks_like}."
    return Case(case, "misplaced", [], text, each.label, each.looks_like, each.confidence)


def _alike(each: Overlap) -> Alike:
    one, other = each.labels
    text = f"{each.share:.0%} of the clips in {one} and {other} look like the other folder's."
    return Alike(_case_of("overlap", set(each.labels)), each.labels, each.share, text)


def _case_of(kind: str, about: set[str]) -> str:
    """Name a case by what it is about, whatever the files are called."""
    digest = blake2b("\0".join([kind, *sorted(about)]).encode(), digest_size=10)
    return f"{kind}-{digest.hexdigest()}"


ID = Parameter(routes.text, "id of a case of GET /api/review", ...)

ROUTES = (
    Route(
        "GET",
        "/api/review",
        "what would harm a classifier and is not decided; 202 while it is checked",
        review,
        query={
            "limit": Parameter(
                routes.count(1, MOST_CASES), f"how many of each kind, at most {MOST_CASES}", 50
            )
        },
    ),
    Route(
        "POST",
        "/api/decisions",
        "keeps a decision on a case, which does not come back",
        decide,
        body={"id": ID, "decision": Parameter(routes.text, "such as keep", ...)},
    ),
    Route("DELETE", "/api/decisions", "takes a decision back", take_decision_back, body={"id": ID}),
)
