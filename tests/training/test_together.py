"""Optimizers that update many tables at once, as on a GPU, and the factor that clips a gradient."""

from __future__ import annotations

import math

import pytest
import torch

from w2v.system import gpu
from w2v.training import optimizers
from w2v.training.optimizers import OPTIMIZERS, Gradient, take_gradients_and_value


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_tables_together_are_tables_one_by_one(optimizer, monkeypatch):
    """This also holds if one table has taken more steps than another."""
    shapes = {"matrix": (5, 3), "bias": (4,), "number": (), "late": (2, 2)}
    states = []
    for host in ("cpu", "no device"):
        monkeypatch.setattr(gpu, "HOST", host)
        generator = torch.Generator().manual_seed(1)
        tables = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
        made = {name: OPTIMIZERS[optimizer](table) for name, table in tables.items()}
        for step in range(3):
            gradients = [
                Gradient(name, torch.randn(shape, generator=generator), None)
                for name, shape in shapes.items()
                if step or name != "late"
            ]
            optimizers.update_all(made, gradients, 0.1)
        states.append({**tables, **optimizers.states(made)})
    for name, tensor in states[0].items():
        assert torch.equal(states[1][name], tensor), name


@pytest.mark.parametrize("host", ["cpu", "no device"])
def test_a_gradient_is_made_shorter_never_longer(monkeypatch, host):
    """The factor is min(1, most / length); 1 if the length is 0 or NaN, 0 if it is infinite."""
    monkeypatch.setattr(gpu, "HOST", host)
    lengths = {0.0: 1.0, 0.1: 1.0, 0.25: 1.0, 2.0: 0.125, math.inf: 0.0, math.nan: 1.0}
    for length, factor in lengths.items():
        found = optimizers.clip_factor(torch.tensor(length, dtype=torch.float64), 0.25)
        assert float(found) == pytest.approx(factor, abs=1e-30)


def test_rows_and_a_number_are_read_together(monkeypatch):
    ids = torch.tensor([3, 1, 3, 3, 7])
    values = torch.arange(10.0).view(5, 2)
    for host in ("cpu", "no device"):
        monkeypatch.setattr(gpu, "HOST", host)
        table = torch.zeros(10, 2, requires_grad=True)
        table.grad = torch.sparse_coo_tensor(ids[None], values, table.shape, check_invariants=False)
        idle, dense = torch.zeros(2, requires_grad=True), torch.zeros(3, requires_grad=True)
        dense.grad = torch.ones(3)
        named = [("table", table), ("idle", idle), ("dense", dense)]
        (rows, whole), number = take_gradients_and_value(named, torch.tensor(1.5))
        assert number == 1.5
        assert rows.rows is not None and rows.rows.tolist() == [1, 3, 7]
        assert rows.values.tolist() == [[2, 3], [10, 13], [8, 9]]
        assert (whole.name, whole.rows) == ("dense", None) and table.grad is None
