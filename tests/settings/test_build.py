"""The configuration: precedence, YAML spellings, all problems at once, and saved files that give
back the same run."""

from __future__ import annotations

import os
import string
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from w2v.cli.output import as_options
from w2v.errors import InputError
from w2v.losses.options import HsigmoidOptions, NceOptions, NegOptions
from w2v.losses.table import LOSSES
from w2v.settings.build import build_config
from w2v.settings.declare import settings_of
from w2v.settings.groups import CorpusSettings, all_settings, loss_settings
from w2v.system.cores import available_cores

CORPUS = {"corpus": ("a.txt",)}


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def problem_of(cli: dict[str, Any], yaml_path: Path | None = None) -> str:
    with pytest.raises(InputError) as caught:
        build_config(cli, yaml_path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_defaults_are_those_of_word2vec_c() -> None:
    config = build_config(CORPUS)
    assert config.as_dict() == {
        "corpus": ["a.txt"],
        "column": None,
        "tokenizer": "whitespace",
        "sentences": "line",
        "lowercase": False,
        "encoding": "utf-8",
        "encoding_errors": "replace",
        "phrases": None,
        "vocab": None,
        "min_count": 5,
        "max_vocab": 0,
        "max_sentence": 1000,
        "model": "skip-gram",
        "dim": 100,
        "window": 5,
        "vectors": "input",
        "centre": False,
        "components": 0,
        "cbow_hidden": "mean",
        "cbow_grad": "word2vec",
        "subwords": "0",
        "loss": "neg",
        "sample": 1e-3,
        "lr": 0.025,
        "epochs": 5,
        "threads": available_cores(),
        "seed": 1,
        "deterministic": False,
        "exchange_words": 0,
        "engine": "hogwild",
        "device": "auto",
        "batch_size": None,
        "optimizer": "sgd",
        "negatives": 5,
        "noise_power": 0.75,
        "init": None,
        "freeze": False,
        "extend_vocab": False,
        "checkpoint_every": None,
        "keep": 2,
        "tensorboard": None,
        "output": None,
        "overwrite": False,
    }
    assert config.loss == NegOptions(5, 0.75)
    assert config.training.lr == 0.025
    assert config.training.threads == config.training.threads >= 1
    assert config.notes == ()


def test_command_line_before_yaml_before_defaults(tmp_path: Path) -> None:
    path = write(tmp_path / "r.yaml", "corpus: b.txt\ndim: 50\nwindow: 8\nlr: 1e-3\n")
    config = build_config({"dim": "20", "epochs": None}, path)
    assert (config.model.dim, config.model.window, config.training.epochs) == (20, 8, 5)
    assert config.corpus.corpus == ("b.txt",)
    assert config.training.lr == 0.001  # YAML reads 1e-3 as a text
    assert build_config({"corpus": ("a.txt", "c.txt")}, path).corpus.corpus == ("a.txt", "c.txt")


@pytest.mark.parametrize(
    "text",
    [
        "loss: nce\nnegatives: 9\nnce-log-z: 0\nmin-count: 2\ncorpus: [a.txt]",
        "loss: nce\nloss.negatives: 9\nloss.nce_log_z: 0\nmin_count: 2\ncorpus: a.txt",
        "loss: {name: nce, negatives: 9, nce-log-z: '0'}\nmin_count: '2'\ncorpus:\n- a.txt",
    ],
)
def test_yaml_spellings_mean_the_same(tmp_path: Path, text: str) -> None:
    config = build_config({}, write(tmp_path / "r.yaml", text))
    assert config.loss == NceOptions(9, 0.75, "0", False)
    assert config.corpus == CorpusSettings(("a.txt",), min_count=2)


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "x.yaml", "windw: 5\nepochs: many\nloss.dim: 4\n5: 6\n")
    message = problem_of({"dim": "0", "lr": "nan", "los": "x"}, path)
    assert (
        message == "8 problems: "
        f"unknown key 'windw' in {path} (did you mean 'window'?); "
        f"unknown key 'loss.dim' in {path}; "
        f"unknown key '5' in {path}; "
        f"epochs in {path} many is not a whole number: give a whole number, 1 or more; "
        "`dim` 0 is below 1: give a whole number, 1 to 1048576; "
        "`lr` nan is not a finite number: give a number, above 0; "
        "unknown setting 'los' (did you mean 'loss'?); "
        "no corpus: give a text file, a folder, or - for standard input"
    )


def test_a_single_problem_stands_alone() -> None:
    assert (
        problem_of({**CORPUS, "threads": "0"})
        == "`threads` 0 is below 1: give a whole number, 1 to 1024"
    )
    assert problem_of({}) == "no corpus: give a text file, a folder, or - for standard input"
    assert problem_of({"corpus": ("",)}).startswith("`corpus`: '' is not a name")


def test_a_bad_yaml_value_is_told_even_if_overridden(tmp_path: Path) -> None:
    path = write(tmp_path / "x.yaml", "dim: -1")
    assert "dim in" in problem_of({**CORPUS, "dim": "5"}, path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- dim", "is not a list of `key: value` lines"),
        ("dim", "is not a list of `key: value` lines"),
        ("dim: 5\nwindow: [1, 2\nlr: 3", "line 3: "),
        ("dim: 5\n  window: 3", "line 2: "),
        ("a: &x 1\n---\nb: 2", "line 2"),
        ("dim: 5\ndim: 6", "dim is given twice in"),
        ("min-count: 5\nmin_count: 6", "min_count is given twice in"),
        ("negatives: 5\nloss: {negatives: 5}", "negatives is given twice in"),
        ("loss: neg\nloss.name: neg", "loss is given twice in"),
        ("loss: {name: nce, negativs: 5}", "unknown key 'loss.negativs' in"),
        (
            "dim: !!python/object/apply:os.system ['true']",
            "line 1: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not supported",
        ),
        ("dim: \x07", "is not YAML: special characters are not allowed"),
        ("[" * 5000, "nested too deeply"),
        ("dim:", "has no value: give a whole number"),
        ("lowercase: 7", "is neither true nor false"),
        ("seed: 2019-01-01", "seed in"),
        ("? [1, 2]\n: 3", "not the name of a setting"),
    ],
)
def test_yaml_that_cannot_be_used(tmp_path: Path, text: str, expected: str) -> None:
    path = write(tmp_path / "x.yaml", text)
    message = problem_of(CORPUS, path)
    assert expected in message
    assert str(path) in message


def test_yaml_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "No such file" in problem_of(CORPUS, tmp_path / "none.yaml")
    assert "Is a directory" in problem_of(CORPUS, tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"dim: 5 # caf\xe9")
    assert "not a text file in UTF-8" in problem_of(CORPUS, tmp_path / "latin.yaml")


@pytest.mark.parametrize("text", ["", "# nothing\n", "\ufeffdim: 100"])
def test_yaml_files_that_change_nothing(tmp_path: Path, text: str) -> None:
    assert build_config(CORPUS, write(tmp_path / "x.yaml", text)) == build_config(CORPUS)


def test_options_of_another_loss_are_noted_not_refused(tmp_path: Path) -> None:
    config = build_config({**CORPUS, "loss": "hsigmoid", "negatives": "3"})
    assert config.loss == HsigmoidOptions()
    losses = "neg, nce, sampled-softmax and hsigmoid+neg"
    assert config.notes == (f"`negatives` is not used by `loss` hsigmoid (only by {losses})",)
    path = write(tmp_path / "x.yaml", "loss: {name: nce, nce-bias: true}")
    config = build_config({**CORPUS, "loss": "neg"}, path)
    assert config.notes == (f"nce_bias in {path} is not used by `loss` neg (only by nce)",)
    assert "negatives" in build_config({**CORPUS, "loss": "nce", "negatives": "3"}).as_dict()


@pytest.mark.parametrize(
    ("given", "engine", "optimizer", "lr"),
    [
        ({}, "hogwild", "sgd", 0.025),
        ({"loss": "nce", "device": "cpu"}, "hogwild", "sgd", 0.025),
        ({"loss": "hsigmoid", "optimizer": "sgd", "engine": "hogwild"}, "hogwild", "sgd", 0.025),
        ({"loss": "softmax"}, "autograd", "adagrad", 0.1),
        ({"model": "cbow"}, "hogwild", "sgd", 0.05),
        ({"loss": "sampled-softmax"}, "hogwild", "sgd", 0.025),
        ({"loss": "hsigmoid+neg", "model": "cbow"}, "hogwild", "sgd", 0.05),
        ({"model": "cbow", "optimizer": "adagrad"}, "autograd", "adagrad", 0.1),
        ({"model": "cbow", "engine": "autograd", "optimizer": "sgd"}, "autograd", "sgd", 0.05),
        ({"optimizer": "sparse-adam"}, "autograd", "sparse-adam", 0.01),
        ({"engine": "autograd", "lr": "0.3"}, "autograd", "adagrad", 0.3),
        ({"engine": "autograd", "optimizer": "sgd"}, "autograd", "sgd", 0.025),
    ],
)
def test_the_engine_follows_from_what_is_asked_for(
    given: dict[str, str], engine: str, optimizer: str, lr: float
) -> None:
    config = build_config({**CORPUS, **given})
    assert (config.training.engine, config.training.optimizer, config.training.lr) == (
        engine,
        optimizer,
        lr,
    )


def test_an_engine_that_cannot_is_refused_and_says_why() -> None:
    message = problem_of(
        {**CORPUS, "engine": "hogwild", "loss": "softmax", "optimizer": "adagrad", "device": "cuda"}
    )
    assert (
        message
        == "`engine` hogwild does not support `loss` softmax, `optimizer` adagrad and `device`"
        " cuda: use `engine` autograd or auto"
    )


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cuda1", "CPU", "cuda:-1"])
def test_devices_that_do_not_exist(device: str) -> None:
    message = problem_of({**CORPUS, "device": device})
    assert message == f"`device` {device} is not one of auto, cpu, cuda, cuda:N"


def test_a_batch_size_for_the_fused_kernels_is_noted() -> None:
    notes = build_config({**CORPUS, "batch_size": "5"}).notes
    assert notes == ("`batch_size` is not used by the hogwild engine (add `engine` autograd)",)
    assert build_config({**CORPUS, "batch_size": "5", "loss": "softmax"}).notes == ()


def test_checkpoints_to_keep_without_any_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    keeps = {**CORPUS, "keep": "5"}
    assert build_config(keeps).notes == ("`keep` is not used without `checkpoint_every`",)
    assert build_config({**keeps, "checkpoint_every": "5m"}).notes == ()
    assert build_config({**CORPUS, "keep": "2"}).notes == ()  # as in config.yaml
    for name, value in {"WORLD_SIZE": "2", "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    assert build_config(keeps).notes == ()  # several ranks save checkpoints by themselves


def test_a_mask_for_no_dropout_is_noted() -> None:
    masked = {**CORPUS, "model": "lm", "variational": "true"}
    assert build_config(masked).notes == ()
    notes = build_config({**masked, "dropout": "0"}).notes
    assert notes == ("`variational` is not used with `dropout` 0",)


def test_losses_that_share_a_setting_agree_on_it() -> None:
    for name, known in loss_settings().items():
        for entry in LOSSES.values():
            assert settings_of(entry.options).get(name, known) == known
    common = [name for name in all_settings() if name not in loss_settings()]
    assert len(common) == len(set(common) - set(loss_settings()))


# --------------------------------------------------------------------------------------------------
# Cores and imports


def test_cores_are_at_most_the_affinity() -> None:
    assert 1 <= available_cores() <= len(os.sched_getaffinity(0))


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import w2v, w2v.settings.build, w2v.losses.table, w2v.training.report, sys;"
        " print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"numpy", "torch", "numba", "pyarrow", "datasets", "rich", "typer", "yaml"} & set(
        loaded
    )


def test_names_of_settings_are_plain() -> None:
    for name in all_settings():
        assert set(name) <= set(string.ascii_lowercase + "_")


def test_an_option_in_a_file_of_settings_is_told_by_its_name(tmp_path: Path) -> None:
    path = write(tmp_path / "x.yaml", "quiet: true\nno-cache: true\n")
    assert "--quiet" in as_options(message := problem_of(CORPUS, path))
    assert "--no-cache" in as_options(message)
