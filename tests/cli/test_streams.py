"""`-` for stdin and stdout in every verb, closed streams, devices, and files that other programs
made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forks import program
from w2v.vectors import load_vectors

from .conftest import Run, environment

QUICK = ["--dim", "8", "--epochs", "1", "--min-count", "1", "--threads", "1"]


def test_vectors_on_stdout(w2v: Run, corpus: str, tmp_path: Path) -> None:
    done = w2v("train", corpus, *QUICK, "--output", "-")
    assert done.returncode == 0, done.stderr
    (tmp_path / "got.txt").write_text(done.stdout)
    assert w2v("train", corpus, *QUICK, "--output", "same.txt").returncode == 0
    assert (tmp_path / "got.txt").read_bytes() == (tmp_path / "same.txt").read_bytes()


def test_a_recipe_may_name_stdout(w2v: Run, corpus: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(f"corpus: {corpus}\noutput: '-'\n")
    done = w2v("train", "--config", "recipe.yaml", *QUICK)
    assert done.returncode == 0, done.stderr
    assert done.stdout == w2v("train", corpus, *QUICK, "--output", "-").stdout != ""
    planned = w2v("train", "--config", "recipe.yaml", *QUICK, "--dry-run", "--json")
    assert json.loads(planned.stdout)["output"] == "standard output"


def test_vectors_on_stdout_leave_no_room_for_json(w2v: Run, corpus: str) -> None:
    done = w2v("train", corpus, *QUICK, "--output", "-", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--json" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["eval", "v.bin", "-"], "king man 3\nqueen woman 4\nking queen 1\n"),
        (["train", "--config", "-", "--dry-run"], "corpus: text\nmin-count: 1\ndim: 8\n"),
        (["train", "-", *QUICK, "--output", "o"], "a b c a b c a b\n" * 30),
        (["vocab", "-", "--min-count", "1"], "a b c\n"),
        (["nearest", "v.bin", "-"], "king\n"),
    ],
)
def test_dash_is_stdin(
    process: Run, model: str, tmp_path: Path, arguments: list[str], stdin: str
) -> None:
    (tmp_path / "text").write_text("a b c a b c a b\n" * 30)
    done = process(*arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        "train - --min-count 1",
        "vocab -",
        "nearest v.bin -",
        "nearest - king",
        "eval - q",
        "score run",
        "generate run -",
        "eval run --text -",
    ],
)
def test_closed_stdin_is_said_in_one_line(model: str, tmp_path: Path, arguments: str) -> None:
    (tmp_path / "q").write_text(": s\nking man queen woman\n")
    command = f"{program()} {arguments} <&-"
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, env=environment()
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "closed" in done.stderr


PRINTED = ["nearest v.bin king", "similarity v.bin king queen --json", "info v.bin", "losses"]
PRINTED += ["eval v.bin q", "vocab q --min-count 1 --quiet", "vectors v.bin king", "config"]
PRINTED += ["--version", "train q --dry-run --min-count 1 --sample 0 --quiet"]


@pytest.mark.parametrize(
    "arguments", ["embed v.bin q", "export v.bin -o -", "train q --output -", *PRINTED]
)
def test_closed_stdout_is_said_in_one_line(model: str, tmp_path: Path, arguments: str) -> None:
    (tmp_path / "q").write_text("king man queen woman\n")
    command = ["sh", "-c", f"{program()} {arguments} >&-"]
    done = subprocess.run(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=environment()
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "closed" in done.stderr


@pytest.mark.parametrize(
    "verb", [["nearest", "l.vec", "b"], ["info", "l.vec"], ["export", "l.vec", "-o", "-"]]
)
def test_words_that_are_not_utf8(process: Run, tmp_path: Path, verb: list[str]) -> None:
    (tmp_path / "l.vec").write_bytes(b"2 2\ncaf\xe9 0.1 0.2\nb 0.3 0.4\n")
    strict = process(*verb)
    assert strict.returncode == 2
    assert "--encoding-errors replace" in strict.stderr
    done = process(*verb, "--encoding-errors", "replace")
    assert done.returncode == 0, done.stderr
    assert process(*verb, "--encoding-errors", "ignore").returncode == 2


def test_export_to_a_device_or_pipe_writes_into_it(
    process: Run, model: str, tmp_path: Path
) -> None:
    assert (
        process("export", model, "-o", os.devnull, "--format", "text", "--overwrite").returncode
        == 0
    )
    assert Path(os.devnull).is_char_device()
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE, text=True) as reader:
        assert process("export", model, "-o", "pipe", "--format", "text").returncode == 0
        got, _ = reader.communicate(timeout=300)
    assert got.startswith("8 5\n")


def test_files_that_are_open_already(model: str, tmp_path: Path) -> None:
    """/dev/stdout and >(program) name open files: results are added to what these hold, without the
    name of the file."""
    (tmp_path / "c.txt").write_text("b a b\n")
    text, count = "export v.bin --format text -o", "vocab c.txt --min-count 1 -q -o"
    for line, expected in (
        (f"{text} /dev/stdout | head -1", "8 5\n"),
        (f"{count} /dev/stdout | cat", "b\t2\na\t1\n"),
        (f"echo first > log; {count} /dev/stdout >> log; cat log", "first\nb\t2\na\t1\n"),
        (f"exec 7> log; {count} /dev/fd/7; cat log", "/dev/fd/7\nb\t2\na\t1\n"),
    ):
        script = line.replace(text, f"$W2V {text}").replace(count, f"$W2V {count}")
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment({"W2V": f"{sys.executable} -m w2v"}),
            capture_output=True,
            text=True,
        )
        assert (done.stdout, done.stderr) == (expected, "")


def test_a_run_directory_of_a_newer_version(w2v: Run, corpus: str, tmp_path: Path) -> None:
    assert w2v("train", corpus, *QUICK, "--output", "run").returncode == 0
    (tmp_path / "run/format_version").write_text("2\n")
    done = w2v("info", "run")
    assert done.returncode == 2
    assert "format_version '2'" in done.stderr
    (tmp_path / "run/format_version").unlink()
    assert w2v("info", "run").returncode == 0


def test_simlex_as_distributed(w2v: Run, model: str, tmp_path: Path) -> None:
    rows = [
        "word1\tword2\tPOS\tSimLex999\tconc(w1)",
        "king\tqueen\tN\t8.5\t1",
        "man\twoman\tN\t3.3\t1",
        "paris\tberlin\tN\t5.1\t1",
    ]
    (tmp_path / "SimLex-999.txt").write_text("\n".join(rows) + "\n")
    (tmp_path / "plain.txt").write_text("king queen 8.5\nman woman 3.3\nparis berlin 5.1\n")
    results = json.loads(w2v("eval", model, "SimLex-999.txt", "plain.txt", "--json").stdout)[
        "similarity"
    ]
    assert results["SimLex-999"]["spearman"] == results["plain"]["spearman"]
    assert results["SimLex-999"]["covered"] == 3


def test_malformed_pairs_are_counted_on_stderr(w2v: Run, model: str, tmp_path: Path) -> None:
    (tmp_path / "set.tsv").write_text("king queen 1\nman x y\nman woman 3\nparis\n")
    done = w2v("eval", model, "set.tsv")
    assert done.returncode == 0
    assert "2 lines of set" in done.stderr


def test_a_glob_does_not_follow_links_in_circles(w2v: Run, tmp_path: Path) -> None:
    (tmp_path / "f/sub").mkdir(parents=True)
    (tmp_path / "f/sub/a.txt").write_text("x y z\n")
    (tmp_path / "f/sub/loop").symlink_to("..")
    done = w2v("vocab", "f/**/*.txt", "--min-count", "1")
    assert done.stdout == "x\t1\ny\t1\nz\t1\n"


def test_an_extension_that_is_no_vector_format_is_noted(
    w2v: Run, corpus: str, tmp_path: Path
) -> None:
    done = w2v("train", corpus, *QUICK, "--output", "v.mine")
    assert done.returncode == 0
    assert "v.mine becomes a run directory" in done.stderr
    assert load_vectors(tmp_path / "v.mine").dim == 8
    refused = w2v("train", corpus, *QUICK, "--output", "v.csv")
    assert refused.returncode == 2 and "note: " not in refused.stderr
    planned = w2v("train", corpus, *QUICK, "--output", "w.mine", "--dry-run")
    assert "w.mine becomes a run directory" in planned.stderr


def test_words_beyond_max_vocab_are_not_called_rare(w2v: Run, corpus: str) -> None:
    done = w2v("train", corpus, *QUICK, "--max-vocab", "5", "--output", "o")
    assert "below --min-count or beyond --max-vocab" in done.stderr


def test_words_that_a_list_lacks_are_not_called_rare(w2v: Run, corpus: str, tmp_path: Path) -> None:
    listed = w2v("vocab", corpus, "--min-count", "1").stdout.splitlines()[:5]
    (tmp_path / "list.txt").write_text("".join(line.split("\t")[0] + "\n" for line in listed))
    done = w2v("train", corpus, *QUICK, "--vocab", "list.txt", "--output", "o")
    assert "not in --vocab" in done.stderr
    assert "below --min-count" not in done.stderr
