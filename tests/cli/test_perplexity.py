"""`w2v eval --text` on the run directory of a language model, and damaged ones."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.language_runs import write_run
from w2v.errors import InputError
from w2v.lm.saved import load_language_model

from .conftest import Run
from .language_models import LAYERS, TEXT, by_hand


@pytest.mark.parametrize("loss", LAYERS)
def test_perplexity_is_that_of_a_sum_by_hand(
    w2v: Run, templates: Path, tmp_path: Path, loss: str
) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    done = w2v("eval", str(templates / loss), "--text", "text.txt", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    values = json.loads(done.stdout)
    log_p = by_hand(load_language_model(templates / loss), TEXT.split("\n"))
    assert len(log_p) == 12
    assert {name: values[name] for name in ("tokens", "eos", "oov")} == {
        "tokens": 12,
        "eos": 4,
        "oov": 2,
    }
    assert values["nats"] == pytest.approx(-log_p.sum(), rel=1e-5)
    assert values["perplexity"] == pytest.approx(math.exp(-log_p.mean()), rel=1e-5)
    assert values["bits_per_word"] == pytest.approx(-log_p.mean() / math.log(2), rel=1e-5)
    known = np.delete(log_p, [2, 7])  # "w1 w2 nowhere w3 <eos>", "<eos>", "w4 <unk> w5 <eos>", …
    without = pytest.approx(math.exp(-known.mean()), rel=1e-5)
    assert (values["oov_share"], values["perplexity_without_oov"]) == (2 / 12, without)
    measured = load_language_model(templates / loss).perplexity(TEXT.split("\n"))
    assert (measured.oov_share, measured.perplexity_without_oov) == (2 / 12, without)


def test_piped_output_and_texts_of_all_kinds(w2v: Run, run: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT + "\n")
    (tmp_path / "text.gz").write_bytes(gzip.compress(TEXT.encode()))
    (tmp_path / "text.jsonl").write_text(
        "".join(json.dumps({"t": line}) + "\n" for line in TEXT.split("\n"))
    )
    first = w2v("eval", run, "--text", "text.txt")
    rows = dict(line.split("\t") for line in first.stdout.splitlines())
    usual = ["perplexity", "bits_per_word", "tokens", "eos", "oov", "nats"]
    assert list(rows) == [*usual, "oov_share", "perplexity_without_oov"]
    known = w2v("eval", run, "--text", "-", stdin="w1 w2\n")
    assert [line.split("\t")[0] for line in known.stdout.splitlines()] == usual
    assert w2v("eval", run, "--text", "text.gz").stdout == first.stdout
    (tmp_path / "text.utf16").write_text(TEXT + "\n", encoding="utf-16")
    again = w2v("eval", run, "--text", "text.utf16", "--encoding", "utf-16")
    assert again.stdout == first.stdout
    assert w2v("eval", run, "--text", "-", stdin=TEXT).stdout == first.stdout
    assert w2v("eval", run, "--text", "text.jsonl", "--column", "t").stdout == first.stdout
    twice = json.loads(w2v("eval", run, "--text", "text.txt", "--text", "text.gz", "--json").stdout)
    assert twice["tokens"] == 24


def test_the_library_checks_the_encoding(templates: Path) -> None:
    model, lines = load_language_model(templates / next(iter(LAYERS))), TEXT.split("\n")
    by_default: Any = {"encoding": None, "encoding_errors": None}
    assert model.perplexity(lines, **by_default).nats == model.perplexity(lines).nats
    for wrong in ({"encoding": "x"}, {"encoding": ""}, {"encoding_errors": "x"}):
        with pytest.raises(InputError, match=f"`{next(iter(wrong))}`"):
            model.perplexity(lines, **wrong)


def test_lower_case_is_the_run_s_own(w2v: Run, templates: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "low", templates / "corpus.txt", lowercase=True)
    values = json.loads(w2v("eval", "low", "--text", "-", "--json", stdin="W1 w2 W3\n").stdout)
    assert (values["tokens"], values["oov"]) == (4, 0)


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["run", "--text", "-"], "", "the corpus contains no words: "),
        (["run", "--text", "-"], "nothing known here\n", "run knows no word of -: "),
        (["run", "--text", "none.txt"], "", "none.txt; check the path"),
        (["run", "--text", "-"], b"\0\1\2\3" * 100, "standard input looks like a binary file"),
        (
            ["none", "--text", "-"],
            "w1\n",
            "none is not a run directory: give the directory of a run with --model lm",
        ),
        (
            ["v.bin", "--text", "-"],
            "w1\n",
            "v.bin is not a run directory: give the directory of a run with --model lm",
        ),
        (["vectors", "--text", "-"], "w1\n", "vectors holds no language model: give the directory"),
        (
            ["run", "q.txt", "--text", "-"],
            "w1\n",
            "SETS are for word vectors and --text for language models",
        ),
        (
            ["run", "--ci", "--text", "-"],
            "w1\n",
            "--ci is for questions and pairs, but --text is one stream",
        ),
        (
            ["run", "--text", "-", "--device", "tpu"],
            "w1\n",
            "--device tpu is not one of auto, cpu, cuda",
        ),
        (
            ["run", "--text", "-", "--encoding", "x"],
            "the king\n",
            "--encoding 'x' is not a text encoding",
        ),
        (
            ["run", "--text", "-", "--encoding-errors", "x"],
            "w1\n",
            "--encoding-errors x is not one of",
        ),
    ],
)
def test_eval_text_input_errors(
    w2v: Run,
    run: str,
    model: str,
    tmp_path: Path,
    arguments: list[str],
    stdin: str | bytes,
    message: str,
) -> None:
    (tmp_path / "vectors").mkdir()
    np.save(tmp_path / "vectors" / "vectors.npy", np.eye(2, dtype=np.float32))
    done = w2v("eval", *arguments, stdin=stdin)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr


@pytest.mark.parametrize(
    "verb", [["eval", "run", "--text", "-"], ["score", "run"], ["generate", "run"]]
)
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", b"\x10\0\0\0\0\0\0\0not a header"),
        ("model.safetensors", b""),
        ("vocab.tsv", b"w1\t9\nw2\t3\n"),
        ("config.yaml", b"dim: ["),
        ("format_version", b"7\n"),
    ],
)
def test_damaged_runs(
    w2v: Run, run: str, tmp_path: Path, verb: list[str], name: str, content: bytes
) -> None:
    (tmp_path / "run" / name).write_bytes(content)
    done = w2v(*verb, stdin="w1 w2\n")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "internal error" not in done.stderr


def test_a_language_model_evaluated_by_its_vectors_is_told_how_to_measure_perplexity(w2v, run):
    for more in ([], ["--quiet"]):
        done = w2v("eval", run, *more)
        assert done.returncode == 0
        assert ("--text FILE" in done.stderr) is not bool(more)
