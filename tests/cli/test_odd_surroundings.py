"""Terminals that say odd things about themselves, two files of settings, and sizes beyond all."""

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


@pytest.mark.parametrize("given", ["--hidden", "--arch=ffnn --context"])
def test_a_model_beyond_64_bits_is_refused(given: str, w2v: Run, tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("a b c\n" * 99)
    done = w2v("train", "c.txt", "--model", "lm", "--dry-run", *given.split(), str(2**63 - 1))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("w2v train: no model can be that large: lower ")
