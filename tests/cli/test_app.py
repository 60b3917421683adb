"""The program as such: help, version, what each kind of error becomes, pipes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from w2v.cli import app as app_module
from w2v.cli.app import app, main
from w2v.cli.interrupt import Interrupted
from w2v.errors import InputError, RunError
from w2v.settings.groups import all_settings

from .conftest import Run, environment

VERBS = [
    "train",
    "eval",
    "nearest",
    "similarity",
    "odd-one-out",
    "vectors",
    "vocab",
    "info",
    "export",
    "cache",
    "losses",
]
HEAVY = {
    "numba",
    "torch",
    "pyarrow",
    "datasets",
    "numpy",
    "pandas",
    "scipy",
    "rich",
    "tqdm",
    "yaml",
    "safetensors",
}


def test_help_lists_every_verb() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    for verb in VERBS:
        assert f"  {verb} " in result.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    for flag in ("-h", "--help"):
        result = CliRunner().invoke(app, [verb, flag])
        assert result.exit_code == 0
        assert f"  w2v {verb}" in result.stdout


def test_help_of_train_shows_type_default_and_range() -> None:
    text = " ".join(CliRunner().invoke(app, ["train", "--help"], terminal_width=100).stdout.split())
    assert "--dim INT dimension of the vectors [1 to 1048576; default: 100; lm 200]" in text
    assert "--lr FLOAT" in text
    assert (
        "[above 0; default: 0.025 for skip-gram, 0.05 for cbow; adagrad 0.1, sparse-adam 0.01; lm:"
        " sgd 20," in text
    )
    assert "--loss TEXT the output layer" in text and "nce, sampled-softmax" in text
    assert "--device auto|cpu|cuda[:N]" in text
    assert "--nce-log-z [auto|learned|FLOAT] log Z" in text


def test_help_of_train_lists_every_setting_in_the_section_of_its_group() -> None:
    sections: dict[str, list[str]] = {}
    heading = ""
    for line in CliRunner().invoke(app, ["train", "--help"]).stdout.splitlines():
        if line and not line.startswith((" ", "Usage")):
            heading = line
        elif heading and line.startswith("  -"):
            sections.setdefault(heading, []).append(line.removeprefix("  -o, ").split()[0])
    listed = [option for options in sections.values() for option in options]
    settings = [each.option for each in all_settings().values() if each.flag]
    assert sorted(set(settings) & set(listed)) == sorted(settings)
    assert len(listed) == len(set(listed))
    assert list(sections)[:3] == ["Input:", "Model:", "Training:"]
    assert sections["Only with --loss sparse-softmax:"] == ["--top-k", "--keep-target"]
    assert "--arch" in sections["Only with --model lm:"]
    assert {"--output", "--checkpoint-every", "--resume"} <= set(sections["Runs:"])


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["train", "--help"], ["--version"], ["losses"], ["train", "--dim", "0"]],
)
def test_nothing_heavy_is_imported(arguments: list[str]) -> None:
    code = "import sys, w2v.cli.app\nw2v.cli.app.main(sys.argv[1:])\nprint('MODULES', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    loaded = done.stdout.partition("MODULES")[2].split()
    assert loaded
    assert not HEAVY & set(loaded)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["train", "--negtives", "5", "a"],
            "w2v train: no such option --negtives; did you mean --negatives?",
        ),
        (["train", "--zzz"], "w2v train: no such option --zzz; see w2v train --help"),
        (["train", "-x"], "w2v train: no such option -x; see w2v train --help"),
        (["--versoin"], "w2v: no such option --versoin; did you mean --version?"),
        (["trian"], "w2v: no such command 'trian'; did you mean train?"),
        (["frobnicate"], "w2v: no such command 'frobnicate'; see w2v --help"),
        (
            ["train", "a", "--dim"],
            "w2v train: option '--dim' requires an argument; see w2v train --help",
        ),
        (
            ["train", "a", "--dim", "0"],
            "w2v train: --dim 0 is below 1: give a whole number, 1 to 1048576",
        ),
        (
            ["train", "a", "--threads", "0"],
            "w2v train: --threads 0 is below 1: give a whole number, 1 to 1024",
        ),
        (
            ["train", "a", "--lr", "nan"],
            "w2v train: --lr nan is not a finite number: give a number, above 0",
        ),
        (
            ["train", "a", "--loss", "ncee"],
            (
                "w2v train: --loss ncee is not one of softmax, label-smoothing, sparse-softmax,"
                " am-softmax, l-softmax, sm-softmax, adaptive-softmax, hsigmoid, neg, nce,"
                " sampled-softmax, hsigmoid+neg (did you mean nce?)"
            ),
        ),
        (["train"], "w2v train: no corpus: give a text file, a folder, or - for standard input"),
        (
            ["train", "--dim", "x", "--epochs", "0", "a"],
            (
                "w2v train: 2 problems: --dim x is not a whole number: give a whole number, 1 to"
                " 1048576; --epochs 0 is below 1: give a whole number, 1 or more"
            ),
        ),
        (
            ["train", "a", "--config", "none.yaml"],
            (
                "w2v train: --config none.yaml: No such file or directory; give a YAML file of"
                " settings"
            ),
        ),
        (["nearest"], "w2v nearest: missing argument 'MODEL'; see w2v nearest --help"),
        (["losses", "hsigmod"], "w2v losses: no loss 'hsigmod': did you mean hsigmoid?"),
        (["cache", "clera"], "w2v cache: no action 'clera': did you mean clear?"),
    ],
)
def test_input_errors_are_one_line_and_exit_2(
    arguments: list[str],
    message: str,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert (out, err) == ("", message + "\n")
    assert list(tmp_path.iterdir()) == []


def test_unknown_keys_of_a_yaml_file(w2v: Run, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("windw: 3\ndim: 0\n")
    done = w2v("train", "a.txt", "--config", "x.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == "w2v train: 2 problems: unknown key 'windw' in x.yaml (did you mean 'window'?); "
        "dim in x.yaml 0 is below 1: give a whole number, 1 to 1048576\n"
    )


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (InputError("bad --x 5; give 6"), 2, "w2v losses: bad --x 5; give 6"),
        (RunError("disk gone"), 1, "w2v losses: disk gone"),
        (OSError(28, "Disk full"), 1, "w2v losses: cannot write to standard output: Disk full"),
        (
            FileNotFoundError(2, "No such file or directory", "x.txt"),
            1,
            "w2v losses: x.txt: No such file or directory",
        ),
        (MemoryError(), 1, "w2v losses: out of memory; reduce --dim or --max-vocab"),
        (KeyboardInterrupt(), 130, "w2v losses: interrupted"),
        (Interrupted(signal.SIGTERM), 143, "w2v losses: terminated"),
        (
            ValueError("two\nlines"),
            1,
            (
                "w2v losses: internal error: ValueError: two lines (set W2V_TRACEBACK=1 to see the"
                " traceback)"
            ),
        ),
        (
            EOFError(),
            1,
            (
                "w2v losses: internal error: EOFError: no message (set W2V_TRACEBACK=1 to see the"
                " traceback)"
            ),
        ),
    ],
)
def test_every_exception_becomes_a_line_and_a_status(
    error: BaseException,
    status: int,
    message: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(arguments: list[str]) -> int:
        raise error

    monkeypatch.setattr(app_module, "_run", fail)
    monkeypatch.setattr(app_module, "silence", lambda descriptor: None)
    monkeypatch.delenv("W2V_TRACEBACK", raising=False)
    assert main(["losses"]) == status
    assert capfd.readouterr() == ("", message + "\n")


def test_the_traceback_is_there_for_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(arguments: list[str]) -> int:
        raise ValueError("x")

    monkeypatch.setattr(app_module, "_run", fail)
    monkeypatch.setenv("W2V_TRACEBACK", "1")
    with pytest.raises(ValueError, match="x"):
        main(["losses"])
