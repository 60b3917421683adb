"""What `make gpu` makes of its figures. (That it comes to its end: tests/gpu/test_rehearsal.py.)"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import run
import torch
from harness.gpu import session
from harness.gpu.parts import tell
from harness.gpu.readme import NONE, ROWS, table


def figure(name: str, value: float, unit: str, **more: object) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, **more}


def test_the_table_says_what_is_not_measured() -> None:
    lines = table(None).splitlines()
    assert len(lines) == 2 + len(ROWS)
    assert all(line.endswith(f"| {NONE} |") for line in lines[2:])


def test_the_table_has_every_figure_with_its_unit() -> None:
    figures = [
        figure("kernel: neg skip-gram, dim 100", 312e6, "words/s"),
        figure("five epochs: GPU, dim 100", 2.5e8, "words/s"),
        figure("five epochs: CPU, dim 100", 1.2e7, "words/s"),
        figure("an epoch: GPU", 2.4123, "nats", scores={"google": 0.1512, "ws353": None}),
        figure("layer: softmax", 5.7e5, "tokens/s", peak_bytes=1.24e9),
        {"name": "layer: adaptive-softmax", "error": "out of memory"},
    ]
    text = table({"machine": {"gpu": "H100"}, "figures": figures})
    for cell in (
        "| H100 |",
        "| 312 M words/s |",
        "| 250 M words/s (CPU 12.0 M words/s) |",
        "| 2.412 nats, google 15.1 % |",
        "| 570 k tokens/s, 1.2 GB |",
        f"| … `adaptive-softmax` | {NONE} |",
    ):
        assert cell in text


def test_the_bound_is_seven_rows_for_a_word() -> None:
    rows = figure("rows: gather and add, words, dim 100", 3.5e9, "rows/s")
    kernel = figure("kernel: neg skip-gram, 4 warps, tf32", 1.0, "words/s", trained_per_second=2e8)
    assert session.bound([rows, kernel]) == {"trained_per_second": 5e8, "reached": 0.4}
    failed = {"name": rows["name"], "error": "no such device"}
    assert session.bound([failed, kernel]) is None
    assert session.bound([rows]) is None


def test_a_failure_stands_in_its_place_and_loses_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> dict[str, Any]:
        raise RuntimeError("CUDA error: an illegal memory access\nmore")

    tell([("one", lambda: {"value": 1, "unit": "s"}), ("two", fail), ("three", dict)])
    assert capsys.readouterr().out.splitlines() == [
        '{"name": "one", "value": 1, "unit": "s"}',
        '{"name": "two", "error": "RuntimeError: CUDA error: an illegal memory access"}',
        '{"name": "three"}',
    ]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import sys; sys.exit('broken')", "exit code 1: broken"),
        ("input()", "exit code 1: EOFError"),
        ("import time; time.sleep(60)", "ended after its 2 s"),
    ],
)
def test_what_a_part_has_printed_is_kept(code: str, why: str, tmp_path: Path) -> None:
    line = '{"name": "one", "value": 1, "unit": "s"}'
    command = [sys.executable, "-c", f"print('{line}', flush=True)\n{code}"]
    lines, found = session._lines(command, {}, 2)
    assert lines[0] == line and found is not None and found.startswith(why)


def test_what_failed_is_listed() -> None:
    tests = {"passed": False, "summary": "1 failed, 3 passed", "failed": ["a.py::b - E"]}
    figures = [{"name": "one", "error": "why"}, figure("two", 1.0, "s")]
    found = session.failures({"tests": tests, "figures": figures})
    assert found == ["tests: 1 failed, 3 passed", "a.py::b - E", "one: why"]


def test_without_a_gpu_a_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    output = tmp_path / "gpu.json"
    assert run.main(["gpu", "--output", str(output)]) == 2
    assert "no GPU" in capsys.readouterr().err
    assert not output.exists()
