"""Terminals that say odd things about themselves, and two files of settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Run, in_terminal


@pytest.mark.parametrize("columns", ["0", "1", "abc", "-5", "1000000"])
def test_a_table_has_all_its_cells_whatever_the_terminal_says(
    columns: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    (tmp_path / "v.txt").write_text("3 2\nkatze 1 0\nhund 0.9 0.1\nauto 0 1\n")
    status, said = in_terminal(tmp_path, "nearest", "v.txt", "katze", "-k", "2")
    assert status == 0 and "hund" in said and "auto" in said


def test_two_files_of_settings_are_refused(w2v: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("dim: 4")
    for given in (["--config", "a.yaml", "--config=a.yaml"], ["--config=a.yaml"] * 2):
        done = w2v("train", "c.txt", *given)
        assert done.returncode == 2
        assert done.stderr == (
            "w2v train: --config is given twice: put the settings into one file\n"
        )
    done = w2v("train", "-", "--config", "-", stdin="dim: 4")
    assert done.returncode == 2 and done.stderr.startswith(
        "w2v train: --config - and CORPUS - both read stdin: name a file for one"
    )
