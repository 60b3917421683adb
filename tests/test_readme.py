"""The README's commands run, and print what it shows (numbers that depend on the machine apart)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def console_commands() -> list[tuple[str, list[str]]]:
    """(command, lines shown) of every `$ ` line in the console blocks."""
    commands: list[tuple[str, list[str]]] = []
    for line in "".join(blocks("console")).splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        else:
            commands[-1][1].append(line)
    return commands


def without_numbers(text: str) -> str:
    """Text with every number replaced by 0: counts of the demo corpus stay comparable, speeds and
    accuracies vary."""
    return re.sub(r"-?\d[\d,.]*(e-?\d+)?( [kM](?= words/s))?", "0", text)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that sees data/ and configs/ as a clone does, with `w2v` on the path."""
    folder = tmp_path_factory.mktemp("readme")
    for name in ("data", "configs"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "bin").mkdir()
    program = folder / "bin" / "w2v"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m w2v "$@"\n')
    program.chmod(0o755)
    return folder


def environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "W2V_CACHE_DIR": str(folder / "cache"),
    }


def test_the_tour_runs_as_shown(workplace: Path) -> None:
    commands = console_commands()
    assert len(commands) >= 8
    for command, shown in commands:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=workplace,
            env=environment(workplace),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
        )
        assert "Traceback" not in done.stdout, command
        expected = [without_numbers(line) for line in shown]
        # a first run of its kind says that it compiles; which runs are first depends on what ran
        # before
        lines = [line for line in done.stdout.splitlines() if not line.startswith("compiling ")]
        got = [without_numbers(line) for line in lines]
        if " nearest " in command and "--json" not in command:
            # the best answer is stable, the runners-up depend on the run
            assert got[0] == expected[0] and len(got) == len(expected), command
        elif " generate " in command or " score " in command:
            assert len(got) >= len(expected), command
        elif "paris" in command:
            assert [line[:18] for line in sorted(got)] == [
                line[:18] for line in sorted(expected)
            ], command
        else:
            assert sorted(got) == sorted(expected), command


def test_the_demo_table_has_the_lines_that_demo_prints() -> None:
    shown = re.search(r"^```\n-{72}\n(.*?)^-{72}\n```", README, re.MULTILINE | re.DOTALL)
    assert shown is not None
    labels = [line.split("  ")[0] for line in shown[1].splitlines()]
    assert labels == [
        "corpus",
        "model",
        "training",
        "whole run",
        "demo-analogies",
        "demo-similarity",
    ]


def test_the_yaml_example_is_a_valid_configuration(workplace: Path) -> None:
    from w2v.settings.build import build_config

    recipe = workplace / "recipe.yaml"
    recipe.write_text(blocks("yaml")[0])
    config = build_config({}, recipe)
    assert (
        config.training.loss,
        config.loss.negatives,
        config.model.dim,
        config.corpus.min_count,
    ) == ("nce", 10, 64, 2)


def test_the_python_example_runs(workplace: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", blocks("python")[0]],
        cwd=workplace,
        env=environment(workplace),
        text=True,
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "(4297, 100)" in done.stdout


@pytest.mark.parametrize("name", re.findall(r"`((?:w2v|tests|configs|data)/[\w./]+)`", README))
def test_files_that_the_readme_names_exist(name: str) -> None:
    assert (ROOT / name).exists()


def test_options_that_the_readme_names_exist() -> None:
    from w2v.settings.groups import all_settings

    known = {"--" + name.replace("_", "-") for name in all_settings()}
    known |= {
        "--config",
        "--no-cache",
        "--dry-run",
        "--json",
        "--quiet",
        "--method",
        "--restrict-vocab",
        "--format",
    }
    known |= {
        "--limit",
        "--help",
        "--text",
        "--losses",
        "--words",
        "--ci",
        "--resume",
        "--questions",
        "--peer",
    }
    known |= {"--variant", "--repeat"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README)) <= known
