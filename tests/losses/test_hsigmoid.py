"""The layer of the hierarchical sigmoid against a definition in plain NumPy, and what any
distribution must be."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.trees import balanced, renamed
from w2v.losses import base, hsigmoid
from w2v.losses.hsigmoid import Hsigmoid
from w2v.losses.math import paths
from w2v.losses.options import HsigmoidOptions
from w2v.tree import Tree, huffman

D = 6


def softplus(z):
    return np.logaddexp(0, z)


def counts_of(V: int) -> torch.Tensor:
    return torch.from_numpy(
        np.sort(np.random.default_rng(V).zipf(1.4, V).clip(max=10**6))[::-1].copy()
    )


def renumbered(tree: Tree, spare: int = 3) -> Tree:
    """The same tree with other numbers for its nodes; some rows belong to no node."""
    return renamed(tree, np.random.default_rng(0).permutation(tree.rows + spare))


def chain(V: int) -> Tree:
    """One word per depth: as long as paths can get."""
    fibonacci = [1, 1]
    while len(fibonacci) < V:
        fibonacci.append(sum(fibonacci[-2:]))
    return huffman(np.array(fibonacci[::-1]))


TREES = {
    "huffman": lambda: huffman(counts_of(37).numpy()),
    "balanced": lambda: balanced(37),
    "given": lambda: renumbered(huffman(counts_of(37).numpy())),
    "chain": lambda: chain(30),
    "two": lambda: balanced(2),
    "three": lambda: huffman(np.array([5, 4, 3])),
}


@pytest.fixture(params=TREES)
def tree(request) -> Tree:
    return TREES[request.param]()


def layer_for(tree: Tree, scale: float = 1.0, **options) -> Hsigmoid:
    """A layer in float64 with random weights and, unless told otherwise, a bias."""
    torch.manual_seed(1)
    layer = Hsigmoid(D, counts_of(len(tree)), tree=tree, **{"bias": True, **options}).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=scale)
    return layer


def batch_for(V: int, N: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(N)
    hidden = torch.randn(N, D, generator=generator, dtype=torch.float64).requires_grad_()
    return hidden, torch.randint(0, V, (N,), generator=generator)


def by_definition(layer: Hsigmoid, hidden: torch.Tensor, target: torch.Tensor) -> np.ndarray:
    """-log of the product of sigmoids along each path, in NumPy."""
    h, w = hidden.detach().numpy(), layer.weight.detach().numpy()
    b = np.zeros(len(w)) if layer.bias is None else layer.bias.detach().numpy()
    losses = []
    for row, word in zip(h, target.tolist(), strict=True):
        nodes, codes = layer.tree.path(word)
        z, label = w[nodes] @ row + b[nodes], 1 - codes
        losses.append((softplus(z) - label * z).sum())
    return np.array(losses)


@pytest.mark.parametrize("bias", [True, False])
def test_loss_is_the_definition(tree, bias):
    layer = layer_for(tree, bias=bias)
    hidden, target = batch_for(len(tree), 40)
    right = by_definition(layer, hidden, target)
    assert layer(hidden, target).detach().numpy() == pytest.approx(right, rel=1e-12)
    assert layer.nll(hidden, target[:, None]).detach().numpy() == pytest.approx(right, rel=1e-12)
    assert -layer.log_prob(hidden).gather(1, target[:, None])[
        :, 0
    ].detach().numpy() == pytest.approx(right, rel=1e-12)


def test_huffmans_tree_is_the_default_and_new_rows_are_0():
    counts = counts_of(37)
    layer = Hsigmoid(D, counts.tolist(), HsigmoidOptions())
    expected = huffman(counts.numpy())
    assert np.array_equal(layer.tree.nodes, expected.nodes) and np.array_equal(
        layer.tree.codes, expected.codes
    )
    assert layer.rows() == 36 and layer.weight.shape == (36, D) and layer.bias is None
    assert not layer.weight.any()
    assert list(layer.state_dict()) == ["weight"]
    loss = layer(torch.randn(37, D), torch.arange(37))
    assert loss.tolist() == pytest.approx((expected.lengths * np.log(2)).tolist())


@pytest.mark.parametrize("N", [0, 1, 7])
def test_gradients(tree, N):
    layer = layer_for(tree)
    hidden, target = batch_for(len(tree), N)
    parameters = tuple(layer.parameters())
    assert torch.autograd.gradcheck(
        lambda *_: layer(hidden, target), (hidden, *parameters), fast_mode=len(tree) > 3
    )
    assert torch.autograd.gradcheck(
        lambda *_: layer(hidden, target[:1].repeat(2 * N), torch.arange(N).repeat(2)),
        (hidden, *parameters),
        fast_mode=True,
    )
    dense = torch.autograd.grad(layer(hidden, target).square().sum(), parameters)
    layer.sparse = True
    for one, other in zip(
        torch.autograd.grad(layer(hidden, target).square().sum(), parameters), dense, strict=True
    ):
        assert one.is_sparse
        torch.testing.assert_close(one.to_dense(), other)


def test_row_of_shares_hidden_rows(tree):
    layer = layer_for(tree)
    hidden, target = batch_for(len(tree), 12)
    row_of = torch.tensor([3, 0, 0, 5, 3, 3, 1, 11, 2, 2, 0, 3])
    shared = layer(hidden, target, row_of)
    repeated = layer(hidden[row_of], target)
    torch.testing.assert_close(shared, repeated)
    inputs = (hidden, layer.weight, layer.bias)
    for one, other in zip(
        torch.autograd.grad(shared.square().sum(), inputs),
        torch.autograd.grad(repeated.square().sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other)
    more = layer(hidden[:2], torch.zeros(5, dtype=torch.int64), torch.tensor([0, 1, 1, 0, 1]))
    assert len(set(more.tolist())) == 2


def test_batch_does_not_matter(tree, monkeypatch):
    layer = layer_for(tree)
    hidden, target = batch_for(len(tree), 25)
    whole = layer(hidden, target)
    d_whole = torch.autograd.grad(whole.sum(), layer.weight)[0]
    monkeypatch.setattr(paths, "GATHER", 5 * D)
    parts = torch.cat([layer(hidden[n : n + 1], target[n : n + 1]) for n in range(25)])
    torch.testing.assert_close(parts, whole, rtol=1e-14, atol=1e-14)
    small = layer(hidden, target)
    torch.testing.assert_close(small, whole, rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(torch.autograd.grad(small.sum(), layer.weight)[0], d_whole)


def test_probabilities_sum_to_1(tree):
    layer = layer_for(tree, scale=3.0)
    log_prob = layer.log_prob(torch.randn(20, D, dtype=torch.float64))
    assert log_prob.shape == (20, len(tree)) and log_prob.is_contiguous()
    assert log_prob.exp().sum(1).tolist() == pytest.approx([1.0] * 20, abs=1e-14)
    single = layer.float().log_prob(torch.randn(20, D))
    assert single.dtype == torch.float32
    assert single.exp().sum(1).tolist() == pytest.approx([1.0] * 20, abs=1e-6)


def test_log_prob_is_differentiable():
    layer = layer_for(huffman(np.array([4, 3, 2, 1])))
    hidden, _ = batch_for(4, 3)
    assert torch.autograd.gradcheck(layer.log_prob, (hidden,))


@pytest.mark.parametrize("k", [1, 3, 100])
@pytest.mark.parametrize("scale", [0.05, 1.0, 8.0])
def test_predict_is_the_order_of_log_prob(tree, k, scale, monkeypatch):
    layer = layer_for(tree, scale=scale)
    hidden, _ = batch_for(len(tree), 30)
    log_prob = layer.log_prob(hidden)
    monkeypatch.setattr(base, "NLL_ROWS", 13)
    monkeypatch.setattr(hsigmoid, "EXPANSIONS", 2)
    monkeypatch.setattr(layer, "_log_prob", None)
    ids, values = layer.predict(hidden, k)
    right = log_prob.sort(dim=1, descending=True)
    k = min(k, len(tree))
    assert ids.tolist() == right.indices[:, :k].tolist()
    torch.testing.assert_close(values, right.values[:, :k])


def test_predict_enters_few_nodes_of_a_large_tree(monkeypatch):
    layer = layer_for(balanced(20_000), scale=2.0)
    hidden, _ = batch_for(20_000, 40)
    right = layer.log_prob(hidden).topk(3)
    monkeypatch.setattr(layer, "_log_prob", None)
    ids, values = layer.predict(hidden, 3)
    assert ids.tolist() == right.indices.tolist()
    torch.testing.assert_close(values, right.values)


def test_predict_scores_everything_where_nothing_stands_out():
    layer = layer_for(balanced(5000), scale=1e-3)
    hidden, _ = batch_for(5000, 10)
    hidden = torch.cat([hidden, hidden * 1e4])  # the second half is searched to the end
    right = layer.log_prob(hidden).topk(2)
    ids, values = layer.predict(hidden, 2)
    assert ids.tolist() == right.indices.tolist()
    torch.testing.assert_close(values, right.values)


def test_predict_without_rows():
    ids, values = layer_for(balanced(9)).predict(torch.zeros(0, D, dtype=torch.float64), 4)
    assert ids.shape == values.shape == (0, 4) and ids.dtype == torch.int64


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype):
    layer = layer_for(balanced(37)).float()
    hidden, target = batch_for(37, 9)
    hidden = hidden.detach().to(dtype).requires_grad_()
    right = layer(hidden.detach().float(), target)
    loss = layer(hidden, target)
    assert loss.dtype == torch.float32 and torch.equal(loss, right)
    loss.sum().backward()
    assert hidden.grad.dtype == dtype and layer.weight.grad.dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(hidden, target), right)
        assert layer.log_prob(hidden).dtype == layer.predict(hidden)[1].dtype == torch.float32
    layer.to(dtype)
    assert layer(hidden, target).dtype == torch.float32
    assert layer(hidden, target).tolist() == pytest.approx(right.tolist(), rel=0.05)


def test_large_scores_stay_finite():
    layer = layer_for(balanced(8), scale=100.0).float()
    hidden, target = torch.randn(50, D) * 100, torch.randint(0, 8, (50,))
    loss = layer(hidden, target)
    loss.sum().backward()
    assert loss.max() > 1000 and loss.isfinite().all() and layer.weight.grad.isfinite().all()
    assert loss.tolist() == pytest.approx(by_definition(layer, hidden, target).tolist(), rel=1e-4)


def test_weights_can_be_shared():
    shared = torch.nn.Parameter(torch.randn(36, D))
    layer = Hsigmoid(D, counts_of(37), weight=shared, bias=torch.zeros(36))
    assert layer.weight is shared
    with pytest.raises(ValueError, match=r"weight has shape \[37, 6\], this layer needs \[36, 6\]"):
        Hsigmoid(D, counts_of(37), weight=torch.zeros(37, D))


def test_refuses():
    with pytest.raises(ValueError, match="the tree has 5 leaves, but counts has 6 classes"):
        Hsigmoid(D, [1] * 6, tree=balanced(5))
    with pytest.raises(ValueError, match="2 or more"):
        Hsigmoid(D, [1])
    layer = Hsigmoid(D, [3, 2, 1])
    with pytest.raises(ValueError, match="targets range from 0 to 3, they must lie in 0 to 2"):
        layer(torch.zeros(2, D), torch.tensor([0, 3]))
    with pytest.raises(
        ValueError, match=r"hidden has shape \[3, 6\], so targets must have \[3\], not \[2\]"
    ):
        layer(torch.zeros(3, D), torch.tensor([0, 1]))
