"""Vectors in a NumPy file with a separate word list: memory-mapped, opened in milliseconds, never
unpickled.

The word list has one line `word` or `word<TAB>count` per row of the matrix, like the vocab.tsv of a
run directory.
"""

from __future__ import annotations

import io
import os
import re
import warnings
from itertools import accumulate
from pathlib import Path

import numpy as np

from w2v.errors import InputError, RunError, shown
from w2v.system.fields import without_mark
from w2v.system.files import read_plain
from w2v.system.limits import MANY_WORD_BYTES, MEAN_WORD_BYTES
from w2v.vectors.content import check_memory, damaged, decode_words, say_repeated
from w2v.vectors.word_vectors import WordVectors

# NumPy's own limit for the header text, which it evaluates as a literal, plus the bytes before it.
MAX_NPY_HEADER = 10_000 + 12
NO_SEPARATORS = bytes(set(range(256)) - set(b"\t\n"))


def load_arrays(
    matrix_path: Path, words_path: Path, source: str, limit: int | None, errors: str
) -> WordVectors:
    """Loads the matrix in `matrix_path` and the words in `words_path`. Raises InputError if a file
    is damaged or they do not belong together."""
    matrix = map_matrix(matrix_path)
    words, counts = read_words(words_path, len(matrix), errors)
    if len(words) != len(matrix):
        sizes = f"{len(words)} words, but {matrix_path} has {len(matrix)} rows"
        raise InputError(f"{words_path} has {sizes}; they do not belong together: save them again")
    words, matrix = words[:limit], matrix[:limit]
    counts = None if counts is None else counts[:limit]
    first = dict(zip(reversed(words), range(len(words) - 1, -1, -1), strict=True))
    if (repeated := len(words) - len(first)) == 0:
        return WordVectors(words, matrix, counts, source)
    example = next(word for i, word in enumerate(words) if first[word] < i)
    keep = sorted(first.values())
    check_memory(len(keep), matrix.shape[1], str(matrix_path))
    counts = None if counts is None else counts[keep]
    warning = say_repeated(repeated, example, str(words_path))
    return WordVectors([words[i] for i in keep], matrix[keep], counts, source, [warning])


def map_matrix(path: Path) -> np.ndarray:
    """Returns the matrix [V, D] float32 in a .npy file, memory-mapped; other float types are
    converted in memory. Raises InputError if it is damaged or not such a matrix."""
    try:
        with open(path, "rb") as file:
            head = io.BytesIO(file.read(MAX_NPY_HEADER))  # a wrong length allocates no memory
        shape, fortran, dtype = _read_npy_header(head)
        follow = path.stat().st_size - head.tell()
    except OSError as error:
        raise InputError(f"cannot open {path}: {error.strerror}; check the path") from None
    except Exception:  # NumPy evaluates it as a literal, so a broken one raises anything
        raise damaged(path, "its .npy header cannot be read") from None
    if dtype.kind != "f" or dtype.itemsize > 8:
        raise InputError(f"{path} holds {dtype}, not floating-point numbers; save it as float32")
    if len(shape) != 2 or min(shape) < 1:
        raise InputError(f"{path} has shape {shape}, not [words, dimensions]; save a row per word")
    need = shape[0] * shape[1] * dtype.itemsize
    if need != follow:
        values = f"{shape[0]} x {shape[1]} values, which are {need} bytes"
        raise damaged(path, f"its header says {values}, but {follow} follow")
    try:
        matrix = np.memmap(path, dtype, "r", head.tell(), shape, "F" if fortran else "C")
    except (OSError, ValueError) as error:
        raise RunError(f"cannot map {path} into memory: {error}") from error
    if dtype == np.dtype("<f4") and not fortran:
        return matrix
    check_memory(*shape, str(path))
    with np.errstate(all="ignore"):
        rows = np.ascontiguousarray(matrix, np.float32)
    if not np.isfinite(rows).all():
        problem = "holds NaN, infinity or values beyond the range of float32"
        raise InputError(f"{path} {problem}; save the vectors again")
    return rows


def _read_npy_header(file: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Returns the shape, whether the order is Fortran's, and the type. A broken header raises
    whatever NumPy raises for it."""
    major, minor = np.lib.format.read_magic(file)
    read_header = getattr(np.lib.format, f"read_array_header_{major}_{minor}")
    with warnings.catch_warnings():
        # The user need not see Python's warnings about broken literals, or NumPy's about files from
        # Python 2.
        warnings.simplefilter("ignore")
        shape, fortran, dtype = read_header(file)
    return tuple(map(int, shape)), fortran, dtype


def read_words(
    path: Path, n_words: int, errors: str = "strict"
) -> tuple[list[str], np.ndarray | None]:
    """Returns the words of a word list and their counts [V] int64, or None if it has no counts.
    `n_words`, the expected number, only bounds the size of the file that is read."""
    limit = MANY_WORD_BYTES + (MEAN_WORD_BYTES + 20) * n_words
    try:
        data = read_plain(path, limit, follow=True)
    except OSError as error:
        where = "the words of the matrix belong there, one per line"
        if os.path.lexists(path.with_name("vocab.tsv")) and path.name == "vectors.vocab.tsv":
            where = f"for the vectors of a run, name its directory, {path.parent}"
        raise InputError(f"cannot read the words in {path}: {error.strerror}; {where}") from None
    if not data:
        raise InputError(f"{path} is empty; it should contain one word per line")
    data = without_mark(data, str(path)).removesuffix(b"\n") + b"\n"
    if b"\t" in data or data.count(b"\r\n") == data.count(b"\n"):
        data = data.replace(b"\r\n", b"\n")
    data = data[:-1]
    try:
        text = data.decode("utf-8", errors)
    except UnicodeDecodeError:
        lines = data.split(b"\n")
        starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
        decode_words(lines, 0, starts, str(path), "strict")
        raise
    if b"\t" not in data:
        return text.split("\n"), None
    if b"\n" + data.translate(None, NO_SEPARATORS) != b"\n\t" * (data.count(b"\n") + 1):
        line = next(i for i, line in enumerate(text.split("\n"), 1) if line.count("\t") != 1)
        raise damaged(path, f"line {line} is not a word, a tab and a count")
    # The separators alternate, therefore so do words and counts.
    fields = text.replace("\t", "\n").split("\n")
    return fields[0::2], _counts(fields[1::2], path)


def _counts(fields: list[str], path: Path) -> np.ndarray:
    """Returns the counts [V] int64. Raises InputError for non-digits, or a sum beyond int64."""
    digits = "".join(fields)
    if not (digits.isascii() and digits.isdigit() and all(fields)) or max(map(len, fields)) > 18:
        numbered = enumerate(fields, 1)
        line, field = next(entry for entry in numbered if not re.fullmatch("[0-9]{1,18}", entry[1]))
        raise damaged(path, f"line {line} has {shown(field)} in place of a count")
    counts = np.fromiter(map(int, fields), np.int64, len(fields))
    if counts.sum(dtype=np.float64) >= 2**63:
        raise damaged(path, "its counts add up to more than 64 bits hold")
    return counts
