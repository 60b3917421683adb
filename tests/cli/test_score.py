"""`w2v score`."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from tests.language_runs import corpus_text
from w2v.lm.saved import load_language_model

from .conftest import Run, conversation
from .language_models import LAYERS, TEXT, by_hand

# score


@pytest.mark.parametrize("loss", LAYERS)
def test_a_line_of_output_for_each_of_input(w2v: Run, templates: Path, loss: str) -> None:
    done = w2v("score", str(templates / loss), stdin=TEXT)
    assert done.returncode == 0
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [(row[1], row[2]) for row in rows] == [("5", "1"), ("1", "0"), ("4", "1"), ("2", "0")]
    for line, row in zip(TEXT.split("\n"), rows, strict=True):
        alone = by_hand(load_language_model(templates / loss), [line]).sum()
        assert float(row[0]) == pytest.approx(alone, abs=1e-4)
    saved = load_language_model(templates / loss)
    log_p = np.concatenate([by_hand(saved, [line]) for line in TEXT.split("\n")])
    known = np.delete(log_p, [2, 7])
    with_them, without = (f"{math.exp(-part.mean()):.2f}" for part in (log_p, known))
    assert done.stderr.count("\n") == 1 and "2 of 12 tokens (16.7 %)" in done.stderr
    assert with_them in done.stderr and without in done.stderr
    quiet = w2v("score", str(templates / loss), "--quiet", stdin=TEXT)
    assert (quiet.stdout, quiet.stderr) == (done.stdout, "")


def test_continuous_scores_add_up_to_the_perplexity(w2v: Run, run: str, tmp_path: Path) -> None:
    text = corpus_text(seed=5, lines=300)
    (tmp_path / "text.txt").write_text(text)
    values = json.loads(w2v("eval", run, "--text", "text.txt", "--json").stdout)
    rows = [
        json.loads(line)
        for line in w2v("score", run, "--continuous", "--json", stdin=text).stdout.splitlines()
    ]
    assert len(rows) == 301
    assert sum(row["log_prob"] for row in rows) == pytest.approx(-values["nats"], rel=1e-6)
    assert sum(row["tokens"] for row in rows) == values["tokens"]
    assert sum(row["oov"] for row in rows) == values["oov"]
    fresh = [
        json.loads(line) for line in w2v("score", run, "--json", stdin=text).stdout.splitlines()
    ]
    assert fresh[0]["log_prob"] == pytest.approx(rows[0]["log_prob"], rel=1e-6)
    assert fresh[5]["log_prob"] != pytest.approx(rows[5]["log_prob"], rel=1e-4)


def test_tokens_and_bases(w2v: Run, run: str) -> None:
    line = "w1 nowhere w2\n"
    nats = json.loads(w2v("score", run, "--json", "--tokens", stdin=line).stdout)
    assert [each["token"] for each in nats["detail"]] == ["w1", "<unk>", "w2", "<eos>"]
    assert sum(each["log_prob"] for each in nats["detail"]) == pytest.approx(nats["log_prob"])
    cells = w2v("score", run, "--tokens", "--base", "2", stdin=line).stdout.rstrip("\n").split("\t")
    assert (cells[1:3], cells[3::2]) == (["4", "1"], ["w1", "<unk>", "w2", "<eos>"])
    assert float(cells[0]) == pytest.approx(nats["log_prob"] / math.log(2), abs=1e-5)
    assert sum(map(float, cells[4::2])) == pytest.approx(float(cells[0]), abs=1e-5)
    tens = w2v("score", run, "--base", "10", stdin=line).stdout.split("\t")[0]
    assert float(tens) == pytest.approx(nats["log_prob"] / math.log(10), abs=1e-5)


def test_nothing_in_nothing_out(w2v: Run, run: str) -> None:
    done = w2v("score", run, stdin="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert w2v("score", run, stdin="\n").stdout.count("\n") == 1


def test_somebody_who_waits_for_each_score_gets_it(run: str, tmp_path: Path) -> None:
    with conversation(tmp_path, "score", run, "-") as ask:
        for line, tokens in (("w1 w2", "3"), ("", "1")):
            assert ask(line).split("\t")[1] == tokens


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["run", "text.txt"], "", "lines are read from stdin: w2v score run < text.txt"),
        (["run", "--base", "1"], "", "--base 1 is not e or a number above 1"),
        (["run", "--base", "x"], "", "--base x is not e or a number above 1"),
        (["v.bin"], "w1\n", "v.bin is not a run directory"),
        (["run"], b"\0\1\2\3\n" * 50, "standard input looks like a binary file"),
    ],
)
def test_score_input_errors(
    w2v: Run, run: str, model: str, arguments: list[str], stdin: str | bytes, message: str
) -> None:
    done = w2v("score", *arguments, stdin=stdin)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr


# --------------------------------------------------------------------------------------------------
