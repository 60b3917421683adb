"""Drawing words from every output layer: chi-square against the layer's own probabilities."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from w2v.losses.base import OutputLayer, draw
from w2v.losses.layers import make_layer
from w2v.losses.options import AdaptiveOptions
from w2v.losses.table import LOSSES

V, D, DRAWS = 23, 6, 20_000
COUNTS = torch.arange(V, 0, -1) * 3
LEAST_P = 1e-4  # of a right sampler, one seed in 10,000 gives less; the seeds are fixed


def random_layer(name: str, bias: bool = False) -> OutputLayer:
    options = (
        AdaptiveOptions(cutoffs=("5", "12"), div_value=2) if name == "adaptive-softmax" else None
    )
    layer = make_layer(name, D, COUNTS, options, **({"bias": True} if bias else {})).double()
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.5)
    return layer


def p_value(ids: torch.Tensor, probability: torch.Tensor) -> float:
    """Of Pearson's test; classes expected less than 5 times are put together."""
    observed, expected = (
        np.bincount(ids.numpy(), minlength=V),
        probability.double().numpy() * len(ids),
    )
    rare = expected < 5
    if rare.any():
        observed = np.append(observed[~rare], observed[rare].sum())
        expected = np.append(expected[~rare], expected[rare].sum())
    if expected[-1] == 0:
        assert observed[-1] == 0
        observed, expected = observed[:-1], expected[:-1]
    statistic = torch.tensor(((observed - expected) ** 2 / expected).sum() / 2)
    return torch.special.gammaincc(torch.tensor((len(expected) - 1) / 2).double(), statistic).item()


def hidden_rows(seed: int) -> torch.Tensor:
    return torch.randn(2, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_samples_have_the_probabilities_of_the_layer(name: str, bias: bool) -> None:
    if bias and name in ("am-softmax", "l-softmax"):
        pytest.skip("this layer has no bias")
    layer, hidden = random_layer(name, bias), hidden_rows(1)
    ids = layer.sample(hidden.repeat_interleave(DRAWS, 0), torch.Generator().manual_seed(5))
    assert ids.dtype == torch.int64 and ids.shape == (2 * DRAWS,)
    for row, drawn in enumerate(ids.split(DRAWS)):
        assert p_value(drawn, layer.log_prob(hidden)[row].exp().detach()) > LEAST_P
    # the test can tell: the other row's probabilities do not fit
    assert p_value(ids[:DRAWS], layer.log_prob(hidden)[1].exp().detach()) < LEAST_P


@pytest.mark.parametrize("temperature", [0.5, 2.0])
@pytest.mark.parametrize(
    "name", [name for name in LOSSES if name not in ("adaptive-softmax", "hsigmoid")]
)
def test_temperature_is_a_power_of_the_probabilities(name: str, temperature: float) -> None:
    layer, hidden = random_layer(name), hidden_rows(2)[:1]
    ids = layer.sample(hidden.expand(DRAWS, D), torch.Generator().manual_seed(6), temperature)
    probability = layer.log_prob(hidden)[0].exp().detach() ** (1 / temperature)
    assert p_value(ids, probability / probability.sum()) > LEAST_P


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature_of_every_branch_of_the_tree(temperature: float) -> None:
    layer, hidden = random_layer("hsigmoid"), hidden_rows(2)[:1]
    ids = layer.sample(hidden.expand(DRAWS, D), torch.Generator().manual_seed(6), temperature)
    colder = random_layer("hsigmoid")  # sigmoid(z / t) is the same layer with weights divided by t
    with torch.no_grad():
        colder.weight /= temperature
    assert p_value(ids, colder.log_prob(hidden)[0].exp().detach()) > LEAST_P


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature_of_head_and_clusters(temperature: float) -> None:
    layer, hidden = random_layer("adaptive-softmax"), hidden_rows(2)[:1]
    ids = layer.sample(hidden.expand(DRAWS, D), torch.Generator().manual_seed(6), temperature)
    head = F.softmax(hidden @ layer.head.weight.T / temperature, 1)[0]
    parts = [head[:5]]
    for i, (projection, output) in enumerate(layer.tail):
        parts.append(head[5 + i] * F.softmax(output(projection(hidden)) / temperature, 1)[0])
    assert p_value(ids, torch.cat(parts).detach()) > LEAST_P


@pytest.mark.parametrize("name", ["adaptive-softmax", "hsigmoid"])
def test_no_score_of_all_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = random_layer(name)
    monkeypatch.setattr(layer, "_log_prob", None)
    layer.sample(hidden_rows(1), torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", LOSSES)
def test_the_same_seed_draws_the_same(name: str) -> None:
    layer, hidden = random_layer(name).float(), hidden_rows(3).float().repeat(20, 1)
    first, again, other = (
        layer.sample(hidden, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert layer.sample(hidden[:0]).shape == (0,)
    for temperature in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="temperature is"):
            layer.sample(hidden, None, temperature)


def test_what_has_no_probability_is_never_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    log_prob = torch.tensor([-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]).expand(1000, 5)
    assert set(draw(log_prob, torch.Generator().manual_seed(0)).tolist()) == {1, 3}
    # not even by the largest and the smallest random number
    for extreme, column in ((1 - 2**-53, 3), (0.0, 1)):
        numbers = torch.full((3,), extreme, dtype=torch.float64)
        monkeypatch.setattr("w2v.losses.base.uniform", lambda *_, numbers=numbers: numbers)
        assert draw(log_prob[:3], None).tolist() == [column] * 3
