"""Splits text at Unicode whitespace, encodes and counts its words, a chunk at a time, by NumPy and
Arrow.

A word is a longest run of characters that are neither whitespace (the definition is Python's
`str.split()`) nor NUL. A line end is "\\n" alone; "\\r", U+0085, U+2028 and the like are whitespace
inside a line.

No object per word is made. All whitespace but "\\n" is overwritten by blanks, and the text is cut
behind every blank and on both sides of every "\\n", so that it becomes an Arrow string array
without being copied: "the cat\\n" has the elements "the ", "cat", "\\n". The blanks are trimmed off
the distinct elements only, after the encoding. The element "\\n", which no word can be, marks the
line ends; the element " " stands for repeated whitespace and is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from w2v.corpus.chunks import Chunk
from w2v.errors import InputError

LINE_END = "\n"
REPLACE = "take `encoding_errors` replace"

# All ASCII whitespace but "\n", and NUL, which ends strings in C readers of the vectors.
_BLANKS = b"\x00\t\v\f\r\x1c\x1d\x1e\x1f"
_TO_BLANK = bytes.maketrans(_BLANKS, b" " * len(_BLANKS))
_BLANK, _NEWLINE = 0x20, 0x0A
_REPLACEMENT = "\ufffd"


@dataclass(frozen=True)
class EncodedChunk:
    """The words of one chunk."""

    codes: np.ndarray  # int32 [n], places in `words`
    words: pa.Array  # [d] strings, which may repeat, with LINE_END and perhaps "" among them
    counts: np.ndarray  # int64 [d], how often each code stands in `codes`; "" stands nowhere
    invalid: int  # UTF-8 sequences that were replaced
    nul: int  # NUL bytes


def encode_chunk(chunk: Chunk, *, lowercase: bool, strict: bool) -> EncodedChunk:
    """Splits, encodes and counts one chunk. Releases the GIL for nearly all of its time. Invalid
    UTF-8 is replaced by U+FFFD; with `strict` an InputError names its source and offset."""
    text, invalid = _valid_text(chunk, strict)
    nul = text.count(0)
    encoded = _elements(_blanked(text)).dictionary_encode()
    codes = encoded.indices.to_numpy()
    # The elements end in at most one blank.
    words = pc.ascii_rtrim(encoded.dictionary, " ")
    counts = np.bincount(codes, minlength=len(words))
    empty = pc.index(words, "").as_py()
    if empty >= 0:
        codes = codes[codes != empty]
        counts[empty] = 0
    return EncodedChunk(codes, _lowered(words) if lowercase else words, counts, invalid, nul)


def encode_tokens(tokens: Sequence[str], *, lowercase: bool, strict: bool) -> EncodedChunk:
    """Encodes and counts tokens, which are words as they are, but for LINE_END. Raises InputError
    if a token has unpaired surrogates, which UTF-8 cannot hold, and `strict`."""
    invalid = 0
    try:
        values = pa.array(tokens, pa.large_string())
    except UnicodeEncodeError:
        if strict:
            problem = "a token has unpaired surrogates, which are not valid Unicode"
            raise InputError(f"{problem}; mend it, or {REPLACE}") from None
        raw = (word.encode("utf-8", "surrogatepass") for word in tokens)
        sound = [word.decode("utf-8", "replace") for word in raw]
        invalid = sum(word != mended for word, mended in zip(tokens, sound, strict=True))
        values = pa.array(sound, pa.large_string())
    encoded = values.dictionary_encode()
    codes, words = encoded.indices.to_numpy(), encoded.dictionary
    counts = np.bincount(codes, minlength=len(words))
    return EncodedChunk(codes, _lowered(words) if lowercase else words, counts, invalid, 0)


def _valid_text(chunk: Chunk, strict: bool) -> tuple[bytes, int]:
    """Returns the chunk's text as valid UTF-8 and the number of sequences replaced for that."""
    data = chunk.data
    if data.isascii():
        return data, 0
    try:
        whole = pa.py_buffer(np.array([0, len(data)], dtype=np.int32))
        pa.StringArray.from_buffers(1, whole, pa.py_buffer(data)).validate(full=True)
        return data, 0
    except pa.ArrowInvalid:
        pass
    if strict:
        try:
            data.decode()
        except UnicodeDecodeError as error:
            name, offset = chunk.locate(error.start)
            problem = f"{name} is not valid UTF-8 at byte {offset} ({error.reason})"
            raise InputError(f"{problem}; convert it, or {REPLACE}") from None
    text = data.decode("utf-8", "replace")
    # U+FFFD that the text had already is no replacement.
    return text.encode(), text.count(_REPLACEMENT) - data.count(_REPLACEMENT.encode())


def _blanked(text: bytes) -> bytes | np.ndarray:
    """Returns the valid UTF-8 with a blank for every byte of whitespace other than "\\n"."""
    characters = np.frombuffer(text, dtype=np.uint8)
    plain = np.count_nonzero(characters == _BLANK) + np.count_nonzero(characters == _NEWLINE)
    if plain < np.count_nonzero(characters <= _BLANK):
        text = text.translate(_TO_BLANK)
    if text.isascii():
        return text
    characters = np.frombuffer(bytearray(text), dtype=np.uint8)
    # U+0085, U+00A0
    at = np.flatnonzero(characters == 0xC2)
    second = characters[at + 1]
    _blank(characters, at[(second == 0x85) | (second == 0xA0)], 2)
    # U+1680
    at = np.flatnonzero(characters == 0xE1)
    _blank(characters, at[(characters[at + 1] == 0x9A) & (characters[at + 2] == 0x80)], 3)
    # U+2000..U+200A, U+2028, U+2029, U+202F; U+205F
    at = np.flatnonzero(characters == 0xE2)
    second, third = characters[at + 1], characters[at + 2]
    spaces = (third <= 0x8A) | (third == 0xA8) | (third == 0xA9) | (third == 0xAF)
    _blank(characters, at[((second == 0x80) & spaces) | ((second == 0x81) & (third == 0x9F))], 3)
    # U+3000
    at = np.flatnonzero(characters == 0xE3)
    _blank(characters, at[(characters[at + 1] == 0x80) & (characters[at + 2] == 0x80)], 3)
    return characters


def _blank(characters: np.ndarray, at: np.ndarray, length: int) -> None:
    for offset in range(length):
        characters[at + offset] = _BLANK


def _elements(text: bytes | np.ndarray) -> pa.Array:
    """The Arrow string array of the text's elements (see the module's docstring), sharing the
    text's memory."""
    characters = np.frombuffer(text, dtype=np.uint8)
    size = len(characters)
    newline = characters == _NEWLINE
    separator = newline | (characters == _BLANK)
    begins = np.empty(size + 1, dtype=bool)
    begins[0] = begins[size] = True
    np.logical_or(separator[:-1], newline[1:], out=begins[1:size])
    offsets = np.flatnonzero(begins).astype(np.int32)
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(text))


def _lowered(words: pa.Array) -> pa.Array:
    """`str.lower()` of each element. Arrow's kernel would differ where lower case has another
    length or depends on the neighbours (U+0130, final sigma): words beyond ASCII go through
    Python."""
    lower = pc.ascii_lower(words)
    wide = np.flatnonzero(~pc.string_is_ascii(words).to_numpy(zero_copy_only=False))
    if not len(wide):
        return lower
    beyond = [word.lower() for word in words.take(pa.array(wide)).to_pylist()]
    mask = np.zeros(len(words), dtype=bool)
    mask[wide] = True
    return pc.replace_with_mask(lower, pa.array(mask), pa.array(beyond, type=words.type))
