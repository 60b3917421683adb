"""LSTM and GRU against torch.nn's in float64, on every way that a sequence can go."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import w2v.lm.bodies.layers as recurrent
from w2v.lm.bodies.layers import GRU, LSTM

KINDS = [(LSTM, nn.LSTM), (GRU, nn.GRU)]
SHAPES = [  # T, B, I, H, layers: tails of the 16 lanes, of the row tiles, single rows
    (7, 20, 12, 20, 2),
    (4, 8, 5, 3, 1),
    (5, 13, 16, 16, 1),
    (6, 31, 9, 50, 3),
]


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fast way on any processor and for any shape."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(recurrent, "FEWEST_COLUMNS", 1)
    monkeypatch.setattr(recurrent, "FEWEST_PLACES", 1)


def fast_calls(monkeypatch: pytest.MonkeyPatch, kind: type) -> list[int]:
    """A list that grows by the layer's number whenever the fast way is taken."""
    calls: list[int] = []
    original = kind._fast_layer

    def counted(self: Any, x: Tensor, layer: int, *rest: Any) -> Any:
        calls.append(layer)
        return original(self, x, layer, *rest)

    monkeypatch.setattr(kind, "_fast_layer", counted)
    return calls


def start(kind: type, layers: int, columns: int, units: int) -> Any:
    parts = [torch.randn(layers, columns, units, requires_grad=True) for _ in range(2)]
    return tuple(parts) if kind is LSTM else parts[0]


def flat(state: Any) -> list[Tensor]:
    return list(state) if isinstance(state, tuple) else [state]


def everything(module: nn.Module, x: Tensor, state: Any) -> list[Tensor]:
    """Output, last state, and the gradients of a sum with fixed weights by x, the start state and
    all parameters."""
    y, after = module(x, state)
    outputs = [y, *flat(after)]
    generator = torch.Generator().manual_seed(5)
    total = sum(
        (out * torch.randn(out.shape, generator=generator).to(out)).sum() for out in outputs
    )
    inputs = [x, *(flat(state) if state is not None else []), *module.parameters()]
    return [*outputs, *torch.autograd.grad(total, inputs)]


def double(module: nn.Module, x: Tensor, state: Any, reference: type) -> list[Tensor]:
    """`everything` of torch.nn's module in float64 with the same parameters, without oneDNN."""
    twin = reference(module.input_size, module.hidden_size, module.num_layers).double()
    twin.load_state_dict(module.state_dict())
    wide = (
        None if state is None else [part.detach().double().requires_grad_() for part in flat(state)]
    )
    wide_state = wide if wide is None else tuple(wide) if len(wide) == 2 else wide[0]
    return everything(twin, x.detach().double().requires_grad_(), wide_state)


def assert_alike(ours: list[Tensor], exact: list[Tensor], rtol: float) -> None:
    assert len(ours) == len(exact)
    for mine, right in zip(ours, exact, strict=True):
        assert mine.shape == right.shape and mine.dtype == torch.float32
        assert (mine - right).abs().max() <= rtol * right.abs().max()


@pytest.mark.parametrize(("kind", "reference"), KINDS)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("with_state", [True, False])
def test_values_and_gradients(
    everywhere: None,
    monkeypatch: pytest.MonkeyPatch,
    kind: type,
    reference: type,
    threads: int,
    shape: Any,
    with_state: bool,
) -> None:
    torch.manual_seed(1)
    places, columns, dim, units, layers = shape
    module = kind(dim, units, layers)
    calls = fast_calls(monkeypatch, kind)
    x = torch.randn(places, columns, dim, requires_grad=True)
    state = start(kind, layers, columns, units) if with_state else None
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        ours = everything(module, x, state)
    finally:
        torch.set_num_threads(before)
    assert calls == list(range(layers))
    assert_alike(ours, double(module, x, state, reference), 2e-6)


@pytest.mark.parametrize(("kind", "reference"), KINDS)
@pytest.mark.parametrize(("places", "columns"), [(1, 1), (1, 9), (9, 1), (40, 2)])
def test_one_place_and_one_column(
    everywhere: None, kind: type, reference: type, places: int, columns: int
) -> None:
    torch.manual_seed(2)
    module = kind(6, 18)
    x, state = torch.randn(places, columns, 6, requires_grad=True), start(kind, 1, columns, 18)
    assert_alike(everything(module, x, state), double(module, x, state, reference), 2e-6)


@pytest.mark.parametrize(("kind", "reference"), KINDS)
def test_large_numbers_saturate_as_in_torch(everywhere: None, kind: type, reference: type) -> None:
    torch.manual_seed(3)
    module = kind(4, 17)
    x = (torch.randn(5, 8, 4) * 10.0 ** torch.randint(0, 7, (5, 8, 1))).requires_grad_()
    y, exact = module(x)[0], double(module, x, None, reference)[0]
    assert (
        y - exact
    ).abs().max() < 1e-4  # the exponents of σ and tanh carry the float32 error of z itself
    assert torch.isfinite(torch.autograd.grad(y.sum(), x)[0]).all()
    assert torch.isnan(module(x * float("nan"))[0]).all()


@pytest.mark.parametrize(("kind", "reference"), KINDS)
def test_float64_is_torchs_and_passes_gradcheck(
    everywhere: None, kind: type, reference: type
) -> None:
    torch.manual_seed(4)
    module = kind(2, 3, 2).double()
    x = torch.randn(4, 2, 2, dtype=torch.float64, requires_grad=True)
    twin = reference(2, 3, 2).double()
    twin.load_state_dict(module.state_dict())
    for mine, right in zip(everything(module, x, None), everything(twin, x, None), strict=True):
        torch.testing.assert_close(mine, right, rtol=1e-10, atol=1e-10)
    assert torch.autograd.gradcheck(lambda x: module(x)[0], (x,))


@pytest.mark.parametrize(("kind", "reference"), KINDS)
def test_parameters_are_torchs(kind: type, reference: type) -> None:
    torch.manual_seed(6)
    module = kind(7, 9, 2)
    torch.manual_seed(6)
    twin = reference(7, 9, 2)
    assert list(module.state_dict()) == list(twin.state_dict())
    for name, value in twin.state_dict().items():
        assert torch.equal(module.state_dict()[name], value)
    other = kind(7, 9, 2)
    other.load_state_dict(twin.state_dict())
    x = torch.randn(5, 8, 7)
    torch.testing.assert_close(other(x)[0], twin(x)[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(copy.deepcopy(other)(x)[0], other(x)[0], rtol=0, atol=0)


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_only_what_needs_gradients_gets_them(everywhere: None, kind: type) -> None:
    module = kind(4, 6)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name == "weight_hh_l0")
    module(torch.randn(5, 8, 4))[0].sum().backward()
    assert module.weight_hh_l0.grad is not None and module.weight_ih_l0.grad is None
    module.requires_grad_(False)
    x = torch.randn(5, 8, 4, requires_grad=True)
    module(x)[0].sum().backward()
    assert x.grad is not None and not module(x.detach())[0].requires_grad


@pytest.mark.parametrize(("kind", "reference"), KINDS)
def test_without_gradients_the_same_values(everywhere: None, kind: type, reference: type) -> None:
    torch.manual_seed(7)
    module = kind(6, 21, 2)
    x, state = torch.randn(9, 3, 6), start(kind, 2, 3, 21)
    with torch.no_grad():
        y, after = module(x, state)
    exact = double(module, x.requires_grad_(), state, reference)
    assert_alike([y, *flat(after)], exact[: 1 + len(flat(after))], 2e-6)


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_second_derivatives_are_refused(everywhere: None, kind: type) -> None:
    x = torch.randn(5, 8, 4, requires_grad=True)
    with pytest.raises(RuntimeError, match="no second derivatives"):
        torch.autograd.grad(kind(4, 6)(x)[0].sum(), x, create_graph=True)


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_a_graph_can_be_used_twice(everywhere: None, kind: type) -> None:
    module, x = kind(4, 6, 2), torch.randn(5, 8, 4, requires_grad=True)
    y = module(x)[0].square().sum()
    (first,) = torch.autograd.grad(y, x, retain_graph=True)
    assert torch.equal(first, torch.autograd.grad(y, x)[0])


@pytest.mark.parametrize(("kind", "reference"), KINDS)
def test_bfloat16_products(
    everywhere: None, monkeypatch: pytest.MonkeyPatch, kind: type, reference: type
) -> None:
    torch.manual_seed(8)
    module, x = kind(16, 24, 2), torch.randn(7, 10, 16, requires_grad=True)
    calls = fast_calls(monkeypatch, kind)
    with torch.autocast("cpu", torch.bfloat16):
        y, after = module(x)
    assert calls == [0, 1] and y.dtype == torch.float32
    ours = [y, *flat(after), *torch.autograd.grad(y.sum(), [x, *module.parameters()])]
    twin = reference(16, 24, 2).double()
    twin.load_state_dict(module.state_dict())
    wide = x.detach().double().requires_grad_()
    right, last = twin(wide)
    exact = [right, *flat(last), *torch.autograd.grad(right.sum(), [wide, *twin.parameters()])]
    assert_alike(ours, exact, 2e-2)
    assert (ours[0] - exact[0]).abs().max() > 1e-5  # and not float32 all the same


@pytest.mark.parametrize("kind", [LSTM, GRU])
@pytest.mark.parametrize("fast", [True, False])
def test_dropout_between_layers(
    everywhere: None, monkeypatch: pytest.MonkeyPatch, kind: type, fast: bool
) -> None:
    """Rows of a second layer whose gates see its input alone: dropped units are those that are 0 in
    it."""
    monkeypatch.setattr(recurrent, "_fast", lambda layers, x: fast)
    for variational in (True, False):
        if not (fast or variational):
            continue  # torch.nn's own dropout
        module = kind(4, 64, 2, dropout=0.25, variational=variational)
        seen: list[Tensor] = []
        monkeypatch.setattr(recurrent, "dropout", _spy(recurrent.dropout, seen))
        torch.manual_seed(9)
        x = torch.randn(6, 10, 4)
        module(x)
        module(x)
        (before, first), (_, second) = seen
        dropped = first == 0
        assert 0.2 < dropped.float().mean() < 0.3
        torch.testing.assert_close(first[~dropped], before[~dropped] / 0.75, rtol=1e-4, atol=0)
        assert bool((dropped == dropped[:1]).all()) is variational
        assert not torch.equal(dropped, second == 0)
        monkeypatch.undo()
        monkeypatch.setattr(recurrent, "_fast", lambda layers, x: fast)
        module.eval()
        torch.testing.assert_close(module(x)[0], module(x)[0], rtol=0, atol=0)


def _spy(function: Any, seen: list[tuple[Tensor, Tensor]]) -> Any:
    def spied(rows: Tensor, *args: Any, **kw: Any) -> Tensor:
        seen.append((rows.detach(), function(rows, *args, **kw)))
        return seen[-1][1]

    return spied


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_wrong_dropout_is_refused(kind: type) -> None:
    for layers in (1, 2):
        with pytest.raises(ValueError, match="dropout"):
            kind(4, 6, layers, dropout=1.5)


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_wrong_shapes_are_refused(everywhere: None, kind: type) -> None:
    module = kind(4, 6)
    with pytest.raises(RuntimeError, match="Expected 4, got 5"):
        module(torch.randn(5, 8, 5))
    with pytest.raises(RuntimeError, match="Expected hidden"):
        module(torch.randn(5, 8, 4), start(kind, 1, 7, 6))


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_what_the_fast_way_leaves_to_torch(monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    module, calls = kind(4, 6), fast_calls(monkeypatch, kind)
    module(torch.randn(3, 4))  # one sequence without a batch
    module(torch.randn(1, 8, 4))  # one place
    module(nn.utils.rnn.pack_sequence([torch.randn(5, 4), torch.randn(3, 4)]))
    module.double()(torch.randn(5, 8, 4).double())
    assert calls == []


SCRIPT = """
import json, torch
import w2v.lm.bodies.layers as recurrent
torch.backends.cpu.get_cpu_capability = lambda: "AVX512"
torch.manual_seed(11)
module, x = recurrent.LSTM(5, 19), torch.randn(6, 9, 5)
y = module(x)[0]
y.sum().backward()
print(json.dumps([y.tolist(), module.weight_hh_l0.grad.tolist()]))
"""


def test_compiled_once_and_right_with_avx2_only(everywhere: None, tmp_path: Path) -> None:
    root = str(Path(__file__).parents[3])
    environment = {
        "NUMBA_CACHE_DIR": str(tmp_path),
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_DEBUG_CACHE": "1",
    }
    env = {**os.environ, **environment, "PYTHONPATH": root}
    runs = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=env,
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
        )
        for _ in range(2)
    ]
    assert [run.stdout.count("data saved to") for run in runs] == [2, 0]
    assert runs[1].stdout.count("data loaded from") == 2
    torch.manual_seed(11)
    module, x = LSTM(5, 19), torch.randn(6, 9, 5)
    y = module(x)[0]
    y.sum().backward()
    for run in runs:
        values, grad = json.loads(run.stdout.splitlines()[-1])
        torch.testing.assert_close(torch.tensor(values), y.detach(), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(
            torch.tensor(grad), module.weight_hh_l0.grad, rtol=1e-5, atol=1e-5
        )


def test_changing_the_output_in_place_is_noticed(everywhere: None) -> None:
    module, x = LSTM(4, 6), torch.randn(5, 8, 4, requires_grad=True)
    y = module(x)[0]
    with pytest.raises(RuntimeError):
        y.mul_(2)
        y.sum().backward()


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_compiled_by_torch(everywhere: None, kind: type) -> None:
    """torch.compile leaves the layer as it is and compiles around it."""
    torch.manual_seed(10)
    model, x = nn.Sequential(nn.Linear(4, 4), kind(4, 6)), torch.randn(5, 8, 4)
    y = model(x)[0]
    compiled = torch.compile(model, backend="eager")(x)[0]
    torch.testing.assert_close(compiled, y, rtol=1e-5, atol=1e-6)
    for mine, right in zip(
        torch.autograd.grad(compiled.sum(), list(model.parameters())),
        torch.autograd.grad(y.sum(), list(model.parameters())),
        strict=True,
    ):
        torch.testing.assert_close(mine, right, rtol=1e-4, atol=1e-5)
