"""Tables, TSV, JSON and numbers for people."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from w2v.cli.app import main
from w2v.cli.output import (
    human_bytes,
    human_count,
    human_seconds,
    print_json,
    print_table,
    print_values,
)

from .conftest import in_terminal


def shown(code: str, folder: Path, columns: int = 80) -> str:
    """What a terminal shows of a Python program's stdout and stderr, without colours."""
    status, text = in_terminal(folder, code=code, columns=columns)
    assert status == 0, text
    return re.sub("\x1b\\[[0-9;]*m", "", text)


def test_a_piped_table_is_tsv_without_headings(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(
        ("word", "count", "share"),
        [("a\tb", 1234567, 0.5), ("[red]", 2, None), ("é", 3, float("nan"))],
    )
    assert capsys.readouterr().out == "a b\t1234567\t0.5\n[red]\t2\tn/a\né\t3\tn/a\n"


def test_a_table_in_a_terminal_has_headings_and_no_markup(tmp_path: Path) -> None:
    code = """
from w2v.cli.output import print_table
print_table(("word", "count", "share"), [("[red]", 1234567, 0.5), ("é", 2, None)], title="Words")
"""
    lines = [line.rstrip() for line in shown(code, tmp_path).splitlines()]
    assert lines[0].strip() == "Words"
    assert lines[1].split() == ["word", "count", "share"]
    assert lines[2].split() == ["[red]", "1,234,567", "0.5000"]
    assert lines[3].split() == ["é", "2", "n/a"]
    # numbers end in the same column
    assert lines[2].index("1,234,567") + 9 == lines[3].index("2") + 1


def test_values(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    print_values({"final_loss": 2.5, "words": 1000})
    assert capsys.readouterr().out == "final_loss\t2.5\nwords\t1000\n"
    code = (
        "from w2v.cli.output import print_values; print_values({'final_loss': 2.5, 'words': 1000})"
    )
    assert shown(code, tmp_path) == "final loss  2.5000\nwords       1,000\n"


def test_json_is_one_line_and_strict(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(
        {
            "a": float("nan"),
            "b": [float("inf"), 1.5],
            "c": "é\n",
            "d": ("x",),
            "e": {"f": None, "g": True},
        }
    )
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert "é" in line
    assert json.loads(line) == {
        "a": None,
        "b": [None, 1.5],
        "c": "é\n",
        "d": ["x"],
        "e": {"f": None, "g": True},
    }


def test_json_with_a_file_name_that_is_not_utf8(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"path": os.fsdecode(b"caf\xe9")})
    assert json.loads(capsys.readouterr().out) == {"path": "caf\udce9"}


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (32_840_000, "32.8 MB"),
        (2e12, "2.0 TB"),
    ],
)
def test_human_bytes(count: int, text: str) -> None:
    assert human_bytes(count) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (7, "7"),
        (999, "999"),
        (1000, "1.00 k"),
        (310_400, "310 k"),
        (4_204_000, "4.20 M"),
        (2e10, "20.0 G"),
    ],
)
def test_human_count(number: float, text: str) -> None:
    assert human_count(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (8.26, "8.3 s"),
        (60, "1:00 min"),
        (125, "2:05 min"),
        (11400, "3:10:00 h"),
        (None, "?"),
        (float("inf"), "?"),
        (float("nan"), "?"),
    ],
)
def test_human_seconds(seconds: float | None, text: str) -> None:
    assert human_seconds(seconds) == text


def test_eval_in_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("4 2\na 1 0\nb 0 1\nc 1 1\nd 1 -1\n")
    (tmp_path / "q.txt").write_text(": gram1\na b c d\n")
    (tmp_path / "s.tsv").write_text("a\tb\t1\na\tc\t2\na\td\t2\n")
    code = "from w2v.cli.app import main; main(['eval', 'v.txt', 'q.txt', 's.tsv', '--ci'])"
    table = shown(code, tmp_path, columns=120)
    assert re.search(
        r"^section +accuracy +95 % interval +correct +covered +total$", table, re.MULTILINE
    )
    assert re.search(r"^gram1 +100\.0 % +100\.0 – 100\.0 % +1 +1 +1$", table, re.MULTILINE)
    assert re.search(
        r"^set +Spearman +95 % interval +Pearson +95 % interval +covered +total$",
        table,
        re.MULTILINE,
    )
    assert re.search(r"^s +1\.0000 +1\.0000 – 1\.0000 +1\.0000 +", table, re.MULTILINE)
    plain = shown(code.replace(", '--ci'", ""), tmp_path, columns=120)
    assert "interval" not in plain and re.search(
        r"^s +1\.0000 +1\.0000 +3 +3$", plain, re.MULTILINE
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "v.txt", "-o", ""],
        ["embed", "v.txt", "t.txt", "--output", ""],
        ["map", "v.txt", "-o", ""],
        ["report", "run", "-o", ""],
        ["classes", "v.txt", "-o", ""],
        ["phrases", "t.txt", "-o", ""],
        ["vocab", "t.txt", "--output="],
        ["compare", "t.txt", "-o", ""],
        ["train", "t.txt", "-o", ""],
        ["train", "t.txt", "--config", ""],
        ["report", "run", "-o", "r.html", "--questions", ""],
    ],
)
def test_a_name_without_a_letter_is_told_by_its_option(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    empty = arguments[-2] if arguments[-1] == "" else "--output"
    named = {"-o": "--output"}.get(empty, empty)
    assert main(arguments) == 2
    assert f"{named} is empty: " in capsys.readouterr().err
