"""The vocabulary of a run: what `min_count` and `max_vocab` leave of a corpus's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2v.errors import InputError, shown
from w2v.system.limits import MAX_WORD_BYTES

if TYPE_CHECKING:
    from w2v.corpus.vocabulary import Vocabulary
    from w2v.settings.groups import CorpusSettings


def select_vocabulary(vocabulary: Vocabulary, settings: CorpusSettings) -> Vocabulary:
    """Returns the words of a corpus that occur at least `min_count` times, at most the `max_vocab`
    most frequent of them. Raises InputError if there is none, or one is too long for the readers of
    vector files."""
    chosen = vocabulary.truncated(settings.min_count, settings.max_vocab)
    if not len(chosen):
        highest = int(vocabulary.counts[0])
        words = "1 distinct word" if len(vocabulary) == 1 else f"{len(vocabulary):,} distinct words"
        times, remedy = f"{highest} times", f"{highest} or less"
        if highest == 1:
            times, remedy = "once", "1"
        raise InputError(
            f"no word reaches `min_count` {settings.min_count}: {words}, the most frequent "
            f"({vocabulary.words[0]!r}) occurs {times}; try `min_count` {remedy}"
        )
    longest = chosen.packed.longest()
    word = chosen.words[longest]
    size = len(word.encode())
    if size > MAX_WORD_BYTES:
        raise InputError(
            f"the corpus has a word of {size:,} bytes that occurs {chosen.counts[longest]:,} times"
            f" ({shown(word)}), and files of vectors hold at most {MAX_WORD_BYTES:,}; split such"
            " words, or raise `min_count`"
        )
    return chosen
