"""Maps the ids of a text to those of another vocabulary."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from w2v.corpus.store import ID_TYPE, LINE_END_ID, TokenStore, id_parts, map_ids
from w2v.corpus.vocabulary import Vocabulary
from w2v.system.files import temporary_file


def renumbered(store: TokenStore, vocabulary: Vocabulary) -> TokenStore:
    """Returns the same text with the ids of `vocabulary` (V words), and closes `store`. Words that
    `vocabulary` lacks get the id V, so that training skips them. Raises RunError if the disk for
    temporary files is full."""
    unknown = len(vocabulary)
    ids_of = {word: i for i, word in enumerate(vocabulary.words)}
    mapping = np.array([ids_of.get(word, unknown) for word in store.vocabulary.words], ID_TYPE)
    with temporary_file() as file:
        for part in id_parts(store.ids):
            file.write(np.where(part < 0, ID_TYPE.type(LINE_END_ID), mapping[part]).data)
        file.flush()
        ids = map_ids(file, len(store.ids))
    n_known = int(store.vocabulary.counts[mapping < unknown].sum())
    result = replace(store, ids=ids, vocabulary=vocabulary, known_words=n_known)
    store.close()
    return result
