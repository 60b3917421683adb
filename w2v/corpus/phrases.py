"""Finds phrases: words that occur together more often than by chance, such as "new york", which
become one word, "new_york".

Two words a b (perhaps with connectors between them: "bank of america") are a phrase if their score
is above `threshold`. With n(a), n(b), n(ab) occurrences in a text of N words, and D the number of
distinct words plus that of distinct pairs:

    word2phrase   (n(ab) - min_count) / n(a) / n(b) · N, in float32 as in word2phrase.c
    gensim        (n(ab) - min_count) / (n(a) · n(b)) · D, the default of gensim's Phrases
    npmi          log(p(ab) / (p(a) p(b))) / -log p(ab), from -1 to 1, where p = n / N

Each pass reads the text with the phrases of earlier passes joined, so that the second one finds
"new_york times". Text is joined from left to right: a word that has become part of a phrase is not
considered again in the same pass. Unlike in word2phrase.c, no phrase spans a line end.

Sources: Mikolov et al. 2013, "Distributed Representations of Words and Phrases and their
Compositionality", section 4; Bouma 2009, "Normalized (Pointwise) Mutual Information".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from w2v.corpus.joining import joined
from w2v.corpus.neighbours import Bridges, PairCounts, count_pairs
from w2v.corpus.phrase_file import Phrase, Phrases
from w2v.corpus.store import TokenStore
from w2v.errors import InputError

if TYPE_CHECKING:
    from w2v.settings.phrases import PhraseSettings

THRESHOLDS = {"word2phrase": 100.0, "gensim": 10.0, "npmi": 0.5}


def find_phrases(store: TokenStore, min_count: int, settings: PhraseSettings) -> Phrases:
    """Returns the phrases of a text, and closes `store`.

    Raises:
        RunError: the disk for temporary files is full.
    """
    connectors, threshold = connector_words(settings.connectors), threshold_of(settings)
    entries: list[Phrase] = []
    for level in range(1, settings.passes + 1):
        bridges = Bridges.of(store, connectors)
        pairs = count_pairs(store, bridges, min_count)
        scores = score_pairs(store, bridges, pairs, min_count, settings.scoring)
        # a stable sort, so that among equal scores the pair of more frequent words comes first
        chosen = np.flatnonzero(scores > threshold)
        chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
        rows = {number: bridges.row(number) for number in set(pairs.bridge[chosen].tolist())}
        words = store.vocabulary.words
        for pair in chosen.tolist():
            ids = (pairs.first[pair], *rows[int(pairs.bridge[pair])], pairs.second[pair])
            parts = tuple(words[int(each)] for each in ids)
            count, score = int(pairs.counts[pair]), float(scores[pair])
            entries.append(Phrase(settings.delimiter.join(parts), parts, count, score, level))
        if not len(chosen) or level == settings.passes:
            break
        store = joined(store, {each.parts: each.word for each in entries if each.level == level})
    store.close()
    return Phrases(tuple(entries))


def threshold_of(settings: PhraseSettings) -> float:
    """Returns the score that a phrase must exceed. Raises InputError if `threshold` is outside the
    range of the score, or `delimiter` is empty or contains whitespace, which would split words."""
    if settings.delimiter.split() != [settings.delimiter]:
        problem = "is empty or contains whitespace: choose another one"
        raise InputError(f"`delimiter` {settings.delimiter!r} {problem}")
    threshold = settings.threshold
    if threshold is None:
        return THRESHOLDS[settings.scoring]
    if settings.scoring == "npmi" and not -1 <= threshold <= 1:
        raise InputError(f"`threshold` {threshold:g} is not between -1 and 1, as `scoring` npmi is")
    if settings.scoring != "npmi" and threshold <= 0:
        problem = f"must be above 0 with `scoring` {settings.scoring}"
        raise InputError(f"`threshold` {threshold:g} {problem}")
    return threshold


def score_pairs(
    store: TokenStore, bridges: Bridges, pairs: PairCounts, min_count: int, scoring: str
) -> np.ndarray:
    """Returns the scores [P] of counted pairs by the formulas of the module's docstring."""
    counts = store.vocabulary.counts
    first, second = counts[pairs.first], counts[pairs.second]
    if scoring == "word2phrase":
        single = np.float32
        above = (pairs.counts - min_count).astype(single)
        scores: np.ndarray = above / first.astype(single) / second.astype(single)
        return scores * single(store.n_words)
    if scoring == "gensim":
        distinct = int((bridges.digits[:-1] == 0).sum()) + pairs.distinct
        share_of = (pairs.counts - min_count) / (first.astype(float) * second)
        return np.asarray(share_of * distinct)
    chance = (first / store.n_words) * (second / store.n_words)
    share = pairs.counts / store.n_words
    return np.asarray(np.log(share / chance) / -np.log(share))


# Articles, prepositions and conjunctions that stand inside names and idioms.
CONNECTORS = {
    "en": "a an the for of with without at from to in on by and or",
    "de": "der die das des dem den ein eine einer von vom zu zum zur für mit am im in an auf"
    " bei und oder",
    "fr": "le la les l' un une de du des d' à au aux en dans sur par pour avec et ou",
    "es": "el la los las un una de del a al en con por para sobre y e o u",
    "it": "il lo la i gli le l' un una di del della dei delle da al alla in con su per e o",
    "pt": "o a os as um uma de do da dos das em no na por para com e ou",
    "nl": "de het een van voor met zonder bij uit naar in op aan en of",
}


def connector_words(names: tuple[str, ...]) -> frozenset[str]:
    """Returns the connectors, with each language code in `names` replaced by that language's."""
    return frozenset(
        word
        for name in names
        for word in (CONNECTORS[name].split() if name in CONNECTORS else [name])
    )
