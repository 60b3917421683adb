"""Reads the sizes that the pages of a parquet file claim, without unpacking them. pyarrow reports
only the sizes of whole columns, which the pages may contradict, and some damaged files crash the
process inside pyarrow.

The footer and the page headers are structures of Thrift's compact protocol.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from struct import error, unpack_from
from typing import Any, NamedTuple

from w2v.errors import InputError

GROUPS, COLUMNS, METADATA = 4, 1, 3  # fields of the footer, of a row group, of a column in it
VALUES, PACKED, FIRST_PAGE, DICTIONARY = 5, 7, 9, 11  # fields of a column's metadata
PAGE_SIZE, PAGE_PACKED, PAGE, PAGE_V2 = 2, 3, 5, 8  # fields of a page's header
PAGE_VALUES = 1  # field of both kinds of pages
FOOTER_END = 8  # bytes at the end of the file: the footer's length and the magic number
DEEPEST = 20
TRUE, BYTE, DOUBLE, BINARY, LIST, SET, STRUCT, UUID = 1, 3, 7, 8, 9, 10, 12, 13  # kinds of values


class Claim(NamedTuple):
    """The claimed sizes of a column in one row group."""

    size: int  # unpacked bytes of its pages
    packed: int  # bytes in the file
    values: int  # numbers or texts


def claims(data: Any, schema: Any, columns: Collection[str], name: str) -> Iterator[list[Claim]]:
    """Yields for each row group the claims of `columns`, including the element columns of lists.
    Raises InputError if the file is damaged.

    Args:
        data: the whole file.
        schema: its schema, as read by pyarrow.
    """
    data = memoryview(data).cast("B")
    leaves = [leaf for leaf in range(len(schema)) if _leads(schema.column(leaf).path, columns)]
    try:
        (length,) = unpack_from("<I", data, len(data) - FOOTER_END)
        footer, _ = _value(data, STRUCT, len(data) - FOOTER_END - length, 0)
        for group in footer[GROUPS]:
            yield [_claim(data, group[COLUMNS][leaf][METADATA]) for leaf in leaves]
    except (error, AttributeError, LookupError, TypeError, ValueError, OverflowError) as problem:
        raise InputError(f"{name} cannot be read as parquet: its pages are damaged") from problem


def _leads(path: str, columns: Collection[str]) -> bool:
    parts = path.split(".")  # NAME.list.element for a list; a name may itself contain dots
    return any(".".join(parts[:end]) in columns for end in range(1, len(parts) + 1))


def _claim(data: memoryview, column: Any) -> Claim:
    offset, dictionary = column[FIRST_PAGE], column.get(DICTIONARY, 0)
    offset = dictionary if 0 < dictionary < offset else offset
    end, size, values = offset + column[PACKED], 0, 0
    while values < column[VALUES] and offset < end:
        header, begin = _value(data, STRUCT, offset, 0)
        page = header.get(PAGE) or header.get(PAGE_V2) or {}
        size += header[PAGE_SIZE]
        values += page.get(PAGE_VALUES, 0)
        if min(header[PAGE_SIZE], header[PAGE_PACKED], values) < 0:
            raise ValueError("a negative size")
        offset = begin + header[PAGE_PACKED]
    return Claim(size, column[PACKED], max(values, column[VALUES]))


def _value(data: memoryview, kind: int, offset: int, depth: int) -> tuple[Any, int]:
    """Returns the Thrift value at `offset` and the offset after it. A structure becomes a
    dictionary {field number: value}."""
    if depth > DEEPEST or not 0 <= offset < len(data):  # a list may claim any number of items
        raise ValueError("nested too deeply, or outside the file")
    if kind <= BYTE:
        return data[offset], offset + 1
    if kind < DOUBLE:
        number, offset = _varint(data, offset)
        return (number >> 1) ^ -(number & 1), offset
    if kind in (DOUBLE, UUID):
        return None, offset + (8 if kind == DOUBLE else 16)
    if kind == BINARY:
        length, offset = _varint(data, offset)
        return None, offset + length  # no caller needs the text
    if kind == STRUCT:
        return _struct(data, offset, depth + 1)
    if kind in (LIST, SET):
        (head, offset), items = (data[offset], offset + 1), []
        count, offset = _varint(data, offset) if head >> 4 == 15 else (head >> 4, offset)
        for _ in range(count):
            item, offset = _value(data, head & 15, offset, depth + 1)
            items.append(item)
        return items, offset
    raise ValueError("a map, which parquet does not use, or an unknown type")


def _struct(data: memoryview, offset: int, depth: int) -> tuple[dict[int, Any], int]:
    fields: dict[int, Any] = {}
    number = 0
    while head := data[offset]:
        offset += 1
        if head >> 4:
            number += head >> 4
        else:
            coded, offset = _varint(data, offset)
            number = (coded >> 1) ^ -(coded & 1)
        if (kind := head & 15) < BYTE:  # true and false are types of their own, without data
            fields[number] = kind == TRUE
        else:
            fields[number], offset = _value(data, kind, offset, depth)
    return fields, offset + 1


def _varint(data: memoryview, offset: int) -> tuple[int, int]:
    number = shift = 0
    while shift < 70:
        byte = data[offset]
        number |= (byte & 127) << shift
        offset, shift = offset + 1, shift + 7
        if byte < 128:
            return number, offset
    raise ValueError("an unterminated number")
