"""What would harm a classifier, case by case; decisions are kept by content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from pipeline.project import NOTHING_EMBEDDED
from pipeline.web import routes
from pipeline.web.overview import Overview, Video
from pipeline.web.routes import Parameter, Route
from pipeline.web.site import Site

if TYPE_CHECKING:
    from pipeline.labels.check import CheckResult, Duplicates, Misplaced, Overlap


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
        groups: videos, one case each.
        overlaps: folders that look alike.
        small: folders with few clips.
        decided: cases that were decided, and are left out.
        remark: what there is to know, a sentence.
        version: of the table that was checked.
    """

    groups: list[Case]
    overlaps: list[Alike]
    small: list[dict[str, Any]]
    decided: int
    remark: str | None
    version: int


def review(site: Site) -> Review:
    """List the cases that are not decided."""
    overview = site.overview()
    result, version = site.checked.get(overview.version)
    decisions = site.judgements.now().decisions
    groups = [*_duplicates(site, overview, result), *_misplaced(site, overview, result)]
    overlaps = [_alike(each) for each in result.overlapping]
    everything = {each.id for each in groups} | {each.id for each in overlaps}
    return Review(
        [each for each in groups if each.id not in decisions],
        [each for each in overlaps if each.id not in decisions],
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


def _duplicates(site: Site, overview: Overview, result: CheckResult) -> Iterator[Case]:
    for each in (*result.in_two_folders, *result.labeled_and_unlabeled):
        videos = site.videos_at(overview, [place.path for place in each.videos])
        if len({video.folder for video in videos}) > 1:
            case = _case_of("duplicate", {video.content for video in videos})
            yield Case(case, "duplicate", videos, _about(each))


def _about(each: Duplicates) -> str:
    what = "The same bytes are" if each.exact else "Nearly the same clip is"
    folders = sorted(each.labels)
    if len(folders) > 1:
        return f"{what} in {', '.join(folders[:-1])} and {folders[-1]}."
    return f"{what} in {folders[0]} and in no folder."


def _misplaced(site: Site, overview: Overview, result: CheckResult) -> Iterator[Case]:
    for each in result.misplaced:
        videos = site.videos_at(overview, [each.path, *each.neighbours])
        if videos and videos[0].path == each.path and videos[0].folder == each.label:
            case = _case_of("misplaced", {videos[0].content, each.label})
            yield _wrong(case, videos, each)


def _wrong(case: str, videos: list[Video], each: Misplaced) -> Case:
    text = f"It is in {each.label}, and looks like those in {each.looks_like}."
    return Case(case, "misplaced", videos, text, each.label, each.looks_like, each.confidence)


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
