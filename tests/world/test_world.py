"""What ranks can do together, and what they refuse before they meet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize(("what", "apart"), [("world", False), ("world", True), ("rows", False)])
def test_three_ranks_do_all_that_a_world_can(ranks, what, apart):
    """apart: on several machines."""
    for end in ranks(3, str(apart), script=str(HERE / f"check_{what}.py"), apart=apart):
        assert (end.status, end.out) == (0, "all is well\n"), end.err


def test_a_single_process_imports_nothing_and_changes_nothing():
    code = """
import sys
import numpy as np
from w2v.training.world import World
world = World.join()
array = np.arange(3.0)
world.sum(array), world.share(array), world.start_sum(array).wait(), world.barrier()
assert (world.rank, world.size, array.tolist()) == (0, 1, [0, 1, 2])
assert world.agree([1, 2]).tolist() == [[1, 2]] and world.broadcast("a") == "a"
assert world.gather(array)[0] is array and world.deal([array])[0] is array
with world.step():
    pass
world.leave(None)
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
