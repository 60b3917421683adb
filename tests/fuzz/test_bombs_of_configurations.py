"""Small configurations that stand for more than they hold, and numbers that YAML would change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fuzz.limits import little_memory, refused
from w2v.cli.info import _run_facts
from w2v.errors import InputError
from w2v.runs.directory import summary_of
from w2v.settings.build import build_config


def laughs(levels: int) -> str:
    lines = ["a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    names = "abcdefghijklmnopqrstuvwxyz"
    lines += [
        f"{names[i]}: &{names[i]} [{', '.join([f'*{names[i - 1]}'] * 10)}]"
        for i in range(1, levels)
    ]
    return "\n".join(lines)


MERGES = "a: &a {x: 1}\n" + "\n".join(f"b{i}: &b{i} {{<<: [*a, *a]}}" for i in range(30))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (laughs(10), "line 2: aliases (*name) are not supported"),
        ("corpus: &a [*a]", "line 1: aliases (*name) are not supported"),
        (
            f"loss: {{name: neg, x: &b [1], y: *b}}\n{laughs(5)}",
            "line 1: aliases (*name) are not supported",
        ),
        (MERGES, "line 2: aliases (*name) are not supported"),
        ("dim: " + "[" * 100_000, "nested too deeply"),
        ("dim: " + "{a: " * 100_000, "nested too deeply"),
        ("\n".join(" " * i + "a:" for i in range(1000)), "nested too deeply"),
        ("[" * 2000 + '"-0&a x', "nested too deeply"),
        ("dim: " + "[" * 19 + "1" + "]" * 19, "nested too deeply"),
        ("dim: " + "[" * 18 + "1" + "]" * 18, "is not a whole number"),
        ("dim: 0x" + "F" * 100_000, "is not a whole number"),
        ("dim: " + "9" * 100_000, "is not a whole number"),
        ("dim: " + "1:" * 10_000 + "1", "is not a whole number"),
        (
            "\n".join(f"unknown{i}: 1" for i in range(10_000)),
            "10001 problems: unknown key 'unknown0'",
        ),
        ("\n".join("dim: 1" for i in range(10_000)), "dim is given twice"),
        ("a" * 1000 + ": 1", "unknown key 'aaaa"),
        ("dim: !!int ''", "dim in"),
        ("dim: !!timestamp x", "dim in"),
        ("dim: !!bool x", "dim in"),
        ("dim: !!binary x", "line 1: the tag"),
        ("dim: !!set {a, b}", "line 1: the tag"),
        ("dim: !!python/name:os.system", "line 1: the tag"),
        ('corpus: "a\\0b"', "contains NUL or half a character"),
        ('output: "\\ud800"', "contains NUL or half a character"),
        ("dim: {a: {b: [1]}}", "{'a': {'b': ['1']}} is not a whole number"),
    ],
)
def test_yaml_that_is_more_than_it_seems(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(text)
    told = refused(lambda: build_config({}, tmp_path / "c.yaml"))
    assert message in told
    assert len(told.replace(str(tmp_path), "")) < 3000


def test_a_configuration_of_100_megabytes(tmp_path: Path) -> None:
    with open(tmp_path / "c.yaml", "wb") as file:
        file.write(b"dim: 5\n")
        file.truncate(100 << 20)
    assert "is larger than 1 MiB" in refused(lambda: build_config({}, tmp_path / "c.yaml"))
    assert "is larger than 1 MiB" in refused(lambda: build_config({}, "/dev/zero"))


@pytest.mark.parametrize(("text", "value"), [("010", 10), ("1_000", 1000), ("'7'", 7), ("+7", 7)])
def test_numbers_mean_what_people_think(text: str, value: int, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(f"corpus: x\ndim: {text}\n")
    assert build_config({}, tmp_path / "c.yaml").model.dim == value


@pytest.mark.parametrize("text", ["1:30", "0x10", "0b11", "0o17", "1e2", "5.0", "2020-01-01"])
def test_numbers_that_yaml_would_turn_into_others(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(f"corpus: x\ndim: {text}\n")
    with pytest.raises(InputError, match=f"{text} is not a whole number"):
        build_config({}, tmp_path / "c.yaml")


def test_the_facts_of_a_run_that_is_hostile(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "summary.json")
    os.mkfifo(tmp_path / "config.yaml")
    assert _run_facts(tmp_path) == {}
    assert summary_of(tmp_path) is None
    for name in ("summary.json", "config.yaml"):
        (tmp_path / name).unlink()
    (tmp_path / "summary.json").write_text('{"a": ' * 900 + "1" + "}" * 900)
    (tmp_path / "config.yaml").write_text(laughs(10))
    with little_memory():
        assert _run_facts(tmp_path) == {}
        assert summary_of(tmp_path) is None
    (tmp_path / "config.yaml").write_text("dim: 7\nnew: x\nlr: fast\ncorpus: [a]\n")
    assert _run_facts(tmp_path) == {
        "settings": {"dim": 7, "new": "x", "lr": "fast", "corpus": ["a"]}
    }
