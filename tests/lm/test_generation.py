"""How the next token is chosen, and the text that comes of it."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from w2v.errors import InputError, RunError
from w2v.lm.generation import Sampling, generate, next_token, nucleus
from w2v.losses.base import OutputLayer
from w2v.losses.layers import make_layer
from w2v.losses.table import LOSSES

V, D, EOS = 19, 6, 2
COUNTS = torch.arange(V, 0, -1) * 4


def random_layer(loss: str, scale: float = 0.6) -> OutputLayer:
    layer = make_layer(loss, D, COUNTS)
    torch.manual_seed(8)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn_like(parameter) * scale)
    return layer


class Model(nn.Module):
    """hidden = tanh(0.7 hidden + embedding)."""

    def __init__(self, loss: str = "softmax") -> None:
        super().__init__()
        torch.manual_seed(1)
        self.embedding = nn.Embedding(V, D)
        self.dropout = nn.Dropout(0.5)
        self.output = random_layer(loss)

    def start(self, batch: int) -> tuple[Tensor]:
        return (torch.zeros(batch, D),)

    def hidden(self, ids: Tensor, state: tuple[Tensor]) -> tuple[Tensor, tuple[Tensor]]:
        (h,), rows = state, []
        for step in self.dropout(self.embedding(ids)):
            h = torch.tanh(0.7 * h + step)
            rows.append(h)
        return torch.stack(rows), (h,)


def drawn(layer: OutputLayer, hidden: Tensor, sampling: Sampling, n: int = 1000) -> np.ndarray:
    random = torch.Generator().manual_seed(3)
    return (
        np.bincount([next_token(layer, hidden, sampling, random) for _ in range(n)], minlength=V)
        / n
    )


HIDDEN = torch.randn(1, D, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("loss", LOSSES)
def test_the_most_probable_token(loss: str) -> None:
    layer, random = random_layer(loss), torch.Generator()
    log_prob = layer.log_prob(HIDDEN)[0]
    best = int(log_prob.argmax())
    for sampling in (
        Sampling(top_k=1),
        Sampling(temperature=0),
        Sampling(top_p=1e-9),
        Sampling(2.5, 1, 0.9),
    ):
        assert next_token(layer, HIDDEN, sampling, random) == best
    log_prob[best] = -torch.inf
    assert next_token(layer, HIDDEN, Sampling(temperature=0, banned=best), random) == int(
        log_prob.argmax()
    )


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("temperature", [1e-6, 1e-300, 5e-324])
@pytest.mark.parametrize("more", [{}, {"top_k": 4}, {"top_p": 0.5}, {"top_p": 1.0}])
def test_a_temperature_near_0_is_that_of_0(
    loss: str, temperature: float, more: dict[str, Any]
) -> None:
    layer, random = random_layer(loss), torch.Generator()
    best = next_token(layer, HIDDEN, Sampling(temperature=0), random)
    if not more and loss in ("adaptive-softmax", "hsigmoid", "hsigmoid+neg"):
        best = int(layer.sample(HIDDEN, random, 1e-6))  # the best of each of its decisions
    assert next_token(layer, HIDDEN, Sampling(temperature, **more), random) == best


@pytest.mark.parametrize("loss", ["softmax", "adaptive-softmax", "hsigmoid", "nce"])
def test_top_k_and_top_p_and_temperature_together(loss: str) -> None:
    """Against the definition written out in NumPy."""
    layer = random_layer(loss, scale=0.2)
    log_p = layer.log_prob(HIDDEN)[0].detach().double().numpy()
    order = np.argsort(-log_p)[:6]
    q = np.exp(log_p[order] / 0.7)
    q /= q.sum()
    kept = 1 + int(np.searchsorted(np.cumsum(q), 0.8))
    expected = np.zeros(V)
    expected[order[:kept]] = q[:kept] / q[:kept].sum()
    assert 1 < kept < 6
    found = drawn(layer, HIDDEN, Sampling(0.7, 6, 0.8))
    assert set(np.flatnonzero(found)) == set(np.flatnonzero(expected))
    np.testing.assert_allclose(found, expected, atol=0.06)


@pytest.mark.parametrize("loss", ["softmax", "adaptive-softmax", "hsigmoid", "neg"])
def test_top_p_of_1_is_the_exact_temperature(loss: str) -> None:
    layer = random_layer(loss)
    expected = (layer.log_prob(HIDDEN)[0].double() / 0.5).softmax(0).detach().numpy()
    np.testing.assert_allclose(drawn(layer, HIDDEN, Sampling(0.5, top_p=1.0)), expected, atol=0.06)


@pytest.mark.parametrize("loss", ["softmax", "adaptive-softmax", "hsigmoid", "sampled-softmax"])
@pytest.mark.parametrize("more", [{}, {"top_p": 1.0}, {"top_k": V}])
def test_a_banned_token_leaves_the_others_as_they_are(loss: str, more: dict[str, float]) -> None:
    layer = random_layer(loss)
    expected = layer.log_prob(HIDDEN)[0].exp().detach().numpy()
    banned = int(expected.argmax())
    expected[banned] = 0
    found = drawn(layer, HIDDEN, Sampling(banned=banned, **more))
    assert found[banned] == 0
    np.testing.assert_allclose(found, expected / expected.sum(), atol=0.06)


def test_a_banned_token_that_is_nearly_certain() -> None:
    layer = random_layer("softmax")
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[7] = 20 * HIDDEN[0]
    assert layer.log_prob(HIDDEN)[0, 7] > -1e-6
    found = drawn(layer, HIDDEN, Sampling(banned=7), n=300)
    assert found[7] == 0 and (found > 0).sum() > 10


@pytest.mark.parametrize("loss", ["adaptive-softmax", "hsigmoid"])
def test_no_score_of_all_words_unless_asked(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = random_layer(loss)
    monkeypatch.setattr(layer, "log_prob", None)
    monkeypatch.setattr(layer, "predict", None)
    drawn(layer, HIDDEN, Sampling(0.8, banned=3), n=50)


def test_nucleus() -> None:
    log_prob = torch.tensor([[0.5, 0.25, 0.125, 0.125]]).log()
    for top_p, kept in ((None, 4), (1.0, 4), (0.9, 4), (0.75, 2), (0.74, 2), (0.5, 1), (1e-12, 1)):
        assert int((nucleus(log_prob, top_p) > -torch.inf).sum()) == kept


@pytest.mark.parametrize("loss", ["softmax", "adaptive-softmax", "hsigmoid"])
def test_a_seed_gives_one_text(loss: str) -> None:
    model = Model(loss)
    model.train()  # dropout is off all the same, and on again afterwards

    def text(seed: int) -> list[int]:
        return list(islice(generate(model, [4, 5], EOS, Sampling(), seed=seed), 40))

    assert text(1) == text(1) != text(2)
    assert model.dropout.training


def test_greedy_text_is_the_argmax_of_the_whole_text_before() -> None:
    model = Model().eval()
    text = [EOS, 4, 5]
    found = list(islice(generate(model, [4, 5], EOS, Sampling(temperature=0), seed=1), 12))
    for token in found:
        hidden, _ = model.hidden(torch.tensor(text)[:, None], model.start(1))
        assert token == int(model.output.log_prob(hidden[-1])[0].argmax())
        text.append(token)


def test_damaged_models_and_settings() -> None:
    model = Model()
    with torch.no_grad():
        model.output.weight[3, 2] = torch.nan
    with pytest.raises(RunError, match=r"output\.weight holds NaN"):
        next(generate(model, [], EOS, Sampling(), seed=1))
    for wrong in (
        {"temperature": -1.0},
        {"temperature": float("nan")},
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": 1.5},
    ):
        with pytest.raises(InputError, match=f"`{next(iter(wrong))}`"):
            Sampling(**wrong)
