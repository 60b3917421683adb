"""What becomes of a run over ranks when one of them is killed, hangs, is asked to stop, or learns
nonsense; and how it goes on."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.world.conftest import LM


@pytest.fixture(scope="session")
def unbroken(ranks, corpus, tmp_path_factory):
    """A run of two ranks that nothing happened to."""
    run = tmp_path_factory.mktemp("unbroken") / "run"
    more = ["--epochs", "2", "--checkpoint-every", "0.2k", "--keep", "100"]
    first, second = ranks(2, "train", corpus, *LM, *more, "--output", run)
    assert (first.status, second.status) == (0, 0), first.err + second.err
    assert (first.out, second.out, second.err) == (f"{run}\n", "", "")
    return run, more


def summary(run):
    found = json.loads((run / "summary.json").read_text())
    return {name: found[name] for name in ("words", "epochs_done", "final_loss", "predictions")}


def same_bytes(run, other) -> bool:
    names = ("vectors.npy", "model.safetensors", "vocab.tsv")
    return all((run / name).read_bytes() == (other / name).read_bytes() for name in names)


def test_the_tallies_of_all_ranks_add_up(unbroken, corpus):
    run, _ = unbroken
    words = summary(run)["words"]
    read = len(corpus.read_text().split()) + corpus.read_text().count("\n")
    assert words["read"] == read == words["in_vocabulary"] + words["left_out"]
    assert words["passed"] == words["trained"] == 2 * (read - words["remainder"])
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert sum(line.get("predictions", 0) for line in lines) == summary(run)["predictions"]


@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_rank_ends_the_run_with_one_line_and_it_goes_on(
    ranks, corpus, unbroken, tmp_path, killed
):
    whole, more = unbroken
    run = tmp_path / "run"
    # rank 0 writes the first checkpoint after section 1 while it trains
    fault = (killed, 5 if killed else 15, "SIGKILL")
    given = ("train", corpus, *LM, *more, "--output", run)
    ends = ranks(2, *given, "--quiet", fault=fault)
    survivor = ends[1 - killed]
    assert ends[killed].status == -9 and survivor.status == 1
    (line,) = survivor.err.splitlines()
    assert f"rank {killed} (" in line and line.startswith("[rank 1] " if killed == 0 else "w2v")
    step = re.search(r"step-(\d+)", line)[0]
    assert (run / "checkpoints" / step).is_dir()
    if killed == 0:
        return
    shutil.copytree(run, tmp_path / "copy")
    again = ranks(2, "train", "--resume", run)
    assert [end.status for end in again] == [0, 0], again[0].err
    assert same_bytes(run, whole) and summary(run) == summary(whole)
    again = ranks(3, "train", "--resume", tmp_path / "copy")  # with the work of two
    assert [end.status for end in again] == [0, 0, 0], again[0].err
    assert "ranks 3 instead of 2" in again[0].err
    assert summary(tmp_path / "copy")["words"] == summary(whole)["words"]


def test_a_rank_that_hangs_is_told_after_a_while(ranks, corpus, unbroken, tmp_path):
    _, more = unbroken
    given = ("train", corpus, *LM, *more, "--quiet", "--output", tmp_path / "run")
    patience = {"W2V_PATIENCE": "8"}  # also for what is slow before
    first, second = ranks(2, *given, fault=(1, 3, "SIGSTOP"), environment=patience)
    assert (first.status, second.status) == (1, -9)
    (line,) = first.err.splitlines()
    assert "rank 1 (" in line and "did not answer within" in line and "--resume" in line


def test_a_request_to_one_rank_stops_all(ranks, corpus, unbroken, tmp_path):
    whole, more = unbroken
    run = tmp_path / "run"
    given = ("train", corpus, *LM, *more, "--output", run)
    first, second = ranks(2, *given, fault=(1, 4, "SIGINT"))
    assert (first.status, second.status, second.out, second.err) == (130, 130, "", "")
    assert first.out == f"{run}\n" and "resume with: w2v train --resume" in first.err
    assert json.loads((run / "summary.json").read_text())["interrupted"]
    assert [end.status for end in ranks(2, "train", "--resume", run, "--quiet")] == [0, 0]
    assert same_bytes(run, whole)


def test_nonsense_on_one_rank_ends_all(ranks, corpus, unbroken, tmp_path):
    _, more = unbroken
    given = ("train", corpus, *LM, *more, "--quiet", "--output", tmp_path / "run")
    first, second = ranks(2, *given, fault=(1, 3, "nan"))
    assert (first.status, second.status, second.err) == (1, 1, "")
    (line,) = first.err.splitlines()
    assert "[rank 1] the loss became nan" in line and "try a smaller --lr" in line
    assert "Kept:" in line and "to go on" not in line  # it would end there again


def test_what_ranks_learn_does_not_hang_on_checkpoints(ranks, corpus, unbroken, tmp_path):
    whole, _ = unbroken
    run = tmp_path / "run"
    first, _ = ranks(2, "train", corpus, *LM, "--epochs", 2, "--output", run)
    assert first.status == 0 and same_bytes(run, whole)
    assert "checkpoint_every: 5m" in (run / "config.yaml").read_text()
    assert np.isfinite(np.load(run / "vectors.npy")).all()


def test_dealt_rows_are_measured_saved_and_gone_on_with_by_any_number(ranks, corpus, tmp_path):
    text = corpus.read_text().splitlines(keepends=True)
    small, valid = tmp_path / "small.txt", tmp_path / "valid.txt"
    small.write_text("".join(text[:60]))
    valid.write_text("".join(text[60:80]))
    more = f"--batch-size 3 --bptt 3 --lr 0.01 --epochs 2 --valid {valid}".split()  # V > 2 * 9
    given = ("train", small, *LM, *more, "--checkpoint-every", "0.2k", "--output")
    stopped, alone, lacking = (tmp_path / name for name in ("stopped", "alone", "lacking"))
    ends = ranks(2, *given, stopped, fault=(1, 3, "SIGTERM"))
    assert [end.status for end in ends] == [143, 143], ends[0].err
    size = len((stopped / "vocab.tsv").read_text().splitlines())
    steps, half = list(stopped.glob("checkpoints/step-*")), (size + 1) // 2
    for step in steps:
        for low, high in ((0, half), (half, size)):
            found = load_file(step / f"rows-{low}-{high}.safetensors")
            assert found["output.weight"].shape == (high - low, 8)
            assert len(found["optimizer.output.weight.squares"]) == high - low
        assert not {"output.weight", "output.bias"} & load_file(step / "tensors.safetensors").keys()
    assert not list(stopped.glob("checkpoints/.*"))

    shutil.copytree(stopped, lacking)
    for step in lacking.glob("checkpoints/step-*"):
        (step / f"rows-{half}-{size}.safetensors").unlink()
    for damage in ("no file", "no entry"):
        (end,) = ranks(1, "train", "--resume", lacking)
        assert end.status == 2 and len(end.err.splitlines()) == 1, damage
        assert str(half) in end.err, damage
        for step in lacking.glob("checkpoints/step-*"):
            manifest = json.loads((step / "manifest.json").read_text())
            manifest["files"].pop(f"rows-{half}-{size}.safetensors", None)
            (step / "manifest.json").write_text(json.dumps(manifest))

    # 2 ranks -> 3 -> 1 -> 2, against one process with the same stops
    assert ranks(1, *given, alone)[0].status == 0
    for number, epochs in ((3, 2), (1, 3), (2, 4)):
        ends = ranks(number, "train", "--resume", stopped, "--epochs", epochs)
        assert [end.status for end in ends] == [0] * number, ends[0].err
        assert ranks(1, "train", "--resume", alone, "--epochs", epochs)[0].status == 0
        expected, found = (load_file(run / "model.safetensors") for run in (alone, stopped))
        assert found.keys() == expected.keys()
        for name, array in expected.items():
            assert np.abs(found[name] - array).max() <= 1e-3 * np.abs(array).max()
        assert summary(stopped)["words"] == summary(alone)["words"]
