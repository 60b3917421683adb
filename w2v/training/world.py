"""The ranks (processes) that train one model together, connected by torch.distributed, which no
other module of w2v imports.

    world = World.join()            # World.alone() unless WORLD_SIZE is set
    world.sum(array)                # in place; afterwards the same on all ranks
    table = world.agree([1, 2.5])   # [ranks, 2]
    with world.step(): ...          # succeeds on all ranks, or fails on all with one message

All methods except `alone` and `leave` are collective: all ranks call the same ones in the same
order. A World of one rank does nothing and imports nothing. Ranks on one machine communicate as in
`w2v.training.neighbours`.

If a rank ends or does not answer within `patience` seconds, all others raise Lost. One of them
reports it, rank 0 if it is alive; rank 0 also reports the errors of other ranks, as "[rank 3] …".
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from w2v.errors import Elsewhere, InputError, RunError, W2VError
from w2v.system.ranks import rank_from_environment
from w2v.training.board import JOIN_SECONDS, Board, in_thread, patience
from w2v.training.neighbours import LONGEST, Neighbours

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

LONG = 12 * 3600.0  # for what one rank does while the others wait, such as reading the corpus
CHUNK = 1 << 28  # bytes of a message
Value = TypeVar("Value")
Buffer = Any  # a NumPy array, contiguous, or a tensor


class Lost(RunError):
    """Another rank has ended or does not answer."""


class Started:
    """A sum in progress."""

    def wait(self) -> None:
        """Waits until the sum is complete."""


class World:
    """A single process. rank: its number, of `size`. near: whether all ranks are on one machine."""

    rank = 0
    size = 1
    near = False
    patience = LONG
    owner: str | None = None  # the same for all restarts by torchrun, and no other start

    @staticmethod
    def alone() -> World:
        """Returns the world of a single process."""
        return World()

    @staticmethod
    def join() -> World:
        """Joins the ranks described by the environment. Raises InputError if the environment is
        invalid, and RunError if other ranks do not join in time."""
        position = rank_from_environment()
        if position.size == 1:
            return World()
        try:
            return Ranks()
        except InputError as error:  # the same for all of them
            if position.rank == 0:
                raise
            raise Elsewhere(error.exit_status) from error

    def barrier(self) -> None:
        """Waits until all ranks have called it."""

    def sum(self, array: Buffer) -> None:
        """Replaces array by the sum over all ranks, in place; bit-identical on all ranks."""

    def start_sum(self, array: Buffer) -> Started:
        """Starts `sum` in the background; `array` must not be touched before `wait`."""
        return Started()

    def agree(self, numbers: Sequence[float]) -> np.ndarray:
        """Returns the numbers of all ranks, [ranks, numbers] float64."""
        import numpy as np  # imported late: a World of one rank imports nothing

        return np.array([numbers], np.float64)

    def memory(self, size: int) -> np.ndarray | None:
        """Returns zeroed bytes shared by all ranks, or None, as on several machines."""
        return None

    def share(self, array: Buffer) -> None:
        """Copies the array of rank 0 to all ranks, in place."""

    def gather(self, array: np.ndarray) -> list[np.ndarray]:
        """Returns the arrays of all ranks: one-dimensional, of one type, of any length."""
        return [array]

    def deal(self, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Sends part r to rank r; returns the parts that this rank received, in rank order. They
        are one-dimensional, of one type and any length."""
        return list(parts)

    def broadcast(self, value: Any) -> Any:
        """Returns rank 0's value, which must be representable in JSON."""
        return value

    def settle(self, error: Exception | None) -> None:
        """Raises an error on all ranks if any has one: on rank 0 its own or that of the first rank
        that has one, elsewhere an Elsewhere."""
        if error is not None:
            raise error

    @contextmanager
    def step(self) -> Iterator[None]:
        """Makes an error within the block on any rank end all ranks, see `settle`. The block must
        not contain collective calls."""
        try:
            yield
        except Exception as error:
            self.settle(error)
            raise
        self.settle(None)

    def leave(self, error: BaseException | None) -> None:
        """Leaves the ranks. With an `error` that this rank reports itself, the others need not
        report that it is missing."""

    def __enter__(self) -> World:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.leave(error)


class Ranks(World):
    """Several processes connected by torch.distributed: gloo on CPUs, NCCL between GPUs."""

    _neighbours: Neighbours | None = None
    _settled = False  # a run before ended, with an error that all ranks know: its group may go

    def __init__(self) -> None:
        position = rank_from_environment()
        self.rank, self.size, ranks = position.rank, position.size, f"WORLD_SIZE is {position.size}"
        # a missing rank is reported in a sentence, without stacks
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")
        try:
            import numpy  # these take more than a second
            import torch
            import torch.distributed as dist
        except ImportError as error:
            remedy = "pip install torch, or start w2v train without torchrun"
            raise InputError(f"{ranks}, and PyTorch is not installed: {remedy}") from error
        if not dist.is_available():
            problem = "this PyTorch was built without torch.distributed"
            raise InputError(f"{ranks}, and {problem}: install another one")
        if dist.is_initialized() and Ranks._settled:
            dist.destroy_process_group()
        Ranks._settled = False
        if dist.is_initialized():
            problem = "this program uses torch.distributed already"
            raise InputError(f"{ranks}, and {problem}: destroy its process group before training")
        self._np, self._torch, self._dist = numpy, torch, dist
        self._board = Board(dist, position)
        self.owner = self._board.owner
        connected = in_thread(
            lambda: dist.init_process_group(
                self._backend(position.local_size),
                timeout=timedelta(seconds=LONG),  # a wait may be shorter
                store=self._board.store,
                rank=self.rank,
                world_size=self.size,
            )
        )
        try:
            connected.result(patience(JOIN_SECONDS))
        except (RuntimeError, TimeoutError) as error:
            why = " ".join(str(error).split())[:200] or "another does not answer"
            raise RunError(f"rank {self.rank} cannot connect to the other ranks: {why}") from error
        self._neighbours = Neighbours.find(self)
        self.near = self._neighbours is not None

    def _backend(self, local_size: int) -> str:
        cuda = self._torch.cuda
        many = cuda.is_available() and cuda.device_count() >= local_size
        self._between_gpus = many and self._dist.is_nccl_available()
        return "cpu:gloo,cuda:nccl" if self._between_gpus else "gloo"

    def barrier(self) -> None:
        self.agree([])

    def sum(self, array: Buffer) -> None:
        self.start_sum(array).wait()

    def start_sum(self, array: Buffer) -> Started:
        reduce = self._dist.all_reduce
        return _Under(self, array, lambda part: reduce(part, async_op=True))

    def agree(self, numbers: Sequence[float]) -> np.ndarray:
        message = self._np.array([0.0, *numbers])  # a message is never empty
        if self._neighbours is None or message.nbytes * self.size > LONGEST:
            return self._gather(message)[:, 1:]
        answers = bytearray(self._ask(self._neighbours.meet, message.tobytes()))
        return self._np.frombuffer(answers).reshape(self.size, -1)[:, 1:]

    def memory(self, size: int) -> np.ndarray | None:
        shared = None if self._neighbours is None else self._ask(self._neighbours.memory, size)
        return None if shared is None else self._np.frombuffer(shared, self._np.uint8)

    def share(self, array: Buffer) -> None:
        spread = self._dist.broadcast
        _Under(self, array, lambda part: spread(part, 0, async_op=True)).wait()

    def gather(self, array: np.ndarray) -> list[np.ndarray]:
        lengths = self.agree([len(array)])[:, 0].astype(int)
        padded = self._np.zeros(max(1, lengths.max()), array.dtype)
        padded[: len(array)] = array
        return [row[:length] for row, length in zip(self._gather(padded), lengths, strict=True)]

    def deal(self, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
        sent = [len(part) for part in parts]
        received = self.agree(sent)[:, self.rank].astype(int).tolist()
        data = self._tensor(self._np.concatenate(parts))
        result = self._np.empty(sum(received), parts[0].dtype)
        sizes = received, sent
        self._wait(self._dist.all_to_all_single(self._tensor(result), data, *sizes, async_op=True))
        return self._np.split(result, self._np.cumsum(received[:-1]))

    def broadcast(self, value: Any) -> Any:
        data = json.dumps(value).encode() if self.rank == 0 else b""
        size = self._np.array([len(data)])
        self.share(size)
        text = self._np.empty(size[0], self._np.uint8)
        text[: len(data)] = self._np.frombuffer(data, self._np.uint8)
        self.share(text)
        return json.loads(text.tobytes())

    def settle(self, error: Exception | None) -> None:
        if isinstance(error, Lost | Elsewhere):  # the others are not here
            raise error
        is_ours = isinstance(error, W2VError)
        text = str(error) if is_ours else f"{type(error).__name__}: {error}"
        status = getattr(error, "exit_status", 1)
        report = b"" if error is None else json.dumps([status, text]).encode()
        reports = [bytes(part) for part in self.gather(self._np.frombuffer(report, self._np.uint8))]
        failed = [rank for rank, part in enumerate(reports) if part]
        if not failed:
            return
        Ranks._settled = True
        status, text = json.loads(reports[failed[0]])
        if self.rank != 0:
            raise Elsewhere(status) from error
        if error is not None:
            raise error
        raise (InputError if status == 2 else RunError)(f"[rank {failed[0]}] {text}")

    def leave(self, error: BaseException | None) -> None:
        if self._neighbours is not None:
            self._neighbours.leave()
        if error is None:
            self._dist.destroy_process_group()
        elif not isinstance(error, Lost | Elsewhere):
            may_follow = self.rank != 0 and isinstance(error, Exception)
            if may_follow:
                time.sleep(1.0)  # rank 0 comes first
            if not self._board.is_first_to_report() and may_follow:
                raise Elsewhere(getattr(error, "exit_status", 1)) from error

    def _tensor(self, array: Buffer) -> Tensor:
        is_tensor = isinstance(array, self._torch.Tensor)
        tensor: Tensor = array.detach() if is_tensor else self._torch.from_numpy(array)
        return tensor

    def _gather(self, array: np.ndarray) -> np.ndarray:
        """Returns the arrays [n] of all ranks, which have equal length: [ranks, n]."""
        gathered = self._np.empty((self.size, len(array)), array.dtype)
        parts = list(self._tensor(gathered))
        self._wait(self._dist.all_gather(parts, self._tensor(array), async_op=True))
        return gathered

    def _wait(self, work: Any) -> None:
        self._ask(work.wait, timedelta(seconds=self.patience))

    def _ask(self, ask: Callable[[Any], Value], argument: Any) -> Value:
        """Returns `ask(argument)`; turns its failure into the error for a lost rank."""
        began = time.monotonic()
        try:
            return ask(argument)
        except (RuntimeError, OSError) as error:
            waited = time.monotonic() - began >= 0.9 * self.patience
            raise self._missing_error(waited) from error

    def _missing_error(self, waited: bool) -> W2VError:
        """Returns the error to raise if ranks are missing; one of the others reports it."""
        who = self._board.missing() or "another rank"
        problem = (
            f"{who} did not answer within {self.patience:.0f} s" if waited else f"{who} has ended"
        )
        if self.rank != 0:
            time.sleep(1.0)  # rank 0 comes first
        return Lost(problem) if self._board.is_first_to_report() else Elsewhere(1)


class _Under(Started):
    """An operation in progress on a buffer, in place and in pieces. Without NCCL, the buffer of a
    GPU is copied to the CPU and back."""

    def __init__(self, world: Ranks, array: Buffer, begin: Callable[[Tensor], Any]) -> None:
        self._world, self._whole = world, world._tensor(array)
        between_gpus = world._between_gpus
        self._work = self._whole if between_gpus else self._whole.cpu()  # itself, if it is there
        step = max(1, CHUNK // self._work.element_size())
        parts = self._work.view(-1).split(step)  # type: ignore[no-untyped-call]
        self._parts = [begin(part) for part in parts]

    def wait(self) -> None:
        for part in self._parts:
            self._world._wait(part)
        if self._work is not self._whole:
            self._whole.copy_(self._work)
