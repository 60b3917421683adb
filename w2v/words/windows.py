"""Training examples on any device, computed from the stream of ids without a Python loop.

The stream is read as in the fused kernel (`w2v.kernels.cpu.reader`): ids >= V are skipped, frequent
words are subsampled by the same hash of their position, and windows end at line ends and at the
cuts after every `max_sentence` words. So both engines train on the same words; only the reach of
each window is drawn differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from w2v.corpus.store import ID_TYPE, PART_IDS, id_parts

CELLS = 1 << 22  # (target, offset) pairs tested at once
FIRST_LOOK = 4096  # stream positions read beyond a block, doubled until they hold enough words
GOLDEN = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Windows:
    """The words of a block that subsampling keeps. Words first … last - 1 are targets; those before
    and after them are only context.

    words [n]: ids. sentences [n]: numbers that increase by 1 or more from sentence to sentence.
    reach [n] in 1 … window: how many words to each side the window of a target includes. read,
    rare, dropped: the number of words in the block, of those with ids >= V, and of those that
    subsampling removed.
    """

    words: Tensor
    sentences: Tensor
    reach: Tensor
    first: int
    last: int
    window: int
    read: int
    rare: int
    dropped: int

    @property
    def trained(self) -> int:
        """The number of targets."""
        return self.last - self.first

    @cached_property
    def widest(self) -> int:
        """The distance of the farthest context word that any window can have. Waits for a GPU."""
        numbers = self.sentences
        longest = (numbers - numbers[0]).bincount().max().item() if len(numbers) else 0
        return min(self.window, max(0, int(longest) - 1))

    def pairs(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Returns context words [P] and, ascending, the positions [P] in `words` of the targets
        whose windows contain them.

        start, stop: the range of targets, counted from `first`.
        """
        device = self.words.device
        begin, end = self.first + start, min(self.first + stop, self.last)
        if self.widest == 0 or begin >= end:
            return self.words[:0], self.words[:0]
        offsets = torch.arange(-self.widest, self.widest, device=device)
        offsets += offsets >= 0
        step = max(1, CELLS // len(offsets))
        parts = [
            self._pairs(torch.arange(position, min(position + step, end), device=device), offsets)
            for position in range(begin, end, step)
        ]
        contexts, targets = zip(*parts, strict=True)
        return torch.cat(contexts), torch.cat(targets)

    def _pairs(self, targets: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
        neighbours = targets[:, None] + offsets
        inside = (neighbours >= 0) & (neighbours < len(self.words))
        neighbours = neighbours.clamp(0, len(self.words) - 1)
        in_window = inside & (offsets.abs() <= self.reach[targets][:, None])
        in_window &= self.sentences[neighbours] == self.sentences[targets][:, None]
        rows, columns = in_window.nonzero(as_tuple=True)
        return self.words[neighbours[rows, columns]], targets[rows]


@dataclass(frozen=True)
class Reading:
    """The content of `Windows` as long as the program has not waited for the GPU that computes it.

    words, sentences and reach are longer than [n]; the rest of them is undefined. numbers [5]
    int64: n, `first`, `trained`, `read` and `rare`, on the device.
    """

    words: Tensor
    sentences: Tensor
    reach: Tensor
    numbers: Tensor
    window: int

    def windows(self, numbers: Sequence[int]) -> Windows:
        """Returns the windows, given the values of `self.numbers`."""
        n, first, targets, read, rare = numbers
        return Windows(
            words=self.words[:n],
            sentences=self.sentences[:n],
            reach=self.reach[:n],
            first=first,
            last=first + targets,
            window=self.window,
            read=read,
            rare=rare,
            dropped=read - rare - targets,
        )


class WindowReader:
    """Reads blocks of a stream.

    ids: int32 stream of word ids, -1 at line ends, ids >= V are skipped.
    keep [V]: the probability that subsampling keeps a word, times 2^32 - 1 and rounded.
    """

    def __init__(
        self,
        ids: np.ndarray,
        keep: np.ndarray,
        window: int,
        max_sentence: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self._ids, self._window, self._max_sentence = ids, window, max_sentence
        self._device = torch.device(device)
        self._keep_on_cpu = torch.from_numpy(keep.astype(np.int64))
        self._keep = self._keep_on_cpu.to(self._device)
        self._held: Tensor | None = None  # all ids, on the device

    def over(self, ids: np.ndarray) -> WindowReader:
        """Returns a reader of another stream with the same settings."""
        other = copy(self)
        other._ids, other._held = ids, None
        return other

    def hold(self, limit: int) -> None:
        """Copies all ids to the device, unless that takes more than `limit` bytes."""
        if ID_TYPE.itemsize * len(self._ids) <= limit:
            self._held = torch.empty(len(self._ids), dtype=torch.int32, device=self._device)
            for number, part in enumerate(id_parts(self._ids)):
                start = number * PART_IDS
                self._held[start : start + len(part)] = torch.from_numpy(np.array(part))

    def read(self, start: int, stop: int, key: int, window_key: int) -> Windows:
        """Returns the windows of positions start … stop - 1. key: the seed of subsampling, the same
        for a whole epoch; window_key: the seed of the windows' reach."""
        reading = self.begin(start, stop, key, window_key)
        return reading.windows(reading.numbers.tolist())

    def begin(self, start: int, stop: int, key: int, window_key: int) -> Reading:
        """As `read`, but does not wait for a GPU."""
        begin, end = start, stop
        # lines are not cut here, so windows extend beyond the block
        if self._max_sentence == 0 and start < stop:
            begin = self._context(start, key, ahead=False)
            end = self._context(stop, key, ahead=True)
        ids, positions = self._read(begin, end)
        word, known = ids >= 0, self._is_known(ids)
        kept = self._survives(ids, positions, key)
        inside = (positions >= start) & (positions < stop)
        masks = kept, kept & (positions < start), kept & inside, word & inside
        numbers = torch.stack([mask.sum() for mask in (*masks, word & ~known & inside)])
        # Moves the kept words to the front and all others to the back. PyTorch's own selection by a
        # mask would wait for the GPU to learn how many there are.
        slots = kept.cumsum(0) - 1
        slots += torch.where(kept, 0, end - positions)

        def selected(values: Tensor) -> Tensor:
            return torch.empty_like(values).scatter_(0, slots, values)

        words, sentences = selected(ids), selected(self._sentences(ids))
        window_hash = upper_bits(positions, window_key)
        reach = selected(1 + ((window_hash * self._window) >> 32))
        return Reading(words, sentences, reach, numbers, self._window)

    def _read(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Returns the ids at positions start … stop - 1, and these positions."""
        positions = torch.arange(start, stop, device=self._device)
        if self._held is not None:
            return self._held[start:stop].long(), positions
        # a GPU copies from pinned memory without making the program wait
        pinned = self._device.type == "cuda"
        ids = torch.empty(stop - start, dtype=torch.int32, pin_memory=pinned)
        ids.numpy()[:] = self._ids[start:stop]
        return ids.to(self._device, non_blocking=True).long(), positions

    def _is_known(self, ids: Tensor) -> Tensor:
        return (ids >= 0) & (ids < len(self._keep))

    def _survives(self, ids: Tensor, positions: Tensor, key: int) -> Tensor:
        known = self._is_known(ids)
        keep = self._keep_on_cpu if ids.device.type == "cpu" else self._keep
        thresholds = keep[torch.where(known, ids, 0)]
        return known & (upper_bits(positions, key) <= thresholds)

    def _sentences(self, ids: Tensor) -> Tensor:
        """Returns the sentence number of each position; within a line a new sentence begins after
        every max_sentence words."""
        ends = ids < 0
        if self._max_sentence == 0:
            return ends.cumsum(0)
        positions = torch.arange(len(ids), device=ids.device)
        line_start = torch.where(ends, positions + 1, 0).cummax(0).values if len(ids) else positions
        in_line = positions - line_start
        return (ends | ((in_line > 0) & (in_line % self._max_sentence == 0))).cumsum(0)

    def _context(self, position: int, key: int, *, ahead: bool) -> int:
        """Returns the far end of the `window` surviving words next to `position`, ahead of it or
        before it, limited to the same line."""
        if ahead and position > 0 and self._ids[position - 1] < 0:
            return position
        margin = min(4 * self._window, FIRST_LOOK)
        while True:
            far = min(len(self._ids), position + margin) if ahead else max(0, position - margin)
            begin, end = sorted((position, far))
            line_ends = begin + np.flatnonzero(np.asarray(self._ids[begin:end]) < 0)
            if len(line_ends):
                return int(line_ends[0] if ahead else line_ends[-1] + 1)
            if far in (0, len(self._ids)):
                return far
            # on the CPU, so that the program need not wait for a GPU
            ids = torch.from_numpy(np.array(self._ids[begin:end], np.int64))
            if self._survives(ids, torch.arange(begin, end), key).sum() >= self._window:
                return far
            margin *= 2


def upper_bits(positions: Tensor, key: int) -> Tensor:
    """Returns the upper 32 of 64 well-mixed bits of (position, key) as int64: splitmix64, as in
    `w2v.kernels.cpu.random`.

    int64 overflows like uint64; only right shifts need their copies of the sign bit masked out.
    """
    x = positions * _signed(GOLDEN) + _signed(key)
    x = (x ^ _shifted(x, 30)) * _signed(0xBF58476D1CE4E5B9)
    x = (x ^ _shifted(x, 27)) * _signed(0x94D049BB133111EB)
    return _shifted(x ^ _shifted(x, 31), 32)


def _shifted(x: Tensor, bits: int) -> Tensor:
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _signed(number: int) -> int:
    return (int(number) + (1 << 63)) % (1 << 64) - (1 << 63)
