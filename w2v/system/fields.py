"""Splits lines of words and numbers into fields, for the readers of vectors and of test sets.

A file has one separator, determined from many of its lines, never line by line. Several spaces in a
row are one separator. In tables separated by tabs, commas or semicolons, a field may be empty, and
quotation marks have the meaning that they have in spreadsheets, if that fits most lines examined.
Lines end in LF, CR LF or CR; a byte-order mark is dropped. A number has a decimal point, no comma.
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
    """Removes a byte-order mark from a file's beginning; raises InputError for UTF-16 and -32."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        width = 32 if b"\0\0" in data[:4] else 16
        raise InputError(f"{name} is in UTF-{width}: save it as UTF-8")
    return data.removeprefix(BYTE_ORDER_MARK)


def is_number(field: str) -> bool:
    """Returns whether the field is a number, including NaN and infinity."""
    if not field or field.strip(NUMBER_CHARACTERS):
        return False
    try:
        float(field)
    except ValueError:
        return False
    return True


def quotes(lines: Sequence[str], mark: str) -> bool:
    """Returns whether fields are quoted as by spreadsheets: quotation marks are valid in more lines
    than they are invalid in."""
    valid = invalid = 0
    for line in lines:
        if line.startswith('"') or f'{mark}"' in line:
            try:
                split(line, mark, quoted=True)
                valid += 1
            except ValueError:
                invalid += 1
    return valid > invalid


def split(line: str, mark: str, quoted: bool = False) -> list[str]:
    """Returns the fields of a line separated by `mark`, without surrounding spaces and tabs; if
    `mark` is a space, any number of spaces and tabs separates. Raises ValueError for invalid
    quotation marks."""
    if mark == " ":
        return [field for field in line.replace("\t", " ").split(" ") if field]
    fields = line.split(mark)
    if quoted and '"' in line:
        try:
            (fields,) = csv.reader([line], delimiter=mark, strict=True)
        except csv.Error as error:
            raise ValueError(str(error)) from None
    return [field.strip(BLANKS) for field in fields]
