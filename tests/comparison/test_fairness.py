"""What else than the losses is compared is shown; and whose questions are asked, and how many."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import w2v
from tests.comparison.conftest import LM, StandIn, Verb
from w2v.losses.table import LOSSES
from w2v.settings.build import build_config
from w2v.settings.language_model import ARCHITECTURES


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_optimizer_of_a_language_model_does_not_depend_on_the_loss(arch: str) -> None:
    configs = [
        build_config({"corpus": ("x",), "model": "lm", "arch": arch, "loss": loss})
        for loss in LOSSES
    ]
    training = [config.training for config in configs]
    assert len({(each.optimizer, each.lr) for each in training}) == 1
    assert len({(each.lm.schedule, each.lm.clip, each.lm.warmup) for each in configs}) == 1


def test_language_models_differ_in_nothing_else(
    verb: Verb, stand_in: StandIn, tmp_path: Path
) -> None:
    losses = [name for name, entry in LOSSES.items() if entry.name != "adaptive-softmax"]
    status, out, err = verb(*LM, "--losses", ",".join(losses))
    assert status == 0 and "differ" not in err
    assert all(line.endswith("\tdone") for line in out.splitlines())
    rows = json.loads((tmp_path / "c" / "compare.json").read_text())["rows"]
    assert not any(row["differing"] for row in rows)


def test_what_differs_is_shown(verb: Verb, stand_in: StandIn, tmp_path: Path) -> None:
    _, out, err = verb("text.txt", "--losses", "neg,softmax", "--output", "c")
    assert "--optimizer (neg sgd, softmax adagrad)" in err
    assert "--lr (neg 0.025, softmax 0.1)" in err and "--epochs" not in err
    cells = [line.split("\t")[-1] for line in out.splitlines()]
    assert "optimizer=sgd" in cells[0] and "optimizer=adagrad" in cells[1]
    heading, *lines = (tmp_path / "c" / "compare.tsv").read_text().splitlines()
    column = heading.split("\t").index("optimizer")
    assert [line.split("\t")[column] for line in lines] == ["sgd", "adagrad"]
    _, _, err = verb("text.txt", "--losses", "neg,hsigmoid", "--overwrite", "--output", "c")
    assert "differ" not in err


def test_another_budget_is_shown(verb: Verb, stand_in: StandIn, tmp_path: Path) -> None:
    recipe = "model: lm\nvalid: valid.txt\nlosses:\n  softmax: {epochs: 9}\n  nce: {negatives: 3}\n"
    (tmp_path / "recipe.yaml").write_text(recipe)
    _, out, err = verb("text.txt", "--config", "recipe.yaml", "--output", "c")
    assert "--epochs (softmax 9, nce " in err and "--negatives" not in err
    assert "epochs=9" in out.splitlines()[0]


@pytest.mark.parametrize(
    "own", ["max_vocab: 9", "min_count: 2", "subwords: 300", "valid: text.txt", "lowercase: true"]
)
def test_perplexities_of_different_tokens_are_not_compared(
    verb: Verb, stand_in: StandIn, tmp_path: Path, own: str
) -> None:
    common = "model: lm\nvalid: valid.txt\n"
    recipe = f"{common}losses:\n  softmax: {{}}\n  nce: {{negatives: 3, {own}}}\n"
    (tmp_path / "recipe.yaml").write_text(recipe)
    status, out, err = verb("text.txt", "--config", "recipe.yaml", "--output", "c")
    assert (status, out) == (2, "") and f"--{own.split(':')[0].replace('_', '-')}" in err
    assert not (tmp_path / "c").exists()


@pytest.mark.usefixtures("quick_children")
def test_whose_questions_are_asked_and_how_many(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("a b c d e f\nb a d c f e\n" * 40)
    common = {"dim": 4, "threads": 1, "epochs": 1, "min_count": 1}
    (tmp_path / "q.txt").write_text(": capitals\na b c d\na b zebra d\n")
    for questions, share in ((None, 0.0), (tmp_path / "q.txt", 0.5)):
        compared = w2v.compare(
            tmp_path / "text.txt",
            ["neg"],
            output=tmp_path / f"c-{share}",
            questions=questions,
            **common,
        )
        assert compared.rows[0]["coverage"] == share
        assert "coverage" in compared.table()


def test_the_demo_s_questions_are_called_so(verb: Verb) -> None:
    asked = ("text.txt", "--losses", "neg", "--dim", "4", "--epochs", "1", "--threads", "1")
    _, out, err = verb(*asked)
    assert "demo" in err and "0 of the 4,200 questions" in err and "--questions" in err
    assert out.split("\t")[-1].strip() == "0"
    assert "coverage" in (Path.cwd() / "skip-gram-compare" / "compare.tsv").read_text()
