"""Training that starts from a run or a file of vectors: from where each row is taken, and which
rows stay fixed."""

import warnings
from pathlib import Path

import numpy as np
import pytest

import w2v
from tests.resumption import StopAfter, go_on
from tests.trained import DEFAULTS
from w2v.corpus import Vocabulary
from w2v.errors import InputError
from w2v.runs.checkpoint import newest_checkpoint
from w2v.settings.build import build_config
from w2v.training.report import SilentReporter
from w2v.vectors import load_vectors, save_vectors

OLD = [["a", "b", "c", "d"], ["b", "a"], ["c", "e", "a", "b"]] * 40
NEW = [["b", "x", "a"], ["y", "e", "x", "b"], ["x", "b"]] * 30  # x 90, b 90, a 30, y 30, e 30
TINY_LR = 1e-7  # nothing moves visibly: the rows after training are those before it
HELD = {"lr": TINY_LR, "epochs": 1}


class Told(SilentReporter):
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text):
        self.said.append(text)


@pytest.fixture
def told():
    return Told()


def rows(path: str) -> dict[str, np.ndarray]:
    vectors = load_vectors(path)
    return {word: np.array(vectors.matrix[place]) for place, word in enumerate(vectors.words)}


def outputs(path: str) -> dict[str, np.ndarray]:
    checkpoint, _ = newest_checkpoint(Path(path))
    assert checkpoint is not None
    words = Vocabulary.load(Path(path) / "vocab.tsv").words
    return dict(zip(words, np.array(checkpoint.tensors["output.weight"]), strict=True))


def near(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.abs(one - other).max() < 1e-4)


def test_a_file_of_vectors_gives_its_rows_to_the_words_it_knows(train, folder, told):
    matrix = np.random.default_rng(0).normal(size=(3, 16)).astype(np.float32)
    save_vectors(folder / "given.bin", ["b", "q", "x"], matrix)
    usual = rows(train(NEW, output="usual", **HELD).path)
    found = rows(train(NEW, output="new", init="given.bin", reporter=told, **HELD).path)
    assert list(found) == list(usual) == ["b", "x", "a", "e", "y"]
    assert near(found["b"], matrix[0]) and near(found["x"], matrix[2])
    for word in ("a", "e", "y"):
        assert near(found[word], usual[word])
    assert "2 of 5 words start from their rows in given.bin, 3 as usual" in told.said


def test_words_that_are_not_utf8_are_read_as_those_of_the_text(train, folder):
    (folder / "given.txt").write_bytes(b"2 16\nb\xff" + b" 1" * 16 + b"\nx" + b" 2" * 16 + b"\n")
    (folder / "text.txt").write_bytes(b"b\xff x x\n" * 20)
    found = rows(train(["text.txt"], output="new", init="given.txt", **HELD).path)
    assert near(found["b\ufffd"], np.full(16, 1)) and near(found["x"], np.full(16, 2))
    with pytest.raises(InputError, match=r"given\.txt: word 1 is not valid UTF-8"):
        train(NEW, output="strict", init="given.txt", encoding_errors="strict")


@pytest.mark.parametrize("loss", ["neg", "hsigmoid", "softmax"])
def test_a_run_keeps_its_vocabulary_and_goes_on(train, told, loss):
    train(OLD, output="old", loss=loss, checkpoint_every="1k")
    trained = train(
        NEW, output="new", init="old", loss=loss, checkpoint_every="1k", reporter=told, **HELD
    )
    old, new = rows("old"), rows("new")
    assert list(new) == list(old) == ["a", "b", "c", "d", "e"]
    assert (Path("new") / "vocab.tsv").read_bytes() == (Path("old") / "vocab.tsv").read_bytes()
    assert all(near(new[word], old[word]) for word in old)
    before, after = (newest_checkpoint(Path(path))[0] for path in ("old", "new"))
    assert np.abs(before.tensors["output.weight"]).max() > 1e-3
    assert near(before.tensors["output.weight"], after.tensors["output.weight"])
    words = trained.summary.words
    assert (words.read, words.in_vocabulary, words.left_out) == (270, 150, 120)
    assert (words.passed, words.passed_left_out) == (270, 120)
    assert told.said == [
        (
            "2 words of the text are not in the vocabulary of old and are left out (`extend_vocab`"
            " adds them)"
        ),
        "5 of 5 words start from their rows in old, 0 as usual",
        "the output layer continues from old",
    ]


def test_new_words_beside_the_old(train, told):
    train(OLD, output="old", checkpoint_every="1k")
    usual = train(NEW, output="usual", **HELD)
    trained = train(
        NEW,
        output="new",
        init="old",
        extend_vocab="true",
        checkpoint_every="1k",
        reporter=told,
        min_count=30,
        **HELD,
    )
    vocabulary = Vocabulary.load("new/vocab.tsv")
    counts = dict(zip(vocabulary.words, vocabulary.counts.tolist(), strict=True))
    assert counts == {
        "b": 120 + 90,
        "a": 120 + 30,
        "x": 90,
        "c": 80,
        "e": 40 + 30,
        "d": 40,
        "y": 30,
    }
    assert list(counts) == ["b", "a", "x", "c", "e", "d", "y"]
    old, new = rows("old"), rows("new")
    assert all(near(new[word], old[word]) for word in old)
    assert 0 < np.abs(new["x"]).max() <= 0.126 and np.abs(usual.matrix).max() <= 0.126
    before, after = outputs("old"), outputs("new")
    assert all(
        near(before[word], after[word]) and np.abs(before[word]).max() > 1e-3 for word in before
    )
    assert np.abs(after["x"]).max() < 1e-4
    assert (trained.summary.words.in_vocabulary, trained.summary.words.passed_left_out) == (270, 0)
    assert told.said[:2] == [
        "2 new words in addition to the 5 of old; noise distribution and tree are rebuilt",
        "5 of 7 words start from their rows in old, 2 as usual",
    ]


def test_the_tree_of_an_extended_vocabulary_is_a_new_one(train, told):
    train(OLD, output="old", loss="hsigmoid", checkpoint_every="1k")
    train(
        NEW, output="new", init="old", extend_vocab="true", loss="hsigmoid", reporter=told, **HELD
    )
    assert (
        "the output layer starts from scratch (weight): its rows do not correspond to single words"
        in told.said
    )


def test_the_counts_may_reorder_words_without_new_ones(train):
    train(OLD, output="old", checkpoint_every="1k")
    train(
        [["e", "d"]] * 200,
        output="new",
        init="old",
        extend_vocab="true",
        checkpoint_every="1k",
        **HELD,
    )
    old, new = outputs("old"), outputs("new")
    assert list(new) == ["d", "e", "a", "b", "c"]  # 240, 240, 120, 120, 80
    assert all(near(old[word], new[word]) for word in old)
    assert all(near(rows("old")[word], row) for word, row in rows("new").items())


@pytest.mark.parametrize("given", ["file", "run"])
@pytest.mark.parametrize(
    "settings",
    [{"loss": "neg"}, {"loss": "softmax", "optimizer": "sparse-adam"}, {"model": "cbow"}],
)
def test_frozen_rows_do_not_move(train, folder, given, settings):
    train(OLD, output="old", **({"checkpoint_every": "1k"} if given == "run" else {}))
    save_vectors(folder / "old.bin", list(rows("old")), np.array(list(rows("old").values())))
    init = "old" if given == "run" else "old.bin"
    extend = {"extend_vocab": "true"} if given == "run" else {}
    train(
        NEW,
        output="new",
        init=init,
        freeze="true",
        epochs=3,
        lr=0.5,
        batch_size=50,
        **extend,
        **settings,
    )
    usual, new = rows("old"), rows("new")
    for word in set(usual) & set(new):
        assert new[word].tobytes() == usual[word].tobytes(), word
    assert np.abs(new["x"]).max() > 0.13  # which no starting vector reaches


def test_a_frozen_run_goes_on_frozen_and_the_same(train, folder, monkeypatch):
    train(OLD, output="old", checkpoint_every="1k")
    settings = {
        "init": "old",
        "extend_vocab": "true",
        "freeze": "true",
        "epochs": 40,
        "batch_size": 64,
    }
    train(NEW, output="whole", **settings)
    stopped = train(NEW, output="run", stop=StopAfter(8), **settings)
    assert stopped.summary.interrupted
    go_on()
    assert Path("run/vectors.npy").read_bytes() == Path("whole/vectors.npy").read_bytes()
    assert Path("run/vocab.tsv").read_bytes() == Path("whole/vocab.tsv").read_bytes()


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad", "sparse-adam"])
@pytest.mark.parametrize("settings", [{"loss": "neg"}, {"loss": "softmax", "model": "cbow"}])
def test_steps_in_which_all_words_are_frozen(train, optimizer, settings):
    train(OLD, output="old", checkpoint_every="1k")
    trained = train(
        OLD,
        output="new",
        init="old",
        freeze="true",
        epochs=2,
        batch_size=50,
        optimizer=optimizer,
        **settings,
    )
    assert trained.summary.final_loss is not None
    assert all(row.tobytes() == rows("old")[word].tobytes() for word, row in rows("new").items())


def test_what_cannot_be_started_from(train, folder):
    train(OLD, output="old", dim=8)
    (folder / "notes.txt").write_text("hello\n")
    save_vectors(folder / "v.bin", ["a"], np.ones((1, 16), np.float32))
    save_vectors(folder / "other.bin", ["q"], np.ones((1, 16), np.float32))
    np.save(folder / "nan.npy", np.full((1, 16), np.nan, np.float32))
    (folder / "nan.vocab.tsv").write_text("a\n")
    for settings, message in [
        ({"init": "old"}, r"`init` old has vectors of 8 numbers, but `dim` is 16: give `dim` 8"),
        ({"init": "missing"}, r"missing"),
        ({"init": "notes.txt"}, r"notes.txt is not a file of word vectors"),
        (
            {"init": "v.bin", "extend_vocab": "true"},
            r"`extend_vocab` needs the vocabulary of a run, but `init` v.bin",
        ),
        ({"init": "nan.npy"}, r"`init` nan.npy holds NaN"),
        ({"init": "other.bin"}, r"`init` other.bin has none of the 5 words"),
        ({"freeze": "true"}, r"`freeze` needs `init`"),
        (
            {"init": "v.bin", "freeze": "true", "engine": "hogwild"},
            r"`engine` hogwild does not support `freeze`",
        ),
    ]:
        with pytest.raises(InputError, match=message):
            train(NEW, output="new", **settings)
    assert not Path("new").exists()


def test_a_run_with_another_loss_gives_its_vectors_only(train, told):
    train(OLD, output="old", loss="nce", checkpoint_every="1k")
    train(NEW, output="new", init="old", reporter=told, **HELD)
    assert told.said[-1].startswith(
        "the output layer starts from scratch (weight): old was trained with another loss"
    )


def test_init_is_part_of_the_configuration(folder):
    config = build_config({"corpus": ("c.txt",), "init": "old", "freeze": "true", **DEFAULTS})
    assert (config.training.engine, config.why_engine) == ("autograd", "`freeze` needs it")
    assert f"init: {folder}/old" in config.to_yaml()


def test_the_vocabulary_of_a_run_needs_no_words_of_the_text_to_be_frequent(folder):
    small = {"dim": 8, "sample": 0, "threads": 1, "epochs": 1, "progress": False}
    old = w2v.train([" ".join(line) for line in OLD], **small)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*min_count")
        run = w2v.train(["b x a", "y e x b"], init=old, **small)
        assert run.vectors.words == old.vectors.words
        counted = run.summary["words"]
        assert (counted["trained"], counted["passed_left_out"]) == (4, 3)
        run = w2v.train(["b x a", "y e x b"], init=old, extend_vocab=True, **small)
        assert sorted(run.vectors.words) == sorted(old.vectors.words)
    for given in ({"min_count": 60}, {"max_vocab": 2}):
        with pytest.warns(UserWarning, match=f"`{next(iter(given))}` .* is not used: `init`"):
            run = w2v.train([" ".join(line) for line in OLD], init=old, **small, **given)
        assert run.vectors.words == old.vectors.words
    run = w2v.train(["b x a", "y e x b"], init=old, extend_vocab=True, min_count=2, **small)
    assert sorted(run.vectors.words) == sorted([*old.vectors.words, "x"])
