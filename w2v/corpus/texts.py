"""Checks by a source's first bytes whether it is text, recognizes other kinds of files, and
converts text of other encodings to UTF-8."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain

from w2v.corpus.reading import UTF_8, Notices, Reading
from w2v.errors import InputError

SAMPLE_BYTES = 1 << 16
BINARY_CONTROL_SHARE = 0.1
# Latin-1 text has 1-10 % of bytes that are invalid in UTF-8, random bytes have about 50 %.
BINARY_INVALID_SHARE = 0.3
BINARY_INVALID_LEAST = 8
# NUL counts as a control character here, although a few of them in a text are read as spaces.
CONTROL_CHARACTERS = bytes({*range(32), 127} - set(b"\t\n\v\f\r\x1b\x1c\x1d\x1e\x1f"))
ELSE = "is in UTF-{0}, not UTF-8: run iconv -f UTF-{0} -t UTF-8 first"
SETTABLE = ", or set its `encoding`"
UNPACK = "unpack it and name the text files in it"
FOREIGN = {
    b"PK\x03\x04": f"is a zip archive (perhaps a .docx or .epub): {UNPACK}",
    b"7z\xbc\xaf\x27\x1c": f"is a 7z archive: {UNPACK}",
    b"Rar!\x1a\x07": f"is a rar archive: {UNPACK}",
    **dict.fromkeys((b"\x89PNG", b"\xff\xd8\xff", b"GIF8"), "is a picture, not text"),
    b"%PDF-": "is a PDF: convert it to text first, e.g. with pdftotext",
    b"\xff\xfe\0\0": ELSE.format(32),
    b"\0\0\xfe\xff": ELSE.format(32),
    b"\xff\xfe": ELSE.format(16),
    b"\xfe\xff": ELSE.format(16),
    b"ARROW1": "is an Arrow table: rename it to .arrow or, for a pipe, give a `column`",
    b"PAR1": "is a parquet table: rename it to .parquet or, for a pipe, give a `column`",
    b"\x1f\x9d": "is compressed by compress: decompress it first, e.g. with gzip -d",
    b"\x04\x22\x4d\x18": "is compressed by lz4: decompress it first, e.g. with lz4 -d",
}
TAR_MARK, TAR_PLACE = b"ustar", 257


class NoTextError(InputError):
    """Raised for a source that is not text."""


def check_text(sample: bytes, name: str, strict: bool, remedy: str = SETTABLE) -> None:
    """Raises NoTextError if `sample`, the start of a source, is UTF-16 or not text at all. With
    `strict`, invalid UTF-8 does not count as a sign of a binary file here: it is rejected later, by
    an error that names its position. `remedy` ends the message about another encoding."""
    for start, kind in FOREIGN.items():
        if sample.startswith(start):
            raise NoTextError(f"{name} {kind}{remedy if 'iconv' in kind else ''}")
    if sample[TAR_PLACE : TAR_PLACE + len(TAR_MARK)] == TAR_MARK and b"\0" in sample[:TAR_PLACE]:
        raise NoTextError(f"{name} is a tar archive: {UNPACK}")
    controls = len(sample) - len(sample.translate(None, CONTROL_CHARACTERS))
    binary = controls > BINARY_CONTROL_SHARE * len(sample)
    if not strict and not binary and not sample.isascii():
        invalid = sample.decode("utf-8", "replace").count("\ufffd") - sample.count(b"\xef\xbf\xbd")
        binary = invalid >= BINARY_INVALID_LEAST and invalid > BINARY_INVALID_SHARE * len(sample)
    if binary:
        problem = "looks like a binary file or another encoding"
        raise NoTextError(f"{name} {problem}; it must be UTF-8 text{remedy}")


def in_utf8(
    pieces: Iterable[bytes], name: str, reading: Reading, notices: Notices
) -> Iterator[bytes]:
    """Converts the pieces of a text from `reading.encoding` to UTF-8. Invalid bytes raise
    InputError if `reading.strict`, else they are replaced and counted in `notices`."""
    if reading.encoding == UTF_8:
        yield from pieces
        return
    decoder = codecs.getincrementaldecoder(reading.encoding)(
        "strict" if reading.strict else "replace"
    )
    begun = 0
    for piece in chain(pieces, [b""]):
        try:
            text = decoder.decode(piece, not piece)
        except UnicodeError as error:
            where = ""
            if isinstance(error, UnicodeDecodeError):
                where = f" at byte {begun + len(piece) - len(error.object) + error.start}"
            problem = f"{name} is not valid {reading.encoding}{where}"
            remedy = "set its `encoding`, or use `encoding_errors` replace"
            raise InputError(f"{problem}; {remedy}") from None
        begun += len(piece)
        notices.foreign += text.count("\ufffd")
        yield text.encode("utf-8", "replace")


def invalid_utf8(name: str, offset: int, reason: str) -> InputError:
    """Returns the error to raise for an invalid byte at `offset` in `name`."""
    problem = f"{name} is not valid UTF-8 at byte {offset} ({reason})"
    return InputError(f"{problem}; set its `encoding`, or use `encoding_errors` replace")
