"""Opens the MODEL argument of several verbs (a run directory, a vector file, or - for vectors on
stdin), and the RUN argument of the verbs that need a language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2v.cli.lines import open_stdin
from w2v.cli.output import say
from w2v.cli.progress import announcing_if_slow

if TYPE_CHECKING:
    from w2v.lm.language_model import LanguageModel
    from w2v.vectors import WordVectors

# The last paragraph of --help for verbs that read vectors; see `w2v.vectors.layout` for all rules.
VECTOR_FILES = """
Vector files may be word2vec's text and binary and GloVe's text, also as .gz, .bz2, .xz or .zst,
NAME.npy with its words in NAME.vocab.tsv, Parquet and Arrow (columns word and vector, a list; or
the only columns of text and of lists), safetensors, fastText's .bin, and folders that w2v wrote for
sentence-transformers. A line of text has a word and its numbers, equally many in all lines. The
separator is detected in the first 200 lines and holds for the whole file: spaces or tabs, one or
several, or commas or semicolons, with quotes as in spreadsheets. Spaces around a word are not part
of it; if spaces separate, a word may contain some, but must not end in a number. A first line of
two numbers (words, dimensions) or of column names is optional. If a word is repeated, its first
vector is used. Lines that do not fit are rejected, and so are ambiguous files (decimal commas, row
numbers, a matrix without words, a set of similarities). In runs with --subwords and fastText's
.bin, an unknown word has a vector, the mean of those of its n-grams, if known words have trained
any of these; a note says so.
"""


def open_model(
    model: str, *, limit: int | None = None, encoding_errors: str = "strict"
) -> WordVectors:
    """Loads the words and vectors that `model` names, and prints any warnings about the file."""
    from w2v.vectors import load_vectors

    if model == "-":
        open_stdin("MODEL - reads vectors from", "name a file, or pipe one in")
    path = "/dev/stdin" if model == "-" else model
    vectors = load_vectors(path, limit=limit, encoding_errors=encoding_errors)
    for warning in vectors.warnings:
        say(f"warning: {warning}")
    return vectors


def note_ngrams_used(vectors: WordVectors) -> None:
    """Prints a note about unknown words that got vectors from their n-grams, if any."""
    if (sentence := vectors.made_of_ngrams()) is not None:
        say(f"note: {sentence}")


def open_language_model(run: str, device: str, quiet: bool) -> LanguageModel:
    """Loads the language model in the run directory `run`, onto the device that --device names.
    Unless `quiet`, prints a message if this takes long."""
    with announcing_if_slow(f"loading PyTorch and {run}", quiet=quiet):
        from w2v.lm.saved import load_language_model

        loaded = load_language_model(run, device)
    for warning in loaded.warnings:
        say(f"warning: {warning}")
    return loaded
