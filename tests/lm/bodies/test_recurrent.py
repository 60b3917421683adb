"""LSTM and GRU against torch.nn's in float64, on every way that a sequence can go."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import w2v.lm.bodies.recurrent as recurrent
from w2v.lm.bodies.recurrent import RecurrentBody
from w2v.settings.language_model import LanguageModelSettings

KINDS = ["lstm", "gru"]
SHAPES = [  # T, B, I, H, layers: tails of the 16 lanes, of the row tiles, single rows
    (7, 20, 12, 20, 2),
    (4, 8, 5, 3, 1),
    (5, 13, 16, 16, 1),
    (6, 31, 9, 50, 3),
    (1, 1, 6, 18, 1),
    (1, 9, 6, 18, 1),
    (9, 1, 6, 18, 1),
    (40, 2, 6, 18, 1),
]


@pytest.fixture
def fast_calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The fast GRU on any processor and for any length; grows by its columns at every use."""
    import w2v.lm.bodies.gru as gru

    calls: list[int] = []
    original = gru.gru_layer

    def counted(x: Tensor, *rest: Any, **more: Any) -> Any:
        calls.append(x.shape[1])
        return original(x, *rest, **more)

    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(recurrent, "FEWEST_PLACES", 1)
    monkeypatch.setattr(gru, "gru_layer", counted)
    return calls


def body(arch: str, dim: int, units: int, layers: int = 1, **given: Any) -> RecurrentBody:
    given = {"dropout": 0.0, **given}
    settings = LanguageModelSettings(arch=arch, hidden=units, layers=layers, **given)
    return RecurrentBody(settings, dim)


def start(module: RecurrentBody, columns: int) -> tuple[Tensor, ...]:
    return tuple(torch.randn_like(part).requires_grad_() for part in module.start(columns))


def everything(module: nn.Module, x: Tensor, state: tuple[Tensor, ...]) -> list[Tensor]:
    """Output, last state, and the gradients of a sum with fixed weights by x, the start state and
    all parameters."""
    y, after = module(x, state)
    outputs = [y, *after]
    generator = torch.Generator().manual_seed(5)
    total = sum(
        (out * torch.randn(out.shape, generator=generator).to(out)).sum() for out in outputs
    )
    return [*outputs, *torch.autograd.grad(total, [x, *state, *module.parameters()])]


def double(module: RecurrentBody, x: Tensor, state: tuple[Tensor, ...]) -> list[Tensor]:
    """`everything` in float64, which is PyTorch's own way."""
    wide = [part.detach().double().requires_grad_() for part in (x, *state)]
    return everything(copy.deepcopy(module).double(), wide[0], tuple(wide[1:]))


def assert_alike(ours: list[Tensor], exact: list[Tensor], rtol: float) -> None:
    for mine, right in zip(ours, exact, strict=True):
        assert mine.shape == right.shape and mine.dtype == torch.float32
        assert (mine - right).abs().max() <= rtol * right.abs().max()


@pytest.mark.parametrize("arch", KINDS)
@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients(fast_calls, arch, threads, shape) -> None:
    torch.manual_seed(1)
    places, columns, dim, units, layers = shape
    module = body(arch, dim, units, layers)
    x, state = torch.randn(places, columns, dim, requires_grad=True), start(module, columns)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        ours = everything(module, x, state)
    finally:
        torch.set_num_threads(before)
    assert fast_calls == ([columns] * layers if arch == "gru" else [])
    assert_alike(ours, double(module, x, state), 2e-6)
    with torch.no_grad():
        y, after = module(x, state)
    assert_alike([y, *after], ours[: 1 + len(after)], 2e-6)


def test_the_gru_of_float64_is_torchs_and_passes_gradcheck(fast_calls) -> None:
    module = body("gru", 2, 3, 2).double()
    x = torch.randn(4, 2, 2, dtype=torch.float64, requires_grad=True)
    state = (torch.zeros(2, 2, 3, dtype=torch.float64),)
    torch.testing.assert_close(module(x, state)[0], module.recurrent(x)[0])
    assert torch.autograd.gradcheck(lambda x: module(x, state)[0], (x,))
    assert fast_calls == []


def test_large_numbers_saturate_as_in_torch(fast_calls) -> None:
    torch.manual_seed(3)
    module = body("gru", 4, 17)
    x = (torch.randn(5, 8, 4) * 10.0 ** torch.randint(0, 7, (5, 8, 1))).requires_grad_()
    state = start(module, 8)
    y, exact = module(x, state)[0], double(module, x, state)[0]
    # The exponents of σ and tanh carry the float32 error of their arguments.
    assert (y - exact).abs().max() < 1e-4
    assert torch.isfinite(torch.autograd.grad(y.sum(), x)[0]).all()
    assert torch.isnan(module(x * float("nan"), state)[0]).all()


@pytest.mark.parametrize(("arch", "twin"), [("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_parameters_are_torchs(arch, twin) -> None:
    torch.manual_seed(6)
    module = body(arch, 7, 9, 2)
    torch.manual_seed(6)
    expected = twin(7, 9, 2).state_dict()
    assert list(module.state_dict()) == [f"recurrent.{name}" for name in expected]
    for name, value in expected.items():
        assert torch.equal(module.state_dict()[f"recurrent.{name}"], value)


def test_only_what_needs_gradients_gets_them(fast_calls) -> None:
    module = body("gru", 4, 6)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name == "recurrent.weight_hh_l0")
    module(torch.randn(5, 8, 4), module.start(8))[0].sum().backward()
    assert module.recurrent.weight_hh_l0.grad is not None
    assert module.recurrent.weight_ih_l0.grad is None
    module.requires_grad_(False)
    x = torch.randn(5, 8, 4, requires_grad=True)
    module(x, module.start(8))[0].sum().backward()
    assert x.grad is not None and not module(x.detach(), module.start(8))[0].requires_grad


def test_second_derivatives_are_refused(fast_calls) -> None:
    module, x = body("gru", 4, 6), torch.randn(5, 8, 4, requires_grad=True)
    with pytest.raises(RuntimeError, match="no second derivatives"):
        torch.autograd.grad(module(x, module.start(8))[0].sum(), x, create_graph=True)


def test_a_graph_can_be_used_twice(fast_calls) -> None:
    module, x = body("gru", 4, 6, 2), torch.randn(5, 8, 4, requires_grad=True)
    y = module(x, module.start(8))[0].square().sum()
    (first,) = torch.autograd.grad(y, x, retain_graph=True)
    assert torch.equal(first, torch.autograd.grad(y, x)[0])


def test_changing_the_output_in_place_is_noticed(fast_calls) -> None:
    module, x = body("gru", 4, 6), torch.randn(5, 8, 4, requires_grad=True)
    y, _ = module(x, module.start(8))
    with pytest.raises(RuntimeError):
        y.mul_(2)
        y.sum().backward()


@pytest.mark.parametrize("arch", KINDS)
@pytest.mark.parametrize("variational", [False, True])
def test_bfloat16_products(fast_calls, arch, variational) -> None:
    torch.manual_seed(8)
    # A dropout that drops next to nothing, for the way that a variational one goes.
    module = body(arch, 16, 24, 2, variational=variational, dropout=1e-5 * variational)
    x = torch.randn(7, 10, 16, requires_grad=True)
    state = module.start(10)
    with torch.autocast("cpu", torch.bfloat16):
        for piece in (x[:3], x[3:]):  # the first one's state, whatever its type, goes on
            y, state = module(piece, state)
    ours = [y.float(), *torch.autograd.grad(y.sum(), list(module.parameters()))]
    wide = copy.deepcopy(module).double()
    wide_state = tuple(part.double() for part in wide.start(10))
    exact_y = wide(x.double(), wide_state)[0][3:]
    exact = [exact_y, *torch.autograd.grad(exact_y.sum(), list(wide.parameters()))]
    assert_alike(ours, exact, 3e-2)
    assert (ours[0] - exact[0]).abs().max() > 1e-5  # and not float32 all the same


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("arch", KINDS)
def test_variational_dropout_between_layers(monkeypatch, fast_calls, arch, fast) -> None:
    """One mask for all places of a call, another one at the next; before, between and behind the
    layers."""
    monkeypatch.setattr(recurrent, "_fast", lambda module, x: fast)
    module, seen = body(arch, 4, 64, 2, dropout=0.25, variational=True), []

    def spied(rows: Tensor, *arguments: Any, **more: Any) -> Tensor:
        seen.append((rows.detach(), original(rows, *arguments, **more)))
        return seen[-1][1]

    original = recurrent.dropout
    monkeypatch.setattr(recurrent, "dropout", spied)
    torch.manual_seed(9)
    x = torch.randn(6, 10, 4)
    for _ in range(2):
        module(x, module.start(10))
    assert len(seen) == 6
    masks = [after == 0 for _, after in seen]
    for (before, after), mask in zip(seen, masks, strict=True):
        assert 0.15 < mask.float().mean() < 0.35
        assert bool((mask == mask[:1]).all())
        torch.testing.assert_close(after[~mask], before[~mask] / 0.75, rtol=1e-4, atol=0)
    assert not any(torch.equal(one, other) for one, other in pairwise((*masks[1:3], *masks[4:])))
    module.eval()
    assert torch.equal(module(x, module.start(10))[0], module(x, module.start(10))[0])
    assert len(fast_calls) == (8 if arch == "gru" and fast else 0)


SCRIPT = """
import json, torch
from tests.lm.bodies.test_recurrent import body
torch.backends.cpu.get_cpu_capability = lambda: "AVX512"
torch.manual_seed(11)
module, x = body("gru", 5, 19), torch.randn(6, 9, 5)
y = module(x, module.start(9))[0]
y.sum().backward()
print(json.dumps([y.tolist(), module.recurrent.weight_hh_l0.grad.tolist()]))
"""


def test_compiled_once_and_right_with_avx2_only(fast_calls, tmp_path: Path) -> None:
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
    module, x = body("gru", 5, 19), torch.randn(6, 9, 5)
    y = module(x, module.start(9))[0]
    y.sum().backward()
    for run in runs:
        values, grad = json.loads(run.stdout.splitlines()[-1])
        torch.testing.assert_close(torch.tensor(values), y.detach(), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(
            torch.tensor(grad), module.recurrent.weight_hh_l0.grad, rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize("arch", KINDS)
def test_compiled_by_torch(fast_calls, arch) -> None:
    """torch.compile leaves the fast GRU as it is and compiles around it."""
    torch.manual_seed(10)
    module, x = body(arch, 4, 6, 2), torch.randn(5, 8, 4)
    y = module(x, module.start(8))[0]
    compiled = torch.compile(module, backend="eager")(x, module.start(8))[0]
    torch.testing.assert_close(compiled, y, rtol=1e-5, atol=1e-6)
    for mine, right in zip(
        torch.autograd.grad(compiled.sum(), list(module.parameters())),
        torch.autograd.grad(y.sum(), list(module.parameters())),
        strict=True,
    ):
        torch.testing.assert_close(mine, right, rtol=1e-4, atol=1e-5)
