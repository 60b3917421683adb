"""Reads vectors from a run directory or a file. The content decides on the format, the name only
when it fits two.

Run directories and .npy files are memory-mapped; word2vec text, word2vec binary and GloVe text are
parsed as a stream, compressed or not; tables and tensors are read in parts. Nothing is unpickled,
and nothing is reserved because a header says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from w2v.corpus.ngrams import Ngrams
from w2v.errors import InputError
from w2v.system import compression
from w2v.system.files import named
from w2v.vectors.arrays import load_arrays, map_matrix
from w2v.vectors.columns import MARKS, read_table
from w2v.vectors.content import VectorStream, gather
from w2v.vectors.fasttext import is_fasttext, read_fasttext
from w2v.vectors.hub import MATRIX, TOKENIZER, cut_by_file, is_hub, read_hub
from w2v.vectors.ngrams import NgramRows
from w2v.vectors.streams import read_stream
from w2v.vectors.tensors import is_tensors, read_tensors
from w2v.vectors.word_vectors import WordVectors

NGRAMS = "ngrams.npy"  # in a run directory, [buckets, D]
RUN_VERSION = b"1"  # of a run directory's layout


def load_vectors(
    path: str | Path, *, limit: int | None = None, encoding_errors: str = "strict"
) -> WordVectors:
    """The words and vectors at `path`; raises InputError where there are none or they are damaged.
    Of equal words the first counts, and a warning says how many there are.

    Args:
        path: a run directory (vectors.npy, vocab.tsv), or a file: word2vec text or binary, GloVe
            text, each also as .gz, .bz2, .xz or .zst; NAME.npy with its words in NAME.vocab.tsv;
            Parquet, Arrow or safetensors; a model of fastText (.bin); or a folder that was written
            for sentence-transformers.
        limit: read only the first so many words.
        encoding_errors: a word that is not UTF-8 makes "strict" refuse the file; "replace" puts
            U+FFFD into it.
    """
    path = named(path, "the vectors")
    if limit is not None and limit < 1:
        raise InputError(f"limit {limit} is out of range; read at least one word")
    if path.is_dir():
        file, begun = path / "vectors.npy", ("config.yaml", "format_version")
        if not file.is_file() and is_hub(path):
            with _opened(path / MATRIX, limit, encoding_errors) as stream:
                words, matrix, counts = gather(read_hub(path, stream), stream)
            found = WordVectors(words, matrix, counts, str(path), stream.warnings)
            if cut_by_file(path):
                from w2v.settings.build import build_config  # YAML takes 15 ms
                from w2v.settings.config import IN_MEMORY

                cut = {"corpus": (IN_MEMORY,), "tokenizer": str(path / TOKENIZER)}
                found.config = build_config(cut)
            return found
        if not file.is_file():
            if all((path / name).is_file() for name in begun):
                raise InputError(
                    f"{path} is a run that has not come to its end, so it has no vectors yet; go on"
                    f" with it: `resume` {path}"
                )
            raise InputError(
                f"{path} is a folder without vectors.npy, so not one that w2v train wrote, nor for"
                " sentence-transformers; name a run directory or a vector file"
            )
        check_version(path)
        vectors = load_arrays(file, path / "vocab.tsv", str(path), limit, encoding_errors)
        vectors.run = path.absolute()
        if (path / NGRAMS).is_file():
            vectors.ngrams = _run_ngrams(path, vectors)
        return vectors
    with _opened(path, limit, encoding_errors) as stream:
        mapped = stream.sample.startswith(b"\x93NUMPY")
        table, tensors = stream.sample.startswith(MARKS), is_tensors(stream.sample)
        fasttext = is_fasttext(stream.sample)
        if (mapped or table or tensors or fasttext) and stream.size is None:
            raise InputError(
                f"{path}: such a file cannot be read from a pipe, nor compressed; save it, or"
                " decompress it first"
            )
        if table or tensors:
            read = read_table if table else read_tensors
            words, matrix, counts = gather(read(path, stream), stream)
            return WordVectors(words, matrix, counts, str(path), stream.warnings)
        if fasttext:
            parts, ngrams = read_fasttext(path, stream)
            found = WordVectors(*gather(parts, stream), str(path), stream.warnings)
            found.ngrams = ngrams
            return found
        if not mapped:
            words, matrix = read_stream(stream, path)
            return WordVectors(words, matrix, source=str(path), warnings=stream.warnings)
    return load_arrays(path, path.with_suffix(".vocab.tsv"), str(path), limit, encoding_errors)


@contextmanager
def _opened(path: Path, limit: int | None, errors: str) -> Iterator[VectorStream]:
    try:
        file = open(path, "rb")  # noqa: SIM115 (closed below; only the opening itself may fail here)
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
        raise InputError(
            f"{path / NGRAMS} has rows of n-grams, but {path / 'config.yaml'} says nothing of"
            " `subwords`; copy the run again"
        )
    expected = config.model.buckets, vectors.dim
    if rows.shape != expected:
        raise InputError(
            f"{path / NGRAMS} has {rows.shape[0]:,} x {rows.shape[1]:,} numbers, where `buckets`"
            f" and `dim` of the run are {expected[0]:,} x {expected[1]:,}; copy the run again"
        )
    return NgramRows(Ngrams(*lengths, config.model.buckets), rows)


def check_version(run: Path) -> None:
    """Refuses a run directory of a newer layout; one without the file is taken as it is."""
    path = run / "format_version"
    try:
        if not path.exists():
            return
        if not path.is_file():  # a device or a pipe might never end
            raise InputError(f"{path} is not a file: {path.parent} is damaged")
        with open(path, "rb") as file:
            version = file.read(32).strip()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    if version != RUN_VERSION:
        raise InputError(
            f"{path.parent} has format_version {version.decode(errors='replace')!r}, this w2v reads"
            f" {RUN_VERSION.decode()}; use the w2v that wrote it, or export its vectors with that"
        )
