"""Every output layer as a PyTorch module among others: copies, files, dtypes, devices without
memory, the compiler, several processes, second derivatives."""

from __future__ import annotations

import copy
import inspect
import io
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from w2v.losses import LOSSES, OutputLayer, make_layer

V, D, N = 23, 6, 9
COUNTS = list(range(3 * V, 0, -3))
SPARSE = [name for name, entry in LOSSES.items() if entry.sparse]

pytestmark = pytest.mark.parametrize("name", LOSSES)


def layer_of(name: str, dtype: torch.dtype = torch.float64, **more: object) -> OutputLayer:
    """A layer with random rows."""
    layer = make_layer(name, D, COUNTS, **more)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.7)
    return layer.to(dtype)


def batch(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    hidden = torch.randn(N, D, generator=random, dtype=torch.float64).to(dtype)
    return hidden.requires_grad_(), torch.randint(0, V, (N,), generator=random)


def loss_of(layer: nn.Module, hidden: Tensor, target: Tensor) -> Tensor:
    """The loss with the same noise words every time."""
    torch.manual_seed(11)
    loss: Tensor = layer(hidden, target)
    return loss


def test_copies_and_files(name: str) -> None:
    layer, (hidden, target) = layer_of(name), batch()
    want = loss_of(layer, hidden, target)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(loss_of(other, hidden, target), want)
        with torch.no_grad():
            next(other.parameters()).add_(1)
        assert torch.equal(loss_of(layer, hidden, target), want)
    file, fresh = io.BytesIO(), make_layer(name, D, COUNTS).double()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    fresh.load_state_dict(torch.load(file))
    assert torch.equal(loss_of(fresh, hidden, target), want)


def test_a_generator_is_copied_too(name: str) -> None:
    if not LOSSES[name].draws_noise:
        pytest.skip("draws nothing")
    layer, (hidden, target) = (layer_of(name, generator=torch.Generator().manual_seed(5)), batch())
    twin = copy.deepcopy(layer)
    assert torch.equal(twin(hidden, target), layer(hidden, target))
    assert torch.equal(twin(hidden, target), layer(hidden, target))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_dtypes(name: str, dtype: torch.dtype) -> None:
    exact = loss_of(layer_of(name), *batch())
    layer, (hidden, target) = layer_of(name, dtype), batch(dtype)
    loss = loss_of(layer, hidden, target)
    loss.sum().backward()
    assert loss.dtype == torch.float32
    assert hidden.grad is not None and hidden.grad.dtype == dtype
    torch.testing.assert_close(loss.double(), exact, rtol=0.05, atol=0.1)


@pytest.mark.parametrize(
    "kind", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.uint16, torch.uint32]
)
def test_integers_of_any_size(name: str, kind: torch.dtype) -> None:
    layer, (hidden, target) = layer_of(name), batch()
    want = loss_of(layer, hidden, target)
    assert torch.equal(loss_of(layer, hidden, target.to(kind)), want)
    assert torch.equal(layer.nll(hidden, target.to(kind)), layer.nll(hidden, target))


def test_the_meta_device(name: str) -> None:
    with torch.device("meta"):
        made = make_layer(name, D, COUNTS)
        hidden, target = torch.zeros(N, D), torch.zeros(N, dtype=torch.long)
    for layer in (made, layer_of(name).to("meta")):
        assert all(parameter.is_meta for parameter in layer.parameters())
        assert layer(hidden, target).shape == layer.nll(hidden, target).shape == (N,)
        assert layer.log_prob(hidden).shape == (N, V)
        assert layer.predict(hidden, 2)[0].shape == (N, 2)
    filled = made.to_empty(device="cpu").double()
    filled.load_state_dict(layer_of(name).state_dict())
    assert torch.equal(loss_of(filled, *batch()), loss_of(layer_of(name), *batch()))


def test_made_with_a_device_and_a_dtype_and_anew(name: str) -> None:
    more = {"bias": True} if LOSSES[name].bias else {}
    made = make_layer(name, D, COUNTS, device="meta", dtype=torch.float64, **more)
    assert all(one.is_meta and one.dtype == torch.float64 for one in made.parameters())
    made.to_empty(device="cpu")
    torch.manual_seed(4)
    made.reset_parameters()
    torch.manual_seed(4)
    fresh = make_layer(name, D, COUNTS, dtype=torch.float64, **more)
    assert all(map(torch.equal, made.parameters(), fresh.parameters()))
    assert all(bool(one.isfinite().all()) for one in made.parameters())
    bare = nn.utils.skip_init(type(made), D, COUNTS, dtype=torch.float64)
    bare.load_state_dict(make_layer(name, D, COUNTS).state_dict())
    assert {"device", "dtype", "counts"} <= {*inspect.signature(type(made)).parameters}
    assert str(D) in repr(made) and str(V) in repr(made)
    if LOSSES[name].tied and name != "hsigmoid+neg":
        shared = torch.ones(V, D, dtype=torch.float64)
        make_layer(name, D, COUNTS, weight=shared).reset_parameters()
        assert bool((shared == 1).all())


@pytest.mark.parametrize("backend", ["inductor", "aot_eager", "eager"])
def test_the_compiler(name: str, backend: str) -> None:
    layer, (hidden, target) = layer_of(name, torch.float32), batch(torch.float32)
    want = loss_of(layer, hidden, target)
    wanted = torch.autograd.grad(want.mean(), hidden)[0]
    torch._dynamo.reset()
    compiled = torch.compile(layer, backend=backend)
    for training in (True, True, False):
        compiled.train(training)
        loss = loss_of(compiled, hidden, target)
        assert torch.equal(loss, want)
        assert torch.equal(torch.autograd.grad(loss.mean(), hidden)[0], wanted)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A group of one process."""
    store: Path = tmp_path_factory.mktemp("group") / "store"
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("sparse", [False, True])
def test_several_processes(name: str, sparse: bool, alone: None) -> None:
    if sparse and name not in SPARSE:
        pytest.skip("has no sparse gradients")
    layer, (hidden, target) = layer_of(name, **({"sparse": True} if sparse else {})), batch()
    several = nn.parallel.DistributedDataParallel(copy.deepcopy(layer), find_unused_parameters=True)
    if sparse:
        with pytest.raises(RuntimeError, match="make it with sparse=False"):
            several(hidden, target)
        return
    for _ in range(2):
        loss_of(several, hidden, target).sum().backward()
    loss_of(layer, hidden, target).sum().backward()
    for ours, other in zip(layer.parameters(), several.parameters(), strict=True):
        if ours.grad is None:
            assert other.grad is None or not other.grad.any()
        else:
            assert other.grad is not None
            torch.testing.assert_close(other.grad.to_dense(), 2 * ours.grad.to_dense())


def test_second_derivatives(name: str) -> None:
    layer, (hidden, target) = layer_of(name), batch()
    names, values = zip(*layer.named_parameters(), strict=True)

    def loss(hidden: Tensor, *parameters: Tensor) -> Tensor:
        torch.manual_seed(11)
        given = dict(zip(names, parameters, strict=True))
        found: Tensor = torch.func.functional_call(layer, given, (hidden, target))
        return found

    inputs = (hidden, *(value.detach().requires_grad_() for value in values))
    assert torch.autograd.gradgradcheck(loss, inputs, atol=1e-4, fast_mode=True)


def test_second_derivatives_of_layers_with_sparse_gradients(name: str) -> None:
    if name not in SPARSE:
        pytest.skip("has no sparse gradients")
    (hidden, target), layers = batch(), [layer_of(name, sparse=sparse) for sparse in (True, False)]
    found: list[list[Tensor]] = []
    for layer in layers:
        inputs = hidden, *layer.parameters()
        first = torch.autograd.grad(loss_of(layer, hidden, target).sum(), inputs, create_graph=True)
        penalty = torch.stack([gradient.to_dense().square().sum() for gradient in first]).sum()
        second = torch.autograd.grad(penalty, inputs)
        found.append([gradient.to_dense() for gradient in (*first, *second)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)
