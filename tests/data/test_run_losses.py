"""data/run_losses.py: every loss is trained with its recipe, the table goes between the README's
markers."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from w2v.comparison.contenders import read_contenders
from w2v.losses.table import LOSSES
from w2v.settings.build import build_config

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "data" / "run_losses.py"
MODELS = ("skip-gram", "cbow")


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_losses", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["run_losses"] = module  # where dataclasses look for their module's names
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def commands(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have run; every training answers 80 % (cbow) or 90 % right."""
    asked: list[list[str]] = []

    def answer(*arguments: str) -> dict[str, object]:
        asked.append(list(arguments))
        if arguments[0] == "train":
            return {"engine": "e", "final_loss": 1.234}
        return {"analogies": {"demo-analogies": {"accuracy": 0.8 if "cbow" in asked[-2] else 0.9}}}

    monkeypatch.setattr(script, "w2v", answer)
    return asked


def run_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, timeout=120
    )


def test_a_loss_for_real() -> None:
    done = run_script("neg", "--model", "skip-gram", "--train", "--epochs 1 --dim 8 --threads 1")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[:2] for row in rows] == [["neg", "hogwild"]]
    cpu_seconds, loss, accuracy = rows[0][2:]
    assert float(cpu_seconds) > 0 and 0 < float(loss) < 10
    assert 0 <= float(accuracy.removesuffix(" %")) < 70
    assert done.returncode == 1
    assert done.stderr.endswith("below 70 %: neg with skip-gram\n")
    assert re.search(
        r"^\$ w2v train data/demo.txt.xz --loss neg --model skip-gram .*--json$",
        done.stderr,
        re.MULTILINE,
    )


def test_a_failing_command_ends_it_with_its_status() -> None:
    done = run_script("neg", "--train", "--dim 0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--dim 0 is below 1" in done.stderr


@pytest.mark.parametrize("arguments", [["hs"], ["neg", "--write"], ["--write", "--model", "cbow"]])
def test_arguments_that_make_no_table_are_refused(arguments: list[str]) -> None:
    done = run_script(*arguments)
    assert (done.returncode, done.stdout) == (2, "")


def test_every_loss_of_the_registry_goes_into_the_readme(
    script: ModuleType, commands: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LOSSES, "new-loss", LOSSES["neg"])
    readme = tmp_path / "README.md"
    readme.write_text("above\n<!-- losses -->\n| old |\n<!-- /losses -->\nbelow\n")
    monkeypatch.setattr(script, "README", readme)
    assert script.main(["--write"]) == 0
    trained = [command for command in commands if command[0] == "train"]
    loss_and_model = [(c[c.index("--loss") + 1], c[c.index("--model") + 1]) for c in trained]
    assert loss_and_model == [(loss, model) for loss in LOSSES for model in MODELS]
    lines = readme.read_text().splitlines()
    assert lines[:2] == ["above", "<!-- losses -->"] and lines[-2:] == ["<!-- /losses -->", "below"]
    assert lines[2] == "| `--loss` | engine | CPU seconds | training loss | skip-gram | cbow |"
    assert lines[4:-2] == [f"| `{loss}` | e | 0.0 | 1.23 | 90.0 % | 80.0 % |" for loss in LOSSES]


def test_nothing_is_written_when_a_loss_is_below_the_mark(
    script: ModuleType, commands: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "README", tmp_path / "none")
    assert script.main(["--write", "--least", "80.1"]) == 1
    assert not (tmp_path / "none").exists()
    assert script.main(["neg", "--least", "80"]) == 0


def test_a_recipe_of_the_loss_is_used(script: ModuleType, commands: list[list[str]]) -> None:
    script.main(["am-softmax", "neg", "--train", "--seed 7"])
    trained = [command for command in commands if command[0] == "train"]
    assert [command[2:4] for command in trained[:2]] == [
        ["--config", "configs/am-softmax.yaml"]
    ] * 2
    assert all("--config" not in command for command in trained[2:])
    assert all(command[command.index("--seed") + 1] == "7" for command in trained)


@pytest.mark.parametrize("text", ["", "<!-- losses -->\n", "<!-- /losses -->\n<!-- losses -->\n"])
def test_a_readme_without_the_markers_is_an_error(script: ModuleType, text: str) -> None:
    with pytest.raises(ValueError, match="must have the markers"):
        script.with_table(text, "table")


def test_the_readme_has_a_table_of_losses_that_pass(script: ModuleType) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.search(r"<!-- losses -->\n(.*?)\n<!-- /losses -->", text, re.DOTALL)
    assert table is not None
    assert script.with_table(text, table[1]) == text
    headings, _, *rows = [line.strip("| ").split(" | ") for line in table[1].splitlines()]
    assert headings == ["`--loss`", *script.COLUMNS[1:], *MODELS]
    names = [row[0].strip("`") for row in rows]
    assert names and names == [loss for loss in LOSSES if loss in names]
    assert all(float(cell.removesuffix(" %")) >= 70 for row in rows for cell in row[-2:])


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
