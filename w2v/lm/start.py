"""Starting a language model's embeddings from word vectors (`init`), those of a run or of a file.

The vocabulary is that of the text. With mean m and standard deviation s of the numbers of all K
tokens that have a vector v, their embeddings start as (v - m) · s' / s, where m is a vector and s'
the standard deviation of the usual starting values: vectors of any training have the spread that
the model's learning rate is meant for. Other tokens, such as the line end, start as usual. Tied
output rows are the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from w2v.errors import InputError
from w2v.runs.starting import check_rows, matching_rows
from w2v.settings.config import Config
from w2v.training.report import Reporter
from w2v.vectors import load_vectors


@dataclass(frozen=True)
class Embeddings:
    """The starting values `rows` [K, dim] of the tokens `known` [K]."""

    known: np.ndarray
    rows: np.ndarray


def read_embeddings(config: Config, tokens: Sequence[str], reporter: Reporter) -> Embeddings:
    """Loads the vectors that `init` names, for a vocabulary of these tokens, and reports how many
    have one. Raises InputError if the embeddings cannot start from them."""
    from w2v.lm.model import SPREAD  # imports PyTorch

    loaded = load_vectors(config.start.init or "", encoding_errors=config.corpus.encoding_errors)
    for warning in loaded.warnings:
        reporter.warn(warning)
    name = str(config.start.init)
    check_rows(name, loaded.matrix, config.model.dim)
    known, source = matching_rows(name, loaded.words, tokens)
    rows = np.array(loaded.matrix[source], np.float32)
    rows -= rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    squares = np.einsum("ij,ij->", rows, rows, dtype=np.float64)
    if not squares:
        raise InputError(f"`init` {name} gives all words the same vector: give another one")
    share = f"{len(known):,} of {len(tokens):,} tokens"
    reporter.note(f"{share} start from their rows in {name}, the others as usual")
    rows *= np.float32(SPREAD * np.sqrt(rows.size / squares))
    return Embeddings(known, rows)
