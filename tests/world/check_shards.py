"""Run by all ranks of test_data_parallel.py: layers whose rows are on several ranks, against whole
ones."""

import sys

import torch

from w2v.losses.layers import make_layer
from w2v.losses.sharded import Shard
from w2v.training.world import World

V, D, N = 1003, 24, 70
LAYERS = {
    "softmax": {"bias": True},
    "label-smoothing": {"smoothing": 0.2, "bias": True},
    "sparse-softmax": {"top_k": 40, "bias": True},
    "sparse-softmax, the target not kept": {"top_k": 40, "keep_target": False},
    "sparse-softmax, all kept": {"top_k": 900},
    "sm-softmax": {"sm_margin": 0.3, "bias": True},
    "am-softmax": {"am_margin": 0.2},
    "l-softmax": {"angular_margin": 3, "annealing": 2.0},
    "neg": {"negatives": 50, "sparse": True},
    "neg, with biases": {"negatives": 50, "bias": True},
    "nce": {"negatives": 50, "nce_log_z": "learned", "nce_bias": True, "sparse": True},
    "sampled-softmax": {"negatives": 50, "bias": True, "sparse": True},
    "sampled-softmax, hits kept": {"negatives": 2, "remove_hits": False},
}
world = World.join()
edges = [0, 40, N] if world.size == 2 else [0, 40, 41, N]  # not equally many
own = slice(edges[world.rank], edges[world.rank + 1])
for dtype, tolerance in ((torch.float64, 1e-14), (torch.float32, 1e-6)):
    for case, more in LAYERS.items():
        name = case.partition(",")[0]
        torch.manual_seed(0)
        if "negatives" in more:
            more = {**more, "generator": torch.Generator()}
        given = {**more, "dtype": dtype}
        whole, dealt = (make_layer(name, D, torch.arange(V, 0, -1), **given) for _ in range(2))
        shard = Shard.of(world, V)
        rows = slice(shard.low, shard.high)
        low = [0, 502, V] if world.size == 2 else [0, 335, 669, V]
        assert [shard.low, shard.high] == low[world.rank : world.rank + 2]
        shard.deal(dealt, lambda rows: None)
        dealt.weight.data = dealt.weight.data.to(dtype)
        of_rows = [part for part in ("weight", "bias") if getattr(whole, part) is not None]
        with torch.no_grad():
            for part in whole.parameters():
                part.normal_(std=0.3)
            for part in of_rows:
                getattr(dealt, part)[:-1] = getattr(whole, part)[rows]
            if "log_z" in dealt.state_dict():
                dealt.log_z.copy_(whole.log_z)
        hidden, target = torch.randn(N, D, dtype=dtype), torch.randint(V, (N,))
        if case == "sampled-softmax, hits kept":
            target %= 30  # many hits
        here = hidden[own].clone().requires_grad_()
        hidden.requires_grad_()
        expected, losses = (
            (more.get("generator", torch).manual_seed(5), layer(h, classes))[1]
            for layer, h, classes in ((whole, hidden, target), (dealt, here, target[own]))
        )
        expected.sum().backward()
        losses.sum().backward()
        pairs = [(losses, expected[own]), (here.grad, hidden.grad[own])]
        for part in of_rows:
            found, wanted = (getattr(layer, part).grad.to_dense() for layer in (dealt, whole))
            pairs.append((found[:-1], wanted[rows]))
            assert not found[-1].any(), (case, part)
        if "log_z" in dealt.state_dict():
            world.sum(dealt.log_z.grad[None])
            pairs.append((dealt.log_z.grad, whole.log_z.grad))
        for place, (found, wanted) in enumerate(pairs):
            worst, size = ((x.abs().max().item()) for x in (found - wanted, wanted))
            print(world.rank, dtype, case, place, worst, size, file=sys.stderr)
            assert worst <= tolerance * size, (case, place, worst, size)
world.leave(None)
