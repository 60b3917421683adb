"""Which engine a GPU gets, what is refused, and how a run changes between the engines with fused
kernels: all of it without a GPU and without Triton."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.settings.test_build import CORPUS, problem_of
from w2v.cli.app import main
from w2v.errors import InputError
from w2v.runs.resume import resumed_config
from w2v.settings.build import build_config
from w2v.settings.config import Config

CUDA = {**CORPUS, "device": "cuda"}


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton is installed, and compiles."""
    monkeypatch.setattr("w2v.settings.resolve.has_triton", lambda: True)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)


def of(config: Config) -> tuple[str, str, float]:
    training = config.training
    return training.engine, training.optimizer, training.lr


@pytest.mark.parametrize(
    ("given", "engine"),
    [
        ({}, ("triton", "sgd", 0.025)),
        ({"device": "cuda:1", "loss": "hsigmoid"}, ("triton", "sgd", 0.025)),
        ({"model": "cbow", "loss": "nce", "optimizer": "sgd"}, ("triton", "sgd", 0.05)),
        ({"dim": "300", "window": "15", "negatives": "25"}, ("triton", "sgd", 0.025)),
        ({"engine": "autograd"}, ("autograd", "adagrad", 0.1)),
        ({"device": "auto"}, ("hogwild", "sgd", 0.025)),
        ({"device": "auto", "engine": "triton"}, ("triton", "sgd", 0.025)),
        ({"device": "auto", "loss": "softmax"}, ("autograd", "adagrad", 0.1)),
    ],
)
def test_a_gpu_gets_the_fused_kernels(
    given: dict[str, str], engine: tuple[str, str, float]
) -> None:
    config = build_config({**CUDA, **given})
    assert of(config) == engine
    assert config.notes == ()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"loss": "softmax"}, "`loss` softmax needs it"),
        ({"optimizer": "adagrad"}, "`optimizer` adagrad needs it"),
        ({"init": "v.bin", "freeze": True}, "`freeze` needs it"),
        ({"subwords": "3-6"}, "`subwords` 3-6 needs it"),
        ({"dim": "300", "window": "16"}, "`window` 16 at `dim` 300 (at most 15) needs it"),
        ({"dim": "2000"}, "`dim` 2000 needs it"),
        ({"negatives": "134217713"}, "`negatives` 134217713 (at most 134217712) needs it"),
        ({"loss": "softmax", "subwords": "3-6"}, "`loss` softmax and `subwords` 3-6 need it"),
    ],
)
def test_what_the_kernels_cannot_do_autograd_does_and_says_why(
    given: dict[str, Any], why: str
) -> None:
    config = build_config({**CUDA, **given})
    assert (config.training.engine, config.why_engine) == ("autograd", why)
    message = problem_of({**CUDA, **given, "engine": "triton"})
    named = why.removesuffix(" needs it").removesuffix(" need it")
    assert message == f"`engine` triton does not support {named}: use `engine` autograd or auto"


def test_without_triton_autograd_trains_and_a_note_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("w2v.settings.resolve.has_triton", lambda: False)
    config = build_config(CUDA)
    assert of(config) == ("autograd", "adagrad", 0.1)
    assert config.why_engine == "Triton is not installed"
    (note,) = config.notes
    assert "pip install triton" in note and "`device` cuda" in note
    assert build_config({**CUDA, "loss": "softmax"}).notes == ()
    assert build_config({**CUDA, "engine": "autograd"}).notes == ()


def test_several_ranks_have_no_fused_kernels_on_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WORLD_SIZE": "2", "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    config = build_config(CUDA)
    assert (config.training.engine, config.why_engine) == (
        "autograd",
        "a run over 2 ranks needs it",
    )
    message = problem_of({**CUDA, "engine": "triton"})
    assert message.startswith("`engine` triton does not support a run over 2 ranks: ")


@pytest.mark.parametrize("given", [{}, {"engine": "triton"}])
def test_a_gpu_is_not_deterministic(given: dict[str, str]) -> None:
    message = problem_of({**CUDA, **given, "deterministic": True})
    assert message.startswith("`deterministic`: a GPU adds numbers in no fixed order; leave it out")


def test_other_refusals_name_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    triton = {**CORPUS, "engine": "triton"}
    for more, what in (({"device": "cpu"}, "`device` cpu"), ({"model": "lm"}, "`model` lm")):
        message = problem_of({**triton, **more})
        assert message == f"`engine` triton does not support {what}: use `engine` autograd or auto"
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert of(build_config({**triton, "device": "cpu"})) == ("triton", "sgd", 0.025)
    notes = build_config({**triton, "batch_size": "5", "exchange_words": "9"}).notes
    assert notes == (
        "`exchange_words` is not used by the triton engine",
        "`batch_size` is not used by the triton engine (add `engine` autograd)",
    )


def test_a_saved_configuration_keeps_the_engine(tmp_path: Path) -> None:
    config = build_config(CUDA)
    (tmp_path / "c.yaml").write_text(config.to_yaml())
    back = build_config({}, tmp_path / "c.yaml")
    assert of(back) == of(config)
    assert (back.training.device, back.notes) == ("cuda", ())


# --------------------------------------------------------------------------------------------------
# On the command line


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    Path("c.txt").write_text("a b a b\n" * 9)
    more = ["--min-count", "1", "--output", "never", "--no-cache"]
    assert main(["train", "c.txt", *arguments, *more]) == 2
    assert not Path("never").exists()
    return capsys.readouterr().err.splitlines()[-1]


def test_without_triton_or_a_gpu_one_line_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch  # so late: for the other tests it takes a second

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for engine in ("autograd", "triton", "auto") if find_spec("triton") else ("autograd",):
        wanting = refused(["--engine", engine, "--device", "cuda"], capsys)
        assert wanting.startswith("w2v train: --device cuda: PyTorch finds no CUDA device")
        _works(["--engine", engine, "--device", "cuda"], wanting, capsys)
    _works(["--engine", "triton"], refused(["--engine", "triton"], capsys), capsys)
    for module in [name for name in sys.modules if name.startswith(("w2v.kernels.gpu.", "triton"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, "w2v.words.gpu", raising=False)
    monkeypatch.setitem(sys.modules, "triton", None)  # an import fails
    for given in (["--engine", "triton"], ["--device", "cuda:3"]):
        missing = refused(given, capsys)
        assert missing.startswith("w2v train: --engine triton needs Triton, which cannot be used")
        _works(given, missing, capsys)


def _works(given: list[str], advice: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The last remedy of a message can be followed: its options replace those that were given."""
    instead = re.findall(r"--[a-z]+ [a-z]+", re.split(r", or use |; use ", advice)[-1])
    assert instead, advice
    arguments = ["c.txt", *given, *" ".join(instead).split(), "--min-count", "1", "--no-cache"]
    assert main(["train", *arguments, "--dry-run"]) == 0, capsys.readouterr().err


def test_losses_name_the_engines_that_have_them(capsys: pytest.CaptureFixture[str]) -> None:
    for loss, engines in {"neg": "hogwild, triton, autograd", "softmax": "autograd"}.items():
        assert main(["losses", loss]) == 0
        assert f"engines\t{engines}\n" in capsys.readouterr().out


# --------------------------------------------------------------------------------------------------
# Going on with the other engine


def run_with(tmp_path: Path, **settings: str) -> Path:
    """A run directory, as far as its settings go."""
    config = build_config({**CORPUS, "checkpoint_every": "5m", **settings})
    (tmp_path / "config.yaml").write_text(config.to_yaml())
    return tmp_path


def test_a_run_goes_on_with_the_other_engine_and_is_told_so(tmp_path: Path) -> None:
    run = run_with(tmp_path)
    assert resumed_config(run, {"device": "auto"}).training.engine == "hogwild"
    for given, device in (
        ({"device": "cuda:1"}, "cuda:1"),
        ({"engine": "triton"}, "auto"),
        ({"engine": "triton", "device": "cuda"}, "cuda"),
    ):
        config = resumed_config(run, given)
        assert (config.training.engine, config.training.device) == ("triton", device)
        (note,) = config.notes
        assert "`engine` triton instead of hogwild" in note and "not bit for bit" in note
    run = run_with(tmp_path, device="cuda")
    assert resumed_config(run, {}).training.engine == "triton"
    for given in ({"engine": "hogwild"}, {"device": "cpu"}):
        config = resumed_config(run, given)
        assert (config.training.engine, config.training.device) == ("hogwild", "cpu")
    config = resumed_config(run, {"device": "cuda:1"})
    assert (config.training.engine, config.training.device) == ("triton", "cuda:1")


def test_other_engines_are_other_runs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"`engine` autograd cannot be changed \(it is hogwild\)"):
        resumed_config(run_with(tmp_path), {"engine": "autograd"})
    with pytest.raises(InputError, match="`engine` triton does not support `subwords` 3-4"):
        resumed_config(run_with(tmp_path, subwords="3-4"), {"device": "cuda"})
    with pytest.raises(
        InputError, match=r"deterministic in .*: a GPU adds numbers in no fixed order"
    ):
        resumed_config(run_with(tmp_path, deterministic="true"), {"device": "cuda"})
    with pytest.raises(InputError, match=r"`engine` hogwild cannot be changed \(it is autograd\)"):
        resumed_config(run_with(tmp_path, loss="softmax"), {"engine": "hogwild"})
