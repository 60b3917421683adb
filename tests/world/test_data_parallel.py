"""What ranks train together is what one process trains."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from w2v.errors import RunError
from w2v.losses import sharded
from w2v.losses.sharded import Shard
from w2v.runs import rows

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


@pytest.mark.parametrize("shape", [(), (3,)])
def test_the_rows_of_all_ranks_come_to_the_first(shape, monkeypatch):
    """In pieces, from ranks of whom one has a row more, or none; the others get nothing."""
    monkeypatch.setattr(sharded, "PIECE_ROWS", 4)
    whole = torch.randn(23, *shape)
    parts = [whole[:12], whole[12:]]
    pieces = iter([part[at : at + 4].reshape(-1).numpy() for at in (0, 4, 8) for part in parts])

    def deal(given):
        return [next(pieces), next(pieces)]

    first = Shard.of(SimpleNamespace(rank=0, size=2, deal=deal), 23)
    assert np.array_equal(first.on_first(parts[0]), whole)
    other = Shard.of(SimpleNamespace(rank=1, size=2, deal=lambda given: [given[1]] * 2), 23)
    assert other.on_first(parts[1]).shape == (0, *shape)


@pytest.mark.parametrize("shape", [(), (3,)])
def test_a_rank_is_sent_its_own_rows_of_a_checkpoint_alone(shape, monkeypatch):
    """By the first, in pieces; the ranks have 9, 8 and none of 17 rows."""
    monkeypatch.setattr(rows, "CHUNK", 4 * 4 * max(1, *shape, 1))
    whole = np.random.default_rng(0).random((17, *shape), np.float32)
    edges, sent = np.array([[0, 9], [9, 17], [17, 17]]), []

    def world(rank, deal):
        return SimpleNamespace(rank=rank, size=3, agree=lambda own: edges, deal=deal)

    first = world(0, lambda parts: sent.append(parts) or [parts[0]] * 3)
    assert not len(rows.send_rows(first, whole, slice(0, 9), whole[:0]))
    for rank, (low, high) in enumerate(edges):
        assert sum(parts[rank].nbytes for parts in sent) == (whole[low:high].nbytes if rank else 0)
        pieces = iter([parts[rank] for parts in sent])
        other = world(rank, lambda parts, pieces=pieces: [next(pieces)])
        if rank:
            found = rows.send_rows(other, None, slice(low, high), whole[:0])
            assert np.array_equal(found, whole[low:high])


def test_a_full_disk_is_told(monkeypatch):
    full = partial(Path("/dev/full").open, "wb", buffering=0)
    monkeypatch.setattr(sharded, "TemporaryFile", full)
    alone = SimpleNamespace(rank=0, size=1, deal=list)
    with pytest.raises(RunError, match=r"No space left on device.*TMPDIR"):
        Shard.of(alone, 5).on_first(torch.zeros(5, 2))
