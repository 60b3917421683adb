"""Damage to files: what disks, cut downloads, editors and people with bad intentions do to them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hypothesis import strategies as st

# What a number in a file is replaced by.
NUMBERS = [
    *(b"0", b"-1", b"1", b"2", b"3", b"7", b"010", b"1:30", b"0x1F", b"1_0", b"+5", b"-0", b" "),
    *(
        str(number).encode()
        for number in (
            255,
            65_536,
            2**31 - 1,
            2**31,
            2**32,
            2**62,
            2**63 - 1,
            2**63,
            10**12,
            10**18,
        )
    ),
    *(
        b"1e9",
        b"1e39",
        b"-1e309",
        b"nan",
        b"inf",
        b"-inf",
        b"0.1",
        b"1e-400",
        b".",
        b"1" * 30,
        b"9" * 5000,
    ),
    *(
        "٣".encode(),
        "１２".encode(),
        b"",
        b"''",
        b"{}",
        b"[]",
        b"null",
        b"true",
        b"*a",
        b"&a x",
        b"!!int 'x'",
        b"!!binary x",
    ),
]
# What is inserted: bytes that mean something in one of the formats.
INSERTS = [
    *(
        b"\0",
        b"\n",
        b"\r\n",
        b"\t",
        b" ",
        b"  ",
        b"\x80",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        "\u2028\u00a0".encode(),
    ),
    *(
        b": ",
        b"# ",
        b"- ",
        b",",
        b'"',
        b"'",
        b"[" * 2000,
        b"{" * 2000,
        b"(" * 500,
        b"\\d",
        b"a" * 70_000,
        b"\n" * 3000,
    ),
    *(
        b"\x1f\x8b",
        b"BZh9",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd",
        b"PK\x03\x04",
        b"\x93NUMPY",
        b"\x93NUMPY\x02\0\xff\xff\xff\x7f",
    ),
]
OPERATIONS = (
    "flip",
    "cut",
    "behead",
    "delete",
    "repeat",
    "swap",
    "insert",
    "bytes",
    "number",
    "number",
    "first line",
)

Step = tuple[str, int, int, bytes]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(OPERATIONS),
        st.integers(0, 1 << 20),
        st.integers(0, 1 << 20),
        st.binary(max_size=8),
    ),
    min_size=1,
    max_size=4,
)
RANDOM_BYTES = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(st.sampled_from([*NUMBERS, *INSERTS, b"word", b"\n", b" "]), max_size=30).map(
        b"".join
    ),
)


def mutated(data: bytes, steps: list[Step]) -> bytes:
    """`data` after the damage of each step."""
    for operation, first, second, payload in steps:
        data = _damaged(data, operation, first, second, payload)
    return data


def mutated_files(files: Mapping[str, bytes], steps: list[Step], which: int) -> dict[str, bytes]:
    """The files with one of them damaged."""
    name = sorted(files)[which % len(files)]
    return {**files, name: mutated(files[name], steps)}


def _damaged(data: bytes, operation: str, first: int, second: int, payload: bytes) -> bytes:
    at = first % (len(data) + 1)
    until = min(len(data), at + second % 64)
    if operation == "flip":
        return (
            data[:at] + bytes([data[at] ^ (1 << second % 8)]) + data[at + 1 :]
            if at < len(data)
            else data
        )
    if operation == "cut":
        return data[:at]
    if operation == "behead":
        return data[at:]
    if operation == "delete":
        return data[:at] + data[until:]
    if operation == "repeat":
        return data[:until] + data[at:until] * (1 + second % 5) + data[until:]
    if operation == "swap":
        middle = (at + until) // 2
        return data[:at] + data[middle:until] + data[at:middle] + data[until:]
    if operation == "insert":
        return data[:at] + INSERTS[second % len(INSERTS)] + data[at:]
    if operation == "bytes":
        return data[:at] + payload + data[at + len(payload) :]
    if operation == "first line":
        numbers = b" ".join(NUMBERS[(first + second * i) % len(NUMBERS)] for i in range(2))
        return numbers + data[data.find(b"\n") if b"\n" in data else len(data) :]
    numbers_there = list(re.finditer(rb"[0-9]+", data))
    if not numbers_there:
        return data
    found = numbers_there[first % len(numbers_there)]
    return data[: found.start()] + NUMBERS[second % len(NUMBERS)] + data[found.end() :]
