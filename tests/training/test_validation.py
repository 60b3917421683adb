from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from tests.resumption import StopAt, Told
from tests.trained import plan, run
from w2v.corpus import read_corpus
from w2v.errors import InputError
from w2v.lm.perplexity import score_ids
from w2v.lm.saved import load_language_model
from w2v.runs.resume import resumed_config
from w2v.settings.build import build_config
from w2v.training.report import SilentReporter

SMALL = {
    "model": "lm",
    "dim": "12",
    "batch_size": "8",
    "bptt": "10",
    "threads": "1",
    "epochs": "3",
    "heads": "2",
}


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of train.txt, about 5,600 tokens of regular sentences, and valid.txt, 700 of the
    same kind."""
    generator = np.random.default_rng(3)
    nouns, verbs = [f"noun{i}" for i in range(12)], [f"verb{i}" for i in range(6)]
    for name, lines in (("train.txt", 800), ("valid.txt", 100)):
        drawn = generator.integers(0, 12, (lines, 3))
        sentences = [
            f"the {nouns[a]} {verbs[a % 6]} the {nouns[(a + b % 2) % 12]} ." for a, b, _ in drawn
        ]
        (tmp_path / name).write_text("\n".join(sentences) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def config_of(**given: str):
    return build_config({"corpus": ("train.txt",), **SMALL, **given})


def trained(stop=None, reporter=None, resume: Path | None = None, **given: str):
    config = config_of(**given) if resume is None else resumed_config(resume, {})
    stop, reporter = stop or threading.Event(), reporter or SilentReporter()
    return run(config, use_cache=False, reporter=reporter, stop=stop, resume=resume)


def scored(run_path: str) -> float:
    saved = load_language_model(run_path)
    with read_corpus(("valid.txt",), saved.config.corpus, use_cache=False) as store:
        ids = saved.vocabulary.encode_store(store)
    return score_ids(saved.network, ids, saved.vocabulary.eos, saved.vocabulary.unk).perplexity


def lines_of(run_path: str) -> list[dict[str, object]]:
    lines = [
        json.loads(line) for line in (Path(run_path) / "metrics.jsonl").read_text().splitlines()
    ]
    return [line for line in lines if "validation_perplexity" in line]


def test_checkpoints_while_what_an_attention_carries_still_grows(texts, prompt):
    settings = {"arch": "transformer", "context": "2000", "bptt": "7", "batch_size": "4"}
    told = Told()
    trained(output="run", reporter=told, checkpoint_every="1k", keep="100", epochs="1", **settings)
    assert len(list(Path("run/checkpoints").iterdir())) > 2
    assert not [text for text in told.said if "checkpoint" in text]


def test_a_run_directory_holds_the_model_that_the_summary_tells_of(texts):
    learning = {"valid": "valid.txt", "optimizer": "adamw", "lr": "0.03", "dropout": "0"}
    summary = trained(output="run", **learning)
    files = {path.name for path in Path("run").iterdir()}
    assert files == {
        "config.yaml",
        "format_version",
        "metrics.jsonl",
        "model.safetensors",
        "summary.json",
        "vectors.npy",
        "vocab.tsv",
    }
    assert summary.validation["perplexity"] == pytest.approx(scored("run"), rel=1e-6)
    assert summary.validation["tokens"] == 700
    assert summary.validation["perplexity"] == min(
        line["validation_perplexity"] for line in lines_of("run")
    )
    assert summary.validation["perplexity"] < 5  # 24 per sentence of 7 tokens would be 1.57
    assert [line["epoch"] for line in lines_of("run")] == [1, 2, 3]
    saved = load_language_model("run")
    np.testing.assert_array_equal(
        np.load("run/vectors.npy"), saved.network.input.weight.detach().numpy()
    )
    assert json.loads(Path("run/summary.json").read_text())["validation"] == summary.validation
    assert summary.words.trained == 3 * 5600
    repeated = trained(output="again", **learning)
    assert repeated.validation["perplexity"] == summary.validation["perplexity"]


def test_the_best_epoch_is_kept_and_patience_ends_training(texts):
    summary = trained(
        valid="valid.txt",
        output="run",
        epochs="9",
        optimizer="sgd",
        lr="200",
        clip="0",
        patience="2",
        schedule="constant",
        dropout="0",
        hidden="12",
    )
    lines = lines_of("run")
    best = int(np.argmin([line["validation_nats_per_token"] for line in lines])) + 1
    assert len(lines) == best + 2 < 9
    for line in lines:  # JSON has no infinity
        nats = line["validation_nats_per_token"]
        assert line["validation_perplexity"] == (
            pytest.approx(np.exp(nats), rel=1e-9) if nats < 709 else None
        )
    assert summary.epochs_done == pytest.approx(best + 2)
    assert summary.validation["epoch"] == best
    assert summary.validation["perplexity"] == pytest.approx(scored("run"), rel=1e-6)
    assert not summary.interrupted


def test_a_plateau_quarters_the_learning_rate(texts):
    trained(
        valid="valid.txt",
        output="run",
        epochs="4",
        lr="200",
        optimizer="sgd",
        clip="0",
        dropout="0",
    )
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    worse = sum(b["validation_nats_per_token"] > a for a, b in _with_best(lines_of("run")))
    last = [line["lr"] for line in lines if "lr" in line][-1]
    assert worse >= 1
    assert last == 200 / 4**worse


def _with_best(lines):
    best = np.inf
    for line in lines:
        yield best, line
        best = min(best, line["validation_nats_per_token"])


@pytest.mark.parametrize(
    "settings", [{}, {"arch": "transformer"}, {"loss": "nce", "negatives": "10", "tied": "true"}]
)
def test_a_stopped_run_is_saved_measured_and_goes_on_to_the_same_end(texts, settings, polled):
    whole = trained(valid="valid.txt", output="whole", **settings)
    stop = threading.Event()
    part = trained(stop, StopAt(stop, 0.4), valid="valid.txt", output="part", **settings)
    assert part.interrupted
    assert part.validation["perplexity"] == pytest.approx(scored("part"), rel=1e-6)
    rest = trained(resume=Path("part"))
    assert rest.validation == whole.validation | {"seconds": rest.validation["seconds"]}
    assert rest.final_loss == whole.final_loss
    ours, theirs = (load_language_model(name).network.state_dict() for name in ("whole", "part"))
    assert all((ours[name] == theirs[name]).all() for name in ours)


def test_a_plan_trains_a_moment_and_writes_nothing(texts):
    found = plan(
        config_of(output="run", valid="valid.txt"), use_cache=False, reporter=SilentReporter()
    )
    assert found.vocabulary == 12 + 6 + 4  # the, ., <unk>, <eos>
    assert found.words == 5600
    assert found.memory_bytes > 300 << 20
    assert found.training_seconds > 0
    assert not Path("run").exists()


BAD = [
    ({"valid": "absent.txt"}, "`valid`: .*absent.txt"),
    ({"valid": "foreign.txt"}, "`valid` .*foreign.txt: none of its words is in the vocabulary"),
    ({"valid": "-"}, "`valid` - is not possible"),
    ({"bptt": "0"}, "`bptt` 0 is below 1"),
    ({"batch_size": "4000"}, "has 5,600 tokens.*`batch_size` 4000 needs 8,000"),
    ({"corpus": ("one.txt",)}, "repeats a single word"),
    ({"max_vocab": "1"}, "`max_vocab` 1 leaves one word"),
    ({"schedule": "plateau"}, "`schedule` plateau needs `valid`"),
    ({"patience": "2"}, "`patience` 2 needs `valid`"),
    (
        {"loss": "hsigmoid", "tied": "true"},
        "`tied`: the output rows of `loss` hsigmoid are not words",
    ),
    (
        {"loss": "am-softmax", "output_bias": "true"},
        "`output_bias`: `loss` am-softmax has no biases",
    ),
    ({"arch": "transformer", "heads": "5"}, "`heads` 5 does not divide the layers' width, 12"),
    ({"arch": "transformer", "heads": "4"}, "heads of even width"),
    ({"engine": "hogwild"}, "`engine` hogwild does not support `model` lm"),
    ({"output": "vectors.txt"}, "a language model is more than vectors"),
    ({"model": "skip-gram", "optimizer": "adamw"}, "`optimizer` adamw is only for `model` lm"),
]


@pytest.mark.parametrize(("settings", "told"), BAD)
def test_bad_input_is_told_in_one_sentence(texts, settings, told):
    (texts / "foreign.txt").write_text("ganz andere Wörter\n\n")
    (texts / "one.txt").write_text("word word\nword\n")
    given = {"corpus": ("train.txt",), "output": "run", **SMALL, **settings}
    with pytest.raises(InputError, match=told) as caught:
        run(build_config(given), use_cache=False, reporter=SilentReporter(), stop=threading.Event())
    assert "\n" not in str(caught.value)
    assert not Path("run").exists()


def test_what_has_no_effect_is_noted(texts):
    notes = config_of(window="3", arch="lbl", layers="2").notes
    assert any("`layers` is not used by `arch` lbl" in note for note in notes)
    assert any("`window` is not used by `model` lm" in note for note in notes)
    words = build_config({"corpus": ("train.txt",), "bptt": "3"})
    assert any(
        "`bptt` is not used by `model` skip-gram (only by lm)" in note for note in words.notes
    )


def test_defaults_follow_model_optimizer_and_architecture():
    lstm, transformer = config_of(), config_of(arch="transformer", valid="valid.txt")
    assert (
        lstm.training.optimizer,
        lstm.training.lr,
        lstm.lm.clip,
        lstm.lm.schedule,
        lstm.lm.bptt,
    ) == ("adagrad", 0.1, 1, "cosine", 10)
    assert (transformer.training.optimizer, transformer.lm.schedule, transformer.lm.context) == (
        "adamw",
        "cosine",
        256,
    )
    sgd = config_of(optimizer="sgd")
    assert (sgd.training.lr, sgd.lm.schedule) == (20, "linear")
    assert config_of(optimizer="sgd", valid="valid.txt").lm.schedule == "plateau"
    assert (lstm.training.loss, lstm.corpus.min_count) == ("softmax", 1)
    heads = [
        config_of(arch="transformer", heads=None, dim=dim).lm.heads for dim in ("200", "100", "6")
    ]
    assert heads == [4, 2, 1]
    assert config_of(arch="ffnn").training.optimizer == "adagrad"
    assert config_of(loss="nce").loss.negatives == 1024
    assert [
        config_of(loss=loss).training.optimizer for loss in ("nce", "hsigmoid", "label-smoothing")
    ] == ["adagrad", "adagrad", "adagrad"]
    assert build_config({"corpus": ("a",)}).training.loss == "neg"


def test_a_saved_configuration_gives_the_same_run(texts, tmp_path):
    config = config_of(valid="valid.txt", arch="gru", loss="sampled-softmax", tied="true")
    (tmp_path / "config.yaml").write_bytes(config.to_yaml().encode())
    again = build_config({}, tmp_path / "config.yaml")
    assert again.notes == ()
    assert again.lm == config.lm
    assert again.as_dict() == config.as_dict() | {"corpus": [str(tmp_path / "train.txt")]}
