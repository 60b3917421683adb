"""Negative sampling, NCE, sampled softmax: the layers against their written-out formulas."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from w2v.compat.tensorflow import sampled_softmax_loss
from w2v.losses.math.sampled_step import REMOVED, cross_entropy, logistic
from w2v.losses.options import NegOptions
from w2v.losses.sampled import Nce, Neg, SampledLayer
from w2v.sampling.candidates import Candidates
from w2v.sampling.samplers import AllCandidateSampler, LogUniformSampler

from .sampled_cases import COUNTS, LAYERS, D, V, layer_of, normal, seeded


def test_links_are_exact_for_large_scores():
    z = torch.tensor(
        [[-700.0, -30], [-21, 22], [39, -45], [50, 600], [-38, 30]], dtype=torch.float64
    )
    for T in (1, 2):
        true, noise = z[:, :T], z[:, T:]
        found = [
            math.fsum(math.log1p(math.exp(-abs(x))) + max(x, 0) for x in row) for row in z.tolist()
        ]
        expected = torch.tensor(found, dtype=torch.float64) - true.mean(1)
        torch.testing.assert_close(logistic(true, noise), expected, rtol=1e-13, atol=1e-12)
        torch.testing.assert_close(
            cross_entropy(true, noise), z.logsumexp(1) - true.mean(1), rtol=1e-13, atol=1e-12
        )
    tiny = logistic(torch.tensor([[30.0]]), torch.tensor([[-30.0]]))
    torch.testing.assert_close(tiny, torch.tensor([2 * math.exp(-30)]), rtol=1e-6, atol=0)
    assert cross_entropy(torch.tensor([[3.0]]), torch.tensor([[REMOVED]])).tolist() == [0]


def written_out(
    name: str, layer: SampledLayer, hidden: Tensor, target: list[list[int]], samples: Candidates
) -> Tensor:
    """The formulas of the module's docstring, number by number."""
    bias = torch.zeros(V) if layer.bias is None else layer.bias
    S, losses = samples.sampled.shape[-1], []
    for n, labels in enumerate(target):
        noise = (samples.sampled if samples.sampled.dim() == 1 else samples.sampled[n]).tolist()
        tries = (
            samples.num_tries if isinstance(samples.num_tries, int) else int(samples.num_tries[n])
        )

        def z(word, n=n, tries=tries):
            s = layer.weight[word] @ hidden[n] + bias[word]
            q = COUNTS[word] ** 0.75 / sum(count**0.75 for count in COUNTS)
            expected = S * q if tries == S else 1 - (1 - q) ** tries
            if name == "neg":
                return s
            return s - math.log(expected) - (layer.log_z if isinstance(layer, Nce) else 0)

        if name != "nce":
            noise = [word for word in noise if word not in labels]
        true = torch.stack([z(word) for word in labels])
        others = [z(word) for word in noise]
        if name == "sampled-softmax":
            losses.append(torch.stack([*true, *others]).logsumexp(0) - true.mean())
        else:
            losses.append(sum(F.softplus(x, threshold=50) for x in [*true, *others]) - true.mean())
    return torch.stack(losses)


@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_layers_follow_their_formula(name, bias, per_row):
    layer = layer_of(name, bias=bias, per_row=per_row)
    hidden, target = normal(8, D), torch.randint(V, (8,), generator=seeded(3))
    layer.generator = seeded(9)
    samples = layer.draw(hidden)
    found = layer.loss_with(samples, hidden, target)
    expected = written_out(name, layer, hidden, target[:, None].tolist(), samples)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    layer.generator = seeded(9)
    assert torch.equal(layer(hidden, target), found)  # the generator decides


def test_given_expected_counts_are_taken():
    layer = layer_of("sampled-softmax")
    hidden, target = normal(3, D), torch.tensor([1, 4, 11])
    samples = Candidates(
        torch.tensor([2, 5]), torch.tensor([0.5, 0.25, 2.0]), torch.tensor([1.5, 0.75])
    )
    found = layer.loss_with(samples, hidden, target)
    expected = sampled_softmax_loss(layer.weight, None, target, hidden, 2, V, 1, samples)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_layers_gradcheck(name, sparse):
    options = {"nce_log_z": "learned"} if name == "nce" else {}
    layer = layer_of(name, bias=True, sparse=sparse, options=options)
    hidden, target, row_of = (
        normal(3, D).requires_grad_(),
        torch.tensor([1, 4, 1, 11]),
        torch.tensor([0, 2, 1, 2]),
    )
    samples = layer.draw(hidden)
    names, parameters = zip(*layer.named_parameters(), strict=True)

    def loss(hidden, *values):
        return torch.func.functional_call(
            layer, dict(zip(names, values, strict=True)), (hidden, target, row_of)
        )

    layer.draw = lambda _: samples
    if sparse:
        layer(hidden, target, row_of).sum().backward()
        assert layer.weight.grad.is_sparse and layer.bias.grad.is_sparse
        sparse_gradients = [value.grad.to_dense() for value in parameters]
        layer.sparse = False
        gradients = torch.autograd.grad(layer(hidden, target, row_of).sum(), parameters)
        for ours, dense in zip(sparse_gradients, gradients, strict=True):
            torch.testing.assert_close(ours, dense)
    else:
        torch.autograd.gradcheck(loss, (hidden, *parameters))


@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_targets_may_share_hidden_rows(name, per_row):
    layer = layer_of(name, bias=True, per_row=per_row)
    hidden, target, row_of = (
        normal(4, D),
        torch.tensor([1, 4, 1, 11, 0, 2]),
        torch.tensor([0, 3, 1, 3, 0, 2]),
    )
    samples = mine = layer.draw(hidden)
    if per_row:
        tries = (
            samples.num_tries if isinstance(samples.num_tries, int) else samples.num_tries[row_of]
        )
        mine = Candidates(
            samples.sampled[row_of], None, samples.sampled_expected_count[row_of], tries
        )
    expected = layer.loss_with(mine, hidden[row_of], target)
    found = layer.loss_with(samples, hidden, target, row_of)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_probabilities(name):
    layer = layer_of(name, bias=True)
    hidden, target = normal(300, D), torch.randint(V, (300,), generator=seeded(1))
    log_prob = layer.log_prob(hidden)
    torch.testing.assert_close(log_prob.exp().sum(1), torch.ones(300, dtype=torch.float64))
    torch.testing.assert_close(layer.nll(hidden, target), -log_prob[torch.arange(300), target])
    scores = hidden @ layer.weight.T + layer.bias
    if name == "neg":
        scores = scores + torch.log(torch.tensor(COUNTS, dtype=torch.float64) ** 0.75)
    torch.testing.assert_close(log_prob, scores - scores.logsumexp(1, keepdim=True))
    ids, best = layer.predict(hidden, 2)
    torch.testing.assert_close(best, log_prob.gather(1, ids))
    assert torch.equal(ids[:, 0], log_prob.argmax(1))


def test_all_candidates_with_counts_of_one_are_the_full_softmax():
    layer = layer_of("sampled-softmax", bias=True, negatives=V, sampler=AllCandidateSampler(V))
    hidden, target = normal(9, D), torch.randint(V, (9,), generator=seeded(1))
    torch.testing.assert_close(
        layer(hidden, target),
        F.cross_entropy(hidden @ layer.weight.T + layer.bias, target, reduction="none"),
    )
    values = AllCandidateSampler(V).sample(target, V, True)
    found = sampled_softmax_loss(layer.weight, layer.bias, target, hidden, V, V, 1, values)
    torch.testing.assert_close(found, layer.nll(hidden, target))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("N", [0, 1])
def test_small_batches(name, N):
    for per_row in (False, True):
        layer = layer_of(name, per_row=per_row)
        hidden, target = normal(N, D).requires_grad_(), torch.zeros(N, dtype=torch.int64)
        for row_of in (None, torch.zeros(N, dtype=torch.int64)):
            loss = layer(hidden, target, row_of)
            loss.sum().backward()
            assert (
                loss.shape == (N,) and bool(loss.isfinite().all()) and hidden.grad.shape == (N, D)
            )
        assert layer.log_prob(hidden).shape == (N, V) and layer.nll(hidden, target).shape == (N,)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(LAYERS)), st.permutations(range(6)))
def test_a_row_s_loss_does_not_depend_on_the_others(name, order):
    layer, order = layer_of(name), torch.tensor(order)
    hidden, target = normal(6, D), torch.randint(V, (6,), generator=seeded(1))
    samples = layer.draw(hidden)
    loss = layer.loss_with(samples, hidden, target)
    mixed = layer.loss_with(samples, hidden[order], target[order])
    torch.testing.assert_close(mixed, loss[order], rtol=1e-12, atol=1e-12)


def test_log_z():
    hidden, target = normal(3, D), torch.tensor([0, 1, 2])
    automatic, learned, given_log_z = (
        layer_of("nce", options={"nce_log_z": value}) for value in ("auto", "learned", "2.5")
    )
    samples = automatic.draw(hidden)
    losses = [
        layer.loss_with(samples, hidden, target) for layer in (automatic, learned, given_log_z)
    ]
    torch.testing.assert_close(losses[0], losses[1])
    assert automatic.log_z == math.log(V) and given_log_z.log_z == 2.5
    assert "log_z" in dict(learned.named_parameters()) and "log_z" not in dict(
        automatic.named_parameters()
    )
    torch.testing.assert_close(
        losses[2], written_out("nce", given_log_z, hidden, [[0], [1], [2]], samples)
    )
    losses[1].sum().backward()
    assert float(learned.log_z.grad) != 0
    assert layer_of("nce", options={"nce_bias": True}).bias is not None and automatic.bias is None
    with pytest.raises(ValueError, match="nce_log_z` much is not"):
        layer_of("nce", options={"nce_log_z": "much"})


def test_hits_are_kept_on_request():
    layer = layer_of("sampled-softmax", options={"remove_hits": False})
    samples = Candidates(torch.tensor([2, 5]), torch.ones(2, 1), torch.ones(2))
    hidden = normal(2, D)
    found = layer.loss_with(samples, hidden, torch.tensor([2, 0]))
    expected = sampled_softmax_loss(
        layer.weight, None, torch.tensor([2, 0]), hidden, 2, V, 1, samples, False
    )
    torch.testing.assert_close(found, expected)


def test_noise_follows_counts_to_the_power():
    layer = layer_of("neg", negatives=100_000, options={"noise_power": 0.5}, generator=seeded())
    drawn = layer.draw(normal(1, D)).sampled.bincount(minlength=V) / 100_000
    q = torch.tensor(COUNTS, dtype=torch.float64).sqrt()
    torch.testing.assert_close(drawn.double(), q / q.sum(), rtol=0, atol=0.01)


def test_half_precision_is_accumulated_in_float32():
    for name in LAYERS:
        layer = layer_of(name).to(torch.bfloat16)
        hidden, target = normal(6, D).to(torch.bfloat16), torch.arange(6)
        samples = layer.draw(hidden)
        loss = layer.loss_with(samples, hidden, target)
        wide = layer.to(torch.float64)
        exact = wide.loss_with(samples, hidden.double(), target)
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss.double(), exact, rtol=0.02, atol=0.05)
        narrow = layer.to(torch.float32)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = narrow.loss_with(samples, hidden.float(), target)
            log_prob = narrow.log_prob(hidden.float())
        assert mixed.dtype == log_prob.dtype == torch.float32
        torch.testing.assert_close(mixed.double(), exact, rtol=0.02, atol=0.05)


def test_shared_weights():
    weight = torch.nn.Parameter(normal(V, D))
    layer = Neg(D, COUNTS, NegOptions(), weight=weight)
    assert layer.weight is weight


@pytest.mark.parametrize(
    ("message", "wrong"),
    [
        (
            r"sampler has 5 classes, counts has 12",
            lambda: layer_of("neg", sampler=LogUniformSampler(5)),
        ),
        (r"negatives is 13.*only 12", lambda: layer_of("sampled-softmax", negatives=13)),
        (r"counts holds -1", lambda: Neg(D, [3, -1], NegOptions())),
        (r"all 2 weights are 0", lambda: Neg(D, [0, 0], NegOptions())),
        (r"range from -3 to 2", lambda: layer_of("nce")(normal(2, D), torch.tensor([-3, 2]))),
    ],
)
def test_layers_refuse(message, wrong):
    with pytest.raises(ValueError, match=message):
        wrong()
