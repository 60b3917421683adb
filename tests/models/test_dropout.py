from __future__ import annotations

import pytest
import torch

from w2v.models.dropout import dropout


@pytest.mark.parametrize("probability", [0.05, 0.2, 0.5, 0.95])
def test_masks_have_the_probability_and_the_mean_of_one(probability):
    torch.manual_seed(1)
    size = 400_000
    mask = dropout(torch.ones(size), probability)
    share = (mask == 0).double().mean().item()
    sigma = (probability * (1 - probability) / size) ** 0.5
    assert abs(share - probability) < 4 * sigma + 2**-16
    kept = mask[mask > 0].unique()
    assert len(kept) == 1
    assert kept.item() == pytest.approx(1 / (1 - probability), rel=2**-16 / (1 - probability) * 1.01)


def test_numbers_are_dropped_independently_of_their_neighbours():
    torch.manual_seed(2)
    kept = (dropout(torch.ones(1 << 20), 0.5) > 0).double()
    for distance in (1, 2, 3, 4, 5, 200):
        correlation = ((kept[distance:] - 0.5) * (kept[:-distance] - 0.5)).mean() * 4
        assert abs(correlation) < 4 / 1024


def test_the_gradient_passes_where_nothing_was_dropped_and_sizes_need_not_divide():
    torch.manual_seed(3)
    rows = torch.full((3, 1, 7), 2.0, requires_grad=True)
    dropped = dropout(rows, 0.5)
    dropped.sum().backward()
    torch.testing.assert_close(rows.grad * 2.0, dropped.detach())
    assert dropout(rows, 0.5, training=False) is rows
    assert dropout(rows, 0.0) is rows
