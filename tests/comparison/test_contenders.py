"""From losses, options and a YAML file to the configurations that are compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from w2v.comparison.contenders import read_contenders
from w2v.errors import InputError
from w2v.settings.build import build_config

FILE = """
corpus: text.txt
model: lm
dim: 24
negatives: 64
losses:
  softmax: {lr: 20}
  nce: {negatives: 512, lr: 10}
  nce-small: {loss: nce, nce-bias: false}
  hsigmoid: {}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "compare.yaml"
    path.write_text(FILE)
    return path


def settings(
    losses: list[str] | None, cli: dict[str, Any], path: Path | None
) -> dict[str, dict[str, Any]]:
    contenders, notes = read_contenders(losses, cli, path)
    assert notes == []
    return {each.name: each.config.as_dict() for each in contenders}


def test_a_file_lists_losses_with_their_settings(recipe: Path) -> None:
    found = settings(None, {}, recipe)
    assert list(found) == ["softmax", "nce", "nce-small", "hsigmoid"]
    assert {each["dim"] for each in found.values()} == {24}
    assert [each["loss"] for each in found.values()] == ["softmax", "nce", "nce", "hsigmoid"]
    assert (found["softmax"]["lr"], found["nce"]["lr"]) == (20, 10)
    assert (found["nce"]["negatives"], found["nce-small"]["negatives"]) == (512, 64)
    assert "negatives" not in found["softmax"]


def test_the_command_line_wins_and_chooses(recipe: Path) -> None:
    found = settings(["hsigmoid", "nce"], {"lr": "3", "negatives": "7", "dim": None}, recipe)
    assert list(found) == ["hsigmoid", "nce"]
    assert (found["nce"]["lr"], found["nce"]["negatives"], found["hsigmoid"]["lr"]) == (3, 7, 3)


def test_losses_without_a_file() -> None:
    found = settings(["neg", "hsigmoid"], {"corpus": ("a.txt",), "dim": "9"}, None)
    assert [(each["loss"], each["dim"], each["model"]) for each in found.values()] == [
        ("neg", 9, "skip-gram"),
        ("hsigmoid", 9, "skip-gram"),
    ]


def test_a_list_of_names(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("corpus: a\nlosses: [neg, nce]\n")
    assert list(settings(None, {}, tmp_path / "c.yaml")) == ["neg", "nce"]
    (tmp_path / "c.yaml").write_text("corpus: a\nlosses: {neg: , nce: }\n")
    assert list(settings(None, {}, tmp_path / "c.yaml")) == ["neg", "nce"]


def test_notes_are_for_what_has_no_effect(recipe: Path) -> None:
    cli = {"corpus": ("a",), "negatives": "3", "am_margin": "0.1", "window": "3"}
    _, notes = read_contenders(["softmax", "nce"], {**cli, "model": "lm"}, None)
    assert len(notes) == 2
    assert "`am_margin` is not used by any of these losses (only by am-softmax)" in notes
    assert any(note.startswith("`window` is not used by `model` lm") for note in notes)
    recipe.write_text("corpus: a\nlosses: {neg: {smoothing: 0.1}, nce: {}}\n")
    _, notes = read_contenders(None, {}, recipe)
    assert notes == [
        f"smoothing of neg in {recipe} is not used by `loss` neg (only by label-smoothing)"
    ]


@pytest.mark.parametrize(
    ("losses", "text", "message"),
    [
        (None, "dim: 5\n", "nothing to compare: give losses, such as `losses` softmax,nce"),
        ([], "losses: {}\n", "nothing to compare"),
        (["neg", "nce", "neg"], "dim: 5\n", "`losses` names neg twice"),
        (["neg", "sofmax"], "dim: 5\n", "no loss 'sofmax': did you mean softmax?"),
        (None, "losses: {small: {dim: 3}}\n", "no loss 'small': there are softmax,"),
        (
            None,
            "losses: {small: {loss: sofmax}}\n",
            "no loss 'sofmax' of small: did you mean softmax?",
        ),
        (None, "losses: {neg: {lr: -1}}\n", "lr of neg in "),
        (None, "losses: {neg: {rl: 1}}\n", "unknown setting 'rl'"),
        (None, "losses: {neg: 5}\n", "neg under losses in "),
        (None, "losses: {neg: {lr: 1, lr: 2}}\n", "losses.neg/lr is given twice"),
        (None, "losses: {neg: {}, neg: {}}\n", "losses.neg is given twice"),
        (None, "losses: [neg, {nce: 1}]\n", "is neither a list of names nor a mapping"),
        (None, "loss: neg\nlosses: [nce]\n", "loss in "),
        (None, "output: x\nlosses: [nce]\n", "give `output` of the comparison"),
        (None, "losses: {a b: {loss: neg}}\n", "'a b' cannot be the name of a folder"),
        (None, "losses: {.neg: {loss: neg}}\n", "'.neg' cannot be the name of a folder"),
    ],
)
def test_input_errors(tmp_path: Path, losses: list[str] | None, text: str, message: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("corpus: a\n" + text)
    with pytest.raises(InputError) as caught:
        read_contenders(losses, {}, path)
    assert message in str(caught.value)


def test_the_recipe_that_is_shipped() -> None:
    recipe = Path(__file__).parents[2] / "configs" / "lm-compare.yaml"
    found = settings(None, {"corpus": ("a.txt",), "valid": "/b.txt"}, recipe)
    assert list(found) == ["softmax", "adaptive-softmax", "hsigmoid", "nce", "sampled-softmax"]
    assert {(each["model"], each["arch"], each["valid"]) for each in found.values()} == {
        ("lm", "lstm", "/b.txt")
    }


def test_a_list_of_losses_is_nothing_for_one_run(recipe: Path) -> None:
    with pytest.raises(InputError, match="for w2v compare; w2v train trains one"):
        build_config({}, recipe)


def test_every_run_has_a_tensorboard_folder_of_its_own() -> None:
    found, _ = read_contenders("neg,nce", {"corpus": ("x",), "tensorboard": "board"}, None)
    assert [each.config.checkpoints.tensorboard for each in found] == ["board/neg", "board/nce"]
