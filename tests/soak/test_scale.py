"""Texts of gigabytes, as processes of their own whose peak of memory is measured. Needs some 20 GB
in TMPDIR.

W2V_SOAK_BYTES: size of the large corpus, 4 GB by default.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.peak import measured

pytestmark = pytest.mark.soak
CORPUS_BYTES = int(float(os.environ.get("W2V_SOAK_BYTES", "4e9")))
MB = 10**6


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Emptied at once afterwards: pytest would keep the gigabytes of its last runs."""
    yield tmp_path
    shutil.rmtree(tmp_path)


def write(path: Path, parts: Iterable[bytes]) -> Path:
    with open(path, "wb") as file:
        file.writelines(parts)
    return path


def w2v(folder: Path, *arguments: str) -> tuple[dict[str, Any], int]:
    """See `tests.peak.measured`."""
    began = time.perf_counter()
    facts, peak = measured(folder, *arguments, W2V_CACHE_DIR=str(folder / "cache"))
    print(
        f"w2v {' '.join(arguments)}: {peak / MB:,.0f} MB, {time.perf_counter() - began:.0f} s",
        file=sys.stderr,
    )
    return facts, peak


def zipf_text(size: int, vocabulary: int, line: int | None = 20, seed: int = 1) -> Iterator[bytes]:
    """About `size` bytes of words w0 … by Zipf's law, `line` to a line (None: one line), in parts
    of a few MB: of 16 different ones the same over and over, each with a word of its own."""
    random = np.random.default_rng(seed)
    places = np.arange(1, vocabulary + 1)
    share = np.cumsum(1 / places)
    parts = []
    for _ in range(16):
        ids = np.searchsorted(share, random.random(600_000) * share[-1]).tolist()
        words = [f"w{i}" for i in ids]
        if line is None:
            parts.append(" ".join(words).encode() + b" ")
        else:
            lines = (" ".join(words[i : i + line]) for i in range(0, len(words), line))
            parts.append("\n".join(lines).encode() + b"\n")
    written = number = 0
    while written < size:
        part = f"own{number} ".encode() + parts[number % len(parts)]
        yield part
        written, number = written + len(part), number + 1


def allowed(words: int, dim: int, distinct: int) -> int:
    """600 MB beyond the matrices, and 100 bytes for every distinct word of the corpus (the word,
    its count, its id)."""
    return 600 * MB + 2 * words * (-(-dim // 16) * 64) + 100 * distinct


def test_ten_million_distinct_words_within_2_gb(folder: Path) -> None:
    def parts() -> Iterator[bytes]:
        for start in range(0, 10_000_000, 10_000):
            words = " ".join(
                [f"w{i:x}o{i * 7919 % 10_000_000}" for i in range(start, start + 10_000)]
            )
            yield f"{words}\nthe of and the of the\n".encode()

    write(folder / "c.txt", parts())
    facts, peak = w2v(folder, "vocab", "c.txt", "--min-count", "1", "-o", "v.tsv")
    assert (facts["distinct"], facts["words"]) == (10_000_003, 10_006_000)
    assert peak < 2000 * MB
    assert (folder / "v.tsv").read_bytes().count(b"\n") == 10_000_003
    (folder / "v.tsv").unlink()
    # from the cache
    facts, peak = w2v(
        folder, "train", "c.txt", "--min-count", "2", "--epochs", "1", "--output", "r"
    )
    assert facts["words"]["read"] == 10_006_000
    assert facts["words"]["in_vocabulary"] == 6000
    assert peak < 2000 * MB


@pytest.mark.parametrize("line", [20, None])
def test_a_corpus_of_gigabytes(line: int | None, folder: Path) -> None:
    write(folder / "c.txt", zipf_text(CORPUS_BYTES if line else 10**9, 100_000, line))
    facts, peak = w2v(folder, "train", "c.txt", "--epochs", "1", "--output", "r")
    words = facts["words"]
    assert (
        words["read"]
        == words["passed"]
        == words["trained"] + words["subsampled"] + words["passed_left_out"]
    )
    assert peak < allowed(facts["vocabulary"], 100, 100_000 + CORPUS_BYTES // (3 * MB))
    facts, peak = w2v(
        folder, "train", "c.txt", "--epochs", "1", "--max-sentence", "0", "--output", "again"
    )
    assert facts["words"]["read"] == words["read"]
    assert peak < allowed(facts["vocabulary"], 100, 100_000 + CORPUS_BYTES // (3 * MB))


def test_ten_million_empty_lines(folder: Path) -> None:
    write(folder / "c.txt", [b"\n" * 5_000_000, b"the cat saw the dog\n", b"\r\n" * 5_000_000])
    facts, peak = w2v(
        folder,
        "train",
        "c.txt",
        "--min-count",
        "1",
        "--sample",
        "0",
        "--epochs",
        "1",
        "--output",
        "r",
    )
    assert facts["words"]["read"] == facts["words"]["trained"] == 5
    assert peak < 600 * MB


def test_words_of_a_megabyte(folder: Path) -> None:
    words = [bytes([65 + i]) * 1_000_000 for i in range(20)]
    write(folder / "c.txt", [b" ".join(words) + b" the cat\n"] * 20)
    facts, peak = w2v(
        folder, "train", "c.txt", "--sample", "0", "--epochs", "1", "--output", "v.bin"
    )
    assert facts["words"]["read"] == facts["words"]["trained"] == 440
    assert facts["vocabulary"] == 22
    assert peak < 600 * MB
    facts, _ = w2v(folder, "info", "v.bin")
    assert facts["vectors"] == 22


def test_a_gigabyte_without_whitespace_is_refused(folder: Path) -> None:
    write(folder / "c.txt", [b"x" * (1 << 24)] * 65)
    command = [sys.executable, "-m", "w2v", "vocab", "c.txt", "--no-cache"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "has no whitespace in 1 GiB of text" in done.stderr
