"""The comparison: what is trained, kept, refused and written. Training itself is a stand-in."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.comparison.conftest import LM, StandIn, Verb
from w2v.comparison.child import read_curve
from w2v.comparison.table import Row, Score, load_table, save_table, with_speedups
from w2v.errors import InputError
from w2v.evaluation.sets import AnalogySet, SimilaritySet


def test_the_table(verb: Verb, stand_in: StandIn, tmp_path: Path) -> None:
    status, out, err = verb(*LM, "--losses", "softmax,nce,hsigmoid")
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
    assert "nce (2 of 3)\nnce: training\n" in err


def test_json_has_the_rows(verb: Verb, stand_in: StandIn) -> None:
    status, out, _ = verb(*LM, "--losses", "nce", "--json")
    (row,) = json.loads(out)["rows"]
    assert (status, row["perplexity"], row["speedup"], row["status"]) == (0, 80.5, None, "done")


def test_what_is_finished_is_kept(verb: Verb, stand_in: StandIn) -> None:
    assert verb(*LM, "--losses", "nce")[0] == 0
    status, out, err = verb(*LM, "--losses", "nce,softmax")
    assert (status, stand_in.trained) == (0, ["nce", "softmax"])
    assert "note: nce: kept from c/nce" in err
    assert [line.split("\t")[4] for line in out.splitlines()] == ["4", "1"]
    assert verb(*LM, "--losses", "nce,softmax", "--overwrite")[0] == 0
    assert stand_in.trained == ["nce", "softmax", "nce", "softmax"]


def test_other_settings_are_not_mixed(verb: Verb, stand_in: StandIn) -> None:
    verb(*LM, "--losses", "nce", "--dim", "8")
    status, out, err = verb(*LM, "--losses", "nce,softmax", "--dim", "9")
    assert (status, out, stand_in.trained) == (2, "", ["nce"])
    assert "w2v compare: c/nce was trained with dim 8, not 9: add --overwrite" in err


def test_a_failure_is_a_row(verb: Verb, stand_in: StandIn) -> None:
    stand_in.failing["nce"] = "raise `dim`"
    status, out, _ = verb(*LM, "--losses", "softmax,nce,hsigmoid")
    rows = [line.split("\t") for line in out.splitlines()]
    assert (status, [row[-1] for row in rows]) == (1, ["done", "failed: raise --dim", "done"])
    assert rows[1][1:5] == ["n/a"] * 4
    stand_in.failing.clear()
    assert verb(*LM, "--losses", "softmax,nce,hsigmoid")[0] == 0
    assert stand_in.trained == ["softmax", "nce", "hsigmoid", "nce"]


def test_an_interrupted_run_is_trained_anew(verb: Verb, stand_in: StandIn) -> None:
    stand_in.interrupted = True
    status, out, _ = verb(*LM, "--losses", "nce")
    assert out.split("\t")[-1] == "interrupted: stopped before the end\n"
    stand_in.interrupted = False
    status, out, _ = verb(*LM, "--losses", "nce")
    assert (status, out.split("\t")[-1], stand_in.trained) == (0, "done\n", ["nce", "nce"])


def test_a_run_with_a_checkpoint_goes_on(verb: Verb, stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.interrupted = True
    verb(*LM, "--losses", "nce,softmax", "--no-cache")
    (tmp_path / "c" / "nce" / "checkpoints" / "step-1").mkdir(parents=True)
    stand_in.interrupted = False
    status, out, _ = verb(*LM, "--losses", "nce", "--no-cache")
    assert (status, out.split("\t")[-1]) == (0, "done\n")
    job = stand_in.jobs[-1]
    assert (job.config.output.output, job.resume, job.use_cache) == ("c/nce", True, False)
    # killed while it trained
    (row,) = [row for row in load_table(tmp_path / "c").values() if row.name == "nce"]
    save_table(tmp_path / "c", [replace(row, status="training")])
    assert verb(*LM, "--losses", "nce")[0] == 0
    assert stand_in.jobs[-1].resume
    # other settings: from the beginning
    save_table(tmp_path / "c", [replace(row, status="training")])
    assert verb(*LM, "--losses", "nce", "--dim", "9")[0] == 0
    assert not stand_in.jobs[-1].resume


def test_rows_of_losses_that_are_not_asked_for_now_are_remembered(
    verb: Verb, stand_in: StandIn, tmp_path: Path
) -> None:
    verb(*LM, "--losses", "softmax,hsigmoid")
    assert verb(*LM, "--losses", "nce")[1].count("\n") == 1
    assert (tmp_path / "c" / "compare.tsv").read_text().count("\n") == 2
    assert verb(*LM, "--losses", "hsigmoid,softmax,nce")[1].count("\n") == 3
    assert stand_in.trained == ["softmax", "hsigmoid", "nce"]


def test_word_vectors_are_compared_by_sets(verb: Verb, stand_in: StandIn, tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text(": capitals\na b c d\n")
    (tmp_path / "pairs.txt").write_text("a b 3\nc d 4\n")
    asked = ["--questions", "q.txt", "--questions", "pairs.txt"]
    status, out, _ = verb("text.txt", "--losses", "neg,softmax", *asked, "--no-cache")
    assert status == 0
    for line in out.splitlines():
        cells = line.split("\t")
        assert cells[1] == "0.25" and cells[6] == "done"
        assert cells[7:14] == ["0.75", "0.125", "0.5", "0.25", "0.75", "0.125", "0.5"]
    analogies, pairs = stand_in.jobs[0].sets.values()
    assert isinstance(analogies, AnalogySet) and isinstance(pairs, SimilaritySet)
    assert analogies.sections[0].questions == (("a", "b", "c", "d"),)
    assert load_table(tmp_path / "skip-gram-compare")["neg"].accuracy == 0.25
    table = (tmp_path / "skip-gram-compare" / "compare.tsv").read_text().splitlines()
    heading, neg, _ = (line.split("\t") for line in table)
    found = dict(zip(heading, neg, strict=True))
    ends = ("value", "low", "high", "coverage")
    assert [found[f"pairs:{end}"] for end in ends] == ["0.25", "0.125", "0.5", "0.75"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["text.txt", "--model", "lm", "--losses", "nce"], "w2v compare: --model lm needs --valid"),
        ([*LM[:4], "none.txt", "--losses", "nce"], "no such corpus: "),
        (["none.txt", *LM[1:], "--losses", "nce"], "no such corpus: none.txt"),
        (
            ["text.txt", "--losses", "neg", "--questions", "none.txt"],
            "cannot read the set none.txt",
        ),
        (["-", "--losses", "neg"], "standard input can be read only once"),
        (["pipe", "--losses", "neg"], "pipe can be read only once"),
        ([*LM, "--losses", "sofmax"], "no loss 'sofmax': did you mean softmax?"),
        (LM, "nothing to compare"),
        (
            [*LM, "--losses", "nce", "--plot", "x.gif"],
            "--plot x.gif: name a file ending in .png .svg .pdf",
        ),
        ([*LM[:-1], "text.txt", "--losses", "nce"], "--output text.txt is a file"),
        ([*LM[:-1], "full", "--losses", "nce"], "--output full is not empty and has no comparison"),
        (
            [*LM[:-1], "none/c", "--losses", "nce"],
            "--output none/c cannot be made: No such file or directory",
        ),
        ([*LM[:-1], "damaged", "--losses", "nce"], "damaged/compare.json is damaged"),
        ([*LM[:-1], "deep", "--losses", "nce"], "deep/compare.json is damaged"),
        ([*LM[:-1], "odd", "--losses", "nce"], "a value of 'nce' has the wrong type"),
        ([*LM[:-1], "odd2", "--losses", "nce"], "a value of 'nce' has the wrong type"),
        ([*LM[:-1], "odd3", "--losses", "nce"], "compare.json is damaged"),
    ],
)
def test_input_errors(
    verb: Verb, stand_in: StandIn, tmp_path: Path, arguments: list[str], message: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for folder, name in (("full", "a.txt"), ("damaged", "compare.json")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text('{"rows": [1]}')
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "compare.json").write_text("[" * 100_000)
    odd = {"name": "nce", "loss": "nce", "status": "done", "tokens_per_second": "fast"}
    score = {"set": "q", "measure": "analogies", "value": "high", "low": 0, "high": 1}
    odd2 = {"name": "nce", "loss": "nce", "scores": [{**score, "coverage": 1}]}
    odd3 = {"name": "nce", "loss": "nce", "scores": [{"sets": "q"}]}
    for folder, row in (("odd", odd), ("odd2", odd2), ("odd3", odd3)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "compare.json").write_text(json.dumps({"rows": [row], "others": []}))
    status, out, err = verb(*arguments)
    assert (status, out, err.count("\n"), stand_in.jobs) == (2, "", 1, [])
    assert message in err


def test_questions_without_a_question(verb: Verb, stand_in: StandIn, tmp_path: Path) -> None:
    (tmp_path / "none.txt").write_text(": capitals\n: currency\n")
    words = ["text.txt", "--losses", "nce", "--questions", "none.txt", "--output", "c"]
    status, _, err = verb(*words)
    assert (status, stand_in.jobs) == (2, [])
    assert "--questions none.txt has no questions" in err


def test_speedups_are_over_the_full_softmax() -> None:
    rows = [
        Row("a", "nce", "done", tokens_per_second=300.0),
        Row("b", "softmax", "failed", tokens_per_second=10.0),
        Row("c", "softmax", "done", tokens_per_second=100.0),
        Row("d", "neg"),
    ]
    assert [row.speedup for row in with_speedups(rows)] == [3.0, 0.1, 1.0, None]
    assert [row.speedup for row in with_speedups(rows[:2])] == [None, None]


@pytest.mark.parametrize(
    "text",
    [
        '{"rows": [{"name": "a", "loss": "nce", "curve": [[HUGE, 1]]}], "others": []}',
        '{"rows": [{"name": "a", "loss": "nce", "perplexity": HUGE}], "others": []}',
        "[" * 100_000,
    ],
)
def test_no_table_that_floats_or_the_stack_cannot_hold(tmp_path: Path, text: str) -> None:
    (tmp_path / "compare.json").write_text(text.replace("HUGE", "9" * 400))
    with pytest.raises(InputError, match=r"compare\.json is damaged"):
        load_table(tmp_path)


def test_a_table_comes_back(tmp_path: Path) -> None:
    score = Score("q", "spearman", 0.5, None, None, 1.0)
    rows = [Row("a", "nce", "done", 9.5, None, curve=((1.0, 2.0),), settings={"dim": 3})]
    rows[0] = replace(rows[0], scores=(score,))
    rows.append(Row("b", "neg", problem="tab\there"))
    save_table(tmp_path, rows)
    assert load_table(tmp_path) == {"a": rows[0], "b": rows[1]}
    cells = (tmp_path / "compare.tsv").read_text().splitlines()[2].split("\t")
    assert cells[10:] == ["tab here", *["n/a"] * 4]


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
    summary: dict[str, Any] = {"epochs": 2, "epochs_done": 2.0, "seconds": {"training": 9.0}}
    assert read_curve(tmp_path, summary) == ((3.0, 7.0), (9.0, 6.0))
    summary |= {"epochs": 4, "epochs_done": 4.0}
    assert read_curve(tmp_path, summary) == ((1.0, 7.0), (3.0, 6.0))


# --------------------------------------------------------------------------------------------------
# plots


def test_without_matplotlib_the_table_stands(
    verb: Verb, stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    status, out, err = verb(*LM, "--losses", "nce")
    assert (status, out.count("\n")) == (0, 1)
    assert err.endswith(
        "note: no plot: this needs matplotlib, which is not installed: pip install 'w2v[plot]'\n"
    )
    assert (tmp_path / "c" / "compare.tsv").exists() and not (
        tmp_path / "c" / "compare.png"
    ).exists()


@pytest.mark.parametrize(
    ("name", "start"), [("p.png", b"\x89PNG"), ("p.svg", b"<?xml"), ("p.pdf", b"%PDF")]
)
def test_a_plot_by_its_extension(
    verb: Verb, stand_in: StandIn, tmp_path: Path, name: str, start: bytes
) -> None:
    pytest.importorskip("matplotlib")
    status, _, err = verb(*LM, "--losses", "softmax,nce", "--plot", name)
    assert (status, err.splitlines()[-1]) == (0, f"note: plot in {name}")
    content = (tmp_path / name).read_bytes()
    assert content.startswith(start)
    if name == "p.svg":  # names of the losses as text or outlines: one group per curve either way
        assert content.count(b'<g id="line2d_') > 2


def test_a_plot_that_fails_does_not_fail_the_comparison(
    verb: Verb, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = pytest.importorskip("matplotlib.figure")

    def fail(*_: object, **__: object) -> None:
        raise ValueError("no such font")

    monkeypatch.setattr(figure.Figure, "savefig", fail)
    status, out, err = verb(*LM, "--losses", "nce")
    assert (status, out.count("\n")) == (0, 1)
    assert "note: no plot: matplotlib failed: ValueError: no such font" in err
