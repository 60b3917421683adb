"""Run by both ranks of test_data_parallel.py: layers whose rows are on two ranks, against whole
ones."""

import sys

import torch

from w2v.losses.layers import make_layer
from w2v.losses.sharded import Shard
from w2v.training.world import World

V, D, N = 1003, 24, 70
LAYERS = {
    "softmax": {"bias": True},
    "label-smoothing": {"smoothing": 0.2},
    "sm-softmax": {"sm_margin": 0.3, "bias": True},
    "am-softmax": {"am_margin": 0.2},
}
world = World.join()
own = slice(0, 40) if world.rank == 0 else slice(40, N)  # not equally many
for dtype, tolerance in ((torch.float64, 1e-14), (torch.float32, 1e-6)):
    for name, more in LAYERS.items():
        torch.manual_seed(0)
        given = {**more, "dtype": dtype}
        whole, dealt = (make_layer(name, D, torch.arange(V, 0, -1), **given) for _ in range(2))
        with torch.no_grad():
            for part in whole.parameters():
                part.normal_(std=0.3)
            dealt.load_state_dict(whole.state_dict())
        shard = Shard.of(world, V)
        assert (shard.low, shard.high) == ((0, 502) if world.rank == 0 else (502, V))
        shard.deal(dealt)
        hidden, target = torch.randn(N, D, dtype=dtype), torch.randint(V, (N,))
        here = hidden[own].clone().requires_grad_()
        hidden.requires_grad_()
        expected = whole(hidden, target)
        losses = dealt(here, target[own])
        expected.sum().backward()
        losses.sum().backward()
        pairs = [(losses, expected[own]), (here.grad, hidden.grad[own])]
        for part, all_rows in zip(dealt.parameters(), whole.parameters(), strict=True):
            pairs.append((part.grad[:-1], all_rows.grad[shard.low : shard.high]))
            assert not part.grad[-1].any(), (name, part.shape, part.grad[-3:])
        for found, wanted in pairs:
            worst = ((found - wanted).abs().max() / wanted.abs().max()).item()
            print(world.rank, dtype, name, worst, file=sys.stderr)
            assert worst <= tolerance, (name, worst)
world.leave(None)
