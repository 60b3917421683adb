"""Vectors as a NumPy file with the words beside it: memory-mapped, opened in milliseconds, never
unpickled.

The word list has one line `word` or `word<TAB>count` per row of the matrix; a run directory's
vocab.tsv is one.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import IO

import numpy as np

from w2v.errors import InputError, RunError, shown
from w2v.vectors.content import CHECKED_BYTES, check_memory, check_unique, decode_words
from w2v.vectors.word_vectors import WordVectors

# NumPy's own limit for text that it evaluates as a literal.
MAX_NPY_HEADER = 10_000


def load_arrays(
    matrix_path: Path, words_path: Path, source: str, limit: int | None, errors: str
) -> WordVectors:
    """The matrix in `matrix_path` with the words in `words_path`.

    Raises:
        InputError: one of the files is missing or damaged, or they do not belong together.
    """
    matrix = map_matrix(matrix_path)
    words, counts = read_words(words_path, errors)
    if len(words) != len(matrix):
        raise InputError(
            f"{matrix_path} has {len(matrix)} rows, but {words_path} has {len(words)} words; "
            "the two do not belong together: save the vectors again"
        )
    check_unique(words, str(words_path), errors)
    counts = None if counts is None else counts[:limit]
    return WordVectors(words[:limit], matrix[:limit], counts, source)


def map_matrix(path: Path) -> np.ndarray:
    """The matrix [V, D] float32 in a .npy file, memory-mapped; other float types are converted in
    memory.

    Raises:
        InputError: the file is no such matrix, or it is shorter or longer than its header says.
    """
    try:
        with open(path, "rb") as file:
            shape, fortran, dtype = _read_npy_header(file)
            offset = file.tell()
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"cannot open {path}: {error.strerror}; check the path") from None
    except Exception:
        # NumPy evaluates the header as a literal; what a broken one raises is open-ended
        # (SyntaxError, TypeError, …).
        raise InputError(
            f"{path} is damaged: its .npy header cannot be read; copy or save it again"
        ) from None
    if dtype.kind != "f" or dtype.itemsize > 8:
        raise InputError(
            f"{path} holds values of type {dtype}, not floating-point numbers; save it as float32"
        )
    if len(shape) != 2 or min(shape) < 1:
        raise InputError(
            f"{path} has shape {shape}, not [words, dimensions]; save a matrix with one row per"
            " word"
        )
    need = shape[0] * shape[1] * dtype.itemsize
    if need != size - offset:
        raise InputError(
            f"{path}: its header says {shape[0]} x {shape[1]} values, which are {need} bytes, but"
            f" {size - offset} follow; the file is damaged: copy or save it again"
        )
    try:
        matrix = np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")
    except (OSError, ValueError) as error:
        raise RunError(f"cannot map {path} into memory: {error}") from error
    if dtype != np.dtype("<f4") or fortran:
        return _converted(matrix, path)
    return matrix


def _converted(matrix: np.ndarray, path: Path) -> np.ndarray:
    if matrix.size * 4 > CHECKED_BYTES:
        check_memory(len(matrix), matrix.shape[1], str(path))
    with np.errstate(all="ignore"):
        rows = np.ascontiguousarray(matrix, np.float32)
    if not np.isfinite(rows).all():
        raise InputError(
            f"{path} holds NaN, infinity or values beyond the range of float32; save the vectors"
            " again"
        )
    return rows


def _read_npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether in Fortran's order, and type. Raises whatever a broken header makes NumPy
    raise."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version}")
    width = 2 if version == (1, 0) else 4
    place, length = file.tell(), file.read(width)
    if len(length) < width or int.from_bytes(length, "little") > MAX_NPY_HEADER:
        raise ValueError("NumPy would allocate as much as the header says")
    file.seek(place)
    read = (
        np.lib.format.read_array_header_1_0 if width == 2 else np.lib.format.read_array_header_2_0
    )
    with warnings.catch_warnings():
        # What Python thinks of a broken literal, and NumPy of files from Python 2, is nothing for
        # the user.
        warnings.simplefilter("ignore")
        shape, fortran, dtype = read(file)
    return tuple(map(int, shape)), fortran, dtype


def read_words(path: Path, errors: str = "strict") -> tuple[list[str], np.ndarray | None]:
    """The words of a word list, and their counts [V] int64 when it has them.

    Raises:
        InputError: the file is missing, a line is malformed, or a word is not UTF-8.
    """
    try:
        if path.exists() and not path.is_file():  # a device or a pipe might never end
            raise InputError(
                f"{path} is not a file; the words belong there, one per line, beside the matrix"
            )
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read the words in {path}: {error.strerror}; they belong beside the matrix"
        ) from None
    if not data:
        raise InputError(f"{path} is empty; it should hold one word per line")
    if not data.endswith(b"\n"):
        data += b"\n"
    if b"\t" in data:
        data = data.replace(b"\r\n", b"\n")
    try:
        text = data.decode("utf-8", errors)
    except UnicodeDecodeError:
        lines = data.split(b"\n")[:-1]
        offsets = np.cumsum([0] + [len(line) + 1 for line in lines[:-1]]).tolist()
        decode_words(lines, 1, offsets, str(path), "strict")
        raise
    if b"\t" not in data:
        return text[:-1].split("\n"), None
    _check_columns(data, path)
    # The separators alternate, so that words and counts do so too.
    fields = text[:-1].replace("\t", "\n").split("\n")
    return fields[0::2], _counts(fields[1::2], path)


def _counts(fields: list[str], path: Path) -> np.ndarray:
    """The counts [V] int64; their sum fits int64 too."""
    digits = "".join(fields)
    if not (digits.isascii() and digits.isdigit() and all(fields)) or max(map(len, fields)) > 18:
        line, field = next(
            (i, field)
            for i, field in enumerate(fields, 1)
            if not (field.isascii() and field.isdigit() and len(field) <= 18)
        )
        raise InputError(
            f"{path}: line {line} has {shown(field)} where a count belongs; copy or save it again"
        )
    counts = np.fromiter(map(int, fields), np.int64, len(fields))
    if counts.sum(dtype=np.float64) >= 2**63:
        raise InputError(
            f"{path}: its counts add up to more than any corpus has words; copy or save it again"
        )
    return counts


def _check_columns(data: bytes, path: Path) -> None:
    raw = np.frombuffer(data, np.uint8)
    separators = raw[(raw == ord("\t")) | (raw == ord("\n"))]
    if (
        len(separators) % 2
        or (separators[0::2] != ord("\t")).any()
        or (separators[1::2] != ord("\n")).any()
    ):
        line = next(i for i, line in enumerate(data.split(b"\n"), 1) if line.count(b"\t") != 1)
        raise InputError(
            f"{path}: line {line} is not a word, a tab and a count; copy or save it again"
        )
