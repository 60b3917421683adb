"""The interpreted kernel that turns scores into exponentials, compared with PyTorch's own
operators; and the losses that score all rows with it, compared with the same losses without it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import w2v
from w2v.kernels.gpu import scores
from w2v.losses.layers import make_layer
from w2v.losses.math import exponentials, score_sums
from w2v.losses.math.blocks import floor_of
from w2v.losses.math.products import bfloat16_products

pytestmark = pytest.mark.triton
FLOOR = floor_of(torch.float32)
INF, NAN = float("inf"), float("nan")


@pytest.fixture
def tiles(monkeypatch) -> None:
    """Uses several tiles per row, the last one of which is not full."""
    monkeypatch.setattr(scores, "TILE", 64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("classes", [1, 63, 64, 1003])
def test_total_and_exponentials(classes, dtype, tiles):
    """total = log sum_j exp z_j and exp(z - total), computed in float32 for every type of z."""
    z = (8 * torch.randn(5, classes, generator=torch.Generator().manual_seed(1))).to(dtype)
    wide = torch.full((5, classes + 3), 7.0, dtype=dtype)  # rows that do not lie side by side
    wide[:, :classes] = z
    part, total = wide[:, :classes], torch.empty(5)
    scores.normalise(part, total, FLOOR, keep=True)
    expected = z.double().logsumexp(1)
    torch.testing.assert_close(total.double(), expected, rtol=1e-6, atol=1e-6)
    shares = (z.double() - expected[:, None]).exp().to(dtype)
    tolerance = 1e-2 if dtype == torch.bfloat16 else 3e-6
    torch.testing.assert_close(part, shares, rtol=tolerance, atol=1e-12)
    assert (wide[:, classes:] == 7).all()
    again, seen = z.clone(), torch.empty(5)
    scores.normalise(again, seen, FLOOR, keep=False)
    assert torch.equal(seen, total)
    assert torch.equal(again, z)
    scores.subtract(again, total)
    assert torch.equal(again, part)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_no_number_shows_and_what_is_masked_does_not(tiles):
    z = torch.randn(6, 200, generator=torch.Generator().manual_seed(2))
    z[0, 100] = NAN
    z[1] = NAN
    z[2] = -INF
    z[3, :150] = -INF
    z[4] = -3e38  # below the floor
    z[5, 7] = INF
    kept, total = z.clone(), torch.empty(6)
    scores.normalise(kept, total, FLOOR, keep=True)
    assert total[[0, 1, 5]].isnan().all()
    assert kept[[0, 1]].isnan().all() and kept[5, 7].isnan()
    assert total[2] == total[4] == FLOOR
    assert (kept[[2, 4]] == 0).all()
    torch.testing.assert_close(total[3], z[3].logsumexp(0), rtol=1e-6, atol=1e-6)
    assert (kept[3, :150] == 0).all()
    torch.testing.assert_close(kept[3].sum(), torch.tensor(1.0))
    scores.normalise(z[:0], total[:0], FLOOR, keep=True)  # no rows


@pytest.mark.parametrize(
    ("loss", "rows", "products"),
    [
        ("softmax", "eager", "float32"),
        ("softmax", "again", "float32"),
        ("softmax", "shared", "float32"),
        ("softmax", "eager", "bfloat16"),
        ("softmax", "again", "bfloat16"),
        ("label-smoothing", "eager", "float32"),
        ("sm-softmax", "eager", "float32"),
        ("am-softmax", "shared", "float32"),
        ("sm-softmax", "eager", "bfloat16"),
        ("adaptive-softmax", "eager", "float32"),
    ],
)
def test_losses_and_gradients_are_those_without_the_kernel(loss, rows, products, monkeypatch):
    """eager: gradients in the forward pass; again: scores are computed twice; shared: targets that
    share hidden rows. Blocks are whole rows, as on a GPU."""
    V, D, U = 203, 16, 21
    monkeypatch.setattr(scores, "TILE", 64)
    size = 9, V + 3
    monkeypatch.setattr(score_sums, "_block_size", lambda *_: size)
    monkeypatch.setattr(score_sums, "_eager_size", lambda *_: None if rows == "again" else size)
    generator = torch.Generator().manual_seed(3)
    more = {"cutoffs": ("20", "90")} if loss == "adaptive-softmax" else {}
    layer = make_layer(loss, D, torch.arange(V, 0, -1), **more)
    for parameter in layer.parameters():
        parameter.data.normal_(generator=generator)
    hidden = torch.randn(U, D, generator=generator, requires_grad=True)
    n = 40 if rows == "shared" else U
    target = torch.randint(V, (n,), generator=generator)
    row_of = torch.randint(U, (n,), generator=generator) if rows == "shared" else None
    factors = torch.rand(n, generator=generator) if rows == "again" else torch.ones(n)
    found = []
    for fused in (False, True):
        monkeypatch.setattr(exponentials, "fuses", lambda z, fused=fused: fused)
        inputs = [hidden, *layer.parameters()]
        if products == "bfloat16":
            with bfloat16_products():
                losses = layer(hidden, target, row_of)
        else:
            losses = layer(hidden, target, row_of)
        gradients = torch.autograd.grad((losses * factors).sum(), inputs, allow_unused=True)
        found.append([losses.detach(), *(each for each in gradients if each is not None)])
    half = products == "bfloat16"
    for ours, theirs in zip(*found, strict=True):
        # float32: to 1e-6 of the largest; bfloat16: exponentials are rounded once, not twice
        tolerance = (2e-2 if half else 1e-6) * theirs.abs().max().item()
        torch.testing.assert_close(ours, theirs, rtol=1e-2 if half else 1e-5, atol=tolerance)


def compiled(*capabilities: int) -> list[dict]:
    """Returns the output of `tests.gpu.compiled_scores` from a process in which Triton does not
    interpret."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    root = str(Path(w2v.__file__).parents[1])
    environment["PYTHONPATH"] = os.pathsep.join([root, *sys.path[1:]])
    command = [sys.executable, "-m", "tests.gpu.compiled_scores", *map(str, capabilities)]
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("capability", [90, pytest.param(80, marks=pytest.mark.soak)])
def test_machine_code_spills_nothing_and_takes_several_scores_at_once(capability):
    found = compiled(capability)
    assert len(found) == 6
    for each in found:
        assert each["spilled"] == 0, each
        # two programs of 16 warps and more on a multiprocessor
        assert each["registers"] * 32 * each["warps"] * 2 <= 65536, each
        assert each["wide"] > 0, each  # 16 bytes
