"""Defines the words of a text, by the setting `tokenizer`:

whitespace  the text between whitespace (that of `str.split()`, and NUL), without leading byte-order
            marks (U+FEFF), which concatenated files have in the middle
words       as above, further split at the default word boundaries of Unicode (UAX #29); only parts
            with a letter or a digit are kept: "don't", "3.14" and "e.g" are words, "well-known" is
            two; punctuation and emoji are left out; in Chinese, and in Japanese hiragana, every
            character is a word
FILE.json   the tokens of each line, see `w2v.corpus.tokenizer_file`
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from w2v.corpus.reading import cutter_of
from w2v.system.packages import reporting_missing

if TYPE_CHECKING:
    from w2v.settings.groups import CorpusSettings

MARK = "\ufeff"  # the byte-order mark


def segments(text: str) -> list[str]:
    """Splits a text at word boundaries and line ends. Raises RunError if `regex` is missing."""
    return list(_compiled(r"(?sw).+?\b").findall(text))


def is_word(segment: str) -> bool:
    """Returns whether a segment contains a letter or a digit."""
    return _compiled(r"[\p{L}\p{N}]").search(segment) is not None


@functools.cache
def _compiled(pattern: str) -> Any:
    with reporting_missing():
        import regex  # only needed for `tokenizer` words
    return regex.compile(pattern)


def split_words(text: str, settings: CorpusSettings | None) -> list[str]:
    """Returns the words that a corpus with these settings would have for this text, with phrases
    joined. None stands for the default settings."""
    if settings is None or settings.phrases is None:
        return _split(text, settings)
    from w2v.corpus.phrase_file import load_phrases  # rarely needed

    phrases = load_phrases(settings.phrases)
    lines = (_split(line, settings) for line in text.split("\n"))
    return [word for line in lines for word in phrases.join(line)]


def _split(text: str, settings: CorpusSettings | None) -> list[str]:
    """As `split_words`, without joining phrases."""
    if settings is not None and (cutter := cutter_of(settings)):
        return cutter.split(text.lower() if settings.lowercase else text)
    words = [word.lstrip(MARK) for word in text.replace("\0", " ").split()]
    words = [word for word in words if word]
    if settings is None:
        return words
    if settings.tokenizer == "words":
        words = [segment for segment in segments("\n".join(words)) if is_word(segment)]
    return [word.lower() for word in words] if settings.lowercase else words
