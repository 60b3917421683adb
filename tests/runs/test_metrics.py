"""What a run says of itself, in metrics.jsonl and its summary, against the text and against the
loss computed anew."""

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.resumption import StopAfter, go_on
from w2v.lm.saved import load_language_model
from w2v.runs.checkpoint import newest_checkpoint
from w2v.tree import huffman
from w2v.vectors import load_vectors

pytestmark = pytest.mark.usefixtures("prompt")

STILL = 1e-30  # a learning rate at which nothing moves
LM = {
    "model": "lm",
    "dim": "8",
    "hidden": "8",
    "batch_size": "1",
    "bptt": "20",
    "min_count": "1",
    "epochs": "1",
    "dropout": "0",
}


def test_the_loss_of_a_language_model_is_that_of_its_text(train, zipf_lines):
    """One column from the text's start to its end; the softmax written out in float64."""
    trained = train(zipf_lines, output="run", lr=STILL, optimizer="sgd", **LM)
    saved = load_language_model("run")
    vocabulary, model = saved.vocabulary, saved.network
    tokens = [token for line in zipf_lines for token in [*line, "<eos>"]]
    ids = [vocabulary.vocabulary.index(token) for token in tokens]
    with torch.no_grad():
        rows, _ = model.hidden(torch.tensor([vocabulary.eos, *ids[:-1]])[:, None], model.start(1))
    layer = {
        name: value.detach().double().numpy() for name, value in model.output.named_parameters()
    }
    scores = rows[:, 0].double().numpy() @ layer["weight"].T + layer["bias"]
    highest = scores.max(1)
    nll = (
        highest
        + np.log(np.exp(scores - highest[:, None]).sum(1))
        - scores[np.arange(len(ids)), ids]
    )
    assert trained.summary.predictions == len(ids)
    assert trained.summary.final_loss == pytest.approx(nll.mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "model"), [("softmax", "skip-gram"), ("hsigmoid", "skip-gram"), ("softmax", "cbow")]
)
def test_the_loss_of_word_vectors_is_that_of_their_pairs(train, zipf_lines, loss, model):
    """Windows of one word on either side, whose reach is never random; scores and their link
    written out in float64."""
    settings = {"loss": loss, "model": model, "window": 1, "checkpoint_every": "1h"}
    train(zipf_lines, output="learnt", lr=0.2, **settings)
    trained = train(
        zipf_lines, output="still", init="learnt", epochs=1, **{**settings, "lr": STILL}
    )
    checkpoint, _ = newest_checkpoint(Path("still"))
    rows, output = (
        checkpoint.tensors[name].astype(np.float64) for name in ("input", "output.weight")
    )
    vocabulary = load_vectors("still")
    tree = huffman(vocabulary.counts)
    words = {word: place for place, word in enumerate(vocabulary.words)}
    pairs = []
    for line in zipf_lines:
        ids = [words[word] for word in line]
        for place, target in enumerate(ids):
            context = [ids[at] for at in (place - 1, place + 1) if 0 <= at < len(ids)]
            windows = (
                [(one,) for one in context]
                if model == "skip-gram"
                else [tuple(context)]
                if context
                else []
            )
            pairs += [(window, target) for window in windows]
    distinct = Counter(pairs)
    total = 0.0
    for (context, target), times in distinct.items():
        scores = output @ rows[list(context)].mean(0)
        if loss == "softmax":
            total += times * (
                np.log(np.exp(scores - scores.max()).sum()) + scores.max() - scores[target]
            )
        else:
            nodes, codes = tree.path(target)
            total += times * np.logaddexp(0, np.where(codes, 1, -1) * scores[nodes]).sum()
    assert trained.summary.predictions == len(pairs)
    assert trained.summary.final_loss == pytest.approx(total / len(pairs), rel=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"sample": 0.01, "min_count": 30},
        {"sample": 0.01, "min_count": 30, "threads": 2, "deterministic": "true"},
        {"loss": "softmax", "model": "cbow", "batch_size": 200, "max_vocab": 20},
        {**LM, "batch_size": "3", "valid": "corpus.txt", "min_count": "30"},
    ],
    ids=["hogwild", "rounds", "autograd", "lm"],
)
def test_every_line_reconciles_through_a_stop_and_a_resumption(
    train, zipf_lines, settings, monkeypatch
):
    for name in ("REPORT_SECONDS", "METRICS_SECONDS"):
        monkeypatch.setattr(f"w2v.training.trainer.{name}", 0.0)
    monkeypatch.setattr("w2v.training.trainer.POLL_SECONDS", 0.001)
    text = sum(map(len, zipf_lines))
    stopped = train(zipf_lines, **{**settings, "output": "run", "epochs": 8, "stop": StopAfter(30)})
    assert stopped.summary.interrupted and 0 < stopped.summary.epochs_done < 8
    done = check_lines(stopped.summary)
    finished = go_on()
    assert not finished.interrupted and check_lines(finished) > done
    words = finished.words
    counts = Counter(word for line in zipf_lines for word in line)
    if settings.get("model") == "lm":
        tokens = text + len(zipf_lines)
        assert (words.read, words.passed) == (tokens, 8 * (tokens // 3 * 3))
        assert words.left_out == sum(count for count in counts.values() if count < 30)
        assert finished.validation["tokens"] == tokens
    else:
        assert words.read == text and words.passed == 8 * text
        frequent = counts.most_common(settings.get("max_vocab"))
        kept = [count for _, count in frequent if count >= settings.get("min_count", 1)]
        assert (words.in_vocabulary, words.passed_left_out) == (sum(kept), 8 * (text - sum(kept)))
        assert (words.subsampled > 0) == ("sample" in settings)


def check_lines(summary) -> int:
    """Fails unless metrics.jsonl, summary.json and the checkpoint say the same to the last word;
    the words passed."""
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    lines = [line for line in lines if "words" in line]
    assert lines
    for before, line in zip([None, *lines], lines, strict=False):
        assert line["words"] == line["trained"] + line["subsampled"] + line["left_out"]
        for name in ("words", "trained", "subsampled", "left_out", "fraction", "seconds"):
            assert before is None or line[name] >= before[name]
    words, last = summary.words, lines[-1]
    assert words.read == words.in_vocabulary + words.left_out
    assert words.passed == words.trained + words.subsampled + words.passed_left_out == last["words"]
    assert [words.trained, words.subsampled, words.passed_left_out] == [
        last["trained"],
        last["subsampled"],
        last["left_out"],
    ]
    assert last["fraction"] == pytest.approx(summary.epochs_done / summary.epochs, abs=1e-6)
    assert sum(line["predictions"] for line in lines) == summary.predictions
    written = json.loads(Path("run/summary.json").read_text())
    assert written["words"] == vars(words) and written["predictions"] == summary.predictions
    checkpoint, _ = newest_checkpoint(Path("run"))
    if checkpoint is not None and summary.checkpoint is not None:
        total = checkpoint.state["result"]["total"]
        assert (total["read"], total["predictions"]) == (words.passed, summary.predictions)
        booked = math.fsum(
            line["predictions"] * line["loss"] for line in lines if line["predictions"]
        )
        assert booked == pytest.approx(total["loss"], rel=1e-12)
    return words.passed
