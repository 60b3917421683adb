"""The final vector of a word: its input row, with its output row added or beside it, centred or
not, whole or its principal components."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import w2v
from w2v.settings.groups import ModelSettings
from w2v.words.outcome import final_vectors

LINES = [[f"w{(i * j) % 13}" for j in range(1, 9)] for i in range(300)]
GIVEN = {"dim": 8, "min_count": 1, "epochs": 2, "threads": 1, "progress": False, "sample": 0}


def trained(folder: Path, **settings):
    """Returns a run, and the input and output rows of its last checkpoint."""
    run = w2v.train(LINES, output=folder / "run", checkpoint_every="1G", **GIVEN, **settings)
    (kept,) = (folder / "run" / "checkpoints").glob("step-*/tensors.safetensors")
    return run, load_file(kept)


def units(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("loss", ["neg", "nce", "hsigmoid+neg", "softmax", "am-softmax"])
@pytest.mark.parametrize("centre", [False, True])
def test_of_input_and_output_rows(tmp_path: Path, loss: str, centre: bool) -> None:
    given = {"loss": loss, "keep": 1, "centre": centre}
    given |= {"engine": "autograd"} if loss == "nce" else {}
    run, rows = trained(tmp_path, vectors="both", **given)
    x = rows["input"].astype(np.float64)
    name = "output.noise.weight" if loss == "hsigmoid+neg" else "output.weight"
    y = rows[name].astype(np.float64)
    both = np.hstack([units(x), units(y)])
    expected = both - both.mean(0) * centre
    assert np.abs(run.vectors.matrix - expected).max() < 1e-6
    assert np.abs(w2v.load(tmp_path / "run").matrix - expected).max() < 1e-6
    total = x + y / 2
    run = w2v.train(LINES, vectors="sum", **GIVEN, **given)
    assert np.abs(run.vectors.matrix - (total - total.mean(0) * centre)).max() < 1e-6


def test_centred_input_rows_and_a_run_gone_on_with(tmp_path: Path) -> None:
    run, rows = trained(tmp_path, centre=True, keep=1)
    assert np.abs(run.vectors.matrix - (rows["input"] - rows["input"].mean(0))).max() < 1e-6
    longer = run.resume(epochs=4)
    whole = w2v.train(LINES, centre=True, **{**GIVEN, "epochs": 4})
    assert np.abs(whole.vectors.matrix.mean(0)).max() < 1e-6
    assert longer.vectors.matrix.shape == whole.vectors.matrix.shape


@pytest.mark.parametrize("centre", [False, True])
@pytest.mark.parametrize(("vectors", "k"), [("input", 3), ("both", 10), ("both", 16)])
def test_principal_components(tmp_path: Path, vectors: str, k: int, centre: bool) -> None:
    """V times the first k right singular vectors of diag(count^(1/4)) V, by numpy's SVD in float64:
    no k directions keep more of Σ √count_w |v_w|² (Eckart and Young 1936)."""
    given = {"vectors": vectors, "centre": centre}
    drawn = np.random.default_rng(1).zipf(1.5, (300, 8)).clip(max=13)
    lines = [[f"w{number}" for number in line] for line in drawn]
    whole = w2v.train(lines, **GIVEN, **given).vectors.matrix.astype(np.float64)
    run = w2v.train(lines, output=tmp_path / "run", components=k, **GIVEN, **given)
    assert run.vectors.counts is not None
    weights = np.sqrt(run.vectors.counts)
    _, values, right = np.linalg.svd(np.sqrt(weights)[:, None] * whole, full_matrices=False)
    expected = whole @ right[:k].T
    matrix = run.vectors.matrix
    assert matrix.shape == (13, k)
    # scalar products, because a component's sign is arbitrary
    assert np.abs(matrix @ matrix.T - expected @ expected.T).max() < 1e-5
    lengths = np.sqrt(weights @ matrix.astype(np.float64) ** 2)[: len(values)]
    assert np.abs(lengths - values[:k]).max() < 1e-4
    assert (w2v.load(tmp_path / "run").matrix == matrix).all()
    again = w2v.train(lines, components=k, **GIVEN, **given)
    assert again.vectors.matrix.tobytes() == matrix.tobytes()


def test_vectors_that_are_no_numbers_have_no_components() -> None:
    rows, model = np.array([[1, 2], [3, np.inf]], np.float32), ModelSettings(components=1)
    with pytest.raises(w2v.RunError, match="NaN or infinity"):
        final_vectors(model, {"vectors": rows}, np.array([2, 1]))


def test_the_best_epoch_has_its_own_output_rows(tmp_path: Path) -> None:
    (tmp_path / "valid.txt").write_text("w1 w7 w2 w11 w5\nw3 w0 w4 w12 w6\n" * 9)
    given = {"vectors": "both", "valid": str(tmp_path / "valid.txt"), "patience": 1}
    run = w2v.train(LINES, lr=0.2, **{**GIVEN, "epochs": 6}, **given)
    best = run.summary["validation"]["epoch"]
    assert best < 6
    again = w2v.train(LINES, output=tmp_path / "r", checkpoint_every="1G", keep=9, lr=0.2,
                      **{**GIVEN, "epochs": 6}, **given)  # fmt: skip
    kept = sorted((tmp_path / "r" / "checkpoints").glob("step-*/tensors.safetensors"))
    rows = load_file(kept[best - 1])
    expected = np.hstack([units(rows["input"]), units(rows["output.weight"])])
    assert np.abs(again.vectors.matrix - expected).max() < 1e-6
    assert (run.vectors.matrix == again.vectors.matrix).all()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"vectors": "both", "loss": "hsigmoid"}, "hsigmoid has no output row"),
        ({"vectors": "sum", "loss": "adaptive-softmax"}, "adaptive-softmax has no output row"),
        ({"centre": True, "subwords": "3-6"}, "`centre`.*`subwords`"),
        ({"components": 2, "subwords": "3-6"}, "`components`.*`subwords`"),
        ({"components": 9}, "`components` 9: the vectors have only 8 numbers"),
        ({"components": 17, "vectors": "both"}, "only 16 numbers"),
        ({"components": -1}, "components"),
        ({"components": 4, "init": "old", "freeze": True}, "`freeze`: `components` changes"),
        ({"centre": True, "init": "old", "freeze": True}, "`freeze`: `centre` changes"),
        ({"vectors": "all"}, "all"),
    ],
)
def test_what_cannot_be(given: dict[str, object], told: str) -> None:
    with pytest.raises(w2v.InputError, match=told):
        w2v.train(LINES, **GIVEN, **given)


def test_the_space_that_a_plan_tells_is_that_of_the_file(tmp_path: Path) -> None:
    run = w2v.train(LINES, vectors="both", output=tmp_path / "run", **GIVEN)
    assert run.vectors.matrix.nbytes == 4 * 13 * 16
