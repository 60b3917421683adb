"""Sharded rows of a run's state, of which each rank has some, in checkpoints: a file per rank, from
which any number of ranks can resume.

Rank 0 writes all of them from what the others send, a few megabytes at a time: they need no access
to its disk, and no rank holds the rows of another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from w2v.errors import RunError
from w2v.runs.checkpoint import CHUNK, UNSOUND, Rows, all_finite, tensor_chunks, write_file
from w2v.training.engine import Engine, Part
from w2v.training.handout import Pause
from w2v.training.result import TrainingResult
from w2v.training.world import Lost, World


def write_parts(world: World, part: Part, make: Callable[[], Path]) -> Rows:
    """Writes each rank's part into the folder that `make` creates on rank 0; all ranks must call
    it. Raises RunError on rank 0 if it cannot be written, or on all ranks if one is lost."""
    sound = all(all_finite(array) for array in part.tensors.values() if array.dtype.kind == "f")
    table, problem = world.agree([part.low, part.high, sound]), ""
    if not table[:, 2].all():
        problem = f"the output rows hold {UNSOUND}: try a smaller `lr`"
    files: dict[str, Any] = {}
    folder, own_chunks = Path(), tensor_chunks(part.tensors)
    for source, (low, high) in enumerate(table[:, :2].astype(int).tolist()):
        if not table[:, 2].all():
            break
        chunks = _sent(world, source, own_chunks)
        try:
            if world.rank == 0 and not problem:
                folder, name = folder if files else make(), f"rows-{low}-{high}.safetensors"
                files[name] = write_file(folder / name, chunks)
        except (OSError, RunError) as error:
            if isinstance(error, Lost):
                raise
            problem = str(error)
        for _ in chunks:  # all ranks send all chunks, even if rank 0 no longer writes them
            pass
    if problem and world.rank == 0:
        raise RunError(problem)
    return Rows(folder, int(table[-1, 1]), files)


def _sent(world: World, source: int, chunks: Iterator[bytes | memoryview]) -> Iterator[memoryview]:
    """Yields, on rank 0, the chunks of rank `source`, whose `chunks` they are."""
    while True:
        data = next(chunks, b"") if world.rank == source else b""
        sent = np.frombuffer(data, np.uint8)
        if not world.agree([len(sent)]).any():
            return
        yield world.deal([sent, *[sent[:0]] * (world.size - 1)])[source].data


def send_rows(world: World, array: np.ndarray | None, part: slice, like: np.ndarray) -> np.ndarray:
    """Distributes the rows of one tensor, which rank 0 holds (elsewhere `array` is None); returns
    this rank's rows `part`, on rank 0 none. like: an array of the same type without rows."""
    edges = world.agree([part.start, part.stop]).astype(int).tolist()
    most, width = max(high - low for low, high in edges), like.itemsize * math.prod(like.shape[1:])
    length = part.stop - part.start if array is None else 0
    received = np.empty((length, *like.shape[1:]), like.dtype)
    step = max(1, CHUNK // max(1, width))
    for i in range(0, most, step):
        sent = [like] * world.size
        if array is not None:
            sent[1:] = [array[low + i : min(high, low + i + step)] for low, high in edges[1:]]
        parts = [np.ascontiguousarray(part).reshape(-1).view(np.uint8) for part in sent]
        piece = world.deal(parts)[0]
        if array is None:
            received[i : i + step].reshape(-1).view(np.uint8)[:] = piece
    return received


class Follower:
    """The watcher of all ranks but rank 0: hands in its rows when rank 0 saves."""

    name = "checkpoints"
    epoch_ends = save_requested = False

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def due(self, words: int) -> bool:
        return False

    def on_pause(self, pause: Pause, result: TrainingResult) -> bool:
        self.finish()
        return False

    def finish(self) -> None:
        """Hands in its rows together with `Checkpointer.finish` on rank 0."""
        part, world = self._engine.part(), self._engine.world
        if part is not None and world.broadcast(None):
            write_parts(world, part, Path)

    def state(self) -> dict[str, Any]:
        return {}

    def load_state(self, state: object) -> None:
        pass
