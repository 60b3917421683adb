"""Whole runs: repeatable, stopped, diverged, too large for memory, and what they would do
(`plan`)."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from tests import forks
from tests.resumption import StopAfter
from tests.trained import only_so_much_memory, plan
from w2v.errors import InputError, RunError
from w2v.settings.build import build_config
from w2v.training.report import SilentReporter
from w2v.training.task import BASE_BYTES
from w2v.words.fused import HogwildEngine, Tally, memory_bytes

LOSSES = ["neg", "nce", "hsigmoid"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("loss", LOSSES)
def test_one_thread_and_a_seed_repeat_bit_for_bit(train, zipf_lines, loss):
    settings = {"loss": loss, "sample": 0.01, "seed": 7}
    first, second = train(zipf_lines, **settings), train(zipf_lines, **settings)
    assert first.path != second.path
    assert first.matrix.tobytes() == second.matrix.tobytes()
    assert first.summary.final_loss == second.summary.final_loss
    other = train(zipf_lines, **{**settings, "seed": 8})
    assert np.abs(other.matrix - first.matrix).max() > 1e-3


def test_a_seed_beyond_32_bits_counts_whole(train, zipf_lines):
    matrices = [
        train(zipf_lines, seed=seed, epochs=1).matrix for seed in (1, 1 + 2**32, 2**63 - 1, 0)
    ]
    assert len({matrix.tobytes() for matrix in matrices}) == 4


@pytest.mark.parametrize("loss", LOSSES)
def test_training_moves_every_vector(train, zipf_lines, loss):
    trained = train(zipf_lines, loss=loss, epochs=1)
    start = HogwildEngine(
        build_config({"corpus": ("x",), "dim": "16", "loss": loss, "threads": "1"}),
        np.zeros(1, np.int32),
        np.ones(trained.summary.vocabulary, np.int64),
    )
    start.initialise()
    assert np.abs(start.vectors).max() <= 0.25 / 16**0.5
    assert (np.abs(trained.matrix - start.vectors).max(axis=1) > 0).all()


SCRIPT = """
import sys, threading
from w2v.settings.build import build_config
from w2v.training.report import SilentReporter
from tests.trained import run
config = build_config({"corpus": ("corpus.txt",), "dim": "16", "min_count": "1", "epochs": "2",
    "threads": "1", "window": "3", "sample": "0.01", "output": sys.argv[1]})
run(config, use_cache=False, reporter=SilentReporter(), stop=threading.Event())
"""


def test_another_process_gives_the_same_vectors(train, zipf_lines, folder):
    here = train(zipf_lines, sample=0.01, output="here.npy")
    done = forks.run("there.npy", folder=folder, code=SCRIPT)
    assert done.returncode == 0, done.stderr
    assert np.load(folder / "there.npy").tobytes() == here.matrix.tobytes()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("loss", "lr"), [("neg", 1e6), ("nce", 1e8), ("hsigmoid", 1e8), ("neg", 1e30)]
)
def test_divergence_is_an_error_and_writes_nothing(train, folder, zipf_lines, threads, loss, lr):
    with pytest.raises(RunError) as caught:
        train(zipf_lines, loss=loss, lr=lr, threads=threads, epochs=5)
    message = str(caught.value)
    assert (
        "loss" in message
        and "epoch" in message
        and "try a smaller `lr`" in message
        and f"{lr:g}" in message
    )
    assert names(folder) == ["corpus.txt"]


def test_a_failing_engine_is_not_hidden(train, folder, zipf_lines, monkeypatch):
    def broken(self, block, lr, thread):
        if block.stop > 0:  # not when the kernel is only warmed up
            raise ZeroDivisionError("broken")
        return Tally()

    monkeypatch.setattr(HogwildEngine, "train", broken)
    with pytest.raises(ZeroDivisionError, match="broken"):
        train(zipf_lines, threads=2)
    assert names(folder) == ["corpus.txt"]


def test_a_kernel_that_cannot_be_compiled_is_told_once(
    train, folder, zipf_lines, monkeypatch, capsys
):
    def broken(config):
        raise ZeroDivisionError("no compiler")

    monkeypatch.setattr("w2v.words.fused.variant_of", broken)
    with pytest.raises(ZeroDivisionError, match="no compiler"):
        train(zipf_lines)
    assert capsys.readouterr() == ("", "")
    assert names(folder) == ["corpus.txt"]


@pytest.mark.parametrize("output", ["model", "model.bin"])
def test_stopped_before_training_keeps_the_untrained_vectors(train, zipf_lines, output):
    stop = threading.Event()
    stop.set()
    trained = train(zipf_lines, stop=stop, output=output, threads=2)
    summary = trained.summary
    assert summary.interrupted
    assert (summary.epochs_done, summary.words.passed, summary.final_loss) == (0, 0, None)
    assert summary.words.read == sum(map(len, zipf_lines))
    assert trained.matrix.shape == (60, 16)
    assert 0 < np.abs(trained.matrix).max() <= 0.25 / 16**0.5


@pytest.mark.parametrize("threads", [1, 2])
def test_stopped_while_training_keeps_what_was_learnt(train, zipf_lines, threads):
    trained = train(
        zipf_lines, epochs=50, threads=threads, stop=StopAfter(101), sample=0.01, min_count=100
    )
    summary, words = trained.summary, trained.summary.words
    assert summary.interrupted
    assert 0 < summary.epochs_done < summary.epochs == 50
    assert 0 < words.passed < 50 * words.read
    assert words.passed == words.trained + words.subsampled + words.passed_left_out
    # what was passed is what the epochs say; they are measured in stream positions, which include
    # line ends
    assert words.passed == pytest.approx(summary.epochs_done * words.read, rel=0.02)
    assert np.abs(trained.matrix).max() > 0.25 / 16**0.5
    assert summary.final_loss is not None
    stored = json.loads((trained.path / "summary.json").read_text())
    assert (stored["interrupted"], stored["epochs_done"]) == (True, summary.epochs_done)


@pytest.mark.parametrize("free", [0, 10**6, 200 << 20])
def test_memory_that_does_not_suffice(train, folder, zipf_lines, monkeypatch, free):
    only_so_much_memory(monkeypatch, free)
    with pytest.raises(
        RunError,
        match=r"training 60 words x 16 needs 0\.2 GB of memory, 0\.\d GB are free; lower `dim`",
    ):
        train(zipf_lines)
    assert names(folder) == ["corpus.txt"]


def test_too_many_words_for_the_memory(train, monkeypatch):
    lines = [[f"w{i}", f"w{i + 1}"] for i in range(3000)]
    config = build_config({"corpus": ("x",), "dim": "16", "threads": "1"})
    enough = BASE_BYTES + memory_bytes(config, 100)
    only_so_much_memory(monkeypatch, enough)
    with pytest.raises(
        RunError, match=r"training 3,001 words x 16 .*raise `min_count` or set `max_vocab`"
    ):
        train(lines)
    assert train(lines, max_vocab=100).summary.vocabulary == 100


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        ({"window": 10**10}, "`window` or `negatives`"),
        ({"negatives": 10**11}, "`window` or `negatives`"),
        ({"window": 10**10, "loss": "hsigmoid"}, "`window` or `threads`"),
    ],
)
def test_settings_too_large_for_any_memory(
    train, folder, zipf_lines, monkeypatch, capsys, settings, remedy
):
    only_so_much_memory(monkeypatch, 64 << 30)
    allocated = []
    monkeypatch.setattr("w2v.words.fused.HogwildEngine.compile", allocated.append)
    with pytest.raises(RunError, match=remedy):
        train(zipf_lines, **settings)
    assert allocated == []
    assert capsys.readouterr() == ("", "")
    assert names(folder) == ["corpus.txt"]


def test_where_the_system_does_not_tell_its_memory(train, zipf_lines, monkeypatch):
    only_so_much_memory(monkeypatch, None)
    assert not train(zipf_lines).summary.interrupted


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    "settings",
    [{}, {"window": "200"}, {"negatives": "500"}, {"loss": "hsigmoid"}, {"deterministic": "true"}],
)
def test_the_estimate_of_memory_covers_what_is_allocated(settings, threads):
    config = build_config({"corpus": ("x",), "dim": "100", "threads": str(threads), **settings})
    V = 20_000
    engine = HogwildEngine(
        config, np.zeros(1, np.int32), np.maximum(1, 10**6 // np.arange(1, V + 1))
    )
    owners = [engine, *engine.weights.tables, *engine._workspaces]
    arrays = {
        id(value): value.nbytes
        for owner in owners
        for value in vars(owner).values()
        if hasattr(value, "nbytes")
    }
    arrays |= {id(array): array.nbytes for array in engine._tables.arrays}
    allocated = sum(arrays.values())
    assert allocated <= memory_bytes(config, V) + (64 << 10)
    assert memory_bytes(config, V) < 1.6 * allocated


def test_plan_tells_what_run_does_and_writes_nothing(train, folder, zipf_lines):
    done = train(zipf_lines, min_count=100, threads=2)
    before = names(folder)
    config = build_config(
        {
            "corpus": ("corpus.txt",),
            "dim": "16",
            "min_count": "100",
            "epochs": "2",
            "threads": "2",
            "window": "3",
        }
    )
    planned = plan(config, use_cache=False, reporter=SilentReporter())
    assert names(folder) == before
    words = done.summary.words
    assert (planned.words, planned.in_vocabulary, planned.vocabulary) == (
        words.read,
        words.in_vocabulary,
        done.summary.vocabulary,
    )
    assert planned.distinct_words == 60
    assert planned.output == "corpus-skip-gram-neg-2"
    assert planned.output_bytes == done.matrix.nbytes
    assert planned.training_seconds is not None and 0 < planned.training_seconds < 10


def test_plan_without_memory(train, folder, zipf_lines, monkeypatch):
    train(zipf_lines)
    only_so_much_memory(monkeypatch, 5)
    planned = plan(
        build_config({"corpus": ("corpus.txt",), "window": str(10**12)}),
        use_cache=False,
        reporter=SilentReporter(),
    )
    assert planned.training_seconds is None
    assert planned.memory_available_bytes == 5 < planned.memory_bytes


def test_a_missing_corpus(train, folder):
    with pytest.raises(InputError, match=r"missing\.txt"):
        train(["missing.txt"])
    assert names(folder) == []


def test_stages_and_warnings_reach_the_reporter(train, folder):
    class Listener(SilentReporter):
        said: list[str] = []  # noqa: RUF012

        def stage(self, text):
            self.said.append(text)

        def warn(self, text):
            self.said.append(text)

    (folder / "bad.txt").write_bytes(b"a \xff b\n" * 20)
    train(["bad.txt"], reporter=Listener())
    assert "20 invalid UTF-8 sequences" in Listener.said[0]
    assert Listener.said[1].startswith("training 3 words x 16, skip-gram, loss neg, 1 threads")
    assert Listener.said[2] == "writing the result"
