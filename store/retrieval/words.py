"""Words and phrases in transcripts: what is sought, and where in a video it is said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from store.schema import Segment
from store.table.arrow import WORDS
from store.table.index import TOKENS
from store.table.lance import (
    BooleanQuery,
    FullTextOperator,
    MatchQuery,
    Occur,
    PhraseQuery,
    tokenize,
)
from store.text import normal_form

_QUOTED = re.compile(r'"([^"]*)"|“([^”]*)”|«([^»]*)»|„([^“”]*)[“”]')

# Typed as if every argument were required.
_Match: Any = MatchQuery
_Phrase: Any = PhraseQuery


@dataclass(frozen=True)
class Wanted:
    """Words and phrases that are sought.

    Args:
        text: words, and phrases in quotes.

    Raises:
        ValueError: there is no word in it.
    """

    text: str

    def __post_init__(self) -> None:
        if not self.words:
            raise ValueError(f"{self.text!r}: there is no word in it")

    @cached_property
    def phrases(self) -> list[list[str]]:
        """The words of each quoted part, and of all else that is written together.

        What is written together is one word, or several of a language without spaces.
        """
        quoted = ["".join(part.groups("")) for part in _QUOTED.finditer(self.text)]
        phrases = map(tokens, (*quoted, *_QUOTED.sub(" ", self.text).split()))
        return [phrase for phrase in phrases if phrase]

    @cached_property
    def words(self) -> set[str]:
        """All words, as they are compared."""
        return {word for phrase in self.phrases for word in phrase}

    def query(self, *, some: bool = False) -> Any:
        """Make LanceDB's query; rarer words count more (BM25).

        Args:
            some: whether some of the words are enough, instead of every word and phrase.
        """
        if some:
            return _Match(" ".join(sorted(self.words)), WORDS)
        parts = [_part(" ".join(phrase)) for phrase in self.phrases]
        return parts[0] if len(parts) == 1 else BooleanQuery([(Occur.MUST, p) for p in parts])

    def share(self, transcript: str) -> float:
        """Give the share of the words that a transcript has: 0 to 1."""
        return len(self.words & set(tokens(transcript))) / len(self.words)

    def place(self, segments: Sequence[Segment]) -> Segment | None:
        """Find where it is said.

        Returns:
            The segments of the first whole phrase, joined; else the segment with most of the
            words; None where there is none.
        """
        said = [(word, number) for number, s in enumerate(segments) for word in tokens(s.text)]
        for phrase in sorted(self.phrases, key=len, reverse=True):
            for start in _occurrences(phrase, [word for word, _ in said]):
                if len(phrase) > 1 or len(self.words) == 1:
                    return _joined(segments[said[start][1] : said[start + len(phrase) - 1][1] + 1])
        counts = [len(self.words & set(tokens(segment.text))) for segment in segments]
        best = max(counts, default=0)
        return segments[counts.index(best)] if best else None


def tokens(text: str) -> list[str]:
    """Split a text into words, as the index does."""
    return [token.text for token in tokenize(normal_form(text), **TOKENS)]


def _part(words: str) -> Any:
    if len(tokens(words)) == 1:
        return _Match(words, WORDS, operator=FullTextOperator.AND)
    return _Phrase(words, WORDS)


def _occurrences(phrase: list[str], words: list[str]) -> Iterator[int]:
    for start in range(len(words) - len(phrase) + 1):
        if words[start : start + len(phrase)] == phrase:
            yield start


def _joined(segments: Sequence[Segment]) -> Segment:
    text = " ".join(segment.text.strip() for segment in segments)
    return Segment(segments[0].start, segments[-1].end, text)
