"""What a message of Arrow's format claims to hold, which Arrow itself only says by unpacking it.

A message is a flatbuffer (tables whose fields are found through a list of offsets) and a body; in
compressed bodies each buffer begins with its length once it is unpacked.
"""

from __future__ import annotations

from struct import error, unpack_from
from typing import Any

from w2v.errors import InputError

DICTIONARY, BATCH = 2, 3  # kinds of messages
KIND, HEADER = 1, 2  # fields of a message
DATA = 1  # field of a dictionary: its batch
BUFFERS, COMPRESSION = 2, 3  # fields of a batch
NOT_COMPRESSED = -1  # in place of a buffer's length


def batch_claims(metadata: Any, body: Any) -> int:
    """Returns how many bytes the buffers of a message have once they are unpacked. Raises
    InputError if the message is damaged."""
    data, body = memoryview(metadata), memoryview(body or b"")
    try:
        message = _follow(data, 0)
        (kind,) = unpack_from("<B", data, _field(data, message, KIND))
        if kind not in (DICTIONARY, BATCH):
            return 0
        batch = _follow(data, _field(data, message, HEADER))
        if kind == DICTIONARY:
            batch = _follow(data, _field(data, batch, DATA))
        if not _field(data, batch, COMPRESSION):
            return len(body)
        buffers = _follow(data, _field(data, batch, BUFFERS))
        size = 0
        for number in range(unpack_from("<I", data, buffers)[0]):
            offset, length = unpack_from("<QQ", data, buffers + 4 + 16 * number)
            claimed = unpack_from("<q", body, offset)[0] if length else 0
            size += length if claimed == NOT_COMPRESSED else max(0, claimed)
        return size
    except error as problem:
        raise InputError(f"a message of the Arrow file is damaged: {problem}") from None


def _field(data: memoryview, table: int, number: int) -> int:
    """Returns where a field of a table is, 0 if it is left out."""
    offsets = table - unpack_from("<i", data, table)[0]
    place = 4 + 2 * number
    if place >= unpack_from("<H", data, offsets)[0]:
        return 0
    offset: int = unpack_from("<H", data, offsets + place)[0]
    return table + offset if offset else 0


def _follow(data: memoryview, place: int) -> int:
    found: int = place + unpack_from("<I", data, place)[0]
    return found
