"""The verbs on files as people have them: what is read, what is left out, what is covered, and what
is said about it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from w2v.vectors import load_vectors, save_vectors

from .conftest import Run

PADDED = "the     0.25   -1.500\nof      3.00    4.500\nking   -2.00    0.125\n"


@pytest.mark.parametrize("verb", ["info", "nearest", "eval", "export"])
def test_the_rule_for_vectors_stands_in_the_help(w2v: Run, verb: str) -> None:
    said = " ".join(w2v(verb, "--help").stdout.split())
    for part in ("spaces or tabs", "commas or semicolons", "first 200 lines", "decimal commas"):
        assert part in said


def test_the_rule_for_sets_stands_in_the_help(w2v: Run) -> None:
    said = " ".join(w2v("eval", "--help").stdout.split())
    for part in ("tabs, semicolons, commas, colons", "first 1000 lines", "are comments", "(BATS)"):
        assert part in said


def test_every_verb_reads_padded_columns(process: Run, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text(PADDED)
    (tmp_path / "q.txt").write_text("the of 3\nthe king 1\nof king 2\n")
    facts = json.loads(process("info", "v.txt", "--json").stdout)
    assert (facts["dim"], facts["first_words"]) == (2, ["the", "of", "king"])
    assert process("nearest", "v.txt", "the", "-k", "1").stdout.startswith("the\tking\t")
    assert process("eval", "v.txt", "q.txt").stdout.splitlines()[0].endswith("\t3\t3")
    assert process("export", "v.txt", "-o", "w.bin").returncode == 0
    assert load_vectors(tmp_path / "w.bin").matrix.tolist() == [[0.25, -1.5], [3, 4.5], [-2, 0.125]]


@pytest.mark.parametrize("verb", ["info", "nearest", "eval", "export"])
def test_what_is_no_file_of_vectors(process: Run, tmp_path: Path, verb: str) -> None:
    (tmp_path / "set.txt").write_text("old new 1.58\nhard soft 2.5\n")
    more = {"nearest": ["old"], "export": ["-o", "w.txt"]}.get(verb, [])
    done = process(verb, "set.txt", *more)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "set.txt" in done.stderr and "w2v eval MODEL SET" in done.stderr
    assert not (tmp_path / "w.txt").exists()


def test_words_twice_are_told_once(w2v: Run, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text(PADDED + PADDED.replace("0.25", "7"))
    done = w2v("nearest", "v.txt", "the", "king", "-k", "2")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 4
    assert done.stderr.count("warning: ") == 1 and "3 repeated words" in done.stderr
    done = w2v("export", "v.txt", "-o", "w.bin", "--encoding-errors", "replace")
    assert done.returncode == 0
    assert w2v("info", "w.bin").stderr == ""


@pytest.mark.parametrize("name", ["w.txt", "w.bin", "w.glove", "w.npy"])
def test_export_leaves_out_what_the_format_cannot_hold(w2v: Run, tmp_path: Path, name: str) -> None:
    matrix = np.arange(8, dtype=np.float32).reshape(4, 2)
    save_vectors(tmp_path / "v.npy", ["a", "new york", "c", "d"], matrix)
    (tmp_path / "v.vocab.tsv").write_text("a\nnew york\n\nd\n")
    done = w2v("export", "v.npy", "-o", name, "--json")
    assert done.returncode == 0 and done.stderr.count("\n") == 1
    left = 3 if name == "w.npy" else 2
    assert f"warning: {4 - left} of 4 words" in done.stderr
    assert json.loads(done.stdout)["vectors"] == left == len(load_vectors(tmp_path / name))
    done = w2v("export", "v.npy", "-o", "-", "--format", "glove")
    assert done.stdout == "a 0 1\nd 6 7\n" and "2 of 4 words" in done.stderr


def test_nan_is_not_exported(w2v: Run, tmp_path: Path) -> None:
    save_vectors(tmp_path / "v.npy", ["a", "b"], np.ones((2, 2), np.float32))
    np.save(tmp_path / "v.npy", np.array([[1, 1], [np.nan, 1]], np.float32))
    for name in ("w.txt", "w.bin", "w.npy"):
        done = w2v("export", "v.npy", "-o", name)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "'b'" in done.stderr
        assert not (tmp_path / name).exists()


def test_queries_keep_what_is_part_of_a_word(process: Run, tmp_path: Path) -> None:
    words = ["\u00a0", "\u3000x", "king", "new york", "of"]
    save_vectors(tmp_path / "v.npy", words, np.random.default_rng(1).normal(size=(5, 3)))
    queries = "\ufeffking\r\n\u00a0\n\u3000x \n new york\t\nnew york - king + of\nnone at all\n"
    done = process("nearest", "v.npy", "-", "-k", "1", "--json", stdin=queries)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    asked = ["king", "\u00a0", "\u3000x", "new york", "new york - king + of", "none at all"]
    assert [line["query"] for line in lines] == asked
    assert [bool(line["neighbours"]) for line in lines] == [True] * 5 + [False]
    assert process("nearest", "v.npy", "new york", "-", "king", "-k", "1").returncode == 0


def test_few_covered_are_told_whatever_is_quiet(w2v: Run, model: str, tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text(": x\nking queen man woman\n" + "a b c d\n" * 3)
    (tmp_path / "s.tsv").write_text("king\tqueen\t3\nman\twoman\t2\n" + "a\tb\t1\n" * 3)
    done = w2v("eval", model, "q.txt", "s.tsv", "--quiet")
    assert done.returncode == 0
    assert "only 1 of 4 questions (25.0 %) of q" in done.stderr
    assert "only 2 of 5 pairs (40.0 %) of s" in done.stderr


def test_skipped_lines_are_told(w2v: Run, model: str, tmp_path: Path) -> None:
    rows = "king\tqueen\t3\nman\twoman\t2\nthe\tking\t\nparis\tberlin\t1\n"
    (tmp_path / "s.tsv").write_text(rows)
    done = w2v("eval", model, "s.tsv")
    assert "\t3\t3\n" in done.stdout and "warning: 1 line of s is not a pair" in done.stderr
    (tmp_path / "s.tsv").write_text("word1\tword2\tscore\n" + rows.replace("king\t\n", "king\t4\n"))
    assert w2v("eval", model, "s.tsv").stderr == ""


def test_without_sets_it_says_whose_these_are(w2v: Run, model: str) -> None:
    done = w2v("eval", model)
    assert done.returncode == 0
    assert "demo" in done.stderr and "questions-words.txt" in done.stderr
    assert "of demo-analogies" in done.stderr
    assert "questions-words.txt" not in w2v("eval", model, "--quiet").stderr


def test_a_set_that_cannot_be_decided(w2v: Run, model: str, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("king queen 3\nman,woman,2\nparis;berlin;1\n")
    done = w2v("eval", model, "s.csv")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "s.csv" in done.stderr and "tabs, semicolons, commas" in done.stderr


def test_a_folder_of_pairs(w2v: Run, model: str, tmp_path: Path) -> None:
    (tmp_path / "bats").mkdir()
    (tmp_path / "bats" / "E01.txt").write_text("king\tqueen/lady\nman\tnobody/woman\n")
    done = w2v("eval", model, "bats", "--json")
    found = json.loads(done.stdout)["analogies"]["bats"]
    assert (found["covered"], found["total"]) == (2, 2)


def test_vectors_that_training_writes_say_what_they_leave_out(tmp_path: Path) -> None:
    import w2v

    texts = [["new york", "is", "big"], ["big", "new york", "is"]] * 20
    settings = {"dim": 3, "min_count": 1, "sample": 0, "threads": 1}
    with pytest.warns(UserWarning, match="1 of 3 words, such as 'new york', were left out"):
        run = w2v.train(texts, output=tmp_path / "v.txt", progress=False, **settings)
    assert sorted(run.vectors.words) == ["big", "is"]


def test_words_twice_are_told_wherever_vectors_are_read(
    w2v: Run, corpus: str, tmp_path: Path
) -> None:
    import w2v as library
    from w2v.compat.gensim import KeyedVectors

    (tmp_path / "v.txt").write_text("w1 1 2 3\nw2 4 5 6\nw1 7 8 9\n")
    options = ["--dim", "3", "--epochs", "1", "--min-count", "1", "--threads", "1", "--quiet"]
    done = w2v("train", corpus, "--init", "v.txt", *options, "--output", "w.txt")
    assert done.returncode == 0 and "v.txt: 1 repeated word" in done.stderr
    for read in (library.load, KeyedVectors.load_word2vec_format):
        with pytest.warns(UserWarning, match="1 repeated word"):
            assert len(read(tmp_path / "v.txt")) == 2
