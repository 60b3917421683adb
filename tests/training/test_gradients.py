from __future__ import annotations

import torch
from torch.nn import functional as F

from w2v.training.optimizers import norm, take_gradients


def test_the_norm_with_sparse_gradients_is_that_of_the_dense_ones():
    torch.manual_seed(1)
    ids = torch.tensor([3, 1, 3, 3, 7])
    found = {}
    for sparse in (False, True):
        torch.manual_seed(2)
        table, dense = torch.randn(10, 4, requires_grad=True), torch.randn(4, 5, requires_grad=True)
        (F.embedding(ids, table, sparse=sparse) @ dense).square().sum().backward()
        assert table.grad.is_sparse == sparse
        found[sparse] = take_gradients([("table", table), ("dense", dense)])
        assert table.grad is None
    table, dense = found[True]
    assert table.rows.tolist() == [1, 3, 7]
    torch.testing.assert_close(table.values, found[False][0].values[[1, 3, 7]])
    assert dense.rows is None
    torch.testing.assert_close(norm(found[True]), norm(found[False]))
    expected = torch.cat([gradient.values.flatten() for gradient in found[False]]).norm()
    torch.testing.assert_close(norm(found[True]), expected)


def test_parameters_without_gradient_are_left_out():
    assert take_gradients([("idle", torch.zeros(2, requires_grad=True))]) == []
    assert norm([]) == 0
