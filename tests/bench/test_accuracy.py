"""What seconds buy: recipes of ours and any program, on the same sets."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import run
from harness.results import read

Bench = Callable[..., "CompletedProcess[str]"]


def test_recipes_and_other_programs(tmp_path: Path, bench: Bench, word2vec_c: Path) -> None:
    corpus, pairs, saved = (tmp_path / name for name in ("corpus.txt", "pairs.txt", "few.json"))
    corpus.write_text("the king and the queen and the prince\n" * 50)
    pairs.write_text("king\tqueen\t9\nking\tthe\t2\nqueen\tprince\t7\nand\tthe\t3\n")
    absent = tmp_path / "absent.txt"
    absent.write_text(": capitals\nathens greece oslo norway\n")
    command = f"{word2vec_c} -train {{corpus}} -output {{output}}.bin -size 4 -x {{seed}}"
    done = bench(
        *("accuracy", str(corpus), "--set", str(pairs), "--set", str(absent)),
        *("--recipe", "fast", "--repeat", "2"),
        *("--command", f"stand-in={command}", "--command", "none=false {corpus} {output}"),
        *("--plot", str(tmp_path / "plot.svg"), "--output", str(saved), "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert "warning: none failed and is left out" in done.stderr
    found = json.loads(done.stdout)
    assert found == json.loads(saved.read_text())
    assert [(row["system"], row["seeds"], row["ours"]) for row in found["rows"]] == [
        ("w2v, defaults", 2, True),
        ("w2v, fast.yaml", 2, True),
        ("stand-in", 1, False),
    ]
    for row in found["rows"]:
        score = row["scores"]["pairs"]
        assert -1 <= score["low"] <= score["median"] <= score["high"] <= 1
        assert row["scores"]["absent"] is None
        assert row["cpu_seconds"]["median"] > 0 and row["seconds"]["median"] > 0
    name, table = read(saved)
    assert name == "few" and "| w2v, fast.yaml |" in table and "corpus.txt; " in table
    assert "fast.yaml" in (tmp_path / "plot.svg").read_text()

    both = tmp_path / "both.json"
    given = ("accuracy", str(corpus), "--set", str(pairs), "--set", str(absent))
    later = bench(
        *(*given, "--repeat", "0", "--earlier", str(saved), "--peer-repeat", "2"),
        *("--command", f"another={command}", "--output", str(both), "--quiet"),
    )
    assert later.returncode == 0, later.stderr
    drawn = tmp_path / "both.svg"
    assert run.main(["picture", str(saved), str(both), "--output", str(drawn)]) == 0
    assert drawn.read_text().count("fast.yaml") == 2 and "another" in drawn.read_text()
    rows = json.loads(both.read_text())["rows"]
    assert rows[:3] == found["rows"]
    assert [(row["system"], row["seeds"]) for row in rows[3:]] == [("another", 2)]
    other = bench("accuracy", str(corpus), "--set", str(pairs), "--earlier", str(saved))
    assert other.returncode == 2 and "absent" in other.stderr.splitlines()[-1]


def test_an_interrupted_measurement_keeps_what_it_knows(
    tmp_path: Path, word2vec_c: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second program of a round is cut short; the first one's row is in the file."""
    corpus, pairs, saved = (tmp_path / name for name in ("corpus.txt", "pairs.txt", "few.json"))
    corpus.write_text("the king and the queen and the prince\n" * 50)
    pairs.write_text("king\tqueen\t9\nking\tthe\t2\nqueen\tprince\t7\nand\tthe\t3\n")
    monkeypatch.chdir(tmp_path)
    command = f"{word2vec_c} -train {{corpus}} -output {{output}}.bin -size 4"
    stop = f"bash -c 'kill -INT {os.getpid()}; sleep 9' {{corpus}} {{output}}"
    status = run.main(
        [
            *("accuracy", str(corpus), "--set", str(pairs), "--repeat", "0"),
            *("--command", f"one={command}", "--command", f"two={stop}", "--output", str(saved)),
        ]
    )
    assert status == 130
    assert [row["system"] for row in json.loads(saved.read_text())["rows"]] == ["one"]


@pytest.mark.parametrize("text", ["", "{}", '{"bench": "losses", "rows": []}', "[1", "[]"])
def test_earlier_results_of_something_else_are_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "saved.json"
    saved.write_text(text)
    assert run.main(["accuracy", "corpus.txt", "--earlier", str(saved)]) == 2
    assert run.main(["picture", str(saved), "--output", str(tmp_path / "drawn.svg")]) == 2
    assert capsys.readouterr().err.count("saved.json") == 2


@pytest.mark.parametrize(
    "command", ["x", "=p {corpus} {output}", "x=p {corpus}", "x=p {corpus} {output} {dim}", "x=p {"]
)
def test_commands_without_their_places_are_refused(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main(["accuracy", "corpus.txt", "--command", command]) == 2
    assert "{corpus} {output} {seed} {threads}" in capsys.readouterr().err


def test_recipes_that_are_not_there_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["accuracy", "corpus.txt", "--recipe", "slow"]) == 2
    assert "recipe slow" in capsys.readouterr().err.replace("`", "")
