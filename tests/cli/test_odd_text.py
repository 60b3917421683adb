"""Texts that other programs choke on, through the command line: counted as plain Python counts
them, trained, written and read back. The gigabyte versions are in tests/soak."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

from w2v.system.limits import MAX_WORD_BYTES
from w2v.vectors import load_vectors, save_vectors

from .conftest import Run

PLAIN = b"the cat saw the dog and the dog saw the cat\n"
TEXTS = {
    "one line of 20 kB": b"a b c d " * 2_500,
    "one line of 2 MB": b"a b c d " * 250_000,
    "one line without its end": b"a b " * 300 + b"c",
    "200,000 empty lines": b"\n" * 100_000 + PLAIN + b"\n" * 100_000,
    "empty lines of Windows": b"\r\n" * 50_000 + PLAIN * 3 + b"\r\n" * 50_000,
    "a word of 1 MB": b"a " * 50 + b"x" * 1_000_000 + b" b " + b"x" * 1_000_000 + b" c\n",
    "the longest word": b"a b " + "ä".encode() * (MAX_WORD_BYTES // 2) + b" c\n",
    "NUL bytes": PLAIN * 2000 + b"nul\0byte\0\0and\n" * 5,
    "byte order mark": b"\xef\xbb\xbfthe cat\n" + PLAIN,
    "byte order marks inside": PLAIN + b"\xef\xbb\xbfthe \xef\xbb\xbfcat\n",
    "Windows": PLAIN.replace(b"\n", b"\r\n") * 3,
    "old Macintosh": PLAIN.replace(b"\n", b"\r") * 3,
    "U+2028 and U+2029": "the\u2028cat\u2029the cat\u2028\u2028\n".encode() * 3,
    "U+0085": "the\u0085cat\u0085 the cat\n".encode() * 3,
    "U+00A0 and other spaces": "the\u00a0cat the\u3000cat\u2009the\u202fcat\n".encode() * 3,
    "no spaces: U+200B, U+FEFF, U+2060": "the\u200bcat the\ufeffcat the\u2060cat\n".encode() * 3,
    "lone surrogates": (
        PLAIN * 9 + b"half \xed\xa0\x80 a\xed\xb0\x80b pair \xed\xa0\xbd\xed\xb8\x80\n" * 2
    ),
    "overlong and cut UTF-8": PLAIN * 9 + b"\xc0\xaf \xf0\x9f\x98 \xf8\x88\x80\x80\x80 \xff\n",
    "beyond the first plane": "😀 😀😀 𐐀 👩‍👩‍👧 e\u0301 é\n".encode() * 4,
    "control characters": b"a\x1cb\x1db\x1eb\x1fb\x0bb\x0cb\x7fc\x01d\x1be\n" + PLAIN * 9,
}


def expected(data: bytes) -> Counter[str]:
    """The words as Python splits them: a mark before one is none, NUL separates, what is no UTF-8
    becomes U+FFFD."""
    words = data.decode("utf-8", "replace").replace("\0", " ").split()
    return Counter(word.lstrip("\ufeff") for word in words if word.strip("\ufeff"))


@pytest.mark.parametrize("name", TEXTS)
def test_counted_as_python_counts(name: str, w2v: Run, tmp_path: Path) -> None:
    (tmp_path / "odd.txt").write_bytes(TEXTS[name])
    done = w2v("vocab", "odd.txt", "--min-count", "1", "--no-cache", "--quiet")
    assert done.returncode == 0, done.stderr
    counted = [line.split("\t") for line in done.stdout.split("\n")[:-1]]
    assert {word: int(count) for word, count in counted} == expected(TEXTS[name])
    assert ("NUL" in done.stderr) == (name == "NUL bytes")
    assert ("replaced by U+FFFD" in done.stderr) == ("surrogates" in name or "overlong" in name)


@pytest.mark.parametrize(
    ("name", "output"), list(zip(TEXTS, cycle(["run", "v.txt", "v.bin"]), strict=False))
)
def test_trained_written_and_read_back(name: str, output: str, w2v: Run, tmp_path: Path) -> None:
    (tmp_path / "odd.txt").write_bytes(TEXTS[name])
    options = [
        "--dim",
        "3",
        "--epochs",
        "1",
        "--min-count",
        "1",
        "--sample",
        "0",
        "--threads",
        "1",
        "--no-cache",
    ]
    longest = "1000" if output == "run" else "0"
    done = w2v(
        "train",
        "odd.txt",
        *options,
        "--max-sentence",
        longest,
        "--output",
        output,
        "--json",
        "--quiet",
    )
    assert done.returncode == 0, done.stderr
    words = json.loads(done.stdout)["words"]
    counts = expected(TEXTS[name])
    assert words["read"] == words["passed"] == words["trained"] == counts.total()
    vectors = load_vectors(tmp_path / output)
    assert Counter(vectors.words) == Counter(counts.keys())
    assert np.isfinite(vectors.norms).all()
    if output == "run":
        assert dict(zip(vectors.words, vectors.counts.tolist(), strict=True)) == counts


@pytest.mark.parametrize("least", ["1", "2"])
def test_a_word_too_long_for_any_file_of_vectors(least: str, w2v: Run, tmp_path: Path) -> None:
    (tmp_path / "odd.txt").write_bytes(b"a b a b " + b"x" * (MAX_WORD_BYTES + 1) + b" c\n")
    done = w2v("train", "odd.txt", "--min-count", least, "--no-cache", "--output", "v.txt")
    assert (done.returncode, done.stdout) == (2, "")
    assert "odd.txt has a word of 1,048,577 bytes ('xxxx" in done.stderr and len(done.stderr) < 400
    assert not (tmp_path / "v.txt").exists()


@pytest.mark.parametrize(
    "data", [b"\0", b"a\0b c\n" * 9, b"\xed\xa0\x80 " * 50, b"\xff\xfe" + "a b".encode("utf-16-le")]
)
def test_what_is_no_text_from_its_start_is_refused(data: bytes, w2v: Run, tmp_path: Path) -> None:
    (tmp_path / "odd.txt").write_bytes(data)
    done = w2v("vocab", "odd.txt", "--no-cache")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "UTF-8" in done.stderr


def test_strict_names_the_surrogate(w2v: Run, tmp_path: Path) -> None:
    (tmp_path / "odd.txt").write_bytes(TEXTS["lone surrogates"])
    done = w2v("vocab", "odd.txt", "--no-cache", "--encoding-errors", "strict")
    assert done.returncode == 2
    assert (
        f"odd.txt is not valid UTF-8 at byte {TEXTS['lone surrogates'].index(bytes([0xED]))}"
        in done.stderr
    )


@pytest.mark.parametrize(
    ("option", "value", "status"),
    [
        ("--dim", "1000000000", 2),
        ("--noise-power", "1000", 2),
        ("--min-count", "9" * 30, 2),
        ("--epochs", "9223372036854775808", 2),
        ("--window", "9223372036854775807", 1),
        ("--negatives", "10" * 8, 1),
        ("--max-vocab", "9223372036854775807", 0),
        ("--max-sentence", "9223372036854775807", 0),
    ],
)
def test_values_beyond_everything(
    option: str, value: str, status: int, w2v: Run, tmp_path: Path
) -> None:
    (tmp_path / "c.txt").write_bytes(PLAIN * 5)
    rest = ["--min-count", "1"] if option != "--min-count" else []
    done = w2v(
        "train",
        "c.txt",
        *rest,
        option,
        value,
        "--threads",
        "1",
        "--no-cache",
        "--output",
        "v.txt",
        "--quiet",
    )
    assert done.returncode == status, done.stderr
    assert done.stderr.count("\n") == (status > 0) and "internal error" not in done.stderr


FOREIGN_TEXTS = [
    "w1\nK\u00f6nig w2\n".encode("latin-1"),
    "w1 w2\n".encode("utf-16"),
    "w1 w2\n".encode("utf-16-le"),
    b"\0\1\2\3\n" * 50,
]


@pytest.mark.parametrize("text", FOREIGN_TEXTS)
@pytest.mark.parametrize("verb", ["score run", "embed v.bin", "generate run -", "vectors v.bin -"])
def test_no_other_text_is_read(w2v: Run, run: str, model: str, verb: str, text: bytes) -> None:
    done = w2v(*verb.split(), stdin=text)
    assert (done.returncode, done.stdout) == (2, "")
    for option in re.findall(r"--[a-z-]+", done.stderr):
        assert option in w2v(verb.split()[0], "--help").stdout
    if verb.startswith(("score", "embed")) and text is FOREIGN_TEXTS[0]:
        done = w2v(*verb.split(), "--encoding-errors", "replace", stdin=text)
        assert (done.returncode, done.stdout.count("\n")) == (0, 2)
        assert "warning: 1 invalid UTF-8 sequence" in done.stderr


@pytest.mark.parametrize("verb", ["vectors", "nearest"])
def test_an_invalid_byte_asks_for_no_other_word(w2v: Run, tmp_path: Path, verb: str) -> None:
    save_vectors(tmp_path / "v.txt", ["K\ufffdnig", "man"], np.eye(2, dtype=np.float32))
    asked = b"K\xf6nig\nman\n"
    done = w2v(verb, "v.txt", "-", stdin=asked)
    assert done.returncode == 0 and done.stderr.count("\n") == 1
    assert done.stdout == w2v(verb, "v.txt", "man").stdout
    done = w2v(verb, "v.txt", "-", "--encoding-errors", "replace", stdin=asked)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == w2v(verb, "v.txt", "-", stdin="K\ufffdnig\nman\n").stdout
    assert w2v(verb, "v.txt", "-", stdin="man\n".encode("utf-16")).returncode == 2


def test_prompts_of_subwords_are_unicode(w2v: Run, tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_bytes(PLAIN * 30)
    options = "--model lm --subwords 258 --dim 4 --layers 1 --epochs 1 --quiet --output lm"
    assert w2v("train", "c.txt", *options.split()).returncode == 0
    done = w2v("generate", "lm", "the K\udcf6nig")
    assert (done.returncode, done.stdout) == (2, "") and "internal error" not in done.stderr
