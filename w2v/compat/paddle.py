"""Paddle's hsigmoid_loss under its own name and shapes. What is ours instead of Paddle's is said
where it is done."""

from __future__ import annotations

import torch
from torch import Tensor

from w2v.losses.base import checked_classes
from w2v.losses.hsigmoid import offsets, path_loss


def hsigmoid_loss(
    input: Tensor,
    label: Tensor,
    num_classes: int,
    weight: Tensor,
    bias: Tensor | None = None,
    path_table: Tensor | None = None,
    path_code: Tensor | None = None,
    is_sparse: bool = False,
) -> Tensor:
    """Loss [N, 1] in nats: sum over the path of softplus(z) - code · z, with z = input.weight[node]
    + bias[node].

    Without tables the tree is the complete one (`default_tables`); label [N] or [N, 1] picks the
    path. With path_table and path_code [N, L] each sample brings its own path, which ends at its
    first negative entry; then label and num_classes are not read, and weight has as many rows as
    there are inner nodes.

    Different from Paddle, where it is wrong: unused slots of a path add nothing (Paddle: log 2
    each); a label outside 0 … num_classes - 1 is refused (Paddle reads past the weights); scores
    are not clipped at ±40, and none of float32's small losses vanish below z = -17. Gradients of
    bias come in bias's shape, [rows] or [rows, 1].

    Args:
        input: [N, D].
        weight: [num_classes - 1 or more, D].
        is_sparse: gradients of weight and bias are sparse tensors; also with the default tree, as
            in no Paddle.

    Raises:
        ValueError: a label or a node is out of range, a shape is wrong, or only one of the tables
            is given.
    """
    if num_classes < 2:
        raise ValueError(f"num_classes is {num_classes}, it must be 2 or more")
    if weight.dim() != 2 or weight.shape[1] != input.shape[-1]:
        raise ValueError(
            f"weight has shape {list(weight.shape)}, it must be [rows, {input.shape[-1]}]"
        )
    if bias is not None and tuple(bias.shape) not in {(len(weight),), (len(weight), 1)}:
        raise ValueError(
            f"bias has shape {list(bias.shape)}, it must be [{len(weight)}] or [{len(weight)}, 1]"
        )
    if path_table is None and path_code is None:
        path_table, path_code = default_tables(label, num_classes)
        if len(weight) < num_classes - 1:
            raise ValueError(
                f"weight has {len(weight)} rows, {num_classes} classes need {num_classes - 1}"
            )
    elif path_table is None or path_code is None:
        raise ValueError("path_table and path_code come together, one of them is None")
    if (
        path_table.dim() != 2
        or path_table.shape != path_code.shape
        or len(path_table) != len(input)
    ):
        raise ValueError(
            f"path_table has shape {list(path_table.shape)} and path_code {list(path_code.shape)}, "
            f"both must be [{len(input)}, L]"
        )
    used = (path_table >= 0).cumprod(dim=1).bool()
    nodes = path_table[used]
    if len(nodes) and int(nodes.max()) >= len(weight):
        raise ValueError(
            f"path_table holds node {int(nodes.max())}, but weight has {len(weight)} rows"
        )
    signs = 2 * (path_code[used] != 0).to(torch.int8) - 1
    return path_loss(input, weight, bias, offsets(used.sum(dim=1)), nodes, signs, sparse=is_sparse)[
        :, None
    ]


def default_tables(label: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """(path_table, path_code) [N, L] of the complete tree, leaf to root, with negative padding;
    label [N] or [N, 1]."""
    label, _ = checked_classes(label.reshape(-1), num_classes)
    slots = torch.arange((num_classes - 1).bit_length(), device=label.device)
    # the leaf's number when the root is 1 and c has children 2c, 2c + 1
    heap = (label.long() + num_classes)[:, None]
    return (heap >> (slots + 1)) - 1, (heap >> slots) & 1
