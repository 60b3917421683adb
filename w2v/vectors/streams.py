"""Detects whether a stream of words and vectors is text or binary, and reads it. The first lines
decide; the name decides only if they fit two formats. The writer checks its output with it, too.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from w2v.errors import InputError, shown
from w2v.system import compression
from w2v.vectors.binary import fits_binary, read_binary
from w2v.vectors.columns import MARKS
from w2v.vectors.content import VectorStream, is_text, parse_header
from w2v.vectors.layout import Layout, decide, doubt, first_lines, misfit, names_columns, remarks
from w2v.vectors.text import read_text

# What other well-known files start with, and what to do instead.
SAVED_OTHERWISE = "save the vectors as word2vec text or binary with the library that wrote it"
FOREIGN = {
    b"PK\x03\x04": (
        "is a zip archive: unpack it if it is .npz; if w2v.compat.gensim saved it, load it there"
        " and use save_word2vec_format"
    ),
    b"FiFu": f"is a finalfusion file (.fifu): {SAVED_OTHERWISE} (finalfusion convert)",
    b"SQLite format 3": f"is a database, perhaps .magnitude: {SAVED_OTHERWISE} (pymagnitude)",
    b"\x89HDF\r\n\x1a\n": f"is an HDF5 file (.h5): {SAVED_OTHERWISE} (pandas or h5py)",
    b"\x80": (
        "looks like a Python pickle, which may run any code when loaded: use gensim's"
        " save_word2vec_format"
    ),
}


def read_stream(stream: VectorStream, path: Path) -> tuple[list[str], np.ndarray]:
    """Returns the words and vectors [V, D] of a stream in word2vec's text or binary format, or
    GloVe's text format. Raises InputError if it is none of them."""
    sample, complete = stream.sample, stream.sample_is_all
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if not sample:
        raise InputError(f"{path} is empty; give a file of word vectors")
    for start, advice in FOREIGN.items():
        if sample.startswith(start):
            raise InputError(f"{path} {advice}")
    header = parse_header(sample)
    if header is not None:
        body = sample[header.length :]
        lines = first_lines(body, complete)
        # "7 1" may also be the first line of GloVe text with one integer per word; only in that
        # case does the name decide.
        if ".glove" in suffixes and decide(first_lines(sample, complete))[0] == Layout(1):
            header = None
    if header is None:
        return _read_headless(stream, path)
    layout, fits = decide(lines, header.dim)
    text = layout is not None and fits == len(lines) > 0
    # A handful of short records may be valid text and binary; in that case, too, the name decides.
    if [suffix for suffix in suffixes if suffix not in compression.SUFFIXES][-1:] == [".bin"]:
        text = text and not (complete and fits_binary(sample, header))
    else:
        text = text or is_text(body)
    if not text:
        return read_binary(stream, header)
    if layout is None and (headless := decide(lines)[0]) is not None:
        problem = f"its header says {header.dim} dimensions, but line 2 has {headless.dim} numbers"
        raise InputError(f"{path}: {problem}; correct the header")
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
            f"the first line of {path}, {shown(lines[0], 40)}, was read as column names"
        )
        lines = lines[1:]
    else:
        layout, _ = decide(lines)
    why = misfit(lines) if layout is None else doubt(lines, layout, headed=False)
    if layout is None or why is not None:
        raise InputError(f"{path} {why}")
    return _remarked(stream, read_text(stream, None, layout, position), headed=False)


def _remarked(
    stream: VectorStream, content: tuple[list[str], np.ndarray], headed: bool
) -> tuple[list[str], np.ndarray]:
    words, matrix = content
    doubts = remarks(words, matrix.shape[1], headed)
    stream.warnings += [f"{stream.name}: {remark}" for remark in doubts]
    return content


def reads_back(data: bytes, path: Path, words: list[str], matrix: np.ndarray) -> bool:
    """Returns whether `data`, the first rows of a file to be written to `path`, would be read back
    as these words and this matrix."""
    try:
        stream = VectorStream(compression.Decompressed(io.BytesIO(data), ""), None, None, "strict")
        if stream.sample.startswith(MARKS):
            return False
        content = read_stream(stream, path)
    except InputError:
        return False
    return content[0] == words and np.array_equal(content[1], matrix)
