"""What the README says runs: its shell commands in order, then its Python, in a folder that looks
like a clone; and what it names exists."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from w2v.cli.app import app
from w2v.losses.options import NceOptions
from w2v.losses.table import LOSSES
from w2v.settings.build import build_config
from w2v.settings.groups import all_settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
INSTALLING = ("make", "pip", "uv")  # commands that change the machine


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def ran(command: list[str], folder: Path) -> str:
    """What the command prints on stdout; it must succeed."""
    environment = {
        **os.environ,
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "W2V_CACHE_DIR": str(folder / "cache"),
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, text=True, capture_output=True, timeout=300
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, f"{command[-1]}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that sees data/ and configs/ as a clone does, with `w2v` on the path."""
    folder = tmp_path_factory.mktemp("readme")
    for name in ("data", "configs"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "bin").mkdir()
    program = folder / "bin" / "w2v"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m w2v "$@"\n')
    program.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def shell(clone: Path) -> str:
    """What all shell commands print, one after the other."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    commands = [line for line in lines if not line.startswith(INSTALLING)]
    assert len(commands) > 20
    return "".join(ran(["sh", "-c", command], clone) for command in commands)


def test_the_shell_commands_run(shell: str) -> None:
    assert "king - man + woman\tqueen\t" in shell  # the first commands' answer
    assert re.search(r"^demo-analogies\ttotal\t0\.9", shell, re.MULTILINE)


def test_the_python_blocks_run_where_the_commands_have_run(clone: Path, shell: str) -> None:
    printed = ran([sys.executable, "-c", "".join(blocks("python"))], clone)
    assert "queen" in printed
    assert len(blocks("python")[0].split("\n\n")[-1].splitlines()) <= 5


def test_the_yaml_example_is_a_valid_configuration(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(blocks("yaml")[0])
    config = build_config({}, recipe)
    assert (config.training.loss, config.loss) == ("nce", NceOptions(negatives=10))


def test_every_loss_has_its_line() -> None:
    rows = [line.split("|")[1] for line in README.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([\w+-]+)`", row) if name in LOSSES]
    assert sorted(named) == sorted(LOSSES)


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"\b(?:w2v|tests|configs|data)/[\w./-]*\w", README)))
)
def test_files_that_the_readme_names_exist(name: str) -> None:
    assert (ROOT / name).exists()


def test_options_that_the_readme_names_exist() -> None:
    verbs = typer.main.get_command(app).commands.values()  # type: ignore[attr-defined]
    known = {option for verb in verbs for each in verb.params for option in each.opts}
    assert {each.option for each in all_settings().values() if each.flag} <= known
    ours = README
    for block in blocks("text"):  # of other programs
        ours = ours.replace(block, "")
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", ours)) <= known | {"--help", "--index-url"}
