"""One form of a text for all ways to write it, so that words meet in transcripts and questions."""

from __future__ import annotations

import re
import unicodedata

_APOSTROPHES = str.maketrans(
    dict.fromkeys("`\u00b4\u02b9\u02bc\u2018\u2019\u201b\u2032\uff07", "'")
)

# Accents may be left out where people leave them out in writing. In Cyrillic those are marks of
# stress and the dots of yo; with another mark it is another letter.
_ACCENTS = re.compile(
    "(?<![\u0300-\u036f\u0400-\u052f])[\u0300-\u036f]+|[\u0300\u0301]|(?<=\u0435)\u0308"
)


def normal_form(text: str) -> str:
    """Write a text without case, accents and typographic apostrophes, in Unicode's composed form.

    Case folding is Unicode's (The Unicode Standard, section 3.13), as is the composed form, NFC
    (Unicode Standard Annex 15).
    """
    if text.isascii():
        return text.lower().translate(_APOSTROPHES)
    decomposed = unicodedata.normalize("NFD", text.translate(_APOSTROPHES)).casefold()
    return unicodedata.normalize("NFC", _ACCENTS.sub("", decomposed))
