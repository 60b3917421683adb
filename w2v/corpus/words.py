"""What the words of a text are: by whitespace, by Unicode's word boundaries, or by a file.

whitespace  what stands between whitespace, as `str.split()` has it, or NUL, without the byte-order
            marks (U+FEFF) before it, which files that were joined have in the middle
words       of that, the parts between the default word boundaries of Unicode (UAX #29) that hold a
            letter or a digit: "don't", "3.14" and "e.g" are words, "well-known" is two; punctuation
            and emoji are left out; of Chinese, and of Japanese kana other than katakana, every
            character is a word
FILE.json   the tokens of each line, see `w2v.corpus.tokenizer_file`
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from w2v.corpus.reading import cutter_of
from w2v.system.packages import told_if_missing

if TYPE_CHECKING:
    from w2v.settings.groups import CorpusSettings

MARK = "\ufeff"  # the byte-order mark


def segments(text: str) -> list[str]:
    """Returns what is between word boundaries; a line end is always by itself. Raises RunError if
    `regex` is not installed."""
    return list(_compiled(r"(?sw).+?\b").findall(text))


def is_word(segment: str) -> bool:
    """Returns whether a segment holds a letter or a digit."""
    return _compiled(r"[\p{L}\p{N}]").search(segment) is not None


@functools.cache
def _compiled(pattern: str) -> Any:
    with told_if_missing():
        import regex  # only where words are found so
    return regex.compile(pattern)


def split_words(text: str, settings: CorpusSettings | None) -> list[str]:
    """Returns the words of a text as a corpus with these settings would have them; None: those of
    the defaults."""
    if settings is not None and (cutter := cutter_of(settings)):
        return cutter.split(text.lower() if settings.lowercase else text)
    words = [word.lstrip(MARK) for word in text.replace("\0", " ").split()]
    words = [word for word in words if word]
    if settings is None:
        return words
    if settings.tokenizer == "words":
        words = [each for each in segments("\n".join(words)) if is_word(each)]
    return [word.lower() for word in words] if settings.lowercase else words
