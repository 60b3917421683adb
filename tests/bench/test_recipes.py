"""Every loss is trained with its recipe, and the recipes are what they say they are."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import run
from harness import recipes

from w2v.comparison.contenders import read_contenders
from w2v.losses.table import LOSSES
from w2v.settings.build import build_config

ROOT = Path(__file__).resolve().parents[2]
Bench = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have run; every training answers 80 % (cbow) or 90 % right."""
    asked: list[list[str]] = []

    def answer(*arguments: str) -> dict[str, Any]:
        asked.append(list(arguments))
        if arguments[0] == "train":
            return {"engine": "e", "final_loss": 1.234}
        return {"analogies": {"demo-analogies": {"accuracy": 0.8 if "cbow" in asked[-2] else 0.9}}}

    monkeypatch.setattr(recipes, "w2v", answer)
    return asked


def test_a_loss_for_real(bench: Bench) -> None:
    more = "--epochs 1 --dim 8 --threads 1"
    done = bench("recipes", "neg", "--model", "skip-gram", "--train", more)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[:2] for row in rows] == [["neg", "hogwild"]]
    cpu_seconds, loss, accuracy = rows[0][2:]
    assert float(cpu_seconds) > 0 and 0 < float(loss) < 10
    assert 0 <= float(accuracy.removesuffix(" %")) < 70
    assert done.returncode == 1  # too few right


def test_a_failing_command_ends_it_with_its_status(bench: Bench) -> None:
    done = bench("recipes", "neg", "--train", "--dim 0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--dim 0 is below 1" in done.stderr


@pytest.mark.parametrize(
    "given", [["hs"], ["neg", "--write=x"], ["--write", "x", "--model", "cbow"]]
)
def test_arguments_that_make_no_table_are_refused(given: list[str]) -> None:
    assert run.main(["recipes", *given]) == 2


def test_every_loss_of_the_registry_goes_into_the_table(
    commands: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LOSSES, "new-loss", LOSSES["neg"])
    path = tmp_path / "results.md"
    assert run.main(["recipes", "--write", str(path)]) == 0
    trained = [command for command in commands if command[0] == "train"]
    loss_and_model = [(c[c.index("--loss") + 1], c[c.index("--model") + 1]) for c in trained]
    assert loss_and_model == [(loss, model) for loss in LOSSES for model in recipes.MODELS]
    rows = [line for line in path.read_text().splitlines() if line.startswith("| `")][1:]
    assert rows == [f"| `{loss}` | e | 0.0 | 1.23 | 90.0 % | 80.0 % |" for loss in LOSSES]


def test_nothing_is_written_when_a_loss_is_below_the_mark(
    commands: list[list[str]], tmp_path: Path
) -> None:
    assert run.main(["recipes", "--write", str(tmp_path / "none"), "--least", "80.1"]) == 1
    assert not (tmp_path / "none").exists()
    assert run.main(["recipes", "neg", "--least", "80"]) == 0


def test_a_recipe_of_the_loss_is_used(commands: list[list[str]]) -> None:
    run.main(["recipes", "am-softmax", "neg", "--train", "--seed 7"])
    trained = [command for command in commands if command[0] == "train"]
    assert [command[2:4] for command in trained[:2]] == [
        ["--config", "configs/am-softmax.yaml"]
    ] * 2
    assert all("--config" not in command for command in trained[2:])
    assert all(command[command.index("--seed") + 1] == "7" for command in trained)


@pytest.mark.parametrize(
    "recipe", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem
)
def test_recipes_begin_with_a_command_that_is_a_valid_configuration(recipe: Path) -> None:
    first = recipe.read_text(encoding="utf-8").splitlines()[0]
    verb, *words = shlex.split(first.removeprefix("# w2v "))
    assert words[words.index("--config") + 1] == f"configs/{recipe.name}"
    given: dict[str, object] = {"corpus": (words[0],)} if not words[0].startswith("-") else {}
    if "--valid" in words:
        given["valid"] = words[words.index("--valid") + 1]
    if verb == "compare":
        assert read_contenders(None, given, recipe)
        return
    assert verb == "train"
    config = build_config(given, recipe)
    if recipe.stem.removesuffix("-cbow") in LOSSES:
        assert config.training.loss == recipe.stem.removesuffix("-cbow")
