"""The corpus as one plain text file, as the peers read it, and what its vocabulary says about the
work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from harness.systems import Case
from w2v.corpus import read_corpus
from w2v.corpus.selection import select_vocabulary
from w2v.corpus.sources import read_pieces, resolve_sources
from w2v.errors import InputError
from w2v.sampling.unigram import keep_probabilities
from w2v.settings.groups import CorpusSettings
from w2v.system.compression import MAGIC_BYTES, compression
from w2v.tree import huffman

PIECE_BYTES = 1 << 22


def plain_text(corpus: Sequence[str], folder: Path, say: Callable[[str], None]) -> str:
    """The path of the corpus as plain text: the file itself if it is one, else a copy in `folder`,
    unpacked.

    Raises:
        InputError: a source cannot be read, or is a table; there is no text.
    """
    sources, _ = resolve_sources(corpus)
    for source in sources:
        if source.format != "text":
            raise InputError(
                f"{source.name} is a table, which the other systems cannot read; give plain text"
            )
    if len(sources) == 1 and sources[0].path is not None and sources[0].lasting and sources[0].size:
        with open(sources[0].path, "rb") as file:
            if compression(file.read(MAGIC_BYTES)) is None:
                return sources[0].path
    copy = folder / "corpus.txt"
    say("unpacking the corpus, outside the measurement")
    with open(copy, "wb") as file:
        for source in sources:
            piece = b"\n"
            for piece in read_pieces(source, PIECE_BYTES, lambda size: None):
                file.write(piece)
            if not piece.endswith(b"\n"):
                file.write(b"\n")
    if not copy.stat().st_size:
        raise InputError(f"there is no text in {', '.join(corpus)}; give a file with words in it")
    return str(copy)


def rows_per_prediction(case: Case, corpus: str) -> float | None:
    """Output rows that one prediction scores: 1 + noise words, inner nodes on the path, or both.

    For hsigmoid the mean of the path lengths over the words as they are trained: count *
    probability to survive subsampling. None for losses that do not choose a few rows for each
    prediction.
    """
    parts = case.loss.split("+")
    if not set(parts) <= {"neg", "nce", "sampled-softmax", "hsigmoid"}:
        return None
    rows = sum(1.0 + case.negatives for part in parts if part != "hsigmoid")
    return rows + (mean_path(word_counts(corpus, case.min_count), case.sample) if case.hs else 0.0)


def mean_path(counts: np.ndarray, sample: float) -> float:
    """Mean length of the paths in the Huffman tree of counts [V], over the words that survive
    subsampling."""
    kept = counts * keep_probabilities(counts, sample)
    return float(np.average(np.diff(huffman(counts).starts), weights=kept))


def word_counts(corpus: str, min_count: int) -> np.ndarray:
    """The vocabulary's counts [V]."""
    settings = CorpusSettings((corpus,), min_count=min_count)
    with read_corpus(settings.corpus, settings, use_cache=False) as store:
        return select_vocabulary(store.vocabulary, settings).counts
