"""Opens the MODEL argument, which several verbs have: a run directory, a vector file, or - for
vectors on stdin; and the RUN argument of those that need a language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2v.cli.lines import open_stdin
from w2v.cli.output import say
from w2v.cli.progress import told_if_slow

if TYPE_CHECKING:
    from w2v.lm.language_model import LanguageModel
    from w2v.vectors import WordVectors

# The last paragraph of --help for verbs that read vectors; `w2v.vectors.layout` has the whole rule.
VECTOR_FILES = """
Files of vectors are word2vec's text and binary and GloVe's text, also as .gz, .bz2, .xz or .zst,
NAME.npy with its words in NAME.vocab.tsv, Parquet and Arrow (columns word and vector, a list; or
the only ones of text and of lists), safetensors, fastText's .bin, and folders for
sentence-transformers that w2v wrote. A line of text is a word and its numbers, as many in
every line. What separates them is decided by the first 200 lines and holds for the whole file:
blanks or tabs, one or several, or commas or semicolons, with quotes as in spreadsheets. Blanks
around a word are no part of it; between blanks a word may hold some itself, if it does not end in a
number. A first line of two numbers (words, dimensions) or of column names is optional. Of equal
words the first counts. Lines that do not fit, and what has two meanings (decimal commas, row
numbers, a matrix without words, a set of similarities), are refused. Runs with --subwords and
fastText's .bin give unknown words a vector, the mean of those of their n-grams, if known words have
trained any of these; a note tells.
"""


def open_model(
    model: str, *, limit: int | None = None, encoding_errors: str = "strict"
) -> WordVectors:
    """Returns the words and vectors that `model` names."""
    from w2v.vectors import load_vectors

    if model == "-":
        open_stdin("MODEL - reads vectors from", "name a file, or pipe one in")
    path = "/dev/stdin" if model == "-" else model
    vectors = load_vectors(path, limit=limit, encoding_errors=encoding_errors)
    for warning in vectors.warnings:
        say(f"warning: {warning}")
    return vectors


def say_made(vectors: WordVectors) -> None:
    """Says which unknown words had a vector made of their n-grams, if any did."""
    if (said := vectors.made_of_ngrams()) is not None:
        say(f"note: {said}")


def open_language_model(run: str, device: str, quiet: bool) -> LanguageModel:
    """Returns the language model in the run directory `run`, on the device that --device names.
    Says that this takes a while, unless `quiet`."""
    with told_if_slow(f"loading PyTorch and {run}", quiet=quiet):
        from w2v.lm.saved import load_language_model

        return load_language_model(run, device)
