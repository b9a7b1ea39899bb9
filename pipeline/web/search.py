"""Search by meaning, by words, by a picture and by another video."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.search.question import Answer, Question, RemarkKind
from pipeline.web import routes
from pipeline.web.answers import ApiError
from pipeline.web.records import Filters, Video
from pipeline.web.routes import Lane, Parameter, Route
from pipeline.web.site import Site
from pipeline.web.videos import FILTERS, PAGE, filters_of
from store.retrieval.filter import Filter
from store.retrieval.words import Wanted, tokens

if TYPE_CHECKING:
    from store.retrieval.hits import Hit

NOTHING = "No video shows or says that clearly; the nearest may still help."
NO_WORDS = "No video has all of these words."

_WORD = re.compile(r"\w[\w'\u2019]*")


@dataclass(frozen=True)
class Why:
    """What speaks most for a hit.

    Args:
        kind: `picture`, `speech` or `words`.
        seconds: when it is seen or said; None where nothing tells.
        end: when the sentence ends.
        text: the sentence.
        marks: from where to where it has the words, in UTF-16 code units as JavaScript counts.
    """

    kind: str
    seconds: float | None
    end: float | None
    text: str | None
    marks: list[tuple[int, int]]


@dataclass(frozen=True)
class Found:
    """One hit.

    Args:
        video: as lists have it.
        percent: how well it matches, 0 to 100; None where there are too few videos to tell.
        good: whether that is a good match; None likewise.
        why: what speaks most for it.
    """

    video: Video
    percent: float | None
    good: bool | None
    why: Why


@dataclass(frozen=True)
class SearchResult:
    """A part of what a search found.

    Args:
        total: hits there are, at most `finder.MOST_HITS`.
        good: how many of them match well.
        offset: hits before the first one here.
        hits: those, best first.
        remark: what there is to know about them, a sentence.
        weak: whether nothing matches well: hits are then the nearest ones, or left out.
        version: of the table.
    """

    total: int
    good: int
    offset: int
    hits: list[Found]
    remark: str | None
    weak: bool
    version: int


def search(
    site: Site,
    *,
    text: str | None,
    words: str | None,
    picture: str | None,
    like: str | None,
    by: str,
    nearest: bool,
    offset: int,
    limit: int,
    **values: Any,
) -> SearchResult:
    """Find videos by one or several of a text, words, a picture and a video.

    Raises:
        ApiError: nothing is asked, or what is asked with is not there.
        NotReadyError: CLIP is being loaded.
        PipelineError, StoreError: as of `Searcher.ask`.
    """
    only = _only(filters_of(**values))
    overview = site.overview()
    needs_model = text is not None or picture is not None
    if len(overview) and needs_model:
        site.finder.require_model()
    image = site.finder.pictures.file_of(picture) if picture is not None else None
    video = site.project.collection.root / _path(site, like, by) if like is not None else None
    _check_words(words)
    places = None if by == "both" and image is not None and text is None else by
    question = Question(text, image, video, words, places, nearest)
    if question.is_empty:
        raise ApiError(400, "say what to find: text, words, picture or like")
    answer = site.finder.ask(question, only, overview.version)
    there = [hit for hit in answer.hits if hit.path in overview.place_of_path]
    shown = there[offset : offset + limit]
    videos = site.videos(overview, [overview.place_of_path[hit.path] for hit in shown])
    wanted = Wanted(words) if words is not None else None
    found = [
        Found(video, hit.match, hit.good, _why(hit, wanted))
        for video, hit in zip(videos, shown, strict=True)
    ]
    remark, weak = _remark(question, answer)
    good = sum(hit.good is True for hit in there)
    return SearchResult(len(there), good, offset, found, remark, weak, overview.version)


def marks(sentence: str, wanted: Wanted) -> list[tuple[int, int]]:
    """Find the wanted words in a sentence: from and to, in UTF-16 code units."""
    return [
        (_units(sentence[: word.start()]), _units(sentence[: word.end()]))
        for word in _WORD.finditer(sentence)
        if wanted.words & set(tokens(word.group()))
    ]


def _why(hit: Hit, wanted: Wanted | None) -> Why:
    why = hit.why
    is_said = why.kind == "words" and wanted is not None and why.sentence is not None
    places = marks(why.sentence or "", wanted) if is_said and wanted is not None else []
    return Why(why.kind, why.time, why.end, why.sentence, places)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _remark(question: Question, answer: Answer) -> tuple[str | None, bool]:
    if answer.remark is None:
        is_none = not answer.hits and question.words is not None
        return (NO_WORDS, True) if is_none else (None, False)
    kind = answer.remark.kind
    weak = kind in (RemarkKind.NOTHING_MATCHES, RemarkKind.ONLY_NEAREST)
    # The command line's own remark names its flag.
    return (NOTHING if kind is RemarkKind.NOTHING_MATCHES else answer.remark.text), weak


def _only(filters: Filters) -> Filter:
    if filters.offline or filters.failed:
        name = "offline" if filters.offline else "failed"
        raise ApiError(400, f"{name}: a search finds only videos that are embedded and there")
    return filters.only


def _path(site: Site, key: str, by: str) -> str:
    overview, place = site.place_of(key)
    (video,) = overview.videos([place])
    if by == "speech" and not video.speech:
        raise ApiError(400, "nobody speaks in this video: look for ones like it by picture")
    return video.path


def _check_words(words: str | None) -> None:
    try:
        if words is not None:
            Wanted(words)
    except ValueError as error:
        raise ApiError(400, str(error)) from error


def _lane(values: dict[str, Any]) -> Lane:
    needs_model = values["text"] is not None or values["picture"] is not None
    return "model" if needs_model else "store"


ROUTES = (
    Route(
        "GET",
        "/api/search",
        "videos that show or say something, best first, and why; 202 while a model is loaded",
        search,
        query={
            "text": Parameter(routes.text, "what is shown or said, in any words"),
            "words": Parameter(routes.text, "words that are said; in quotes: next to each other"),
            "picture": Parameter(routes.text, "a picture, as POST /api/pictures names it"),
            "like": Parameter(routes.text, "key of a video; others like it"),
            "by": Parameter(
                routes.choice("both", "picture", "speech"), "where to look: both", "both"
            ),
            "nearest": Parameter(routes.flag, "1: also what matches less well", default=False),
            **FILTERS,
            **PAGE,
        },
        lane=_lane,
    ),
)
