"""Perplexity against a sum by hand, token by token in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from w2v.errors import RunError
from w2v.lm import perplexity
from w2v.lm.perplexity import TextScore, TokenStream, evaluating, has_known_word, score_ids
from w2v.losses.base import OutputLayer
from w2v.losses.layers import make_layer
from w2v.losses.table import LOSSES

V, DIM = 17, 6
EOS, UNK = 0, 3
COUNTS = torch.arange(V, 0, -1) * 5


class Stub(nn.Module):
    """A recurrent model in three lines: state = tanh(0.5 state + embedding), with dropout that must
    be off."""

    def __init__(self, loss: str = "softmax") -> None:
        super().__init__()
        torch.manual_seed(4)
        self.embedding = nn.Embedding(V, DIM)
        self.dropout = nn.Dropout(0.5)
        self.output: OutputLayer = make_layer(loss, DIM, COUNTS)
        with torch.no_grad():
            for parameter in self.output.parameters():
                parameter.copy_(torch.randn_like(parameter))

    def start(self, batch: int) -> tuple[Tensor]:
        return (torch.zeros(batch, DIM, dtype=self.embedding.weight.dtype),)

    def hidden(self, ids: Tensor, state: tuple[Tensor]) -> tuple[Tensor, tuple[Tensor]]:
        (h,), rows = state, []
        for step in self.dropout(self.embedding(ids)):
            h = torch.tanh(0.5 * h + step)
            rows.append(h)
        return torch.stack(rows), (h,)


def by_hand(model: Stub, ids: np.ndarray) -> np.ndarray:
    """-log P of every token, one at a time, in float64 NumPy but for the layer's log_prob."""
    table = model.embedding.weight.detach().double().numpy()
    layer = make_layer_double(model.output)
    h, last, found = np.zeros(DIM), EOS, []
    for token in ids.tolist():
        h = np.tanh(0.5 * h + table[last])
        found.append(-layer.log_prob(torch.from_numpy(h)[None])[0, token].item())
        last = token
    return np.array(found)


def make_layer_double(layer: OutputLayer) -> OutputLayer:
    import copy

    return copy.deepcopy(layer).double()


@pytest.fixture
def ids() -> np.ndarray:
    random = np.random.default_rng(2)
    return np.concatenate([random.integers(0, V, 60), [EOS, UNK, EOS]]).astype(np.int32)


@pytest.mark.parametrize("loss", LOSSES)
def test_perplexity_is_exp_of_the_mean_of_a_sum_by_hand(loss: str, ids: np.ndarray) -> None:
    model = Stub(loss)
    expected = by_hand(model, ids)
    score = score_ids(model, ids, EOS, UNK)
    assert score.nats == pytest.approx(expected.sum(), rel=1e-6)
    assert score.perplexity == pytest.approx(math.exp(expected.sum() / 63), rel=1e-6)
    assert score.bits_per_word == pytest.approx(expected.sum() / 63 / math.log(2), rel=1e-6)
    assert (score.tokens, score.words) == (63, 63)
    assert (score.eos, score.oov) == ((ids == EOS).sum(), (ids == UNK).sum())


@pytest.mark.parametrize("chunk", [1, 2, 9, 62, 63, 64])
def test_the_chunk_does_not_change_the_value(
    ids: np.ndarray, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Stub().double()
    whole = score_ids(model, ids, EOS, UNK)
    monkeypatch.setattr(perplexity, "CHUNK", chunk)
    assert score_ids(model, ids, EOS, UNK).nats == pytest.approx(whole.nats, rel=1e-13)


def test_a_stream_in_pieces_scores_what_the_whole_text_does(ids: np.ndarray) -> None:
    model = Stub().double()
    stream = TokenStream(model, EOS)
    pieces = [stream.nll(part) for part in (ids[:1], ids[1:1], ids[1:40], ids[40:])]
    np.testing.assert_allclose(np.concatenate(pieces), by_hand(model, ids), rtol=1e-12)


def test_modes_are_as_before_and_there_are_no_gradients(ids: np.ndarray) -> None:
    model = Stub()
    model.train()
    model.embedding.eval()
    first = score_ids(model, ids, EOS, UNK).nats
    assert model.training and model.dropout.training and not model.embedding.training
    assert score_ids(model, ids, EOS, UNK).nats == first  # dropout was off
    assert all(parameter.grad is None for parameter in model.parameters())
    with pytest.raises(ZeroDivisionError), evaluating(model):
        assert not model.training and not torch.is_grad_enabled()
        raise ZeroDivisionError
    assert model.training and torch.is_grad_enabled()


def test_progress_counts_tokens(ids: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr(perplexity, "CHUNK", 25)
    score_ids(Stub(), ids, EOS, UNK, progress=lambda *now: seen.append(now))
    assert seen == [(25, 63), (50, 63), (63, 63)]


def test_sums_are_float64() -> None:
    """100,000 tokens of which each costs log V: a float32 sum would be off by more than 1e-4."""
    model = Stub()
    nn.init.zeros_(model.output.weight)
    ids = np.zeros(100_000, np.int32)
    assert score_ids(model, ids, EOS, UNK).nats == pytest.approx(1e5 * math.log(V), rel=1e-7)


def test_parts_of_words() -> None:
    score = TextScore(tokens=30, nats=60.0, oov=0, eos=2, words=20, oov_nats=0.0)
    assert score.perplexity == pytest.approx(math.exp(2))
    assert score.word_perplexity == pytest.approx(math.exp(3))
    assert score.bits_per_word == pytest.approx(3 / math.log(2))
    assert TextScore(1, 1e6, 0, 0, 1, 0.0).perplexity == math.inf


def test_a_text_without_a_known_word() -> None:
    nothing = np.tile([EOS, UNK], 1 << 20)
    assert not has_known_word(nothing, EOS, UNK)
    assert not has_known_word(nothing[:0], EOS, UNK)
    nothing[-1] = 5
    assert has_known_word(nothing, EOS, UNK)


def test_what_cannot_be_scored(ids: np.ndarray) -> None:
    with pytest.raises(ValueError, match="0 tokens"):
        score_ids(Stub(), ids[:0], EOS, UNK)
    model = Stub()
    nn.init.constant_(model.output.weight, math.nan)
    with pytest.raises(RunError, match=r"loss is nan within the first 63 tokens"):
        score_ids(model, ids, EOS, UNK)
