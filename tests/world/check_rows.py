"""Run by all ranks of test_world.py: what each of them hands in for a checkpoint."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from w2v.errors import RunError
from w2v.runs import rows
from w2v.training.engine import Part
from w2v.training.world import World

world = World.join()
low, high = [(0, 3), (3, 5), (5, 7)][world.rank]
whole = {"b": np.arange(7.0, dtype=np.float32), "a.b": np.arange(21.0).reshape(7, 3)}
own = Part(low, high, {name: array[low:high] for name, array in whole.items()})


def make() -> Path:
    assert world.rank == 0
    return Path(tempfile.mkdtemp())


def fails(part: Part, made=make, match: str = "no space") -> None:
    """Rank 0 is told, the others go on, and all are in step."""
    if world.rank:
        rows.write_parts(world, part, made)
    else:
        with pytest.raises(RunError, match=match):
            rows.write_parts(world, part, made)
    assert world.agree([world.rank]).tolist() == [[0], [1], [2]]


found = rows.write_parts(world, own, make)
if world.rank == 0:
    assert (found.classes, sorted(found.files)) == (
        7,
        [f"rows-{first}-{last}.safetensors" for first, last in ((0, 3), (3, 5), (5, 7))],
    )
    for name, entry in found.files.items():
        first, last = map(int, Path(name).stem.split("-")[1:])
        assert entry["bytes"] == (found.folder / name).stat().st_size
        tensors = load_file(found.folder / name)
        assert tensors.keys() == whole.keys()
        assert all((tensors[each] == array[first:last]).all() for each, array in whole.items())


def full(*given: object) -> None:
    raise OSError(28, "no space")


def nowhere() -> Path:
    raise RunError("no space")


fails(own, nowhere)
write, rows.write_file = rows.write_file, full
fails(own)
calls = iter([write, full, full])
rows.write_file = lambda *given: next(calls)(*given)
fails(own)
rows.write_file = write
nan = Part(low, high, {"b": np.full(high - low, np.nan if world.rank == 1 else 0, np.float32)})
fails(nan, match="NaN")
world.leave(None)
print("all is well")
