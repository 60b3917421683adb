"""`w2v vocab` and `w2v cache`, as processes in a pipeline."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.forks import program

from .conftest import Run, environment


def reference(path: Path, min_count: int) -> list[tuple[str, int]]:
    counts = Counter(path.read_text().split())
    return sorted(
        ((w, c) for w, c in counts.items() if c >= min_count),
        key=lambda pair: (-pair[1], pair[0].encode()),
    )


@pytest.mark.parametrize("most", [0, 3])
def test_vocab_counts(w2v: Run, corpus: str, tmp_path: Path, most: int) -> None:
    done = w2v("vocab", corpus, "--max-vocab", str(most))
    found = [
        (word, int(count))
        for word, count in (line.split("\t") for line in done.stdout.splitlines())
    ]
    assert found == reference(tmp_path / corpus, 5)[: most or None]
    words = Counter((tmp_path / corpus).read_text().split())
    n_words, kept = sum(words.values()), sum(count for _, count in found)
    told = [float(number) for number in re.findall(r"[\d.]+", done.stderr.replace(",", ""))]
    assert told == [n_words, len(words), len(found), round(100 * kept / n_words, 1)]


def test_vocab_to_a_file(w2v: Run, corpus: str, tmp_path: Path) -> None:
    done = w2v("vocab", corpus, "-o", "vocab.tsv", "--min-count", "10", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "vocab.tsv\n", "")
    lines = (tmp_path / "vocab.tsv").read_text().splitlines()
    assert lines == [f"{word}\t{count}" for word, count in reference(tmp_path / corpus, 10)]
    again = w2v("vocab", corpus, "-o", "vocab.tsv")
    assert again.returncode == 2
    assert again.stderr.startswith("w2v vocab: --output vocab.tsv exists already")
    assert w2v("vocab", corpus, "-o", "vocab.tsv", "--overwrite").returncode == 0


def test_vocab_json(w2v: Run, corpus: str, tmp_path: Path) -> None:
    lines = [
        json.loads(line)
        for line in w2v("vocab", corpus, "--max-vocab", "3", "--json").stdout.splitlines()
    ]
    assert [(line["word"], line["count"]) for line in lines] == reference(tmp_path / corpus, 5)[:3]
    facts = json.loads(w2v("vocab", corpus, "--json", "-o", "v.tsv").stdout)
    assert facts["words"] == len((tmp_path / corpus).read_text().split())
    assert facts["output"] == "v.tsv"


def test_vocab_in_a_pipeline(corpus: str, tmp_path: Path) -> None:
    (tmp_path / "c.gz").write_bytes(gzip.compress((tmp_path / corpus).read_bytes()))
    command = f"set -o pipefail; gzip -dc c.gz | {program()} vocab - --quiet | head -1"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, env=environment()
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "w1\t200\n", "")


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (None, ["none.txt"], "no such corpus: none.txt"),
        (b"", ["c.txt"], "the corpus contains no words: c.txt is empty"),
        (
            b"a b a\n",
            ["c.txt"],
            (
                "no word reaches --min-count 5: 2 distinct words, the most frequent ('a') occurs 2"
                " times; try --min-count 2 or less"
            ),
        ),
        (
            b"a\n",
            ["c.txt"],
            (
                "no word reaches --min-count 5: 1 distinct word, the most frequent ('a') occurs"
                " once; try --min-count 1"
            ),
        ),
        (b"\x7fELF\x02\x01\x01" + bytes(1000), ["c.txt"], "c.txt"),
        (
            b"caf\xe9 " * 9,
            ["c.txt", "--encoding-errors", "strict"],
            "c.txt is not valid UTF-8 at byte 3",
        ),
        (
            b"a",
            ["c.txt", "--min-count", "0"],
            "--min-count 0 is below 1: give a whole number, 1 or more",
        ),
        (
            b"a",
            ["c.txt", "-o", "none/v.tsv"],
            "--output none/v.tsv: the folder none does not exist",
        ),
    ],
)
def test_vocab_input_errors_are_one_line_and_leave_nothing(
    w2v: Run, tmp_path: Path, content: bytes | None, arguments: list[str], message: str
) -> None:
    if content is not None:
        (tmp_path / "c.txt").write_bytes(content)
    before = sorted(tmp_path.iterdir())
    done = w2v("vocab", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"w2v vocab: {message}")
    assert done.stderr.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_invalid_utf8_is_one_counted_warning(w2v: Run, tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_bytes(b"caf\xe9 caf\xe9 x\n")
    done = w2v("vocab", "c.txt", "--min-count", "1", "--quiet")
    assert done.returncode == 0
    assert done.stderr.startswith("warning: 2 invalid UTF-8 sequences replaced")
    assert done.stderr.count("\n") == 1


def test_cache_lists_and_clears(w2v: Run, corpus: str, tmp_path: Path) -> None:
    env = {"W2V_CACHE_DIR": str(tmp_path / "cache")}
    assert w2v("cache", env=env).stdout == ""
    w2v("vocab", corpus, "--quiet", env=env)
    (entry,) = [
        json.loads(line) for line in w2v("cache", "list", "--json", env=env).stdout.splitlines()
    ]
    assert entry["sources"] == [str(tmp_path / corpus)]
    assert entry["words"] == len((tmp_path / corpus).read_text().split())
    (row,) = [line.split("\t") for line in w2v("cache", env=env).stdout.splitlines()]
    assert row[:3] == [str(tmp_path / corpus), str(entry["words"]), str(entry["bytes"])]
    cleared = json.loads(w2v("cache", "clear", "--json", env=env).stdout)
    assert cleared == {"directory": str(tmp_path / "cache"), "freed_bytes": entry["bytes"]}
    assert w2v("cache", env=env).stdout == ""


def test_no_cache_leaves_no_cache(w2v: Run, corpus: str, tmp_path: Path) -> None:
    env = {"W2V_CACHE_DIR": str(tmp_path / "cache")}
    w2v("vocab", corpus, "--quiet", "--no-cache", env=env)
    assert w2v("cache", env=env).stdout == ""


def test_losses(w2v: Run) -> None:
    rows = [line.split("\t") for line in w2v("losses").stdout.splitlines()]
    assert [row[0] for row in rows] == [
        "softmax",
        "label-smoothing",
        "sparse-softmax",
        "am-softmax",
        "l-softmax",
        "sm-softmax",
        "adaptive-softmax",
        "hsigmoid",
        "neg",
        "nce",
        "sampled-softmax",
        "hsigmoid+neg",
    ]
    facts = json.loads(w2v("losses", "nce", "--json").stdout)
    assert facts["settings"] == ["--negatives", "--noise-power", "--nce-log-z", "--nce-bias"]
