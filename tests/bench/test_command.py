"""The measurements as people run them: a corpus, a stand-in for word2vec.c, the table in its
formats, the tables of results.md."""

from __future__ import annotations

import argparse
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness.results import comparison, put, read
from harness.tables import markdown, notes, plain_rows, table

from w2v.errors import InputError

from .conftest import program

Bench = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus and four questions about it."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "losses").write_text("a b c d e f g h\n" * 400)
    (folder / "questions.txt").write_text(": gram1\na b c d\ne f g h\na b e zzz\n")
    return folder


@pytest.fixture(scope="module")
def results(
    bench: Bench, small: Path, word2vec_c: Path
) -> tuple[dict[str, Any], subprocess.CompletedProcess[str]]:
    """What --output kept of a run with a peer that works and one that fails, and the run."""
    broken = program(small / "pword2vec", "#!/bin/sh\necho no memory left\nexit 3\n")
    done = bench(
        "training",
        str(small / "losses"),
        "--epochs",
        "2",
        "--dim",
        "8",
        "--window",
        "2",
        "--threads",
        "1",
        "--repeat",
        "2",
        "--questions",
        str(small / "questions.txt"),
        "--output",
        str(small / "kept.json"),
        "--peer",
        f"word2vec.c={word2vec_c}",
        "--peer",
        f"pword2vec={broken}",
    )
    assert done.returncode == 0, done.stderr
    return json.loads((small / "kept.json").read_text()), done


def test_one_row_per_system(results: tuple[dict[str, Any], Any], word2vec_c: Path) -> None:
    found, done = results
    assert [row["system"] for row in found["rows"]] == ["w2v, first run", "w2v", "word2vec.c"]
    assert found["words"] == 3200
    peer = found["rows"][-1]
    assert peer["training_timed"]
    assert peer["seconds"]["low"] > 0.2  # five pauses of 0.05 s
    # of training alone, from the reports that span 98 % of it; test_process.py has exact cases
    assert peer["words_per_second"]["low"] > 0.97 * 2 * 3200 / peer["seconds"]["high"]
    assert peer["accuracy"]["median"] == 0  # all its vectors point to nearly the same place
    assert peer["speed_ratio"] is not None
    ours = found["rows"][1]
    assert ours["accuracy"] is not None
    assert ours["matrix_share"]["median"] > 0
    assert ours["speed_ratio"] is None
    calls = (word2vec_c.parent / "calls").read_text().splitlines()
    calls = [call for call in calls if "-window" in call]  # of this test
    assert len(calls) == 2
    same = (
        "-size 8 -window 2 -negative 5 -sample 0.001 -threads 1 -iter 2 -min-count 5 -alpha 0.025"
    )
    assert f"{same} -binary 1 -cbow 0" in calls[0]
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning")]
    assert len(warnings) == 1
    assert "pword2vec (skip-gram, neg, 1 thread) failed and is left out" in warnings[0]
    assert "(exit code 3: no memory left)" in warnings[0]
    assert "round 2: word2vec.c (skip-gram, neg, 1 thread): " in done.stderr


def test_a_pipe_gets_lines_of_tabs(results: tuple[dict[str, Any], Any]) -> None:
    found, done = results
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [len(line) for line in lines] == [4 + 3 * 8] * 3
    assert lines[2][:4] == ["word2vec.c", "skip-gram", "neg", "1"]
    assert float(lines[2][4]) == pytest.approx(
        found["rows"][2]["words_per_second"]["median"], rel=1e-4
    )
    assert lines[1][19:22] == ["n/a"] * 3


def test_a_terminal_gets_a_table(
    results: tuple[dict[str, Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import run

    # as where no question was about the words
    found = {**results[0], "rows": [{**row, "accuracy": None} for row in results[0]["rows"]]}
    asked = argparse.Namespace(output=None, json=False)
    main, side = pty.openpty()
    monkeypatch.setenv("COLUMNS", "200")
    with monkeypatch.context() as patch, open(side, "w", encoding="utf-8") as terminal:
        patch.setattr(sys, "stdout", terminal)
        run._show(found, asked)
    text = ""
    try:
        while piece := os.read(main, 1 << 16):
            text += re.sub(r"\x1b\[[\d;]*m", "", piece.decode())
    except OSError:  # Linux's word for the end
        pass
    finally:
        os.close(main)
    assert re.search(r"^system +words/s", text, re.MULTILINE)
    assert re.search(r"^w2v, first run +\S+", text, re.MULTILINE)
    said = " ".join(text.split())
    assert "losses, 3,200 words, 2 epochs, skip-gram neg, dim 8, window 2" in said
    assert "analogies" not in text


def test_markdown(results: tuple[dict[str, Any], Any]) -> None:
    found, _ = results
    headings, rows = table(found)
    assert headings[:2] == ("system", "words/s")
    lines = markdown(found).splitlines()
    assert [line.count("|") for line in lines[:5]] == [len(headings) + 1] * 5
    assert lines[1].startswith("|---|---:|")
    assert lines[4].startswith("| word2vec.c | ")
    assert len(rows) == 3
    assert any("Medians of 2 rounds" in note for note in notes(found))
    assert len(plain_rows(found)) == 3


def test_losses_as_tables(tmp_path: Path) -> None:
    spread = {"median": 1.5, "low": 1.25, "high": 250.0}
    row = {"loss": "nce", "n": 4, "dim": 2, "vocabulary": 9, "milliseconds": spread}
    found = {
        "bench": "losses",
        "machine": {"processor": "P", "cores": 2},
        "settings": {"threads": 2, "repeat": 3, "samples": 5, "cutoffs": [2, 3]},
        "versions": {"torch": "2", "tensorflow": None},
        "rows": [
            {**row, "library": "w2v", "function": "f", "ratio": None},
            {
                **row,
                "library": "tensorflow",
                "function": "g",
                "ratio": {"median": 0.05, "low": 0.05, "high": 0.05},
            },
        ],
        "memory": {
            "n": 8,
            "dim": 2,
            "vocabulary": 1000,
            "growth_bytes": 4_000_000,
            "logits_bytes": 32_000_000,
        },
    }
    assert table(found)[1] == [
        ("nce", "w2v", "`f`", "1.50 ms (1.25–250)", ""),
        ("nce", "tensorflow", "`g`", "1.50 ms (1.25–250)", "0.05 ×"),
    ]
    assert plain_rows(found)[1] == (
        "nce",
        "tensorflow",
        "g",
        4,
        2,
        9,
        1.5,
        1.25,
        250.0,
        0.05,
        0.05,
        0.05,
    )
    assert plain_rows(found)[2] == (
        "softmax-memory",
        "w2v",
        "Softmax",
        8,
        2,
        1000,
        4_000_000,
        32_000_000,
    )
    assert (
        "grows by 4 MB, gradients included; the [N, V] logits would take 32 MB (8.0 times that)"
        in notes(found)[-1]
    )

    path = tmp_path / "results.md"
    path.write_text("before\n<!-- losses -->\nold\n<!-- /losses -->\n<!-- x -->kept<!-- /x -->\n")
    (tmp_path / "losses.json").write_text(json.dumps(found))
    for _ in range(2):  # the second time changes nothing
        put(path, dict([read(tmp_path / "losses.json")]))
        new = f"<!-- losses -->\n\n{markdown(found)}\n<!-- /losses -->"
        assert path.read_text() == f"before\n{new}\n<!-- x -->kept<!-- /x -->\n"
    put(path, {"wiki": "a table"})
    assert path.read_text().endswith("## wiki\n\n<!-- wiki -->\n\na table\n\n<!-- /wiki -->\n")


def test_a_comparison_as_a_table() -> None:
    shared = {"status": "done", "seconds_per_epoch": 30.4, "peak_memory_bytes": 512_300_000}
    settings = {"model": "lm", "dim": 200, "noise_power": 0.75}
    rows = [
        {
            **shared,
            "name": "softmax",
            "loss": "softmax",
            "perplexity": 200.0,
            "tokens_per_second": 5000.0,
            "speedup": 1.0,
            "settings": {**settings, "loss": "softmax", "lr": 20.0},
        },
        {
            **shared,
            "name": "mine",
            "loss": "adaptive-softmax",
            "perplexity": 190.0,
            "tokens_per_second": 20000.0,
            "speedup": 4.0,
            "settings": {
                **settings,
                "loss": "adaptive-softmax",
                "lr": 20.0,
                "cutoffs": [10, 90],
                "div_value": 4.0,
                "head_bias": True,
            },
        },
        {
            **shared,
            "name": "fast",
            "loss": "softmax",
            "perplexity": 160.0,
            "tokens_per_second": 4000.0,
            "speedup": 0.8,
            "settings": {**settings, "loss": "softmax", "lr": 0.1, "optimizer": "adagrad"},
        },
        {
            **shared,
            "name": "tree",
            "loss": "hsigmoid",
            "perplexity": 180.0,
            "tokens_per_second": 30000.0,
            "speedup": 6.0,
            "settings": {**settings, "loss": "hsigmoid", "lr": 0.1, "optimizer": "adagrad"},
        },
    ]
    assert comparison(rows).splitlines()[2:] == [
        "| softmax | `--lr 20` | 200.0 |  | 30 | 5,000 |  | 512 MB |",
        (
            "| mine | `--lr 20 --cutoffs 10,90 --head-bias` | 190.0 | -5.0 % | 30 | 20,000 | 4.0 ×"
            " | 512 MB |"
        ),
        "| fast | `--lr 0.1 --optimizer adagrad` | 160.0 |  | 30 | 4,000 | 0.8 × | 512 MB |",
        (
            "| tree | `--lr 0.1 --optimizer adagrad` | 180.0 | +12.5 % | 30 | 30,000 | 6.0 × | 512"
            " MB |"
        ),
    ]
    rows[1]["status"] = "failed"
    with pytest.raises(InputError, match="mine is not done: failed"):
        comparison(rows)


def test_without_the_programs_nothing_begins(bench: Bench, small: Path) -> None:
    done = bench("training", str(small / "losses"), "--peer", "word2vec.c=/no/such/word2vec")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == "bench: --peer word2vec.c=/no/such/word2vec: no program /no/such/word2vec; give the"
        " path of the program (from gcc -O3 -march=native word2vec.c -o word2vec -lm -pthread)\n"
    )


def test_w2v_that_fails_ends_it(bench: Bench, small: Path) -> None:
    done = bench(
        "training", str(small / "losses"), "--peer", "none", "--min-count", "100000", "--quiet"
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("bench: w2v, first run (skip-gram, neg, ")
    assert done.stderr.count("\n") == 1
