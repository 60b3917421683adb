"""`w2v train --model lm` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import interrupted

SMALL = ("--model", "lm", "--dim", "8", "--batch-size", "4", "--bptt", "5", "--threads", "1")


@pytest.fixture
def valid(tmp_path: Path) -> str:
    (tmp_path / "valid.txt").write_text("w1 w2 w3 unheard\nw1 w1 w4\n")
    return "valid.txt"


@pytest.mark.parametrize("arch", ["lstm", "gru", "transformer", "ffnn", "lbl"])
def test_every_architecture_trains_and_its_vectors_can_be_asked(w2v, corpus, valid, arch):
    done = w2v(
        "train",
        corpus,
        *SMALL,
        "--arch",
        arch,
        "--valid",
        valid,
        "--epochs",
        "2",
        "--output",
        "run",
    )
    assert done.returncode == 0
    assert done.stdout == "run\n"
    assert "after epoch 2: validation perplexity" in done.stderr
    assert "1 of them <unk> (perplexity without these: " in done.stderr
    assert "-log P" in done.stderr
    nearest = w2v("nearest", "run", "w1")
    assert nearest.returncode == 0
    assert len(nearest.stdout.splitlines()) > 5


def test_the_training_figure_of_sampled_losses_is_named_for_what_it_is(w2v, corpus):
    done = w2v(
        "train",
        corpus,
        *SMALL,
        "--loss",
        "nce",
        "--negatives",
        "5",
        "--epochs",
        "1",
        "--output",
        "run",
    )
    assert "training objective (not -log P)" in done.stderr
    assert "perplexity" not in done.stderr


def test_more_noise_words_than_there_are_become_as_many(w2v, corpus):
    done = w2v(
        "train",
        corpus,
        *SMALL,
        "--loss",
        "sampled-softmax",
        "--epochs",
        "1",
        "--output",
        "run",
        "--json",
    )
    assert done.returncode == 0
    assert "note: --negatives is 41, because there are only 42 tokens" in done.stderr
    assert json.loads(done.stdout)["model"] == "lm"


def test_subwords_train_and_are_kept(w2v, corpus, tmp_path):
    pytest.importorskip("tokenizers")
    done = w2v("train", corpus, *SMALL, "--subwords", "270", "--epochs", "1", "--output", "run")
    assert done.returncode == 0
    assert (tmp_path / "run" / "tokenizer.json").is_file()


def test_a_dry_run_estimates(w2v, corpus, valid):
    done = w2v("train", corpus, *SMALL, "--valid", valid, "--dry-run", "--json")
    values = json.loads(done.stdout)
    assert (values["model"], values["vocabulary"]) == ("lm", 42)
    assert values["training_seconds"] > 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--valid", "absent.txt"), "absent.txt"),
        (("--bptt", "0"), "--bptt 0 is below 1"),
        (("--batch-size", "9999"), "--batch-size 9999 needs"),
        (("--heads", "3", "--arch", "transformer"), "--heads 3 does not divide"),
        (("--loss", "hsigmoid", "--tied"), "--tied"),
    ],
)
def test_bad_input_ends_with_status_2_and_one_line(w2v, corpus, options, told):
    done = w2v("train", corpus, *SMALL, *options, "--output", "run")
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_learning_rate_that_is_too_high_is_told(w2v, corpus, tmp_path):
    done = w2v("train", corpus, *SMALL, "--lr", "1e39", "--clip", "0", "--output", "run")
    assert done.returncode == 1
    assert "try a smaller --lr" in done.stderr
    assert not (tmp_path / "run").exists()


def test_ctrl_c_saves_measures_and_says_how_to_go_on(corpus, valid, tmp_path):
    text = interrupted(tmp_path, corpus, *SMALL, "--valid", valid, "--output", "run")
    assert "the model learnt so far is in run; resume with: w2v train --resume run" in text
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["interrupted"]
    assert summary["validation"]["perplexity"] > 1
    assert (tmp_path / "run" / "model.safetensors").is_file()


def test_language_models_that_cannot_go_on_are_not_sent_to_init(w2v, corpus, valid, tmp_path):
    assert w2v("train", corpus, *SMALL, "--epochs", "1", "--output", "plain").returncode == 0
    saved = ("--checkpoint-every", "1k", "--output", "saved", "--no-cache")
    assert w2v("train", corpus, *SMALL, "--epochs", "1", *saved).returncode == 0
    other_corpus = w2v("train", valid, "--resume", "saved")
    (tmp_path / corpus).write_text("w1 w2 w3\n" * 50)
    for refused in (
        other_corpus,
        w2v("train", "--resume", "plain", "--epochs", "2"),
        w2v("train", "--resume", "saved", "--epochs", "2", "--no-cache"),
    ):
        assert refused.returncode == 2
        assert "w2v train:" in refused.stderr and "--init" not in refused.stderr
