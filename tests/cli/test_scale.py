"""Samples of tests/soak/test_scale.py that take seconds: processes whose peak of memory is
measured."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.peak import measured

MB = 10**6
ALONE = ["--no-cache", "--quiet"]


def write(path: Path, parts: Iterable[bytes]) -> None:
    with open(path, "wb") as file:
        file.writelines(parts)


def test_ten_million_empty_lines(tmp_path: Path) -> None:
    write(tmp_path / "c.txt", [b"\n" * 5_000_000, b"the cat saw the dog\n", b"\r\n" * 5_000_000])
    options = ["--min-count", "1", "--sample", "0", "--epochs", "1", "--output", "r"]
    facts, peak = measured(tmp_path, "train", "c.txt", *options, *ALONE)
    assert facts["words"]["read"] == facts["words"]["trained"] == 5
    assert peak < 450 * MB


def test_a_million_distinct_words(tmp_path: Path) -> None:
    """A tenth of what may take 2 GB, and what its start takes."""
    write(tmp_path / "c.txt", (b"the of the\n%do%x\n" % (i, i * 7919) for i in range(1_000_000)))
    facts, peak = measured(tmp_path, "vocab", "c.txt", "--min-count", "1", "-o", "v.tsv", *ALONE)
    assert (facts["distinct"], facts["words"]) == (1_000_002, 4_000_000)
    assert peak < 350 * MB


@pytest.mark.parametrize("line", [b"\n", b" "])
def test_memory_does_not_grow_with_the_text(line: bytes, tmp_path: Path) -> None:
    """100 MB in short lines, and in one; tests/soak has gigabytes."""
    part = line.join(b"w%d the of" % (i * i % 997) for i in range(80_000)) + line
    write(tmp_path / "c.txt", [part] * (100 * MB // len(part)))
    facts, peak = measured(tmp_path, "vocab", "c.txt", "-o", "v.tsv", *ALONE)
    assert facts["words"] == 240_000 * (100 * MB // len(part))
    assert peak < 200 * MB
