"""What the README says runs: its shell commands in order, then its Python, in a folder that looks
like a clone; and what it names exists."""

from __future__ import annotations

import lzma
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tests import forks
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


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that sees data/ and configs/ as a clone does."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "configs").symlink_to(ROOT / "configs")
    (folder / "data").mkdir()
    for path in (ROOT / "data").iterdir():
        (folder / "data" / path.name).symlink_to(path)
    return folder


def ran(clone: Path, *commands: str) -> str:
    """What the commands print on stdout; they must succeed."""
    path = f"{forks.program().parent}{os.pathsep}{os.environ['PATH']}"
    environment = {
        **os.environ,
        "PATH": path,
        "HOME": str(clone),
        "W2V_CACHE_DIR": f"{clone}/cache",
    }
    options: Any = {"cwd": clone, "env": environment, "text": True, "capture_output": True}
    printed = ""
    for command in commands:
        done = subprocess.run(["sh", "-c", command], **options, timeout=600)
        assert done.returncode == 0 and "Traceback" not in done.stderr, f"{command}\n{done.stderr}"
        printed += done.stdout
    return printed


@pytest.fixture(scope="module")
def shell(clone: Path) -> str:
    """What the shell commands print, one after the other: those about relations after learning
    from the whole text, then all of them with the sentences about a few of its words."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    commands = [line for line in lines if not line.startswith(INSTALLING)]
    assert len(commands) > 20
    printed = ran(clone, *commands[:3])
    shutil.rmtree(clone / "run")
    text = clone / "data" / "demo.txt.xz"
    few = {"king", "queen", "man", "woman", "paris", "rome", "berlin"}
    with lzma.open(text, "rt", encoding="utf-8") as file:
        sentences = [line for line in file if not few.isdisjoint(line.split())]
    text.unlink()
    with lzma.open(text, "wt", encoding="utf-8", preset=0) as file:
        file.writelines(3 * sentences)
    return printed + ran(clone, *commands)


def test_the_shell_commands_run(shell: str) -> None:
    assert "king - man + woman\tqueen\t" in shell  # the first commands' answer
    assert re.search(r"^demo-analogies\ttotal\t0\.9", shell, re.MULTILINE)


def test_the_python_blocks_run_where_the_commands_have_run(clone: Path, shell: str) -> None:
    done = forks.run(folder=clone, code="".join(blocks("python")), timeout=600)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert "queen" in done.stdout
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
