"""The comparison: what is trained, kept, refused and written. Training itself is a stand-in but for
one test."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from w2v.cli.app import main
from w2v.comparison import compare as module
from w2v.comparison.compare import read_curve
from w2v.comparison.process import Finished, run_verb
from w2v.comparison.table import Row, load_table, save_table, with_speedups
from w2v.errors import InputError, RunError

SPEED = {"softmax": 1000.0, "nce": 4000.0, "hsigmoid": 5000.0}


class StandIn:
    """run_verb that writes what `w2v train` and `w2v eval` would, and remembers its arguments."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.failing: dict[str, Finished] = {}
        self.interrupted = False

    def __call__(
        self,
        arguments: Sequence[str],
        heard: Callable[[str], None],
        stopped: Callable[[], int | None],
    ) -> Finished:
        self.calls.append(list(arguments))
        if arguments[0] == "eval":
            return Finished(0, json.dumps({"analogies": {"set": {"accuracy": 0.25}}}), "", 1)
        import yaml

        if arguments[1] == "--resume":
            self.interrupted = False
            return self.finish(Path(arguments[2]), "nce", "lm")
        settings = yaml.safe_load(Path(arguments[2]).read_text())
        folder = Path(arguments[4])
        loss = settings["loss"]
        heard(f"training by {arguments[2]}")
        if loss in self.failing:
            return self.failing[loss]
        assert "--overwrite" in arguments or not folder.exists()
        return self.finish(folder, loss, settings["model"])

    def finish(self, folder: Path, loss: str, model: str) -> Finished:
        folder.mkdir(exist_ok=True)
        (folder / "metrics.jsonl").write_text(
            '{"seconds": 4.0, "fraction": 0.5, "epoch": 1}\n{"epoch": 1, "validation_perplexity":'
            ' 90.0, "seconds": 7}\n{"seconds": 10.0, "fraction": 1.0, "epoch": 2}\n{"epoch": 2,'
            ' "validation_perplexity": 80.5}\n'
        )
        summary: dict[str, Any] = {
            "epochs": 2,
            "epochs_done": 2.0,
            "seconds": {"training": 10.0},
            "words_per_second": SPEED.get(loss, 1.0),
            "interrupted": self.interrupted,
        }
        if model == "lm":
            summary["validation"] = {"perplexity": 80.5}
        return Finished(130 if self.interrupted else 0, json.dumps(summary), "", 123_000_000)

    @property
    def trained(self) -> list[str]:
        return [Path(call[4]).name for call in self.calls if call[:2] == ["train", "--config"]]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    found = StandIn()
    monkeypatch.setattr(module, "run_verb", found)
    return found


Verb = Callable[..., tuple[int, str, str]]


@pytest.fixture
def w2v(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Verb:
    """`w2v compare` in an empty directory: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("W2V_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("text.txt", "valid.txt"):
        (tmp_path / name).write_text("a b c d e f\nb a d c f e\n" * 40)

    def run(*arguments: str) -> tuple[int, str, str]:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            status = main(["compare", *arguments])
        for stream in (out, err):
            stream.flush()
        # type: ignore[attr-defined]
        return status, out.buffer.getvalue().decode(), err.buffer.getvalue().decode()

    return run


LM = ["text.txt", "--model", "lm", "--valid", "valid.txt", "--output", "c"]


def test_the_table(w2v: Verb, stand_in: StandIn, tmp_path: Path) -> None:
    status, out, err = w2v(*LM, "--losses", "softmax,nce,hsigmoid")
    assert status == 0
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[0] for row in rows] == ["softmax", "nce", "hsigmoid"]
    assert rows[1][1:] == ["80.5", "5", "4000", "4", "123000000", "done"]
    heading, *lines = [
        line.split("\t") for line in (tmp_path / "c" / "compare.tsv").read_text().splitlines()
    ]
    assert heading[:4] == ["name", "loss", "status", "perplexity"]
    assert [dict(zip(heading, line, strict=True))["speedup"] for line in lines] == ["1", "4", "5"]
    saved = json.loads((tmp_path / "c" / "compare.json").read_text())["rows"]
    assert saved[0]["curve"] == [[4.0, 90.0], [10.0, 80.5]]
    assert saved[1]["settings"]["loss"] == "nce"
    assert "nce (2 of 3)\nnce: training by its settings\n" in err
    assert all(call[0] == "train" and call[-1] == "--json" for call in stand_in.calls)


def test_json_has_the_rows(w2v: Verb, stand_in: StandIn) -> None:
    status, out, _ = w2v(*LM, "--losses", "nce", "--json")
    (row,) = json.loads(out)["rows"]
    assert (status, row["perplexity"], row["speedup"], row["status"]) == (0, 80.5, None, "done")


def test_what_is_finished_is_kept(w2v: Verb, stand_in: StandIn) -> None:
    assert w2v(*LM, "--losses", "nce")[0] == 0
    status, out, err = w2v(*LM, "--losses", "nce,softmax")
    assert (status, stand_in.trained) == (0, ["nce", "softmax"])
    assert "note: nce: kept from c/nce" in err
    assert [line.split("\t")[4] for line in out.splitlines()] == ["4", "1"]
    assert w2v(*LM, "--losses", "nce,softmax", "--overwrite")[0] == 0
    assert stand_in.trained == ["nce", "softmax", "nce", "softmax"]


def test_other_settings_are_not_mixed(w2v: Verb, stand_in: StandIn) -> None:
    w2v(*LM, "--losses", "nce", "--dim", "8")
    status, out, err = w2v(*LM, "--losses", "nce,softmax", "--dim", "9")
    assert (status, out, stand_in.trained) == (2, "", ["nce"])
    assert err.startswith("w2v compare: c/nce was trained with dim 8, now it is 9: add --overwrite")


@pytest.mark.parametrize(
    ("failure", "problem"),
    [
        (Finished(1, "", "the loss became nan", 5), "the loss became nan"),
        (Finished(-9, "", "something", 5), "killed by SIGKILL, perhaps for want of memory"),
        (Finished(2, "", "", 5), "exit code 2"),
        (Finished(0, "no object", "", 5), "printed no summary"),
    ],
)
def test_a_failure_is_a_row(w2v: Verb, stand_in: StandIn, failure: Finished, problem: str) -> None:
    stand_in.failing["nce"] = failure
    status, out, _ = w2v(*LM, "--losses", "softmax,nce,hsigmoid")
    rows = [line.split("\t") for line in out.splitlines()]
    assert (status, [row[-1] for row in rows]) == (1, ["done", f"failed: {problem}", "done"])
    assert rows[1][1:5] == ["n/a"] * 4
    stand_in.failing.clear()
    assert w2v(*LM, "--losses", "softmax,nce,hsigmoid")[0] == 0
    assert stand_in.trained == ["softmax", "nce", "hsigmoid", "nce"]


def test_an_interrupted_run_is_trained_anew(w2v: Verb, stand_in: StandIn) -> None:
    stand_in.interrupted = True
    status, out, _ = w2v(*LM, "--losses", "nce")
    assert out.split("\t")[-1] == "interrupted: stopped before its end\n"
    stand_in.interrupted = False
    status, out, _ = w2v(*LM, "--losses", "nce")
    assert (status, out.split("\t")[-1], stand_in.trained) == (0, "done\n", ["nce", "nce"])
    assert "--overwrite" in stand_in.calls[1]


def test_a_run_with_a_checkpoint_goes_on(w2v: Verb, stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.interrupted = True
    w2v(*LM, "--losses", "nce,softmax", "--no-cache")
    (tmp_path / "c" / "nce" / "checkpoints" / "step-1").mkdir(parents=True)
    status, out, _ = w2v(*LM, "--losses", "nce", "--no-cache")
    assert (status, out.split("\t")[-1]) == (0, "done\n")
    assert stand_in.calls[-1] == ["train", "--resume", "c/nce", "--json", "--no-cache"]
    # killed while the training went on and finished: nobody knows its memory
    (row,) = [row for row in load_table(tmp_path / "c").values() if row.name == "nce"]
    assert row.peak_memory_bytes == 123_000_000
    save_table(tmp_path / "c", [replace(row, status="training")])
    (tmp_path / "c" / "nce" / "summary.json").write_text("{}")
    assert w2v(*LM, "--losses", "nce")[1].split("\t")[5:] == ["n/a", "done\n"]
    # other settings: from the beginning
    save_table(tmp_path / "c", [replace(row, status="training")])
    assert w2v(*LM, "--losses", "nce", "--dim", "9")[0] == 0
    assert stand_in.calls[-1][1] == "--config"


def test_rows_of_losses_that_are_not_asked_for_now_are_remembered(
    w2v: Verb, stand_in: StandIn, tmp_path: Path
) -> None:
    w2v(*LM, "--losses", "softmax,hsigmoid")
    assert w2v(*LM, "--losses", "nce")[1].count("\n") == 1
    assert (tmp_path / "c" / "compare.tsv").read_text().count("\n") == 2
    assert w2v(*LM, "--losses", "hsigmoid,softmax,nce")[1].count("\n") == 3
    assert stand_in.trained == ["softmax", "hsigmoid", "nce"]


def test_word_vectors_are_compared_by_analogies(
    w2v: Verb, stand_in: StandIn, tmp_path: Path
) -> None:
    (tmp_path / "q.txt").write_text(": capitals\na b c d\n")
    status, out, _ = w2v(
        "text.txt", "--losses", "neg,softmax", "--questions", "q.txt", "--no-cache"
    )
    assert status == 0
    assert [line.split("\t")[1] for line in out.splitlines()] == ["0.25", "0.25"]
    assert stand_in.calls[1] == ["eval", "skip-gram-compare/neg", "q.txt", "--json", "--quiet"]
    assert "--no-cache" in stand_in.calls[0]
    assert load_table(tmp_path / "skip-gram-compare")["neg"].accuracy == 0.25


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["text.txt", "--model", "lm", "--losses", "nce"],
            "w2v compare --model lm needs --valid FILE",
        ),
        ([*LM[:4], "none.txt", "--losses", "nce"], "no such corpus: "),
        (["none.txt", *LM[1:], "--losses", "nce"], "no such corpus: none.txt"),
        (
            ["text.txt", "--losses", "neg", "--questions", "none.txt"],
            "cannot read the set none.txt",
        ),
        (
            ["text.txt", "--losses", "neg", "--questions", "pairs.txt"],
            "--questions pairs.txt holds pairs of words",
        ),
        (["-", "--losses", "neg"], "standard input can be read once only: save it to a file"),
        (["pipe", "--losses", "neg"], "pipe can be read once only: save it to a file"),
        ([*LM, "--losses", "sofmax"], "no loss 'sofmax': did you mean softmax?"),
        (LM, "nothing to compare"),
        (
            [*LM, "--losses", "nce", "--plot", "x.gif"],
            "--plot x.gif: name a file that ends in .png .svg .pdf",
        ),
        ([*LM[:-1], "text.txt", "--losses", "nce"], "--output text.txt is a file"),
        (
            [*LM[:-1], "full", "--losses", "nce"],
            "--output full holds other things than a comparison",
        ),
        (
            [*LM[:-1], "none/c", "--losses", "nce"],
            "--output none/c cannot be made: No such file or directory",
        ),
        ([*LM[:-1], "damaged", "--losses", "nce"], "damaged/compare.json is damaged"),
    ],
)
def test_input_errors(
    w2v: Verb, stand_in: StandIn, tmp_path: Path, arguments: list[str], message: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "pairs.txt").write_text("a b 3\nc d 4\n")
    for folder, name in (("full", "a.txt"), ("damaged", "compare.json")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text('{"rows": [1]}')
    status, out, err = w2v(*arguments)
    assert (status, out, err.count("\n"), stand_in.calls) == (2, "", 1, [])
    assert message in err


def test_speedups_are_over_the_full_softmax() -> None:
    rows = [
        Row("a", "nce", "done", tokens_per_second=300.0),
        Row("b", "softmax", "failed", tokens_per_second=10.0),
        Row("c", "softmax", "done", tokens_per_second=100.0),
        Row("d", "neg"),
    ]
    assert [row.speedup for row in with_speedups(rows)] == [3.0, 0.1, 1.0, None]
    assert [row.speedup for row in with_speedups(rows[:2])] == [None, None]


def test_a_table_comes_back(tmp_path: Path) -> None:
    rows = [Row("a", "nce", "done", 9.5, curve=((1.0, 2.0),), settings={"dim": 3})]
    rows.append(Row("b", "neg", problem="tab\there"))
    save_table(tmp_path, rows)
    assert load_table(tmp_path) == {"a": rows[0], "b": rows[1]}
    assert (tmp_path / "compare.tsv").read_text().splitlines()[2].endswith("tab here")


def test_when_an_epoch_was(tmp_path: Path) -> None:
    lines = [
        {"seconds": 1.0, "fraction": 0.25},
        {"seconds": 3.0, "fraction": 0.5},
        {"epoch": 1, "validation_perplexity": 7},
        {"seconds": 4.0, "fraction": 0.75},
        {"epoch": 2, "validation_perplexity": 6},
        {"seconds": 9.0, "fraction": 1.0},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_curve(tmp_path, epochs=2, epochs_done=2.0, seconds=9.0) == ((3.0, 7.0), (9.0, 6.0))
    assert read_curve(tmp_path, epochs=4, epochs_done=4.0, seconds=9.0) == ((1.0, 7.0), (3.0, 6.0))
    (tmp_path / "metrics.jsonl").write_text("5\n")
    with pytest.raises(RunError, match=r"metrics\.jsonl cannot be read"):
        read_curve(tmp_path, 1, 1.0, 1.0)
    with pytest.raises(InputError, match="damaged"):
        (tmp_path / "compare.json").write_text("{")
        load_table(tmp_path)


# --------------------------------------------------------------------------------------------------
# plots


def test_without_matplotlib_the_table_stands(
    w2v: Verb, stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    status, out, err = w2v(*LM, "--losses", "nce")
    assert (status, out.count("\n")) == (0, 1)
    assert err.endswith("note: no plot: matplotlib is not installed: pip install 'w2v[plot]'\n")
    assert (tmp_path / "c" / "compare.tsv").exists() and not (
        tmp_path / "c" / "compare.png"
    ).exists()


@pytest.mark.parametrize(
    ("name", "start"), [("p.png", b"\x89PNG"), ("p.svg", b"<?xml"), ("p.pdf", b"%PDF")]
)
def test_a_plot_by_its_extension(
    w2v: Verb, stand_in: StandIn, tmp_path: Path, name: str, start: bytes
) -> None:
    pytest.importorskip("matplotlib")
    status, _, err = w2v(*LM, "--losses", "softmax,nce", "--plot", name)
    assert (status, err.splitlines()[-1]) == (0, f"note: plot in {name}")
    content = (tmp_path / name).read_bytes()
    assert content.startswith(start)
    if name == "p.svg":  # names of the losses as text or outlines: one group per curve either way
        assert content.count(b'<g id="line2d_') > 2


def test_a_plot_that_fails_does_not_fail_the_comparison(
    w2v: Verb, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = pytest.importorskip("matplotlib.figure")

    def fail(*_: object, **__: object) -> None:
        raise ValueError("no such font")

    monkeypatch.setattr(figure.Figure, "savefig", fail)
    status, out, err = w2v(*LM, "--losses", "nce")
    assert (status, out.count("\n")) == (0, 1)
    assert "note: no plot: matplotlib failed: ValueError: no such font" in err


# --------------------------------------------------------------------------------------------------
# real processes


def test_a_process_tells_status_lines_and_memory() -> None:
    heard: list[str] = []
    done = run_verb(["cache", "lst"], heard.append)
    assert (done.status, done.output, done.problem) == (
        2,
        "",
        "no action 'lst': did you mean list?",
    )
    assert heard == ["w2v cache: no action 'lst': did you mean list?"]
    assert 5e6 < done.peak_memory < 5e9
    assert run_verb(["--version"], heard.append).output.startswith("w2v ")


def test_a_process_is_asked_to_end(tmp_path: Path) -> None:
    """A FIFO without a writer keeps the process waiting until the signal comes."""
    os.mkfifo(tmp_path / "pipe")
    began = time.monotonic()
    done = run_verb(
        ["vocab", str(tmp_path / "pipe")],
        lambda line: None,
        lambda: signal.SIGTERM if time.monotonic() > began + 2 else None,
    )
    assert done.status in (143, -signal.SIGTERM)
    assert time.monotonic() < began + 60


def test_two_losses_end_to_end(w2v: Verb, tmp_path: Path) -> None:
    more = [
        "--dim",
        "6",
        "--epochs",
        "2",
        "--batch-size",
        "2",
        "--bptt",
        "5",
        "--threads",
        "1",
        "--layers",
        "1",
    ]
    status, out, err = w2v(*LM, *more, "--losses", "softmax,hsigmoid", "--lr", "2")
    assert status == 0, err
    for line in out.splitlines():
        name, perplexity, seconds, speed, speedup, memory, state = line.split("\t")
        assert 1 < float(perplexity) < 30 and state == "done"
        assert float(seconds) > 0 and float(speed) > 0 and float(speedup) > 0
        assert int(memory) > 1e8
        summary = json.loads((tmp_path / "c" / name / "summary.json").read_text())
        assert summary["validation"]["perplexity"] == pytest.approx(float(perplexity), rel=1e-4)
    rows = load_table(tmp_path / "c")
    assert [len(row.curve) for row in rows.values()] == [2, 2]
    assert min(value for _, value in rows["softmax"].curve) == rows["softmax"].perplexity
