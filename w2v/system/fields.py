"""What a line of words and numbers is cut into: the one place that files of vectors and sets share.

A file has one separator, which is found by looking at many of its lines, never line by line. Blanks
in a row are one separator; in tables with tabs, commas or semicolons a field may be empty, and
quotation marks are those of spreadsheets if they fit in most of the lines looked at. Lines end
in LF, CR LF or CR; a byte-order mark is dropped. A number has a point, not a comma.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

from w2v.errors import InputError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BLANKS = " \t"
NUMBER_CHARACTERS = "0123456789+-.eEnNaAiIfFtTyY"
DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")


def without_mark(data: bytes, name: str) -> bytes:
    """The beginning of a file without its byte-order mark; refuses UTF-16 and UTF-32."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        width = 32 if b"\0\0" in data[:4] else 16
        raise InputError(f"{name} is in UTF-{width}: save it as UTF-8")
    return data.removeprefix(BYTE_ORDER_MARK)


def is_number(field: str) -> bool:
    """Whether the field is a number, NaN and infinity included."""
    if not field or field.strip(NUMBER_CHARACTERS):
        return False
    try:
        float(field)
    except ValueError:
        return False
    return True


def quotes(lines: Sequence[str], mark: str) -> bool:
    """Whether fields stand in quotation marks, as spreadsheets write them: those do in more lines
    than have others."""
    good = bad = 0
    for line in lines:
        if line.startswith('"') or f'{mark}"' in line:
            try:
                split(line, mark, quoted=True)
                good += 1
            except ValueError:
                bad += 1
    return good > bad


def split(line: str, mark: str, quoted: bool = False) -> list[str]:
    """The fields of a line between `mark`s, without the blanks around them; a blank as the mark
    stands for any number of blanks and tabs. Raises ValueError for quotation marks that do not
    fit."""
    if mark == " ":
        return [field for field in line.replace("\t", " ").split(" ") if field]
    fields = line.split(mark)
    if quoted and '"' in line:
        try:
            (fields,) = csv.reader([line], delimiter=mark, strict=True)
        except csv.Error as error:
            raise ValueError(str(error)) from None
    return [field.strip(BLANKS) for field in fields]
