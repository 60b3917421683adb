"""Words made of their n-grams: what a run writes, that it repeats bit for bit with either engine,
where it may start from, and what is refused."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.resumption import Told, go_on, kill, steps
from w2v.corpus.ngrams import Ngrams
from w2v.errors import InputError
from w2v.settings.build import build_config
from w2v.training.engine import copied_rows
from w2v.training.schedule import Block
from w2v.vectors import load_vectors, save_vectors
from w2v.words.autograd import AutogradEngine
from w2v.words.fused import HogwildEngine, memory_bytes
from w2v.words.inputs import make_inputs

LINES = [["walk", "walks", "the", "walking"], ["talk", "the", "talks", "übung"], ["a", "talking"]]
LINES *= 60
HELD = {"lr": 1e-7, "epochs": 1}  # nothing moves visibly: the rows afterwards are those before
SMALL = {"subwords": "3-6", "buckets": 700}


def rows_of(path: Path, ngrams: Ngrams) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By word: its vector, and the rows of its n-grams."""
    vectors, rows = load_vectors(path), np.load(path / "ngrams.npy")
    assert rows.shape == (ngrams.buckets, vectors.dim) and rows.dtype == np.float32
    starts, ids = ngrams.ids(vectors.words)
    parts = (rows[ids[start:stop]] for start, stop in pairwise(starts))
    return {word: (vectors[word], part) for word, part in zip(vectors.words, parts, strict=True)}


@pytest.mark.parametrize("settings", [{}, {"engine": "autograd", "loss": "softmax"}])
def test_a_run_keeps_the_rows_of_its_ngrams(train, settings) -> None:
    given = {**SMALL, **settings, "epochs": 12, "lr": 0.1}
    run = train(LINES, output="one", checkpoint_every="1h", **given)
    again = train(LINES, output="two", **given)
    for name in ("vectors.npy", "ngrams.npy"):
        assert (run.path / name).read_bytes() == (again.path / name).read_bytes()
    _, used = Ngrams(3, 6, 700).ids(run.vectors.words)
    rows = np.load(run.path / "ngrams.npy")
    silent = np.setdiff1d(np.arange(700), used)
    assert not rows[silent].any() and rows[np.unique(used)].any(axis=1).all()
    tensors = load_tensors(run.path)
    for word, (vector, parts) in rows_of(run.path, Ngrams(3, 6, 700)).items():
        own = tensors["input"][run.vectors.words.index(word)]
        mean = (own.astype(float) + parts.sum(0, dtype=float)) / (len(parts) + 1)
        np.testing.assert_allclose(vector, mean, rtol=1e-5, atol=1e-6)
    # "walked" was never seen: it is like the words that it shares n-grams with
    unknown = run.vectors["walked"]
    near = {word: cosine(unknown, run.vectors[word]) for word in ("walk", "übung")}
    assert near["walk"] > near["übung"] + 0.2


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def load_tensors(run: Path) -> dict[str, np.ndarray]:
    from w2v.runs.checkpoint import newest_checkpoint

    checkpoint, _ = newest_checkpoint(run)
    assert checkpoint is not None
    return dict(checkpoint.tensors)


@pytest.mark.parametrize("model", ["skip-gram", "cbow"])
def test_a_step_of_the_autograd_engine(model: str) -> None:
    """One step over all windows: with the gradient g of the loss by a word's vector, which is the
    mean of its rows, each of them moves by -lr · g, as often as the word has it (plain autograd
    gives each row g / n: here by a sum that has the mean's value and the sum's gradient)."""
    words = ["walk", "the", "walks", "ananan", "talk", "talks"]
    settings = {"model": model, "loss": "softmax", "engine": "autograd", "optimizer": "sgd",
                "dim": "6", "threads": "1", "sample": "0", "batch_size": "1000", "device": "cpu",
                "subwords": "2-4", "buckets": "97"}  # fmt: skip
    config = build_config({"corpus": ("x",), **settings})
    ids = np.random.default_rng(1).integers(-1, len(words), 60).astype(np.int32)
    counts = np.arange(len(words), 0, -1) * 10
    inputs = make_inputs(config, words, counts)
    assert inputs is not None
    engine = AutogradEngine(config, ids, counts, inputs)
    engine.initialise()
    with torch.no_grad():
        engine.layer.weight.normal_(0, 0.3)
    own, ngrams, out = (
        torch.from_numpy(engine.state()[name].astype(float)).requires_grad_()
        for name in ("input", "ngrams", "output.weight")
    )
    vectors = []
    for word, (start, stop) in enumerate(pairwise(inputs.starts)):
        rows = torch.cat([own[word : word + 1], ngrams[inputs.rows[start:stop].astype(np.int64)]])
        vectors.append(rows.sum(0) - (rows.sum(0) - rows.mean(0)).detach())
    table = torch.stack(vectors)
    windows = engine._reader.read(0, len(ids), 0, int(block_seed(engine)))
    contexts, places = windows.pairs(0, windows.trained)
    targets = windows.words[places]
    if model == "cbow":
        groups = [contexts[places == place] for place in places.unique()]
        bags = [table[group].sum(0) for group in groups]
        # the mean of all rows of all context words
        sizes = torch.from_numpy(inputs.counts.astype(float))[:, None]
        means = [(sizes * table)[group].sum(0) / sizes[group].sum() for group in groups]
        hidden = torch.stack([b - (b - m).detach() for b, m in zip(bags, means, strict=True)])
        targets = windows.words[places.unique()]
    else:
        hidden = table[contexts]
    loss = F.cross_entropy(hidden @ out.T, targets, reduction="sum")
    loss.backward()
    tally = engine.train(Block(0, 0, 0, len(ids), 0.0), 0.01)
    assert tally.loss == pytest.approx(loss.item(), rel=1e-5)
    for name, start in (("input", own), ("ngrams", ngrams)):
        expected = (start - 0.01 * start.grad).detach().numpy()
        np.testing.assert_allclose(engine.state()[name], expected, rtol=1e-4, atol=1e-6)


def block_seed(engine: AutogradEngine) -> np.uint64:
    from w2v.training.engine import block_seeds

    return block_seeds(engine.config.training.seed, Block(0, 0, 0, 0, 0.0))[1]


def test_a_run_of_ngrams_starts_another(train) -> None:
    """A known word has the vector that it had, a new one its n-grams' rows, and unknown words are
    what they were; so from the result as from a checkpoint."""
    for saved in ({}, {"checkpoint_every": "1h"}):
        old = train(LINES, output="old", overwrite=True, **SMALL, **saved)
        told = Told()
        more = [*LINES, ["zebra", "walks"] * 2]
        new = train(more, output="new", overwrite=True, init=str(old.path), extend_vocab="true",
                    reporter=told, **SMALL, **HELD)  # fmt: skip
        for word in old.vectors.words:
            np.testing.assert_allclose(new.vectors[word], old.vectors[word], atol=2e-5)
        np.testing.assert_allclose(
            new.vectors["talked"], old.vectors["talked"], atol=2e-5, err_msg="unknown to both"
        )
        rows = [np.load(run.path / "ngrams.npy") for run in (old, new)]
        used = rows[0].any(axis=1)
        np.testing.assert_allclose(rows[1][used], rows[0][used], atol=2e-5)
        assert any("9 of 10 words start from their rows" in text for text in told.said)
    plain = train(LINES, output="plain", init=str(old.path), **HELD)
    np.testing.assert_allclose(plain.matrix, old.matrix, atol=2e-5)
    with pytest.raises(InputError, match=r"`subwords` 3-6 in 700 `buckets`.* 3-5 in 700"):
        train(LINES, output="other", init=str(old.path), subwords="3-5", buckets=700)


@pytest.mark.parametrize("kind", ["fasttext", "word2vec"])
def test_a_file_starts_a_run(train, folder, kind) -> None:
    """fastText's .bin brings its n-grams along; from a file without any, words have their vectors
    all the same."""
    old = train(LINES, output="old", **SMALL)
    vectors = old.vectors
    if kind == "fasttext":
        save_vectors("given.bin", vectors.words, vectors.matrix, vectors.counts, kind="fasttext",
                     beside=vectors)  # fmt: skip
    else:
        save_vectors("given.bin", vectors.words, vectors.matrix)
    new = train(LINES, output="new", init="given.bin", **SMALL, **HELD)
    assert new.vectors.words == vectors.words
    np.testing.assert_allclose(new.matrix, vectors.matrix, atol=2e-5)
    same = np.abs(new.vectors["talked"] - vectors["talked"]).max() < 2e-5
    assert same == (kind == "fasttext")


def test_the_best_epoch_has_its_own_ngrams(train, folder) -> None:
    """With `patience` vectors and n-grams are those of the same epoch: of the last one here, so
    that they are what a run without it has."""
    (folder / "valid.txt").write_text("\n".join(" ".join(line) for line in LINES[:30]))
    found = train(LINES, output="kept", valid="valid.txt", patience=3, **SMALL)
    usual = train(LINES, output="usual", **SMALL)
    assert found.summary.validation["epoch"] == 2
    for name in ("vectors.npy", "ngrams.npy"):
        assert (found.path / name).read_bytes() == (usual.path / name).read_bytes()


@pytest.mark.usefixtures("prompt")
def test_rounds_of_two_threads_are_gone_on_with(train, zipf_lines, monkeypatch) -> None:
    """With `deterministic`, where n-grams are thread-own too, a killed run ends in the bytes of a
    whole one."""
    given = {
        "threads": 2,
        "deterministic": "true",
        "checkpoint_every": "0.2k",
        "epochs": 3,
        **SMALL,
    }
    train(zipf_lines, output="whole", **given)
    kill(train, zipf_lines, monkeypatch, 6, **given)
    assert steps() and not Path("run/vectors.npy").exists()
    go_on()
    for name in ("vectors.npy", "ngrams.npy"):
        assert Path("run", name).read_bytes() == Path("whole", name).read_bytes()


def test_memory_counts_the_rows_of_ngrams() -> None:
    def config(**settings: object):
        given = {
            "dim": "100",
            "threads": "1",
            **{name: str(value) for name, value in settings.items()},
        }
        return build_config({"corpus": ("x",), **given})

    V, row = 300_000, 4 * 112
    plain, ngrams = memory_bytes(config(), V), memory_bytes(config(subwords="3-6"), V)
    assert 2e6 * row < ngrams - plain < 2e6 * row + 300 * V
    # a few words do not fill two million buckets, unless a file brings rows for all of them
    few = memory_bytes(config(subwords="3-6"), 1000) - memory_bytes(config(), 1000)
    assert few < 32_000 * row
    assert memory_bytes(config(subwords="3-6", init="x.bin"), 1000) > 2e6 * row
    kept = config(subwords="3-6", checkpoint_every="1h")
    assert copied_rows(kept, 10, 50, 1) == 10 + 50 + 10 + 10


def test_many_threads_learn_as_one_does() -> None:
    """With eight threads n-grams that all words share do not run away."""
    losses = []
    for threads in ("1", "8"):
        settings = {"dim": "16", "sample": "0", "window": "3", "lr": "0.1", "epochs": "1"}
        config = build_config({"corpus": ("x",), "threads": threads, **SMALL, **settings})
        random = np.random.default_rng(3)
        words = [f"{a}{b}ing" for a in "bcdfglmn" for b in ("ak", "el", "ir", "ot", "um")]
        ids = random.zipf(1.3, 60_000).astype(np.int32) % len(words)
        ids[1::2] = (ids[::2] + 1) % len(words)  # every other word follows from the one before
        ids[::20] = -1
        counts = np.bincount(ids[ids >= 0], minlength=len(words))
        engine = HogwildEngine(config, ids, counts, make_inputs(config, words, counts))
        engine.initialise()
        bounds = np.linspace(0, len(ids), 17).astype(int)
        tallies = [
            engine.train(Block(epoch, number, start, stop, 0.0), 0.1, number % engine.threads)
            for epoch in range(3)
            for number, (start, stop) in enumerate(pairwise(bounds))
        ]
        losses.append(np.mean([tally.mean_loss for tally in tallies[-16:]]))
        assert np.isfinite(engine.vectors).all()
    assert losses[1] < losses[0] + 0.1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"subwords": "6-3"}, "`subwords` 6-3 is not a range of lengths"),
        ({"subwords": "0-3"}, "`subwords` 0-3 is not a range"),
        ({"subwords": "8000"}, "`subwords` 8000: `model` skip-gram takes lengths such as 3-6"),
        ({"subwords": "3-6", "model": "lm"}, "`subwords` 3-6: `model` lm takes a number"),
        ({"subwords": "3-6", "buckets": "2Q"}, "`buckets` 2Q is not a whole number"),
        ({"subwords": "3-6", "buckets": "0"}, "`buckets` 0 is below 1"),
        ({"subwords": "3-6", "init": "x", "freeze": "true"}, "no vector stays"),
    ],
)
def test_what_cannot_be(settings: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_config({"corpus": ("x",), **settings})


def test_numbers_may_be_short() -> None:
    config = build_config({"corpus": ("x",), "subwords": " 03 - 6", "buckets": "2M"})
    assert (config.model.subwords, config.model.ngram_lengths) == ("3-6", (3, 6))
    assert config.model.buckets == 2_000_000 and config.as_dict()["buckets"] == 2_000_000
    config = build_config({"corpus": ("x",), "buckets": "5k"})
    assert config.model.ngram_lengths is None and "buckets" not in config.as_dict()
    assert config.notes == ("`buckets` is not used without `subwords`",)
