"""Splits text into words, and encodes and counts them, a chunk at a time, with NumPy and Arrow.

`w2v.corpus.words` defines what a word is. Only "\\n" is a line end; "\\r", U+0085, U+2028 and
others are whitespace inside a line.

No Python object is made per word. All whitespace except "\\n" is overwritten with spaces, and the
text is cut after every space and on both sides of every "\\n", which makes it an Arrow string array
without copying it: "the cat\\n" has the elements "the ", "cat", "\\n". Only the distinct elements
are trimmed, after dictionary encoding. The element "\\n", which cannot be a word, marks a line end;
the element " " comes from repeated whitespace and is dropped. Word boundaries, too, are searched
for only in the distinct elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from w2v.corpus.chunks import Chunk
from w2v.corpus.reading import Reading
from w2v.corpus.texts import invalid_utf8
from w2v.corpus.tokenizer_file import FileTokenizer, lines_of
from w2v.corpus.words import MARK, is_word, segments
from w2v.errors import InputError, shown
from w2v.system.limits import MAX_WORD_BYTES

LINE_END, LINE_END_NUMBER = "\n", -1

# All ASCII whitespace except "\n", and NUL, at which C programs that read the vectors would stop.
_BLANKS = b"\x00\t\v\f\r\x1c\x1d\x1e\x1f"
_TO_BLANK = bytes.maketrans(_BLANKS, b" " * len(_BLANKS))
_BLANK, _NEWLINE = 0x20, 0x0A
_REPLACEMENT = "\ufffd"


@dataclass(frozen=True)
class EncodedChunk:
    """The words of one chunk."""

    codes: np.ndarray  # int32 [n], indices into `words`
    words: pa.Array  # [d] strings, not necessarily distinct, including LINE_END and perhaps ""
    counts: np.ndarray  # int64 [d], how often each code occurs in `codes`; that of "" is 0
    invalid: int  # number of invalid UTF-8 sequences replaced
    nul: int  # number of NUL bytes


def encode_chunk(chunk: Chunk, reading: Reading) -> EncodedChunk:
    """Splits, encodes and counts one chunk, releasing the GIL for nearly all of the time. Invalid
    UTF-8 is replaced by U+FFFD or, if `reading.strict`, raises InputError with its source and
    offset. A word of more than 1 MiB also raises InputError."""
    text, invalid = _valid_text(chunk, reading.strict)
    nul = text.count(0)
    if reading.cutter is None:
        codes, words = _cut_at_blanks(text)
        if reading.words:
            codes, words = _cut_at_boundaries(codes, words)
        words = _lowered(words) if reading.lowercase else words
    else:
        codes, words = _cut_by_file(text, reading.cutter, reading.lowercase)
    counts = np.bincount(codes, minlength=len(words))
    for empty in np.flatnonzero(pc.equal(words, "").to_numpy(zero_copy_only=False)):
        codes = codes[codes != empty]
        counts[empty] = 0
    _check_lengths(words, chunk.spans[-1][1])
    return EncodedChunk(codes, words, counts, invalid, nul)


def _cut_at_blanks(text: bytes) -> tuple[np.ndarray, pa.Array]:
    """Returns codes [m] and distinct words of valid UTF-8, see the module's docstring."""
    encoded = _elements(_blanked(text)).dictionary_encode()
    # The elements end in at most one blank.
    words = pc.ascii_rtrim(encoded.dictionary, " ")
    if MARK.encode() in text:
        words = pc.utf8_ltrim(words, MARK)
    return encoded.indices.to_numpy(), words


def _cut_by_file(text: bytes, cutter: FileTokenizer, lower: bool) -> tuple[np.ndarray, pa.Array]:
    """Returns codes [m] and words of valid UTF-8, split by a tokenizer file."""
    decoded, end = text.decode(), np.array([LINE_END_NUMBER])
    lines = lines_of(decoded.lower() if lower else decoded)
    pieces = [part for numbers in cutter.cut(lines) for part in (numbers, end)]
    numbers, codes = np.unique(np.concatenate(pieces[:-1]), return_inverse=True)
    words = cutter.words(numbers[numbers != LINE_END_NUMBER].tolist())
    return codes, pa.array([LINE_END] * (len(numbers) - len(words)) + words, pa.string())


def _cut_at_boundaries(codes: np.ndarray, elements: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """Replaces each element by the words in it. Returns codes [m] and words of the same text."""
    uncut = pc.or_(pc.ascii_is_alnum(elements), pc.equal(elements, LINE_END))
    cut = np.flatnonzero(~uncut.to_numpy(zero_copy_only=False))
    texts = elements.take(pa.array(cut)).to_pylist()
    # A line end after each element separates them: it is always a segment of its own.
    pieces = segments("".join([text + LINE_END for text in texts]))
    encoded = pa.array(pieces, pa.string()).dictionary_encode()
    parts = encoded.indices.to_numpy()
    are_words = np.array([is_word(part) for part in encoded.dictionary.to_pylist()], bool)[parts]
    ends = parts == pc.index(encoded.dictionary, LINE_END).as_py()
    # element e is replaced by values[first[e] : first[e] + lengths[e]]
    before = np.concatenate([[0], np.cumsum(are_words)[ends]])
    first, lengths = np.arange(len(elements)), np.ones(len(elements), np.int64)
    first[cut], lengths[cut] = len(elements) + before[:-1], np.diff(before)
    values = np.concatenate([np.arange(len(elements)), len(elements) + parts[are_words]])
    n_parts = lengths[codes]
    offset = np.arange(n_parts.sum()) - np.repeat(n_parts.cumsum() - n_parts, n_parts)
    words = pa.concat_arrays([elements, encoded.dictionary])
    every = values[np.repeat(first[codes], n_parts) + offset]
    used = np.flatnonzero(np.bincount(every, minlength=len(words)))
    rank = np.zeros(len(words), np.int32)
    rank[used] = np.arange(len(used))
    return rank[every], words.take(pa.array(used))


def encode_tokens(tokens: Sequence[str], reading: Reading) -> EncodedChunk:
    """Encodes and counts tokens; each one except LINE_END is a word, unchanged. Unpaired
    surrogates, which UTF-8 cannot represent, are replaced or, if `reading.strict`, raise
    InputError, as does a token of more than 1 MiB."""
    invalid = 0
    try:
        values = pa.array(tokens, pa.large_string())
    except UnicodeEncodeError:
        if reading.strict:
            problem = "a token has unpaired surrogates, which are not valid Unicode"
            remedy = "fix it, or use `encoding_errors` replace"
            raise InputError(f"{problem}; {remedy}") from None
        raw = (word.encode("utf-8", "surrogatepass") for word in tokens)
        sound = [word.decode("utf-8", "replace") for word in raw]
        invalid = sum(word != cleaned for word, cleaned in zip(tokens, sound, strict=True))
        values = pa.array(sound, pa.large_string())
    encoded = values.dictionary_encode()
    codes, words = encoded.indices.to_numpy(), encoded.dictionary
    counts = np.bincount(codes, minlength=len(words))
    words = _lowered(words) if reading.lowercase else words
    _check_lengths(words, "the corpus")
    return EncodedChunk(codes, words, counts, invalid, 0)


def _valid_text(chunk: Chunk, strict: bool) -> tuple[bytes, int]:
    """Returns the chunk's text as valid UTF-8 and the number of invalid sequences replaced."""
    data = chunk.data
    if data.isascii():
        return data, 0
    try:
        offsets = pa.py_buffer(np.array([0, len(data)], dtype=np.int32))
        pa.StringArray.from_buffers(1, offsets, pa.py_buffer(data)).validate(full=True)
        return data, 0
    except pa.ArrowInvalid:
        pass
    if strict:
        try:
            data.decode()
        except UnicodeDecodeError as error:
            name, offset = chunk.locate(error.start)
            raise invalid_utf8(name, offset, error.reason) from None
    text = data.decode("utf-8", "replace")
    # A U+FFFD that was in the text already does not count as a replacement.
    return text.encode(), text.count(_REPLACEMENT) - data.count(_REPLACEMENT.encode())


def _blanked(text: bytes) -> bytes | np.ndarray:
    """Returns valid UTF-8 with every byte of whitespace other than "\\n" replaced by a space."""
    characters = np.frombuffer(text, dtype=np.uint8)
    plain = np.count_nonzero(characters == _BLANK) + np.count_nonzero(characters == _NEWLINE)
    if plain < np.count_nonzero(characters <= _BLANK):
        text = text.translate(_TO_BLANK)
    if text.isascii():
        return text
    characters = np.frombuffer(bytearray(text), dtype=np.uint8)
    # U+0085, U+00A0
    leads = np.flatnonzero(characters == 0xC2)
    second = characters[leads + 1]
    _blank(characters, leads[(second == 0x85) | (second == 0xA0)], 2)
    # U+1680
    leads = np.flatnonzero(characters == 0xE1)
    _blank(characters, leads[(characters[leads + 1] == 0x9A) & (characters[leads + 2] == 0x80)], 3)
    # U+2000..U+200A, U+2028, U+2029, U+202F; U+205F
    leads = np.flatnonzero(characters == 0xE2)
    second, third = characters[leads + 1], characters[leads + 2]
    spaces = (third <= 0x8A) | (third == 0xA8) | (third == 0xA9) | (third == 0xAF)
    _blank(characters, leads[((second == 0x80) & spaces) | ((second == 0x81) & (third == 0x9F))], 3)
    # U+3000
    leads = np.flatnonzero(characters == 0xE3)
    _blank(characters, leads[(characters[leads + 1] == 0x80) & (characters[leads + 2] == 0x80)], 3)
    return characters


def _blank(characters: np.ndarray, starts: np.ndarray, length: int) -> None:
    for offset in range(length):
        characters[starts + offset] = _BLANK


def _elements(text: bytes | np.ndarray) -> pa.Array:
    """Returns the Arrow string array of the text's elements (see the module's docstring), which
    shares the text's memory."""
    characters = np.frombuffer(text, dtype=np.uint8)
    size = len(characters)
    newline = characters == _NEWLINE
    separator = newline | (characters == _BLANK)
    begins = np.empty(size + 1, dtype=bool)
    begins[0] = begins[size] = True
    np.logical_or(separator[:-1], newline[1:], out=begins[1:size])
    offsets = np.flatnonzero(begins).astype(np.int32)
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(text))


def _check_lengths(words: pa.Array, name: str) -> None:
    """Raises InputError if a word is longer than the readers of vector files accept."""
    longest = pc.max(pc.binary_length(words)).as_py() or 0
    if longest > MAX_WORD_BYTES:
        word = words[pc.index(pc.binary_length(words), longest).as_py()].as_py()
        problem = f"{name} has a word of {longest:,} bytes ({shown(word)})"
        most = f"words are at most {MAX_WORD_BYTES:,} bytes long"
        raise InputError(f"{problem}, and {most}: is it plain text?")


def _lowered(words: pa.Array) -> pa.Array:
    """Returns `str.lower()` of each element. Non-ASCII words go through Python, because Arrow's
    kernel differs where the lower case has another length or depends on neighbouring characters
    (U+0130, final sigma)."""
    lower = pc.ascii_lower(words)
    wide = np.flatnonzero(~pc.string_is_ascii(words).to_numpy(zero_copy_only=False))
    if not len(wide):
        return lower
    beyond = [word.lower() for word in words.take(pa.array(wide)).to_pylist()]
    mask = np.zeros(len(words), dtype=bool)
    mask[wide] = True
    return pc.replace_with_mask(lower, pa.array(mask), pa.array(beyond, type=words.type))
