"""Selects the vocabulary of a run by `min_count` and `max_vocab` or from a file, and warns if it
covers too little of the text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from w2v.corpus.reading import counted
from w2v.corpus.vocabulary import Vocabulary, load_list
from w2v.errors import InputError, shown

if TYPE_CHECKING:
    from w2v.settings.groups import CorpusSettings

LOST_SHARE = 0.2  # warn if more of the running words are below `min_count`
MARKED_SHARE = 0.05  # warn if more of them end in punctuation; unsplit prose has 10 to 15 %
FREQUENT = 100_000  # search this many words for pairs such as "king" and "king,"
MARKS = ",.;:!?)]}\"'»”’…、。，．！？；：）」』"


def select_vocabulary(vocabulary: Vocabulary, settings: CorpusSettings) -> Vocabulary:
    """Returns the words of a corpus that occur at least `min_count` times, at most the `max_vocab`
    most frequent ones. Raises InputError if there are none."""
    chosen = vocabulary.truncated(settings.min_count, settings.max_vocab)
    if not len(chosen):
        highest = int(vocabulary.counts[0])
        words = "1 distinct word" if len(vocabulary) == 1 else f"{len(vocabulary):,} distinct words"
        times, remedy = f"{highest} times", f"{highest} or less"
        if highest == 1:
            times, remedy = "once", "1"
        raise InputError(
            f"no word reaches `min_count` {settings.min_count}: {words}, the most frequent "
            f"({shown(vocabulary.words[0])}) occurs {times}; try `min_count` {remedy}"
        )
    return chosen


def listed_vocabulary(path: str, text: Vocabulary) -> tuple[Vocabulary, str]:
    """Returns the vocabulary in a file, and a sentence on its words that the text lacks ("" if
    none).

    The first line determines the kind of file. Words with counts, as `w2v vocab` writes them, are
    all kept, with these counts. Of a list with one word per line, only the words of the text are
    kept, with the text's counts. Raises InputError if the file is neither, or the text has none of
    its words.
    """
    plain = load_list(path)
    listed = Vocabulary.load(path) if plain is None else None
    words = plain or (listed.words if listed else [])
    rows = sorted(row for word in words if (row := text.index(word)) is not None)
    if not rows:
        problem = "has no words" if not words else "has none of the text's words"
        raise InputError(f"`vocab` {path} {problem}; is it the list for this corpus?")
    note = ""
    if missing := len(words) - len(rows):
        outcome = " and are left out" if plain else ": their vectors will not be trained"
        note = f"{missing:,} of the {len(words):,} words of `vocab` {path} are not in the text"
        note += outcome
    return listed or Vocabulary([text.words[row] for row in rows], text.counts[rows]), note


def lost_text(vocabulary: Vocabulary, settings: CorpusSettings) -> list[str]:
    """Returns warnings, with remedies, for a text of which much is below `min_count`, of which many
    words end in punctuation, or without any of the phrases to be joined in it."""
    counts, warnings = vocabulary.counts, []
    total, kept = int(counts.sum()), int(counts[counts >= settings.min_count].sum())
    by_whitespace = settings.tokenizer == "whitespace"
    if 0 < kept < (1 - LOST_SHARE) * total:
        tokenizer = ", or use `tokenizer` words if whitespace does not separate its words"
        warnings.append(
            f"{100 - 100 * kept / total:.0f} % of the text, {total - kept:,} of {total:,} words,"
            f" are left out: they occur less often than `min_count` {settings.min_count}; use a"
            f" smaller `min_count` or more text{tokenizer if by_whitespace else ''}"
        )
    if by_whitespace and (pair := _marked_pair(vocabulary)):
        marked, word, share = pair
        warnings.append(
            f"{100 * share:.0f} % of the words end in punctuation, such as {shown(marked)} next to"
            f" {shown(word)}, and count as separate words; `tokenizer` words drops the punctuation"
        )
    if settings.phrases is not None:
        from w2v.corpus.phrase_file import load_phrases  # rarely needed

        joined = {phrase.word for phrase in load_phrases(settings.phrases)}
        if joined.isdisjoint(vocabulary.words):
            listed = counted(len(joined), "phrase")
            problem = f"none of the {listed} in {settings.phrases} is in the text"
            warnings.append(f"{problem}: is it the list for this corpus?")
    return warnings


def _marked_pair(vocabulary: Vocabulary) -> tuple[str, str, float] | None:
    """Returns a word that ends in punctuation, the same word without it, and the share of running
    words that end so; None if that share is small."""
    words = list(vocabulary.words[:FREQUENT])
    marked = [row for row, word in enumerate(words) if len(word) > 1 and word[-1] in MARKS]
    share = float(vocabulary.counts[np.array(marked, int)].sum() / vocabulary.counts.sum())
    if share < MARKED_SHARE:
        return None
    frequent = set(words)
    pairs = ((words[row], words[row].rstrip(MARKS)) for row in marked)
    return next(((word, bare, share) for word, bare in pairs if bare in frequent), None)
