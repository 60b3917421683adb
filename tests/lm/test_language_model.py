"""The language model as Python users meet it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tests.language_runs import corpus_text, write_run
from w2v.errors import InputError
from w2v.lm.language_model import LanguageModel
from w2v.lm.saved import load_language_model

LINES = ["w1 w2 nowhere w3", "", "w4 <unk> w5", "w6"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lm")
    (folder / "corpus.txt").write_text(corpus_text())
    write_run(folder / "run", folder / "corpus.txt")
    return folder / "run"


@pytest.fixture(scope="module")
def model(run: Path) -> LanguageModel:
    return load_language_model(run)


def test_it_says_what_it_is(model: LanguageModel, run: Path) -> None:
    assert repr(model) == f"LanguageModel(lstm, 32 tokens x 8, loss softmax, from {run})"
    assert len(model.tokens) == 32
    assert {"<unk>", "<eos>", "w1"} < set(model.tokens)


def test_a_text_scores_the_same_as_files_and_as_lines(
    model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("\n".join(LINES[:2]) + "\n")
    Path("b.txt").write_text("\n".join(LINES[2:]) + "\n")
    Path("all.txt").write_text("\n".join(LINES))
    score = model.perplexity("all.txt")
    assert (score.tokens, score.oov, score.eos, score.words) == (12, 2, 4, 12)
    assert float(score) == score.perplexity == pytest.approx(math.exp(score.nats / 12))
    assert f"perplexity {score.perplexity:.2f}" in repr(score)
    one_line_each = (line for line in LINES)
    for text in (Path("all.txt"), ["a.txt", "b.txt"], "[ab].txt", LINES, one_line_each):
        assert model.perplexity(text) == score
    assert model.perplexity([f"{line}\n" for line in LINES]) == score
    assert model.perplexity(["\n".join(LINES)]) == score
    assert model.perplexity(line.split() for line in LINES) == score


@pytest.mark.parametrize(
    ("text", "told"),
    [([], "no corpus"), ([""], "no word"), (["nothing known"], "knows no word of the text")],
)
def test_a_text_without_a_known_word_is_refused(
    model: LanguageModel, text: list[str], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        model.perplexity(text)


def test_what_becomes_of_wrong_bytes_is_one_of_two_things(model: LanguageModel) -> None:
    with pytest.raises(InputError, match="`encoding_errors` ignore"):
        model.perplexity(["w1"], encoding_errors="ignore")


def test_a_file_that_is_not_there_is_refused(model: LanguageModel, tmp_path: Path) -> None:
    for text in (str(tmp_path / "none.txt"), [tmp_path / "none.txt"]):
        with pytest.raises(InputError, match=r"none\.txt"):
            model.perplexity(text)


def test_lines_are_scored_afresh_or_as_one_text(model: LanguageModel) -> None:
    scores = model.score(LINES)
    assert [score.tokens for score in scores[:2]] == [
        ["w1", "w2", "<unk>", "w3", "<eos>"],
        ["<eos>"],
    ]
    assert [score.oov for score in scores] == [1, 0, 1, 0]
    for line, score in zip(LINES, scores, strict=True):
        assert score.log_prob == pytest.approx(score.log_probs.sum())
        assert score.perplexity == pytest.approx(math.exp(-score.log_prob / len(score.tokens)))
        if any(word in model.tokens for word in line.split()):
            assert model.perplexity([line]).nats == pytest.approx(-score.log_prob, rel=1e-5)
    stream = model.stream()
    parts = [*model.score(LINES[:2], stream=stream), *model.score(LINES[2:], stream=stream)]
    total = -sum(score.log_prob for score in parts)
    assert total == pytest.approx(model.perplexity(LINES).nats, rel=1e-5)
    assert model.score([]) == []


SEPARATORS = [*"\r\v\f\x1c\x1d\x1e\x85\u2028\u2029", "\r\n", "\n", "\n\n"]


@pytest.mark.parametrize("separator", SEPARATORS, ids=repr)
def test_a_string_has_the_lines_of_a_text(model: LanguageModel, separator: str) -> None:
    for text in (f"w1{separator}w2", f"w1{separator}w2{separator}", f"{separator}w1\n"):
        scores, whole = model.score(text, stream=model.stream()), model.perplexity([text])
        assert sum(len(score.tokens) for score in scores) == whole.tokens
        assert len(scores) == whole.eos
        assert -sum(score.log_prob for score in scores) == pytest.approx(whole.nats, rel=1e-5)


def test_an_entry_is_one_line(model: LanguageModel) -> None:
    assert [score.tokens for score in model.score(["w1\n", "\n", "w2\r\n"])] == [
        ["w1", "<eos>"],
        ["<eos>"],
        ["w2", "<eos>"],
    ]
    with pytest.raises(InputError, match="`lines`"):
        model.score(["w1", "w1\nw2"])


def test_texts_are_generated(model: LanguageModel) -> None:
    text = model.generate("w1 w2", words=30)
    assert text.startswith("w1 w2") and "<unk>" not in text
    assert len(text.split()) + text.count("\n") == 32
    assert model.generate("w1 w2", words=30, seed=1) == text
    texts = model.generate("w1 w2", words=30, n=3)
    assert texts == [model.generate("w1 w2", words=30, seed=seed) for seed in (1, 2, 3)]
    assert len(set(texts)) == 3
    greedy = model.generate(words=5, top_k=1)
    assert greedy == model.generate(words=5, temperature=0.0, seed=7)
    assert model.generate("w1\nw2", words=1).startswith("w1\nw2")


@pytest.mark.parametrize("wrong", [{"temperature": -1.0}, {"top_k": 0}, {"top_p": 1.5}])
def test_numbers_out_of_range_are_refused(model: LanguageModel, wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        model.generate("w1", **wrong)


def test_unknown_words_are_told(model: LanguageModel) -> None:
    assert model.unknown_words("w1 here w2\nthere here") == ["here", "there"]


def test_the_embeddings_are_word_vectors(model: LanguageModel, run: Path) -> None:
    vectors = model.vectors
    np.testing.assert_array_equal(vectors.matrix, np.load(run / "vectors.npy"))
    assert list(vectors.words) == model.tokens
    assert (np.diff(vectors.counts) <= 0).all()
