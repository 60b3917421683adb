"""Reads the unpacked size that a message of the Arrow format claims, without unpacking it (which is
the only way that Arrow itself offers).

A message is a flatbuffer (tables whose fields are found through a list of offsets) and a body; in a
compressed body each buffer begins with its unpacked length.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from struct import error, unpack_from
from typing import Any

from w2v.errors import InputError

CONTINUED = b"\xff\xff\xff\xff"  # a message begins with it, except in old files
END = b"ARROW1"  # ends a file, after the length of its index
DICTIONARY, BATCH = 2, 3  # kinds of messages
KIND, HEADER = 1, 2  # fields of a message
DATA = 1  # field of a dictionary: its batch
BUFFERS, COMPRESSION = 2, 3  # fields of a batch
DICTIONARIES, BATCHES = 2, 3  # fields of a file's index
NOT_COMPRESSED = -1  # in place of a buffer's length


def arrow_claims(data: Any, name: str) -> Iterator[tuple[int, int]]:
    """Yields (unpacked bytes, bytes in the file) of the buffers of each message of a file or a
    stream. Raises InputError if the index or a message is damaged."""
    import pyarrow

    if memoryview(data)[: len(END)] == END:
        yield from _of_file(data, name)
        return
    with _as_input_error(name):
        for message in pyarrow.ipc.MessageReader.open_stream(data):
            body = memoryview(message.body or b"")
            yield message_claims(message.metadata, body, name), body.nbytes


def _of_file(data: Any, name: str) -> Iterator[tuple[int, int]]:
    data = memoryview(data).cast("B")
    with _as_input_error(name):
        (length,) = unpack_from("<I", data, max(0, len(data) - len(END) - 4))
        index = data[max(0, len(data) - len(END) - 4 - length) :]
        table = _follow(index, 0)
        for field in (DICTIONARIES, BATCHES):
            if not (start := _field(index, table, field)):
                continue
            blocks = _follow(index, start)
            for number in range(unpack_from("<I", index, blocks)[0]):
                offset, head, body = unpack_from("<QIxxxxQ", index, blocks + 4 + 24 * number)
                message = data[offset : offset + head]
                begin = 8 if message[:4] == CONTINUED else 4
                rest = data[offset + head : offset + head + body]
                yield message_claims(message[begin:], rest, name), rest.nbytes


def message_claims(metadata: Any, body: Any, name: str) -> int:
    """Returns the unpacked bytes of a message's buffers. Raises InputError if it is damaged."""
    data, body = memoryview(metadata).cast("B"), memoryview(body or b"").cast("B")
    with _as_input_error(name):
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


@contextmanager
def _as_input_error(name: str) -> Iterator[None]:
    try:
        yield
    except (error, IndexError, OverflowError) as problem:
        raise InputError(f"{name} is damaged: {problem}; copy or save it again") from None


def _field(data: memoryview, table: int, number: int) -> int:
    """Returns the offset of a field of a table, 0 if the field is absent."""
    offsets = table - unpack_from("<i", data, table)[0]
    slot = 4 + 2 * number
    if slot >= unpack_from("<H", data, offsets)[0]:
        return 0
    offset: int = unpack_from("<H", data, offsets + slot)[0]
    return table + offset if offset else 0


def _follow(data: memoryview, offset: int) -> int:
    target: int = offset + unpack_from("<I", data, offset)[0]
    return target
