"""Log-probabilities of lines: side by side or one at a time, they are the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from w2v.lm import perplexity
from w2v.lm.perplexity import TokenStream, continue_lines, score_ids, score_lines
from w2v.losses.layers import make_layer

V, D, EOS, UNK = 13, 5, 1, 0


class Model(nn.Module):
    """hidden = tanh(0.5 hidden + embedding), in float64."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.embedding = nn.Embedding(V, D)
        self.output = make_layer("softmax", D, torch.ones(V))
        nn.init.normal_(self.output.weight)
        self.double()

    def start(self, batch: int) -> tuple[Tensor]:
        return (torch.zeros(batch, D, dtype=torch.float64),)

    def hidden(self, ids: Tensor, state: tuple[Tensor]) -> tuple[Tensor, tuple[Tensor]]:
        (h,), rows = state, []
        for step in self.embedding(ids):
            h = torch.tanh(0.5 * h + step)
            rows.append(h)
        return torch.stack(rows), (h,)


@pytest.fixture
def lines() -> list[np.ndarray]:
    random = np.random.default_rng(3)
    return [random.integers(0, V, n).astype(np.int32) for n in (4, 0, 9, 1, 4, 30, 0, 7)]


@pytest.mark.parametrize(
    ("chunk", "tokens", "count"), [(1024, 8192, 128), (1024, 20, 128), (6, 8192, 2)]
)
def test_lines_side_by_side_score_as_each_alone(
    lines: list[np.ndarray], monkeypatch: pytest.MonkeyPatch, chunk: int, tokens: int, count: int
) -> None:
    for name, value in (("CHUNK", chunk), ("BATCH_TOKENS", tokens), ("BATCH_LINES", count)):
        monkeypatch.setattr(perplexity, name, value)
    model = Model()
    found = score_lines(model, lines, EOS)
    for line, nll in zip(lines, found, strict=True):
        alone = TokenStream(model, EOS).nll(np.append(line, EOS))
        np.testing.assert_allclose(nll, alone, rtol=1e-12)


def test_continued_lines_are_one_text(lines: list[np.ndarray]) -> None:
    model = Model()
    whole = np.concatenate([np.append(line, EOS) for line in lines])
    stream = TokenStream(model, EOS)
    found = [*continue_lines(stream, lines[:3], EOS), *continue_lines(stream, lines[3:], EOS)]
    assert [len(nll) for nll in found] == [len(line) + 1 for line in lines]
    total = score_ids(model, whole, EOS, UNK).nats
    assert np.concatenate(found).sum() == pytest.approx(total, rel=1e-12)
    assert continue_lines(stream, [], EOS) == score_lines(model, [], EOS) == []
