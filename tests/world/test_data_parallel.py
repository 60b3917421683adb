"""What ranks train together is what one process trains."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from w2v.losses.sharded import Shard

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("what", "size"), [("lm", 2), ("words_together", 2), ("shards", 2), ("shards", 3)]
)
def test_ranks_compute_what_one_process_computes(ranks, what, size):
    for end in ranks(size, script=str(HERE / f"check_{what}.py")):
        assert end.status == 0, end.err


@pytest.mark.parametrize("draw", [nn.init.uniform_, nn.init.normal_])
@pytest.mark.parametrize(("classes", "dim"), [(2, 3), (1023, 1), (2050, 5), (4096, 2)])
def test_dealt_rows_start_as_those_of_one_process(draw, classes, dim):
    torch.manual_seed(7)
    draw(whole := torch.empty(classes, dim))
    after = torch.rand(3)
    parts = []
    for rank in range(3):
        torch.manual_seed(7)
        found = Shard.of(SimpleNamespace(rank=rank, size=3), classes).drawn(dim, draw)
        assert torch.equal(torch.rand(3), after) and not found[-1].any()
        parts.append(found[:-1])
    assert torch.equal(torch.cat(parts), whole)
