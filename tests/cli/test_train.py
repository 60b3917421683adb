"""`w2v train`: what reaches the run, what is printed of its summary, and signals. The run itself is
a stand-in."""

from __future__ import annotations

import json
import os
import signal
import types
from dataclasses import replace
from typing import Any

import pytest

import w2v
from w2v.cli.app import main
from w2v.cli.interrupt import Interrupted, stopping_softly
from w2v.settings.config import Config
from w2v.training.report import Plan, Progress, RunSummary, Seconds, Words
from w2v.training.task import Context

SUMMARY = RunSummary(
    output="out.bin",
    model="skip-gram",
    loss="neg",
    engine="hogwild",
    words=Words(
        read=1000,
        in_vocabulary=900,
        left_out=100,
        passed=5000,
        trained=3000,
        subsampled=1500,
        passed_left_out=500,
    ),
    vocabulary=80,
    seconds=Seconds(0.5, 1.25, 2.0),
    words_per_second=3_600_000.0,
    final_loss=2.25,
    predictions=12_000_000,
    dim=100,
    epochs=5,
    epochs_done=5.0,
    interrupted=False,
    seed=1,
    threads=2,
)
PLAN = Plan(
    output="out.bin",
    model="skip-gram",
    loss="neg",
    words=1000,
    in_vocabulary=900,
    distinct_words=300,
    vocabulary=80,
    dim=100,
    epochs=5,
    threads=2,
    memory_bytes=64_000,
    memory_available_bytes=None,
    output_bytes=32_000,
    training_seconds=0.5,
)


class StandIn(types.SimpleNamespace):
    """w2v.run with a run that does nothing but remember its arguments, and signals where asked
    to."""

    config: Config
    use_cache: bool
    signals: tuple[int, ...] = ()
    began = True

    def run(self, context: Context) -> RunSummary:
        self.config, self.use_cache = context.config, context.use_cache
        context.reporter.stage("training")
        if self.began:
            context.reporter.training(Progress(0.5, 2500, 1e6, 0.0125, 2.5, 1.0, 3))
        for number in self.signals:
            os.kill(os.getpid(), number)
        stopped = context.stop.is_set()
        return replace(SUMMARY, interrupted=stopped, epochs_done=2.36 if stopped else 5.0)

    def plan(self, context: Context) -> Plan:
        self.config, self.use_cache = context.config, context.use_cache
        return PLAN


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    found = StandIn()
    monkeypatch.setattr(w2v, "run", found, raising=False)
    return found


def test_every_kind_of_setting_reaches_the_run(stand_in: StandIn) -> None:
    arguments = [
        "train",
        "a.txt",
        "b.txt",
        "--dim",
        "7",
        "--lr",
        "1e-2",
        "--lowercase",
        "--loss",
        "nce",
        "--nce-log-z",
        "-1.5",
        "--nce-bias",
        "--output",
        "o",
        "--no-cache",
        "--min-count",
        "1",
    ]
    assert main(arguments) == 0
    config = stand_in.config
    assert config.corpus.corpus == ("a.txt", "b.txt")
    assert (
        config.model.dim,
        config.training.lr,
        config.corpus.lowercase,
        config.corpus.min_count,
    ) == (7, 0.01, True, 1)
    assert (config.loss.nce_log_z, config.loss.nce_bias) == ("-1.5", True)
    assert config.output.output == "o"
    assert stand_in.use_cache is False


def test_a_flag_on_the_command_line_can_undo_the_yaml_file(
    stand_in: StandIn, tmp_path: Any
) -> None:
    (tmp_path / "c.yaml").write_text("corpus: x\nlowercase: true\noverwrite: true\n")
    assert main(["train", "--config", str(tmp_path / "c.yaml"), "--no-lowercase"]) == 0
    assert stand_in.config.corpus.lowercase is False
    assert stand_in.config.output.overwrite is True
    assert stand_in.use_cache is True


def test_stdout_has_the_path_and_stderr_the_summary(
    stand_in: StandIn, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "a.txt"]) == 0
    out, err = capfd.readouterr()
    assert out == "out.bin\n"
    assert (
        err == "training\n5,000 words in 5 epochs = 3,000 trained + 500 below --min-count + 1,500"
        " subsampled\n80 words x 100, neg: loss 2.2500 nats per prediction in the last epoch,"
        " 3.60 M words/s, 1.2 s training, 2.0 s in all\n"
    )


def test_quiet(stand_in: StandIn, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "a.txt", "--quiet"]) == 0
    assert capfd.readouterr() == ("out.bin\n", "")


def test_json_has_the_promised_keys(stand_in: StandIn, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "a.txt", "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    assert {
        "output",
        "model",
        "loss",
        "engine",
        "words",
        "vocabulary",
        "seconds",
        "words_per_second",
        "final_loss",
    } <= {*result}
    assert {"read", "in_vocabulary", "trained"} <= {*result["words"]}
    assert {"vocabulary", "training", "total"} <= {*result["seconds"]}
    assert result["words"]["read"] == 1000
    assert result["interrupted"] is False


def test_settings_without_effect_are_noted(
    stand_in: StandIn, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "a.txt", "--loss", "hsigmoid", "--negatives", "7"]) == 0
    said = capfd.readouterr().err
    users = "neg, nce, sampled-softmax and hsigmoid+neg"
    assert f"note: --negatives is not used by --loss hsigmoid (only by {users})\n" in said


def test_dry_run(stand_in: StandIn, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "a.txt", "--dry-run"]) == 0
    out = capfd.readouterr().out
    values = dict(line.split("\t") for line in out.splitlines())
    assert {**values, "memory_available_bytes": None} == {
        key: value if value is None else str(value) for key, value in PLAN.as_dict().items()
    }
    assert values["memory_available_bytes"] == "n/a"
    assert main(["train", "a.txt", "--dry-run", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == PLAN.as_dict()


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")]
)
def test_the_first_signal_keeps_what_was_learnt(
    stand_in: StandIn, number: int, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    stand_in.signals = (number,)
    assert main(["train", "a.txt", "--quiet"]) == 128 + number
    out, err = capfd.readouterr()
    assert out == "out.bin\n"
    assert err.splitlines() == [
        "stopping: saving what was learnt so far (a second signal ends at once, without saving)",
        (
            f"w2v train: stopped by {name} in epoch 3 of 5, after 47.2 % of the words; "
            "the vectors learnt so far are in out.bin"
        ),
    ]


def test_a_request_that_is_delivered_twice_is_one(
    stand_in: StandIn, capfd: pytest.CaptureFixture[str]
) -> None:
    stand_in.signals = (signal.SIGTERM, signal.SIGTERM, signal.SIGHUP, signal.SIGTERM)
    assert main(["train", "a.txt", "--quiet"]) == 143
    out, err = capfd.readouterr()
    assert out == "out.bin\n" and len(err.splitlines()) == 2


def test_the_second_signal_ends_at_once(
    stand_in: StandIn, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("w2v.cli.interrupt.AGAIN_SECONDS", 0.0)
    stand_in.signals = (signal.SIGINT, signal.SIGTERM)
    assert main(["train", "a.txt"]) == 143
    out, err = capfd.readouterr()
    assert out == ""
    assert err.endswith("w2v train: terminated\n")


def test_before_training_the_first_signal_ends_at_once(
    stand_in: StandIn, capfd: pytest.CaptureFixture[str]
) -> None:
    stand_in.signals, stand_in.began = (signal.SIGINT,), False
    assert main(["train", "a.txt"]) == 130
    assert capfd.readouterr() == ("", "training\nw2v train: interrupted\n")


def test_signal_handlers_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("w2v.cli.interrupt.AGAIN_SECONDS", 0.0)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stopping_softly(lambda: True) as stop, pytest.raises(Interrupted):
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stopping_softly(lambda: True) as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert not stop.is_set()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
