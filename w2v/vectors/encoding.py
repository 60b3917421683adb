"""Vectors of texts from those of their words.

mean    the mean of the rows of a text's known words
sif     smooth inverse frequency (Arora, Liang & Ma 2017, "A Simple but Tough-to-Beat Baseline for
        Sentence Embeddings"): a word of probability p weighs a / (a + p), a = 1e-3, and what all
        texts have in common, the projection on their first principal component, is taken away
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import numpy as np

from w2v.corpus.words import split_words
from w2v.errors import InputError
from w2v.settings.groups import CorpusSettings
from w2v.vectors.rows import WordRows

POOLINGS = ("mean", "sif")
SIF_A = 1e-3


def encode(
    vectors: WordRows, texts: str | Iterable[str | Sequence[str]], pooling: str = "mean"
) -> np.ndarray:
    """Returns a row for each text [n, D] float32, or one vector [D] for a single string.

    A text is a string, whose words are found as in the text of the run that the vectors come from,
    else between whitespace; or a list of words. Words that have no vector are left out; a text
    without any known word is a row of zeros, and a warning says how many these are. The common
    component of "sif", which needs counts, is that of the texts of this call, so it stays where
    there is only one.
    """
    if pooling not in POOLINGS:
        raise InputError(f"`pooling` {pooling} is unknown; use one of {', '.join(POOLINGS)}")
    rows_of = []
    settings = corpus_settings(vectors)
    for text in [texts] if isinstance(texts, str) else texts:
        words = split_words(text, settings) if isinstance(text, str) else text
        rows_of.append([row for row in map(vectors.index, words) if row is not None])
    weights = np.ones(len(vectors), np.float32)
    if pooling == "sif":
        if vectors.counts is None:
            raise InputError(
                f"{vectors.source} does not say how often its words occur, which sif needs: use a"
                " run directory or an .npy file with counts, or `pooling` mean"
            )
        shares = vectors.counts / max(1, vectors.counts.sum())
        weights = (SIF_A / (SIF_A + shares)).astype(np.float32)
    found = np.zeros((len(rows_of), vectors.dim), np.float32)
    for mean, rows in zip(found, rows_of, strict=True):
        if rows:
            weighted = vectors.matrix[rows] * weights[rows, None]
            mean[:] = np.add.reduceat(weighted, [0])[0] / len(rows)
    if empty := sum(not rows for rows in rows_of):
        warnings.warn(
            f"{empty:,} of {len(rows_of):,} texts hold no known word: their rows are zeros",
            stacklevel=3,
        )
    if pooling == "sif" and len(rows_of) - empty > 1:
        exact = found.astype(np.float64)
        common = np.linalg.eigh(exact.T @ exact)[1][:, -1]
        found = (exact - np.outer(exact @ common, common)).astype(np.float32)
    return found[0] if isinstance(texts, str) else found


def corpus_settings(vectors: WordRows) -> CorpusSettings | None:
    """Returns how the text of the vectors' run was read, if they are one's."""
    if vectors.run is None or not (vectors.run / "config.yaml").is_file():
        return None
    from w2v.settings.build import build_config  # YAML takes 15 ms

    return build_config({}, vectors.run / "config.yaml").corpus
