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

import numpy as np

from w2v.corpus.ngrams import Ngrams
from w2v.errors import InputError, shown
from w2v.system import compression
from w2v.vectors.arrays import load_arrays, map_matrix
from w2v.vectors.binary import fits_binary, read_binary
from w2v.vectors.columns import MARKS, read_table
from w2v.vectors.content import VectorStream, gather, is_text, parse_header
from w2v.vectors.fasttext import is_fasttext, read_fasttext
from w2v.vectors.hub import MATRIX, TOKENIZER, cut_by_file, is_hub, read_hub
from w2v.vectors.layout import Layout, decide, doubt, first_lines, names_columns, remarks, why_none
from w2v.vectors.ngrams import NgramRows
from w2v.vectors.tensors import is_tensors, read_tensors
from w2v.vectors.text import read_text
from w2v.vectors.word_vectors import WordVectors

# What other well-known files start with, and what to do instead.
SAVED_OTHERWISE = "save the vectors as word2vec text or binary with the library that wrote it"
FOREIGN = {
    b"PK\x03\x04": (
        "is a zip archive, perhaps .npz: unpack it, or save the vectors in word2vec's format"
    ),
    b"FiFu": f"is a finalfusion file (.fifu): {SAVED_OTHERWISE} (finalfusion convert)",
    b"SQLite format 3": f"is a database, perhaps .magnitude: {SAVED_OTHERWISE} (pymagnitude)",
    b"\x89HDF\r\n\x1a\n": f"is an HDF5 file (.h5): {SAVED_OTHERWISE} (pandas or h5py)",
    b"\x80": (
        "looks like a Python pickle, which may run any code when loaded: use gensim's"
        " save_word2vec_format"
    ),
}
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
    path = Path(path)
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
            words, matrix = _read_stream(stream, path)
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


def _read_stream(stream: VectorStream, path: Path) -> tuple[list[str], np.ndarray]:
    sample, whole = stream.sample, stream.sample_is_all
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if not sample:
        raise InputError(f"{path} is empty; give a file of word vectors")
    for start, advice in FOREIGN.items():
        if sample.startswith(start):
            raise InputError(f"{path} {advice}")
    header = parse_header(sample)
    if header is not None:
        body = sample[header.length :]
        lines = first_lines(body, whole)
        # "7 1" may also be the first word of GloVe text with one whole number per word; only then
        # the name decides.
        if ".glove" in suffixes and decide(first_lines(sample, whole))[0] == Layout(1):
            header = None
    if header is None:
        return _read_headless(stream, path)
    layout, fits = decide(lines, header.dim)
    text = layout is not None and fits == len(lines) > 0
    # A handful of short records can be read both ways; then, too, the name decides.
    if [suffix for suffix in suffixes if suffix not in compression.SUFFIXES][-1:] == [".bin"]:
        text = text and not (whole and fits_binary(sample, header))
    else:
        text = text or is_text(body)
    if not text:
        return read_binary(stream, header)
    if layout is None and (other := decide(lines)[0]) is not None:
        raise InputError(
            f"{path}: its header says {header.dim} dimensions, but line 2 has {other.dim} numbers;"
            " correct the header"
        )
    layout = layout or Layout(header.dim)
    if (why := doubt(lines, layout, headed=True)) is not None:
        raise InputError(f"{path} {why}")
    return _remarked(stream, read_text(stream, header, layout, header.length), headed=True)


def _read_headless(stream: VectorStream, path: Path) -> tuple[list[str], np.ndarray]:
    sample, position = stream.sample, 0
    lines = first_lines(sample, stream.sample_is_all)
    layout, _ = decide(lines[1:]) if len(lines) > 1 else (None, 0)
    if layout is not None and names_columns(lines[0], layout):
        position = sample.index(b"\n") + 1
        stream.warnings.append(
            f"the first line of {path}, {shown(lines[0], 40)}, was taken for names of its columns"
        )
        lines = lines[1:]
    else:
        layout, _ = decide(lines)
    why = why_none(lines) if layout is None else doubt(lines, layout, headed=False)
    if layout is None or why is not None:
        raise InputError(f"{path} {why}")
    return _remarked(stream, read_text(stream, None, layout, position), headed=False)


def _remarked(
    stream: VectorStream, found: tuple[list[str], np.ndarray], headed: bool
) -> tuple[list[str], np.ndarray]:
    words, matrix = found
    said = remarks(words, matrix.shape[1], headed)
    stream.warnings += [f"{stream.name}: {remark}" for remark in said]
    return found
