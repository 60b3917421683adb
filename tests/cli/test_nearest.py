"""`w2v nearest` on a small vector file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from w2v.cli.nearest import split_queries
from w2v.vectors import load_vectors

from .conftest import WORDS, Run, conversation, environment


def expected(
    matrix: np.ndarray, plus: list[str], minus: list[str], k: int
) -> list[tuple[str, float]]:
    """gensim's most_similar, written out."""
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    target = sum(unit[WORDS.index(word)] for word in plus) - sum(
        (unit[WORDS.index(word)] for word in minus), np.zeros(matrix.shape[1])
    )
    cosines = unit @ (target / np.linalg.norm(target))
    order = [i for i in np.argsort(-cosines) if WORDS[i] not in plus + minus]
    return [(WORDS[i], float(cosines[i])) for i in order[:k]]


@pytest.mark.parametrize(
    ("words", "queries"),
    [
        (["king"], ["king"]),
        (["king", "paris"], ["king", "paris"]),
        (["king", "-", "man", "+", "woman"], ["king - man + woman"]),
        (["king - man + woman"], ["king - man + woman"]),
        (["paris", "king", "-", "man", "berlin"], ["paris", "king - man", "berlin"]),
        (["king", "-"], ["king -"]),
        (["-", "king"], ["-", "king"]),
    ],
)
def test_how_words_make_queries(words: list[str], queries: list[str]) -> None:
    assert split_queries(words) == queries


@pytest.mark.parametrize("words", [["king", "-", "man", "+", "woman"], ["king - man + woman"]])
def test_an_expression_quoted_or_not(
    w2v: Run, model: str, tmp_path: Path, words: list[str]
) -> None:
    done = w2v("nearest", model, *words, "-k", "3")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    reference = expected(load_vectors(tmp_path / model).matrix, ["king", "woman"], ["man"], 3)
    assert [row[0] for row in rows] == ["king - man + woman"] * 3
    assert [row[1] for row in rows] == [word for word, _ in reference]
    assert [float(row[2]) for row in rows] == pytest.approx(
        [cosine for _, cosine in reference], abs=1e-5
    )


def test_json_has_one_object_per_query(w2v: Run, model: str, tmp_path: Path) -> None:
    done = w2v("nearest", model, "king", "paris", "--json", "-k", "2")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["query"] for line in lines] == ["king", "paris"]
    for line in lines:
        reference = expected(load_vectors(tmp_path / model).matrix, [line["query"]], [], 2)
        assert [found["word"] for found in line["neighbours"]] == [word for word, _ in reference]
        assert [found["similarity"] for found in line["neighbours"]] == pytest.approx(
            [c for _, c in reference], abs=1e-6
        )


def test_a_bad_word_among_arguments_does_not_hide_the_others(w2v: Run, model: str) -> None:
    done = w2v("nearest", model, "king", "quen", "-k", "1")
    assert done.returncode == 2
    assert done.stdout.startswith("king\t")
    assert (
        done.stderr
        == "w2v nearest: 'quen' is not in the vocabulary of v.bin; did you mean queen?\n"
    )


def test_a_bad_line_does_not_end_the_stream(w2v: Run, model: str) -> None:
    done = w2v(
        "nearest", model, "-", "-k", "1", stdin="king\r\nquen\n\nparis - berlin\nking king\nman"
    )
    assert done.returncode == 0
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [
        "king",
        "paris - berlin",
        "man",
    ]
    assert done.stderr.count("\n") == 2
    done = w2v("nearest", model, "-", "--json", stdin=b"quen\n\xff\nking")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [bool(line["neighbours"]) for line in lines] == [False, False, True]
    assert "did you mean queen?" in lines[0]["error"]


def test_a_stream_without_any_good_line(w2v: Run, model: str) -> None:
    assert w2v("nearest", model, "-", stdin="quen\n").returncode == 2
    done = w2v("nearest", model, "-", stdin="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_somebody_who_waits_for_each_answer_gets_it(model: str, tmp_path: Path) -> None:
    with conversation(tmp_path, "nearest", model, "-", "-k", "1") as ask:
        for word in ("king", "paris"):
            assert ask(word).startswith(word + "\t")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-", "-"], "MODEL and WORD cannot both be -: there is only one stdin"),
        (["v.bin", "king", "-"], "'king -' ends with '-'; add a word after it"),
        (["v.bin", "king", "-k", "0"], "invalid value for '--k' / '-k': "),
        (["none.bin", "king"], "cannot open none.bin: No such file or directory; check the path"),
        (["v.bin"], "missing argument 'WORD"),
    ],
)
def test_nearest_input_errors(w2v: Run, model: str, arguments: list[str], message: str) -> None:
    done = w2v("nearest", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"w2v nearest: {message}")
    assert done.stderr.count("\n") == 1


def test_queries_import_nothing_heavy(model: str, tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text(": s\nking queen man woman\n")
    code = f"""
import sys, w2v.cli.app
for arguments in "nearest {model} king", "eval {model} q.txt", "info {model}":
    assert w2v.cli.app.main(arguments.split()) == 0
heavy = {{'torch', 'numba', 'pyarrow', 'datasets', 'pandas', 'scipy', 'tqdm'}}
print(heavy & set(sys.modules), file=sys.stderr)
"""
    options = {"capture_output": True, "text": True, "cwd": tmp_path, "env": environment()}
    done = subprocess.run([sys.executable, "-c", code], **options)
    assert done.stderr == "set()\n"
