"""What else than the losses is compared is shown; and whose questions are asked, and how many."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import w2v
from tests.comparison.conftest import LM, StandIn, Verb
from w2v.evaluation.analogies import AnalogyResult
from w2v.evaluation.similarity import SimilarityResult
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
    value, covered, *ends = (out.rstrip("\n").split("\t")[at] for at in (1, 7, 8, 9))
    assert covered == "0" and {value, *ends} == {"n/a"}
    assert "coverage" in (Path.cwd() / "skip-gram-compare" / "compare.tsv").read_text()


PAIRS = "a\tb\t3\na\tc\t9\nb\td\t1\nc\te\t4\nd\tf\t6\n"
SMALL = ["--dim", "4", "--epochs", "1", "--threads", "1", "--min-count", "1", "--output", "c"]


@pytest.mark.usefixtures("quick_children")
def test_scores_are_those_of_the_vectors_with_intervals(verb: Verb, tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text(": capitals\na b c d\nb a d c\na b zebra d\n")
    (tmp_path / "pairs.txt").write_text(PAIRS)
    asked = ["--questions", "q.txt", "--questions", "pairs.txt"]
    status, out, err = verb("text.txt", "--losses", "neg,hsigmoid", *SMALL, *asked, "--json")
    assert status == 0, err
    for row in json.loads(out)["rows"]:
        vectors = w2v.load(tmp_path / "c" / row["name"])
        answers = vectors.evaluate(tmp_path / "q.txt")
        similar = vectors.evaluate(tmp_path / "pairs.txt", intervals=True)
        assert isinstance(answers, AnalogyResult) and isinstance(similar, SimilarityResult)
        first, second = row["scores"]
        assert (first["set"], first["measure"], first["coverage"]) == ("q", "analogies", 2 / 3)
        assert row["accuracy"] == first["value"] == answers.accuracy
        assert (first["low"], first["high"]) == answers.interval()
        assert (second["set"], second["measure"], second["coverage"]) == ("pairs", "spearman", 1)
        assert second["value"] == similar.spearman
        assert (second["low"], second["high"]) == similar.spearman_ci


@pytest.mark.usefixtures("quick_children")
def test_a_run_that_is_kept_is_asked_the_new_questions(verb: Verb, tmp_path: Path) -> None:
    """Else the table would have another set's figures under this one's name."""
    (tmp_path / "q.txt").write_text(": capitals\na b c d\n")
    (tmp_path / "pairs.txt").write_text(PAIRS)
    first = verb("text.txt", "--losses", "neg", *SMALL, "--questions", "q.txt", "--json")
    (row,) = json.loads(first[1])["rows"]
    assert [score["set"] for score in row["scores"]] == ["q"]
    written = (tmp_path / "c" / "neg" / "vectors.npy").stat().st_mtime_ns
    again = verb("text.txt", "--losses", "neg", *SMALL, "--questions", "pairs.txt", "--json")
    assert again[0] == 0 and "kept from c/neg" in again[2]
    (other,) = json.loads(again[1])["rows"]
    assert [score["set"] for score in other["scores"]] == ["pairs"]
    assert other["accuracy"] is None and other["coverage"] is None
    for name in ("peak_memory_bytes", "seconds_per_epoch", "settings", "status"):
        assert other[name] == row[name]
    assert (tmp_path / "c" / "neg" / "vectors.npy").stat().st_mtime_ns == written


@pytest.mark.usefixtures("quick_children")
def test_a_run_that_became_another_is_not_shown_as_the_compared_one(
    verb: Verb, tmp_path: Path
) -> None:
    (tmp_path / "q.txt").write_text(": capitals\na b c d\n")
    asked = ("text.txt", "--losses", "neg", *SMALL, "--questions", "q.txt")
    assert verb(*asked)[0] == 0
    common = {"dim": 6, "epochs": 1, "threads": 1, "min_count": 1}
    w2v.train(tmp_path / "text.txt", output=tmp_path / "c" / "neg", overwrite=True, **common)
    status, out, _ = verb(*asked)
    assert status == 1 and "c/neg was trained since with dim 6, not 4: add --overwrite" in out
    assert verb(*asked, "--overwrite")[0] == 0


@pytest.mark.usefixtures("quick_children")
def test_pairs_that_only_ngrams_know_are_told(verb: Verb, tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text("a\tb\t3\na\tcab\t9\nb\td\t1\n")
    asked = ["--questions", "pairs.txt", "--subwords", "3-6", "--buckets", "50"]
    _, out, err = verb("text.txt", "--losses", "neg", *SMALL, *asked)
    assert "neg: 1 of 3 pairs of pairs have a word known only by its n-grams" in err
    assert out.split("\t")[7] == "1"


@pytest.mark.usefixtures("quick_children")
def test_sets_whose_files_have_one_name_are_told_apart(verb: Verb, tmp_path: Path) -> None:
    for folder, text in (("x", "a b c d\n"), ("y", "a b c e\nb a d c\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "q.txt").write_text(f": capitals\n{text}")
    asked = ["--questions", "x/q.txt", "--questions", "y/q.txt"]
    _, out, _ = verb("text.txt", "--losses", "neg", *SMALL, *asked, "--json")
    (row,) = json.loads(out)["rows"]
    assert [score["set"] for score in row["scores"]] == ["q", "y/q.txt"]
