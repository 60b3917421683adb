"""Perplexity of every architecture under every loss: exp of a sum by hand, whatever the chunk."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch

from w2v.lm import perplexity
from w2v.lm.generation import Sampling, generate
from w2v.lm.model import Network
from w2v.lm.perplexity import score_ids, score_lines
from w2v.losses.table import LOSSES
from w2v.settings.build import build_config
from w2v.settings.language_model import ARCHITECTURES

V, EOS, UNK, TOKENS = 23, 1, 4, 41
COUNTS = torch.arange(V, 0, -1) * 7


def make_model(arch: str, loss: str, **settings: Any) -> Network:
    given = {"corpus": ("x",), "model": "lm", "arch": arch, "loss": loss, "dim": "8", **settings}
    if hasattr(LOSSES[loss].options, "negatives"):
        given["negatives"] = "5"
    if arch in ("transformer", "ffnn", "lbl"):
        given["context"] = "6"  # shorter than the text
    if arch == "transformer":
        given |= {"layers": "2", "heads": "2"}
    model = Network(build_config(given), COUNTS, sparse=False)
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


def by_hand(model: Network, ids: np.ndarray) -> np.ndarray:
    """-log P of every token, each from the whole text before it, in float64."""
    exact = copy.deepcopy(model).double().eval()
    text = torch.from_numpy(np.concatenate([[EOS], ids]).astype(np.int64))
    found = []
    with torch.no_grad():
        for place in range(1, len(text)):
            state = tuple(
                part.double() if part.is_floating_point() else part for part in exact.start(1)
            )
            hidden, _ = exact.hidden(text[:place, None], state)
            found.append(-exact.output.log_prob(hidden[-1])[0, text[place]].item())
    return np.array(found)


@pytest.fixture(scope="module")
def ids() -> np.ndarray:
    return np.random.default_rng(6).integers(0, V, TOKENS).astype(np.int32)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_perplexity_is_exp_of_a_sum_by_hand(arch: str, loss: str, ids: np.ndarray) -> None:
    model = make_model(arch, loss)
    expected = by_hand(model, ids)
    score = score_ids(model, ids, EOS, UNK)
    assert score.perplexity == pytest.approx(math.exp(expected.mean()), rel=1e-5)
    assert (score.tokens, score.eos, score.oov) == (TOKENS, (ids == EOS).sum(), (ids == UNK).sum())


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_neither_chunk_nor_columns_change_the_value(
    arch: str, ids: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(arch, "softmax")
    whole = score_ids(model, ids, EOS, UNK).perplexity
    for chunk in (1, 3, 6, 7, 40):
        monkeypatch.setattr(perplexity, "CHUNK", chunk)
        assert score_ids(model, ids, EOS, UNK).perplexity == pytest.approx(whole, rel=1e-5)
    lines = [ids[:9], ids[:0], ids[:30], ids[:4]]
    for line, nll in zip(lines, score_lines(model, lines, EOS), strict=True):
        np.testing.assert_allclose(nll, by_hand(model, np.append(line, EOS)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_tied_and_projected_and_without_biases(arch: str, ids: np.ndarray) -> None:
    more = {} if arch == "lbl" else {"hidden": "12"}
    for settings in ({"tied": True, **more}, {"output_bias": False}):
        model = make_model(arch, "softmax", **settings)
        score = score_ids(model, ids, EOS, UNK)
        assert score.perplexity == pytest.approx(math.exp(by_hand(model, ids).mean()), rel=1e-5)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_text_of_every_architecture(arch: str) -> None:
    """Generated one token at a time, by the state; the most probable ones by the whole text before
    them."""
    model = make_model(arch, "hsigmoid").eval()
    text = [EOS, 7]
    tokens = generate(model, [7], EOS, Sampling(temperature=0), seed=1)
    for _ in range(15):
        hidden, _ = model.hidden(torch.tensor(text)[:, None], model.start(1))
        best = int(model.output.log_prob(hidden[-1])[0].argmax())
        assert next(tokens) == best
        text.append(best)
