"""What the words of a text are, by whitespace or by Unicode's word boundaries.

whitespace  what stands between whitespace, as `str.split()` has it; NUL and U+FEFF, the byte-order
            mark, are whitespace too
words       of that, the parts between the default word boundaries of Unicode (UAX #29) that hold a
            letter or a digit: "don't", "3.14" and "e.g" are words, "well-known" is two; punctuation
            and emoji are left out; of Chinese, and of Japanese kana other than katakana, every
            character is a word
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from w2v.errors import RunError

if TYPE_CHECKING:
    from w2v.settings.groups import CorpusSettings

BLANKS = str.maketrans("\0\ufeff", "  ")


@functools.cache
def segments() -> Any:
    """Returns the pattern of what is between two word boundaries. Raises RunError if `regex` is not
    installed."""
    return _compiled(r"(?sw).+?\b")


@functools.cache
def _compiled(pattern: str) -> Any:
    try:
        import regex  # only where words are found so
    except ImportError:
        remedy = "pip install regex, or take `tokenizer` whitespace"
        raise RunError(f"`tokenizer` words needs the package regex: {remedy}") from None
    return regex.compile(pattern)


def split_words(text: str, settings: CorpusSettings | None) -> list[str]:
    """Returns the words of a text as a corpus with these settings would have them; None: those of
    the defaults."""
    words = text.translate(BLANKS).split()
    if settings is None:
        return words
    if settings.tokenizer == "words":
        found = segments().findall("\n".join(words))
        readable = _compiled(r"[\p{L}\p{N}]").search
        words = [segment for segment in found if readable(segment)]
    return [word.lower() for word in words] if settings.lowercase else words
