"""Paddle's hierarchical sigmoid as a function and as a layer, with Paddle's names and shapes. The
docstring of `hsigmoid_loss` lists the differences."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from w2v.losses.math.numbers import eager
from w2v.losses.math.paths import Paths, offsets, path_loss
from w2v.sampling.checks import (
    MOST,
    Refused,
    checked_flag,
    checked_floats,
    checked_ids,
    checked_whole,
)


class HSigmoidLoss(nn.Module):
    """paddle.nn.HSigmoidLoss: `weight` [num_classes - 1, feature_size] (custom trees: [num_classes,
    feature_size]) starts Xavier-uniform, `bias` [rows, 1] as zeros.

    bias_attr False: no bias. is_custom: each call passes its own path_table and path_code.
    """

    def __init__(
        self,
        feature_size: int,
        num_classes: int,
        weight_attr: None = None,
        bias_attr: bool | None = None,
        is_custom: bool = False,
        is_sparse: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__()
        feature_size = checked_whole(feature_size, "feature_size", 1)
        num_classes = checked_whole(num_classes, "num_classes", 2)
        if weight_attr is not None or not any(bias_attr is b for b in (None, True, False)):
            raise Refused("weight_attr can only be None, bias_attr None, True or False")
        self.num_classes, self.is_custom = num_classes, checked_flag(is_custom, "is_custom")
        self.is_sparse = checked_flag(is_sparse, "is_sparse")
        rows = num_classes if is_custom else num_classes - 1
        self.weight = nn.Parameter(torch.empty(rows, feature_size))
        self.bias = None if bias_attr is False else nn.Parameter(torch.zeros(rows, 1))
        nn.init.xavier_uniform_(self.weight)

    def forward(
        self,
        input: Tensor,
        label: Tensor,
        path_table: Tensor | None = None,
        path_code: Tensor | None = None,
    ) -> Tensor:
        """Returns the loss [N, 1] of input [N, feature_size] and label [N] or [N, 1]."""
        if self.is_custom == (path_table is None or path_code is None):
            raise Refused("path_table and path_code come with is_custom=True, and only then")
        rows, paths = (self.weight, self.bias), (path_table, path_code)
        return hsigmoid_loss(input, label, self.num_classes, *rows, *paths, self.is_sparse)


@eager
def hsigmoid_loss(
    input: Tensor,
    label: Tensor,
    num_classes: int,
    weight: Tensor,
    bias: Tensor | None = None,
    path_table: Tensor | None = None,
    path_code: Tensor | None = None,
    is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """Returns the loss [N, 1] in nats: the sum over the path of softplus(z) - code · z, with
    z = input.weight[node] + bias[node].

    Without tables the tree is the complete one (`default_tables`), and label [N] or [N, 1] selects
    the path. With path_table and path_code [N, L] each sample has its own path, which ends at its
    first negative entry, and codes of 0 or 1; label and num_classes are then unused, and weight has
    as many rows as there are inner nodes.

    Differences from Paddle, all of which correct errors: unused slots of a path add nothing
    (Paddle: log 2 each); a label outside 0 … num_classes - 1 is an error (Paddle reads beyond the
    weights); scores are not clipped at ±40, and small float32 losses do not vanish below z = -17.
    Gradients of bias have its shape, [rows] or [rows, 1].

    input [N, D], weight [num_classes - 1 or more, D]; is_sparse: whether the gradients of weight
    and bias are sparse tensors; unlike in Paddle, also for the default tree.
    """
    num_classes = checked_whole(num_classes, "num_classes", 2)
    is_sparse = checked_flag(is_sparse, "is_sparse")
    N, D = checked_floats(input, "input", ("N", "D")).shape
    rows = len(checked_floats(weight, "weight", ("rows", D)))
    if bias is not None:
        checked_floats(bias, "bias", (rows,), (rows, 1))
    if path_table is None and path_code is None:
        classes = checked_ids(label, num_classes, "targets", cast=False)
        if list(classes.shape) not in ([N], [N, 1]):
            shape = list(classes.shape)
            raise Refused(f"label has shape {shape}, it must be [{N}] or [{N}, 1]")
        path_table, path_code = default_tables(classes, num_classes)
        if rows < num_classes - 1:
            need = f"{num_classes} classes need {num_classes - 1}"
            raise Refused(f"weight has {rows} rows, {need}")
    elif path_table is None or path_code is None:
        raise Refused("path_table and path_code come together, one of them is None")
    path_table = checked_ids(path_table, MOST, "path_table", cast=False, least=-MOST)
    table, code = list(path_table.shape), list(path_code.shape)
    if table != code or table[:1] != [N] or len(table) != 2:
        shapes = f"path_table has shape {table} and path_code {code}"
        raise Refused(f"{shapes}, both must be [{N}, L]")
    used = (path_table >= 0).cumprod(dim=1).bool()
    # as in Paddle, what is not 0 counts as 1; but -1 marks the end of a path, and NaN nothing
    if path_code.is_complex() or not bool((path_code[used].double() >= 0).all()):
        raise Refused("path_code must hold 0 or 1 for each node of a path")
    nodes = path_table[used]
    if len(nodes) and (highest := int(nodes.max())) >= rows:
        raise Refused(f"path_table holds node {highest}, but weight has {rows} rows")
    signs = 2 * (path_code[used] != 0).to(torch.int8) - 1
    paths = Paths(offsets(used.sum(dim=1)), nodes, signs)
    return path_loss(input, weight, bias, paths, is_sparse)[:, None]


def default_tables(label: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Returns (path_table, path_code) [N, L] of the complete tree, leaf to root, with negative
    padding; label [N] or [N, 1]."""
    num_classes = checked_whole(num_classes, "num_classes", 2)
    if num_classes > MOST // 2:
        raise Refused(f"num_classes is {num_classes}, it must be at most {MOST // 2}")
    label = checked_ids(label, num_classes, "targets", cast=False).reshape(-1)
    slots = torch.arange((num_classes - 1).bit_length(), device=label.device)
    # number of the leaf if the root is 1 and node c has the children 2c, 2c + 1
    heap = (label + num_classes)[:, None]
    return (heap >> (slots + 1)) - 1, (heap >> slots) & 1
