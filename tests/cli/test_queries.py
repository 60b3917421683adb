"""`w2v eval`, `info` and `export` on a small vector file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.forks import program
from w2v.vectors import load_vectors

from .conftest import WORDS, Run, environment


@pytest.fixture
def sets(tmp_path: Path) -> tuple[str, str]:
    """A set of two questions, of which one is covered, and a set of four pairs with scores in the
    cosines' order."""
    (tmp_path / "q.txt").write_text(
        ": family\nking queen man woman\n: gram1\nking queen one none\n"
    )
    matrix = np.random.default_rng(0).normal(size=(len(WORDS), 5)).astype(np.float32)
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    pairs = [("king", "queen"), ("paris", "berlin"), ("man", "woman"), ("the", "king")]
    scores = {
        pair: float(unit[WORDS.index(pair[0])] @ unit[WORDS.index(pair[1])]) for pair in pairs
    }
    ranked = sorted(pairs, key=lambda pair: scores[pair])
    (tmp_path / "s.tsv").write_text(
        "".join(f"{a}\t{b}\t{place}\n" for place, (a, b) in enumerate(ranked))
    )
    return "q.txt", "s.tsv"


def test_eval_json_has_the_promised_keys(w2v: Run, model: str, sets: tuple[str, str]) -> None:
    done = w2v("eval", model, *sets, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    analogies = result["analogies"]["q"]
    assert {"accuracy", "semantic", "syntactic", "covered", "total", "sections"} <= {*analogies}
    assert (analogies["covered"], analogies["total"], analogies["syntactic"]) == (1, 2, None)
    assert (
        analogies["accuracy"]
        == analogies["semantic"]
        == analogies["sections"]["family"]["accuracy"]
    )
    assert analogies["accuracy"] in (0.0, 1.0)
    similarity = result["similarity"]["s"]
    assert {"spearman", "pearson", "covered", "total"} <= {*similarity}
    assert similarity["spearman"] == pytest.approx(1.0)
    assert (similarity["covered"], similarity["total"]) == (4, 4)


def test_eval_tsv(w2v: Run, model: str, sets: tuple[str, str]) -> None:
    rows = [line.split("\t") for line in w2v("eval", model, *sets).stdout.splitlines()]
    assert all(len(row) == 6 for row in rows)
    assert [row[:2] for row in rows] == [
        ["q", "family"],
        ["q", "gram1"],
        ["q", "semantic"],
        ["q", "syntactic"],
        ["q", "total"],
        ["s", "spearman"],
        ["s", "pearson"],
    ]
    assert rows[1][2:] == ["n/a", "0", "0", "1"]
    assert rows[5][2:] == ["1", "n/a", "4", "4"]


def test_eval_intervals(w2v: Run, model: str, sets: tuple[str, str]) -> None:
    rows = [line.split("\t") for line in w2v("eval", model, *sets, "--ci").stdout.splitlines()]
    assert [row[:6] for row in rows] == [
        line.split("\t") for line in w2v("eval", model, *sets).stdout.splitlines()
    ]
    assert all(len(row) == 8 for row in rows)
    assert rows[1][6:] == ["n/a", "n/a"]
    assert rows[4][6:] == [rows[4][2]] * 2, "one question: all resamples agree"
    assert rows[5][6:] == ["1", "1"]
    result = json.loads(w2v("eval", model, *sets, "--ci", "--json").stdout)
    analogies, similarity = result["analogies"]["q"], result["similarity"]["s"]
    assert analogies["accuracy_ci"] == [analogies["accuracy"]] * 2
    assert (analogies["syntactic_ci"], analogies["sections"]["gram1"]["accuracy_ci"]) == (
        None,
        None,
    )
    low, high = similarity["pearson_ci"]
    assert low < similarity["pearson"] <= high <= 1
    assert similarity["spearman_ci"] == [1.0, 1.0]


def test_a_set_without_a_covered_question(w2v: Run, model: str, tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text(": x\na b c d\n")
    done = w2v("eval", model, "q.txt")
    assert done.returncode == 0
    assert "q\ttotal\tn/a\t0\t0\t1\n" in done.stdout
    assert done.stderr == "warning: no question of q has vectors for all its words\n"
    assert (
        json.loads(w2v("eval", model, "q.txt", "--json").stdout)["analogies"]["q"]["accuracy"]
        is None
    )


def test_two_sets_of_the_same_name(w2v: Run, model: str, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "q.txt").write_text(": x\nking queen man woman\n")
    assert set(
        json.loads(w2v("eval", model, "a/q.txt", "b/q.txt", "--json").stdout)["analogies"]
    ) == {"q", "b/q.txt"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.txt"], "cannot read the set none.txt: No such file or directory; check the path"),
        (["q.txt", "--method", "sub"], "--method sub is not one of add, mul"),
        (["q.txt", "--case", "upper"], "--case upper"),
    ],
)
def test_eval_input_errors(
    w2v: Run, model: str, sets: tuple[str, str], arguments: list[str], message: str
) -> None:
    done = w2v("eval", model, *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"w2v eval: {message}")


def test_info(w2v: Run, model: str) -> None:
    values = dict(line.split("\t") for line in w2v("info", model).stdout.splitlines())
    assert (values["vectors"], values["dim"], values["kind"]) == ("8", "5", "vector file")
    facts = json.loads(w2v("info", model, "--json").stdout)
    assert facts["first_words"] == WORDS
    assert facts["matrix_bytes"] == 8 * 5 * 4


def test_info_of_a_run_directory(w2v: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    np.save(folder / "vectors.npy", np.eye(3, 2, dtype=np.float32))
    (folder / "vocab.tsv").write_text("a\t5\nb\t2\nc\t1\n")
    (folder / "summary.json").write_text('{"loss": "neg", "words": {"read": 9}}')
    (folder / "config.yaml").write_text("corpus: [x.txt]\ndim: 2\n")
    values = dict(line.split("\t") for line in w2v("info", "run").stdout.splitlines())
    assert values["corpus_words"] == "8"
    assert (values["summary.loss"], values["summary.words.read"], values["settings.corpus"]) == (
        "neg",
        "9",
        "x.txt",
    )
    (folder / "summary.json").write_text("{")
    (folder / "config.yaml").write_text("a: [")
    assert w2v("info", "run").returncode == 0


@pytest.mark.parametrize("name", ["w.txt", "w.vec", "w.bin", "w.glove", "w.npy"])
def test_export_gives_back_the_same_vectors(
    w2v: Run, model: str, tmp_path: Path, name: str
) -> None:
    done = w2v("export", model, "-o", name)
    assert (done.returncode, done.stdout, done.stderr) == (0, name + "\n", "")
    before, after = load_vectors(tmp_path / model), load_vectors(tmp_path / name)
    assert after.words == before.words
    assert np.array_equal(after.matrix, before.matrix)


def test_export_through_pipes(model: str, tmp_path: Path) -> None:
    w2v = program()
    command = (
        f"{w2v} export {model} -o - --format binary | {w2v} export - -o - --limit 2 | {w2v} info -"
    )
    done = subprocess.run(
        command, shell=True, cwd=tmp_path, capture_output=True, text=True, env=environment()
    )
    values = dict(line.split("\t") for line in done.stdout.splitlines())
    assert (values["vectors"], values["dim"], values["first_words"]) == ("2", "5", "the king")


def test_export_to_another_extension(w2v: Run, model: str, tmp_path: Path) -> None:
    done = w2v("export", model, "-o", "w.data", "--format", "glove", "--json")
    assert json.loads(done.stdout) == {
        "output": "w.data",
        "format": "glove",
        "vectors": 8,
        "dim": 5,
        "dtype": "float32",
    }
    assert (tmp_path / "w.data").read_text().startswith("the 0.12")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "w.xyz"], "cannot tell the format of w.xyz from its extension"),
        (
            ["-o", "w.txt", "--format", "word"],
            "--format word is not one of text, binary, glove, npy, parquet",
        ),
        (
            ["-o", "w.txt", "--format", "npy"],
            "--format npy needs a file name ending in .npy, not w.txt",
        ),
        (["-o", "none/w.txt"], "--output none/w.txt: the folder none does not exist"),
        (["-o", "taken.txt"], "--output taken.txt exists already"),
        (["-o", "taken.npy"], "--output taken.vocab.tsv exists already"),
        ([], "missing option '--output' / '-o'"),
    ],
)
def test_export_input_errors_leave_nothing(
    w2v: Run, model: str, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "taken.txt").write_text("x")
    (tmp_path / "taken.vocab.tsv").write_text("x")
    before = sorted(path.name for path in tmp_path.iterdir())
    done = w2v("export", model, *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"w2v export: {message}")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (tmp_path / "taken.txt").read_text() == "x"


def test_export_overwrites_when_told_to(w2v: Run, model: str, tmp_path: Path) -> None:
    (tmp_path / "w.txt").write_text("x")
    assert w2v("export", model, "-o", "w.txt", "--overwrite").returncode == 0
    assert load_vectors(tmp_path / "w.txt").words == WORDS


@pytest.mark.parametrize("damage", ["cut", "lie", "empty"])
def test_damaged_vector_files_are_refused_by_every_verb(
    w2v: Run, model: str, tmp_path: Path, damage: str
) -> None:
    good = (tmp_path / model).read_bytes()
    bad = {"cut": good[:-7], "lie": good.replace(b"8 5", b"9 5", 1), "empty": b""}[damage]
    (tmp_path / "bad.bin").write_bytes(bad)
    for arguments in (
        ["info", "bad.bin"],
        ["nearest", "bad.bin", "king"],
        ["eval", "bad.bin"],
        ["export", "bad.bin", "-o", "x.txt"],
    ):
        done = w2v(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert done.stderr.count("\n") == 1
        assert "bad.bin" in done.stderr
    assert not (tmp_path / "x.txt").exists()


def test_metrics_as_a_table(w2v: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    lines = [{"words": 9, "loss": 0.5}, {"epoch": 1, "loss": None, "name": 'a,"b"'}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text + '{"words": 1')
    done = w2v("info", "run", "--metrics", "csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == 'words,loss,epoch,name\n9,0.5,,\n,,1,"a,""b"""\n'
    done = w2v("info", "run", "--metrics", "tsv")
    assert done.stdout.splitlines()[:2] == ["words\tloss\tepoch\tname", "9\t0.5\t\t"]
    assert json.loads(w2v("info", "run", "--metrics", "json").stdout) == lines
    for arguments, told in (
        (["run", "--metrics", "xml"], "--metrics xml"),
        ([".", "--metrics", "csv"], "metrics.jsonl"),
        (["none", "--metrics", "csv"], "none"),
    ):
        done = w2v("info", *arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert told in done.stderr


def test_several_models_side_by_side(
    w2v: Run, model: str, sets: tuple[str, str], tmp_path: Path
) -> None:
    vectors = load_vectors(tmp_path / model)
    type(vectors)(vectors.words[::-1], vectors.matrix, None).save(tmp_path / "other.bin")
    assert w2v("eval", model, "--with", "other.bin", *sets).stderr == ""
    repeated = tmp_path / "repeated.txt"  # names of sections that occur twice
    text = (tmp_path / sets[0]).read_text()
    repeated.write_text(f"{text}\n: total\na b c d\n{text}")
    sets = (*sets, "repeated.txt")
    done = w2v("eval", model, "--with", "other.bin", *sets)
    assert done.returncode == 0
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    for place, path in ((2, model), (3, "other.bin")):
        alone = [line.split("\t")[:3] for line in w2v("eval", path, *sets).stdout.splitlines()]
        assert [[*row[:2], row[place]] for row in rows] == alone
    values = json.loads(w2v("eval", model, "--with", "other.bin", *sets, "--json").stdout)
    for path in (model, "other.bin"):
        alone = json.loads(w2v("eval", path, *sets, "--json").stdout)
        assert values["models"][path] == alone
    assert w2v("eval", model, "--with", "other.bin", *sets, "--ci").returncode == 2
