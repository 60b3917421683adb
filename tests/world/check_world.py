"""Run by every rank of test_world.py, check_world.py APART: all that a World can do, by NumPy."""

import os
import sys

import numpy as np
import pytest

from w2v.errors import Elsewhere, InputError, RunError
from w2v.training.world import World

world = World.join()
rank, size = world.rank, world.size
assert (rank, size) == (int(os.environ["RANK"]), 3)
owners = world.gather(np.frombuffer(world.owner.encode(), np.uint8))
assert len({bytes(owner) for owner in owners}) == 1

rows = np.arange(6, dtype=np.float32).reshape(2, 3) * (rank + 1)
first, second = rows.copy(), rows.astype(np.float64)[0]
sums = [world.start_sum(first), world.start_sum(second)]  # both on their way
for started in sums:
    started.wait()
assert (first == 6 * np.arange(6).reshape(2, 3)).all() and first.dtype == np.float32
assert (second == 6 * np.arange(3)).all()
empty = np.empty((0, 3), np.float32)
world.sum(empty)

assert world.agree([rank, 0.5]).tolist() == [[0, 0.5], [1, 0.5], [2, 0.5]]
assert world.agree([]).shape == (3, 0)
shared = np.full(4, rank, np.int64)
world.share(shared)
assert shared.tolist() == [0] * 4
for kind in (np.uint8, np.int64, np.float64):
    found = world.gather(np.full(rank, rank, kind))
    assert [part.tolist() for part in found] == [[], [1], [2, 2]]
    assert all(part.dtype == kind for part in found)
    parts = world.deal([np.full(other, 10 * rank + other, kind) for other in range(3)])
    assert [part.tolist() for part in parts] == [[10 * other + rank] * rank for other in range(3)]
value = {"path": "ä\udcff", "none": None, "numbers": [1, 0.1]}
assert world.broadcast(value if rank == 0 else None) == value
world.barrier()
assert world.agree(np.full(5000, rank)).sum() == 5000 * 3  # a long message

seen = world.memory(1 << 20)
apart = sys.argv[1] == "True"
assert world.near == (not apart)
if not apart:
    assert seen.dtype == np.uint8 and len(seen) == 1 << 20 and not seen.any()
    world.barrier()
    seen[rank::3] = rank + 1
    world.barrier()
    assert (seen[:6] == [1, 2, 3, 1, 2, 3]).all() and seen.sum(dtype=int) == 2 * (1 << 20) - 1
else:
    assert seen is None

with world.step():
    pass
with pytest.raises(InputError if rank == 0 else Elsewhere) as failure, world.step():
    if rank == 1:
        raise InputError("no such file")
assert failure.value.exit_status == 2
assert rank or str(failure.value) == "[rank 1] no such file"
kinds = (MemoryError, Elsewhere, Elsewhere)  # rank 0's own error stays what it is
with pytest.raises(kinds[rank]), world.step():
    raise MemoryError("of rank 0") if rank == 0 else RunError("of another")
world.leave(None)

again = World.join()  # a program may train twice
assert again.agree([1.0]).sum() == 3
again.leave(None)
print("all is well")
