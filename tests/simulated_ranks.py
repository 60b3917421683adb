"""Several ranks in one process, a thread each: without torch, and without a network."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Group:
    """What the ranks have in common."""

    size: int
    barrier: threading.Barrier = field(init=False)
    slots: dict[int, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.barrier = threading.Barrier(self.size, timeout=300)


class SimulatedRank:
    """One rank's face of it, with what `World` has of the same names. near: all are on one machine,
    and can have memory in common."""

    def __init__(self, rank: int, group: Group, near: bool = False) -> None:
        self.rank, self.size, self._group, self._calls = rank, group.size, group, 0
        self._near = near

    def _meet(self, value: Any) -> list[Any]:
        """Everybody's value, in the ranks' order."""
        self._calls += 1
        slot = self._group.slots.setdefault(self._calls, [None] * self.size)
        slot[self.rank] = value
        self._group.barrier.wait()
        return slot

    def barrier(self) -> None:
        self._group.barrier.wait()

    def memory(self, size: int) -> np.ndarray | None:
        return self._meet(np.zeros(size, np.uint8))[0] if self._near else None

    def start_sum(self, array: np.ndarray) -> _Started:
        self._calls += 1
        self._group.slots.setdefault(self._calls, [None] * self.size)[self.rank] = array
        return _Started(self.rank, self._group, self._group.slots[self._calls])

    def sum(self, array: np.ndarray) -> None:
        self.start_sum(array).wait()

    def gather(self, array: np.ndarray) -> list[np.ndarray]:
        return [each.copy() for each in self._meet(array)]

    def broadcast(self, value: Any) -> Any:
        return self._meet(value)[0]

    @contextmanager
    def step(self) -> Iterator[None]:
        error: Exception | None = None
        try:
            yield
        except Exception as problem:
            error = problem
        if first := next((each for each in self._meet(error) if each is not None), None):
            raise error or first

    def deal(self, parts: list[np.ndarray]) -> list[np.ndarray]:
        return [each[self.rank].copy() for each in self._meet(parts)]


@dataclass
class _Started:
    rank: int
    group: Group
    arrays: list[np.ndarray]

    def wait(self) -> None:
        self.group.barrier.wait()
        if self.rank == 0:
            total = self.arrays[0].copy()
            for array in self.arrays[1:]:
                total += array
            for array in self.arrays:
                array[...] = total
        self.group.barrier.wait()


def on_ranks(size: int, work: Callable[[SimulatedRank], Any], near: bool = False) -> list[Any]:
    """What `work` returns on each rank; the first error, if one fails."""
    group, found, errors = Group(size), [None] * size, []

    def run(rank: int) -> None:
        try:
            found[rank] = work(SimulatedRank(rank, group, near))
        except BaseException as error:
            errors.append(error)
            group.barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise next(
            (e for e in errors if not isinstance(e, threading.BrokenBarrierError)), errors[0]
        )
    return found
