"""What the command line tells of a corpus, once and in a line, and where a recipe's paths lead."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from w2v.cli.app import main
from w2v.errors import InputError
from w2v.settings.build import build_config

TRAIN = ["--dim", "4", "--sample", "0", "--epochs", "1", "--threads", "1", "--quiet"]


def warnings(captured: str, about: str) -> list[str]:
    return [
        line for line in captured.splitlines() if line.startswith("warning: ") and about in line
    ]


@pytest.mark.parametrize("verb", [["vocab"], ["train", *TRAIN, "--output", "out"]])
def test_lost_text_is_told_once(verb, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    rare = " ".join(f"rare{number}" for number in range(80))
    Path("a.txt").write_text("the king, saw the king\n" * 20 + rare)
    assert main([*verb, "a.txt"]) == 0
    told = capfd.readouterr().err
    (lost,) = warnings(told, "left out")
    assert "44 % of the text, 80 of 180 words" in lost and "--min-count 5" in lost
    (marked,) = warnings(told, "punctuation")
    assert "11 %" in marked and "'king,' next to 'king'" in marked and "--tokenizer words" in marked
    pytest.importorskip("regex")
    assert (
        main(
            [*verb, "a.txt", "--tokenizer", "words", "--min-count", "1", "--no-cache"][:-1]
            + (["--overwrite"] if verb[0] == "train" else [])
        )
        == 0
    )
    assert warnings(capfd.readouterr().err, "") == []


@pytest.mark.parametrize("subwords", [[], ["--subwords", "300"]])
def test_a_literal_eos_is_counted_and_named_once(subwords, tmp_path, monkeypatch, capfd):
    if subwords:
        pytest.importorskip("tokenizers")
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("a b <eos> c\n" * 40)
    lm = ["--model", "lm", "--layers", "1", "--hidden", "4", "--batch-size", "4", *subwords]
    assert main(["train", "a.txt", *lm, *TRAIN, "--output", "lm"]) == 0
    (told,) = warnings(capfd.readouterr().err, "<eos>")
    assert "40 times" in told and "40 line ends" in told
    Path("b.txt").write_text("a b c\n" * 40)
    assert main(["train", "b.txt", *lm, *TRAIN, "--output", "lm2"]) == 0
    assert warnings(capfd.readouterr().err, "<eos>") == []


def test_paths_in_a_recipe_are_looked_for_beside_it_first(tmp_path, monkeypatch):
    recipes, elsewhere = tmp_path / "recipes", tmp_path / "elsewhere"
    for folder in (recipes / "texts", elsewhere):
        folder.mkdir(parents=True)
    (recipes / "c.yaml").write_text(
        "corpus: [both.txt, 'texts/*.txt', here.txt, texts, missing.txt, -]\nvalid: v.txt\n"
    )
    for path in (recipes / "both.txt", recipes / "texts/a.txt", recipes / "v.txt"):
        path.write_text("a b")
    for path in (elsewhere / "both.txt", elsewhere / "here.txt"):
        path.write_text("c d")
    monkeypatch.chdir(elsewhere)
    for path in (recipes / "c.yaml", os.path.join("..", "recipes", "c.yaml")):
        config = build_config({}, path)
        assert config.corpus.corpus == (
            str(recipes / "both.txt"),
            str(recipes / "texts/*.txt"),
            "here.txt",
            str(recipes / "texts"),
            "missing.txt",
            "-",
        )
        assert config.validation.valid == str(recipes / "v.txt")
    assert build_config({"corpus": ("both.txt",)}, recipes / "c.yaml").corpus.corpus == (
        "both.txt",
    )


@pytest.mark.parametrize("name", ["tokenizer", "sentences"])
def test_other_values_are_refused_with_those_there_are(name):
    with pytest.raises(InputError, match=f"{name}.* icu is not one of (whitespace|line), "):
        build_config({"corpus": ("a",), name: "icu"})
