"""Every figure of a summary reconciles, for every model in every mode, with a count of the same
text in plain Python."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import w2v
from w2v.errors import InputError

WORDS = ["a", "b", "c", "A", "naïve", "語語", "d,", "banana", "<unk>", "<eos>"]
LINES = st.lists(st.lists(st.sampled_from(WORDS), max_size=12), min_size=6, max_size=40)
SMALL = {"dim": 4, "threads": 1}
LM = {"model": "lm", "bptt": 5, "arch": "lbl", "context": 2}
MODES: list[dict[str, Any]] = [
    {},
    {"model": "cbow", "sample": 1e-2},
    {"loss": "softmax", "sample": 1e-2},
    {"model": "cbow", "loss": "nce", "negatives": 2, "engine": "autograd"},
    {"threads": 2, "deterministic": True, "loss": "hsigmoid"},
    LM,
    {**LM, "loss": "hsigmoid", "lowercase": True},
    {**LM, "loss": "neg", "negatives": 2, "subwords": 270},
    {**LM, "subwords": 262, "lowercase": True},
]


def trained(lines: list[list[str]], given: dict[str, Any]) -> w2v.api.Run | None:
    """The run; None where there is too little text for one."""
    try:
        return w2v.train([" ".join(line) for line in lines], progress=False, **given)
    except InputError:
        return None


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("mode", MODES, ids=str)
@settings(max_examples=6, deadline=None)
@given(
    lines=LINES,
    min_count=st.sampled_from([1, 1, 3]),
    max_vocab=st.sampled_from([0, 0, 4]),
    epochs=st.integers(1, 3),
    columns=st.integers(1, 7),
)
def test_the_counts_of_a_summary(mode, lines, min_count, max_vocab, epochs, columns):
    if mode.get("subwords"):
        pytest.importorskip("tokenizers")
    asked = {**SMALL, **mode, "epochs": epochs, "min_count": min_count, "max_vocab": max_vocab}
    is_lm = mode.get("model") == "lm"
    run = trained(lines, {**asked, "batch_size": columns} if is_lm else asked)
    if run is None:
        return
    words, summary = run.summary["words"], run.summary
    assert all(count >= 0 for count in words.values())
    assert words["read"] == words["in_vocabulary"] + words["left_out"]
    assert words["passed"] == words["trained"] + words["subsampled"] + words["passed_left_out"]
    assert words["passed"] == epochs * (words["read"] - words["remainder"])
    ends = [line for line in run.history if line.get("kind") == "epoch"]
    assert sum(line["words"] for line in ends) == words["passed"]
    assert sum(line["predictions"] for line in ends) == summary["predictions"]
    counts = Counter(word for line in lines for word in line)
    if not is_lm:
        ranked = [count for _, count in counts.most_common() if count >= min_count]
        kept = sum(ranked[: max_vocab or None])
        assert (words["read"], words["in_vocabulary"]) == (counts.total(), kept)
        assert (words["passed_left_out"], words["remainder"]) == (epochs * words["left_out"], 0)
        return
    assert summary["predictions"] == words["trained"] == words["passed"]
    assert words["remainder"] < columns
    ids = [token for line in lines for token in (*run.model.vocabulary.encode(" ".join(line)), -1)]
    assert words["read"] == len(ids)
    assert words["left_out"] == ids.count(run.model.vocabulary.unk)


def test_the_same_text_measured_and_trained(tmp_path: Path) -> None:
    """What `perplexity` counts of the text is what the run has counted."""
    pytest.importorskip("tokenizers")
    lines = ["the cat <unk> sat", "a dog ran far", ""] * 30
    for given_ in ({}, {"subwords": 265}):
        run = w2v.train(lines, progress=False, **{**SMALL, **LM, **given_})
        score, words = run.model.perplexity(lines), run.summary["words"]
        assert (score.tokens, score.oov) == (words["read"], words["left_out"])


def test_what_the_text_says_itself_of_line_ends_is_told() -> None:
    with pytest.warns(UserWarning, match="<eos> occurs in the text 40 times"):
        w2v.train(["a b <eos> c"] * 40, progress=False, **SMALL, **LM)


def test_listed_words_that_the_text_lacks_are_not_subtracted_from_the_unknown_ones(tmp_path):
    (tmp_path / "vocab.tsv").write_text("".join(f"{word}\t9\n" for word in "abxyz"))
    lines, listed = [["a", "b", "c", "c"]] * 20, {"vocab": str(tmp_path / "vocab.tsv")}
    words = trained(lines, {**SMALL, **LM, **listed, "batch_size": 2}).summary["words"]
    assert (words["read"], words["in_vocabulary"], words["left_out"]) == (100, 60, 40)


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_text_of_a_single_block_is_learnt_from_the_first_step_on(epochs: int) -> None:
    """A warm-up shorter than a block changes nothing."""
    lines = ["a b c d", "b c"] * 20
    given = {**SMALL, **LM, "epochs": epochs, "schedule": "constant", "progress": False}
    short, none, untrained = (
        w2v.train(lines, **given, **more).model.perplexity(lines).nats
        for more in ({}, {"warmup": 0}, {"lr": 1e-30})
    )
    assert short == none < 0.98 * untrained


@pytest.mark.parametrize(
    "reading", [{}, {"lowercase": True}, {"tokenizer": "words"}, {"subwords": 270}], ids=str
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_phrases_are_joined_wherever_text_is_read(tmp_path: Path, reading: dict[str, Any]) -> None:
    rows = [("new_york", "new york", 1), ("the_new_york", "the new_york", 2), ("a_new", "a new", 1)]
    file = tmp_path / "phrases.tsv"
    file.write_text("".join(f"{word}\t{parts}\t9\t9.0\t{level}\n" for word, parts, level in rows))
    lines = ["the new york is big", "a new york", "york the", "new", "york is new"] * 8
    given = {**SMALL, "phrases": str(file), "progress": False, "epochs": 1, "min_count": 1}
    model = w2v.train(lines, **given, **LM, **reading).model
    text, stream = "the new york\nnew\nyork is a new york", model.stream()
    scores, whole = model.score(text, stream=stream), model.perplexity([text])
    assert sum(len(score.tokens) for score in scores) == whole.tokens
    assert -sum(score.log_prob for score in scores) == pytest.approx(whole.nats, rel=1e-5)
    assert model.unknown_words(text) == []
    if "subwords" not in reading:
        assert [score.tokens[:-1] for score in scores] == [
            ["the_new_york"],
            ["new"],
            ["york", "is", "a_new", "york"],
        ]
        vectors = w2v.train(lines, **given, **reading).vectors
        joined, apart = vectors.encode(["a new york", ["a_new", "york"]])
        np.testing.assert_allclose(joined, apart, rtol=1e-6)  # the run is gone, its reading not
