"""Reads vectors from a run directory or a file. The content determines the format; the name is used
only if the content fits two formats.

Run directories and .npy files are memory-mapped; word2vec text, word2vec binary and GloVe text are
parsed as a stream, compressed or not; tables and tensors are read in parts. Nothing is unpickled,
and no memory is allocated on the word of a header.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from w2v.corpus.ngrams import Ngrams
from w2v.errors import InputError
from w2v.system import compression
from w2v.system.files import named, read_plain
from w2v.vectors.arrays import load_arrays, map_matrix
from w2v.vectors.columns import MARKS, read_table
from w2v.vectors.content import VectorStream, gather
from w2v.vectors.fasttext import is_fasttext, read_fasttext
from w2v.vectors.fingerprints import strangers
from w2v.vectors.hub import MATRIX, TOKENIZER, cut_by_file, is_hub, read_hub
from w2v.vectors.ngrams import NgramRows
from w2v.vectors.streams import read_stream
from w2v.vectors.tensors import is_tensors, read_tensors
from w2v.vectors.word_vectors import WordVectors

NGRAMS = "ngrams.npy"  # in a run directory, [buckets, D]
RUN_VERSION, VERSION_BYTES = b"1", 1 << 20  # of a run directory; largest size of that file


def load_vectors(
    path: str | Path, *, limit: int | None = None, encoding_errors: str = "strict"
) -> WordVectors:
    """Loads the words and vectors at `path`. Raises InputError if there are none or they are
    damaged. If a word occurs several times, its first vector is used, and there is a warning.

    Args:
        path: a run directory (vectors.npy, vocab.tsv), or a file: word2vec text or binary, GloVe
            text, each also as .gz, .bz2, .xz or .zst; NAME.npy with its words in NAME.vocab.tsv;
            Parquet, Arrow or safetensors; a fastText model (.bin); or a folder that was written
            for sentence-transformers.
        limit: read only this many words, from the beginning; None: all.
        encoding_errors: for a word that is not valid UTF-8, "strict" raises InputError, "replace"
            puts U+FFFD into it.
    """
    path = named(path, "the vectors")
    if limit is not None and limit < 1:
        raise InputError(f"limit {limit} is out of range; read at least one word")
    if os.path.isdir(path):  # False, too, for a name that is too long
        return _load_folder(path, limit, encoding_errors)
    with _opened(path, limit, encoding_errors) as stream:
        mapped = stream.sample.startswith(b"\x93NUMPY")
        table, tensors = stream.sample.startswith(MARKS), is_tensors(stream.sample)
        fasttext, ngrams = is_fasttext(stream.sample), None
        if (mapped or table or tensors or fasttext) and stream.size is None:
            problem = "a file of this format cannot be read from a pipe or compressed"
            raise InputError(f"{path}: {problem}; save it, or decompress it first")
        if not mapped:
            if table or tensors:
                content = gather((read_table if table else read_tensors)(path, stream), stream)
            elif fasttext:
                parts, ngrams = read_fasttext(path, stream)
                content = gather(parts, stream)
            else:
                content = (*read_stream(stream, path), None)
            vectors = WordVectors(*content, str(path), stream.warnings)
            vectors.ngrams = ngrams
            return vectors
    return load_arrays(path, path.with_suffix(".vocab.tsv"), str(path), limit, encoding_errors)


def _load_folder(path: Path, limit: int | None, errors: str) -> WordVectors:
    """Loads the vectors of a run, or of a folder for sentence-transformers."""
    if (path / "vectors.npy").is_file():
        check_version(path)
        vectors = load_arrays(path / "vectors.npy", path / "vocab.tsv", str(path), limit, errors)
        if sentence := strangers(path):
            vectors.warnings = (*vectors.warnings, sentence)
        vectors.run = path.absolute()
        if (path / NGRAMS).is_file():
            vectors.ngrams = _run_ngrams(path, vectors)
        return vectors
    if is_hub(path):
        with _opened(path / MATRIX, limit, errors) as stream:
            content = gather(read_hub(path, stream), stream)
            vectors = WordVectors(*content, str(path), stream.warnings)
        if cut_by_file(path):
            from w2v.settings.build import build_config  # YAML takes 15 ms
            from w2v.settings.config import IN_MEMORY

            cut = {"corpus": (IN_MEMORY,), "tokenizer": str(path / TOKENIZER)}
            vectors.config = build_config(cut)
        return vectors
    if all((path / name).is_file() for name in ("config.yaml", "format_version")):
        problem = "is an unfinished run, which has no vectors yet"
        raise InputError(f"{path} {problem}; resume it: `resume` {path}")
    problem = "is a folder without vectors.npy, neither a run's nor one for sentence-transformers"
    raise InputError(f"{path} {problem}; name a run directory or a vector file")


@contextmanager
def _opened(path: Path, limit: int | None, errors: str) -> Iterator[VectorStream]:
    try:
        file = open(path, "rb")  # noqa: SIM115
    except OSError as error:
        remedy = "fetch it with hf download" if path.parts[:1] == ("hf:",) else "check the path"
        raise InputError(f"cannot open {path}: {error.strerror}; {remedy}") from None
    with file:
        content = compression.Decompressed(file, str(path))
        plain = content.compression is None and path.is_file()
        size = path.stat().st_size if plain else None
        yield VectorStream(content, size, limit, errors)


def _run_ngrams(path: Path, vectors: WordVectors) -> NgramRows:
    """Returns the rows of a run's n-grams, memory-mapped."""
    rows, config = map_matrix(path / NGRAMS), vectors.config
    lengths = None if config is None else config.model.ngram_lengths
    if config is None or lengths is None:
        problem = f"has rows of n-grams, but {path / 'config.yaml'} does not set `subwords`"
        raise InputError(f"{path / NGRAMS} {problem}; copy the run again")
    expected = config.model.buckets, vectors.dim
    if rows.shape != expected:
        of_run = f"`buckets` and `dim` of the run are {expected[0]:,} x {expected[1]:,}"
        problem = f"has {rows.shape[0]:,} x {rows.shape[1]:,} numbers, but {of_run}"
        raise InputError(f"{path / NGRAMS} {problem}; copy the run again")
    return NgramRows(Ngrams(*lengths, config.model.buckets), rows)


def check_version(run: Path) -> None:
    """Raises InputError for a run directory of another format version. A directory without a
    version file is accepted."""
    path = run / "format_version"
    try:
        version = read_plain(path, VERSION_BYTES, follow=True)[:32].strip()
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    if version != RUN_VERSION:
        written, reads = version.decode(errors="replace"), f"this w2v reads {RUN_VERSION.decode()}"
        remedy = "use the version of w2v that wrote it, or export its vectors with that"
        raise InputError(f"{path.parent} has format_version {written!r}, {reads}; {remedy}")
