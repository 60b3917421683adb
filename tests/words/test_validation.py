"""`valid` for word vectors: the figures that a run reports for another text, and that measuring
does not change what the run learns."""

from __future__ import annotations

import json
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.resumption import StopAfter, go_on, vectors
from tests.trained import DEFAULTS, plan, run, write_corpus
from w2v.errors import InputError, RunError
from w2v.runs.checkpoint import newest_checkpoint
from w2v.runs.resume import resumed_config
from w2v.settings.build import build_config
from w2v.training.report import SilentReporter
from w2v.tree import huffman
from w2v.words import validation as word_validation
from w2v.words.validation import WordValidation

RUNS = {
    "one thread": {"loss": "nce", "nce_log_z": "learned", "nce_bias": "true", "sample": "0.01"},
    "deterministic": {"loss": "neg", "threads": "2", "deterministic": "true"},
    "cbow": {"model": "cbow", "loss": "hsigmoid+neg"},
    "autograd": {"loss": "softmax", "batch_size": "1000"},
    "noise": {
        "loss": "sampled-softmax",
        "engine": "autograd",
        "batch_size": "1000",
        "optimizer": "sparse-adam",
    },
}


@pytest.fixture
def valid(folder: Path, zipf_lines) -> str:
    """Returns 50 lines like those of the corpus, with about 900 words and 7 unknown ones."""
    lines = [list(reversed(line)) for line in zipf_lines[:50]]
    lines[3:4] = [["unheard"] * 7 + ["w1"]]
    write_corpus(folder / "valid.txt", lines)
    return "valid.txt"


def lines_of(path: str) -> list[dict]:
    """The lines of metrics.jsonl about validation, without times."""
    lines = [json.loads(line) for line in (Path(path) / "metrics.jsonl").read_text().splitlines()]
    return [
        {name: value for name, value in line.items() if name != "validation_seconds"}
        for line in lines
        if "validation_loss" in line
    ]


class Told(SilentReporter):
    """Records the messages to people."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.milestones: list[str] = []

    def note(self, text):
        self.notes.append(text)

    def milestone(self, text):
        self.milestones.append(text)


@pytest.mark.parametrize("name", RUNS)
def test_vectors_are_the_same_bits_with_and_without_it(train, zipf_lines, valid, name):
    without = train(zipf_lines, output="without", epochs=3, **RUNS[name])
    told = Told()
    found = train(
        zipf_lines, output="with", epochs=3, valid=valid, reporter=told, **RUNS[name]
    ).summary
    assert vectors("with") == vectors("without")
    # threads book in any order
    assert found.final_loss == pytest.approx(without.summary.final_loss, rel=1e-12)
    assert "validation" not in without.summary.as_dict()
    lines = lines_of("with")
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert lines[2]["validation_loss"] < lines[0]["validation_loss"]
    assert len({line["validation_predictions"] for line in lines}) == 1
    assert told.milestones == [
        f"after epoch {line['epoch']}: validation loss {line['validation_loss']:.4f} nats per"
        " prediction"
        for line in lines
    ]
    assert told.notes[-1:] == [
        f"7 of the {found.validation['words']:,} words of `valid` {found.validation['file']} are"
        " not in the vocabulary and are left out"
    ]
    assert found.validation == json.loads(Path("with/summary.json").read_text())["validation"]
    assert found.validation["loss"] == lines[2]["validation_loss"]
    assert found.validation["predictions"] == lines[2]["validation_predictions"]
    assert (found.validation["epoch"], found.validation["oov"]) == (3, 7)
    # a text of the same kind
    assert found.validation["loss"] == pytest.approx(found.final_loss, rel=0.15)


def test_the_figure_can_be_computed_from_what_the_run_leaves(train, zipf_lines, valid, folder):
    """The mean -log P of the pairs of neighbours, from vectors, counts and output rows in the run's
    directory."""
    found = train(
        zipf_lines, output="run", loss="hsigmoid", window=1, valid=valid, checkpoint_every="1h"
    ).summary
    words = [line.split("\t") for line in Path("run/vocab.tsv").read_text().splitlines()]
    ids = {word: place for place, (word, _) in enumerate(words)}
    tree = huffman(np.array([int(count) for _, count in words]))
    checkpoint, _ = newest_checkpoint(Path("run"))
    rows, outputs = (
        np.load("run/vectors.npy").astype(float),
        checkpoint.tensors["output.weight"].astype(float),
    )
    losses = []
    for line in (folder / valid).read_text().splitlines():
        known = [ids[word] for word in line.split() if word in ids]
        for first, second in pairwise(known):
            for context, target in ((first, second), (second, first)):
                nodes, codes = tree.path(target)
                losses.append(
                    np.logaddexp(0, -(1 - 2 * codes) * (outputs[nodes] @ rows[context])).sum()
                )
    assert found.validation["predictions"] == len(losses) > 1000
    assert found.validation["loss"] == pytest.approx(np.mean(losses), rel=1e-6)


@pytest.mark.parametrize("engine", ["hogwild", "autograd"])
def test_blocks_and_threads_do_not_matter(train, zipf_lines, valid, monkeypatch, engine):
    """Cut into blocks that several threads measure, the text has the same windows; their draws
    alone are others."""
    settings = {"engine": engine, "loss": "hsigmoid", "valid": valid, "window": 1, "epochs": 1}
    whole = train(zipf_lines, output="whole", **settings).summary.validation
    monkeypatch.setattr(word_validation, "BLOCK_WORDS", 50)
    cut = train(zipf_lines, output="cut", **settings).summary.validation
    assert (cut["predictions"], cut["words"]) == (whole["predictions"], whole["words"])
    assert cut["loss"] == pytest.approx(whole["loss"], rel=1e-6)
    found = []
    original = WordValidation.score

    def scored_by_some(self):
        for threads in (3, 1, 2) if engine == "hogwild" else ():
            self._engine.threads = threads
            found.append(original(self))
        self._engine.threads = 3
        return original(self)

    monkeypatch.setattr(WordValidation, "score", scored_by_some)
    threads = 3 if engine == "hogwild" else 1
    train(
        zipf_lines,
        output="threads",
        threads=threads,
        **{**settings, "loss": "neg", "sample": "0.01", "window": 4},
    )
    assert all(each == found[0] for each in found)
    assert len(found) == (3 if engine == "hogwild" else 0)


@pytest.mark.parametrize("name", RUNS)
def test_a_stopped_run_is_measured_and_goes_on_to_the_same_end(
    train, zipf_lines, valid, polled, name
):
    settings = {"epochs": 8, "valid": valid, "patience": 7, **RUNS[name]}
    whole = train(zipf_lines, output="whole", **settings).summary
    part = train(zipf_lines, output="part", stop=StopAfter(20), **settings).summary
    assert part.interrupted and 0 < part.epochs_done < 8
    # the best is kept
    assert part.validation["loss"] == min(line["validation_loss"] for line in lines_of("part"))
    assert lines_of("part")[-1]["epoch"] == round(part.epochs_done, 6)
    rest = go_on("part")
    assert vectors("part") == vectors("whole")
    assert rest.validation == whole.validation | {"seconds": rest.validation["seconds"]}
    assert [line for line in lines_of("part") if line["epoch"] == int(line["epoch"])] == lines_of(
        "whole"
    )


def test_another_text_is_told_when_the_run_goes_on(train, zipf_lines, valid, folder):
    said: list[str] = []
    reporter = SilentReporter()
    reporter.warn = said.append
    train(zipf_lines, output="run", valid=valid, checkpoint_every="1h")
    for changed in (False, True):
        if changed:
            write_corpus(folder / valid, zipf_lines[50:60])
        config = resumed_config(Path("run"), {"epochs": "4" if changed else "3"})
        run(config, use_cache=False, reporter=reporter, stop=threading.Event(), resume=Path("run"))
        assert len(said) == changed
    assert "valid.txt is not the text that the run began with" in said[0]


def test_stopped_before_training_is_measured_too(train, zipf_lines, valid):
    stop = threading.Event()
    stop.set()
    found = train(
        zipf_lines, output="run", stop=stop, valid=valid, patience=1, loss="softmax"
    ).summary
    assert found.validation["loss"] == pytest.approx(np.log(60), rel=1e-6)  # output rows of 0
    assert found.validation["epoch"] == 0


def test_patience_ends_training_and_keeps_the_best_vectors(train, folder, zipf_lines, monkeypatch):
    """There is nothing in few random words but their frequencies: what else is learnt is of no use
    elsewhere."""
    write_corpus(folder / "valid.txt", zipf_lines[200:300])
    seen, losses = [], []
    original = WordValidation.score

    def watched(self):
        score = original(self)
        seen.append(self._engine.vectors.copy())
        losses.append(score.mean_loss)
        return score

    monkeypatch.setattr(WordValidation, "score", watched)
    told = Told()
    settings = {
        "loss": "softmax",
        "lr": "0.2",
        "batch_size": "100",
        "epochs": "20",
        "valid": "valid.txt",
    }
    found = train(zipf_lines[:60], output="run", patience=2, reporter=told, **settings)
    best = int(np.argmin(losses))
    assert 4 <= len(losses) == best + 3 < 20
    assert (found.summary.validation["epoch"], found.summary.validation["loss"]) == (
        best + 1,
        losses[best],
    )
    assert found.summary.epochs_done == pytest.approx(best + 3)
    assert not found.summary.interrupted
    assert told.milestones[-1] == "stopping: the last 2 epochs were not better (`patience` 2)"
    np.testing.assert_array_equal(np.load("run/vectors.npy"), seen[best])
    assert not np.array_equal(seen[best], seen[-1])


def test_a_plan_reads_the_text_and_writes_nothing(train, zipf_lines, valid, folder):
    train(zipf_lines, output="run")
    given = {"corpus": ("corpus.txt",), **DEFAULTS, "valid": valid, "output": "planned"}
    found = plan(build_config(given), use_cache=False, reporter=SilentReporter())
    assert found.training_seconds > 0
    assert not (folder / "planned").exists()
    with pytest.raises(InputError, match="`valid`"):
        plan(
            build_config({**given, "valid": "absent.txt"}),
            use_cache=False,
            reporter=SilentReporter(),
        )


BAD = [
    ({"valid": "absent.txt"}, "`valid`: .*absent.txt"),
    ({"valid": "empty.txt"}, "`valid`: .*empty.txt is empty"),
    ({"valid": "binary.txt"}, "`valid`: .*binary.txt"),
    (
        {"valid": "foreign.txt"},
        "`valid` .*foreign.txt: none of its words is in the vocabulary of 60 words",
    ),
    ({"valid": "lonely.txt"}, "`valid` .*lonely.txt: no word of it has a context word"),
    ({"valid": "-"}, "`valid` - is not possible"),
    ({"patience": "2"}, "`patience` 2 needs `valid`"),
]


@pytest.mark.parametrize(("settings", "told"), BAD)
@pytest.mark.parametrize("engine", ["hogwild", "autograd"])
def test_bad_texts_are_told_before_training_in_one_sentence(
    train, folder, zipf_lines, monkeypatch, settings, told, engine
):
    (folder / "empty.txt").write_text("\n\n")
    (folder / "binary.txt").write_bytes(bytes(range(256)) * 40)
    (folder / "foreign.txt").write_text("ganz andere Wörter\n\n")
    (folder / "lonely.txt").write_text("w1 unheard\nw2\n\nunheard w3\n")
    monkeypatch.setattr(
        "w2v.training.trainer.Trainer.run", lambda self, reporter, stop: pytest.fail("trained")
    )
    with pytest.raises(InputError, match=told) as caught:
        train(zipf_lines, output="run", engine=engine, **settings)
    assert "\n" not in str(caught.value)
    assert not Path("run").exists()


def test_a_loss_that_is_no_number_ends_the_run(train, zipf_lines, valid, monkeypatch):
    original = WordValidation.score

    def broken(self):
        self._engine.vectors[:] = np.nan
        return original(self)

    monkeypatch.setattr(WordValidation, "score", broken)
    with pytest.raises(
        RunError,
        match=(
            r"`valid` .*valid.txt after epoch 1: the loss became nan; try a smaller `lr`."
            r" Nothing was"
        ),
    ):
        train(zipf_lines, output="run", valid=valid)
    assert not Path("run").exists()


def test_the_run_remembers_its_text(train, zipf_lines, valid, folder):
    train(zipf_lines, output="run", valid=valid, checkpoint_every="1h")
    assert resumed_config(
        Path("run"), {"valid": "valid.txt", "epochs": "3"}
    ).validation.valid == str(folder / valid)
    with pytest.raises(InputError, match=r"`valid` other.txt cannot be changed"):
        resumed_config(Path("run"), {"valid": "other.txt"})
    train(zipf_lines, output="plain")
    assert not {"valid", "patience"} & set(build_config({}, Path("plain/config.yaml")).as_dict())
