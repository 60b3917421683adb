"""Training examples on any device, computed from the stream of ids without a Python loop.

The stream is read as in the fused kernel (`w2v.kernels.cpu.reader`): ids >= V are skipped, frequent
words are subsampled by the same hash of their position, and windows end at line ends and at the
cuts after every `max_sentence` words. So both engines train on the same words; only the reach of
each window is drawn differently.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from w2v.corpus.store import ID_TYPE, PART_IDS, id_parts

CELLS = 1 << 22  # (target, offset) pairs tested at once
FIRST_LOOK = 4096  # stream positions read beyond a block, doubled until they hold enough words
GOLDEN = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Windows:
    """The words of a block that survived, those before `first` and from `last` on only as context.

    words [n] ids; sentences [n] numbers that grow by 1 or more from sentence to sentence; reach [n]
    = 1 … window: how far the window of each goes to both sides. widest: no window can hold a word
    farther away. read, rare, dropped: how many words of the block there were, had ids >= V, fell to
    sub-sampling.
    """

    words: Tensor
    sentences: Tensor
    reach: Tensor
    first: int
    last: int
    widest: int
    read: int
    rare: int
    dropped: int

    @property
    def trained(self) -> int:
        """The number of targets."""
        return self.last - self.first

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
            self._pairs(torch.arange(at, min(at + step, end), device=device), offsets)
            for at in range(begin, end, step)
        ]
        contexts, targets = zip(*parts, strict=True)
        return torch.cat(contexts), torch.cat(targets)

    def _pairs(self, targets: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
        places = targets[:, None] + offsets
        inside = (places >= 0) & (places < len(self.words))
        places = places.clamp(0, len(self.words) - 1)
        seen = inside & (offsets.abs() <= self.reach[targets][:, None])
        seen &= self.sentences[places] == self.sentences[targets][:, None]
        rows, columns = seen.nonzero(as_tuple=True)
        return self.words[places[rows, columns]], targets[rows]


class WindowReader:
    """Reads blocks of a stream.

    ids: int32 stream of word ids, -1 at line ends, ids >= V are skipped.
    keep [V]: probability · (2^32 - 1) that a word survives subsampling, whole numbers.
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
        self._keep = torch.from_numpy(keep.astype(np.int64)).to(self._device)
        self._held: Tensor | None = None  # all ids, on the device

    def over(self, ids: np.ndarray) -> WindowReader:
        """Returns a reader of another stream with the same settings."""
        other = copy(self)
        other._ids, other._held = ids, None
        return other

    def hold(self, room: int) -> None:
        """Copies all ids to the device if they take no more than `room` bytes there."""
        if ID_TYPE.itemsize * len(self._ids) <= room:
            self._held = torch.empty(len(self._ids), dtype=torch.int32, device=self._device)
            for number, part in enumerate(id_parts(self._ids)):
                start = number * PART_IDS
                self._held[start : start + len(part)] = torch.from_numpy(np.array(part))

    def read(self, start: int, stop: int, key: int, window_key: int) -> Windows:
        """Returns the windows of positions start … stop - 1; `key` seeds sub-sampling, the same for
        a whole epoch, `window_key` the windows' reach."""
        begin, end = start, stop
        # lines are not cut here, so windows extend beyond the block
        if self._max_sentence == 0 and start < stop:
            begin = self._context(start, key, ahead=False)
            end = self._context(stop, key, ahead=True)
        ids, positions = self._part(begin, end)
        word, known = ids >= 0, self._known(ids)
        kept = self._survives(ids, positions, key)
        inside = (positions >= start) & (positions < stop)
        sentences = self._sentences(ids)[kept]
        window_hash = upper_bits(positions[kept], window_key)
        masks = kept & (positions < start), kept & inside, word & inside, word & ~known & inside
        counts = torch.stack([*(mask.sum() for mask in masks), _longest_run(sentences)])
        before, targets, read, rare, longest = counts.tolist()
        return Windows(
            words=ids[kept],
            sentences=sentences,
            reach=1 + ((window_hash * self._window) >> 32),
            first=before,
            last=before + targets,
            widest=min(self._window, max(0, longest - 1)),
            read=read,
            rare=rare,
            dropped=read - rare - targets,
        )

    def _part(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Returns the ids at positions start … stop - 1, and these positions."""
        positions = torch.arange(start, stop, device=self._device)
        if self._held is not None:
            return self._held[start:stop].long(), positions
        # a GPU copies from pinned memory without making the program wait
        pinned = self._device.type == "cuda"
        ids = torch.empty(stop - start, dtype=torch.int32, pin_memory=pinned)
        ids.numpy()[:] = self._ids[start:stop]
        return ids.to(self._device, non_blocking=True).long(), positions

    def _known(self, ids: Tensor) -> Tensor:
        return (ids >= 0) & (ids < len(self._keep))

    def _survives(self, ids: Tensor, positions: Tensor, key: int) -> Tensor:
        known = self._known(ids)
        thresholds = self._keep[torch.where(known, ids, 0)]
        return known & (upper_bits(positions, key) <= thresholds)

    def _sentences(self, ids: Tensor) -> Tensor:
        """Returns the sentence number of each position; within a line a new sentence begins after
        every max_sentence words."""
        ends = ids < 0
        if self._max_sentence == 0:
            return ends.cumsum(0)
        places = torch.arange(len(ids), device=ids.device)
        line_start = torch.where(ends, places + 1, 0).cummax(0).values if len(ids) else places
        in_line = places - line_start
        return (ends | ((in_line > 0) & (in_line % self._max_sentence == 0))).cumsum(0)

    def _context(self, place: int, key: int, *, ahead: bool) -> int:
        """Returns the far end of the `window` surviving words next to `place`, ahead of it or
        before it, limited to the same line."""
        if ahead and place > 0 and self._ids[place - 1] < 0:
            return place
        margin = min(4 * self._window, FIRST_LOOK)
        while True:
            far = min(len(self._ids), place + margin) if ahead else max(0, place - margin)
            begin, end = sorted((place, far))
            line_ends = begin + np.flatnonzero(np.asarray(self._ids[begin:end]) < 0)
            if len(line_ends):
                return int(line_ends[0] if ahead else line_ends[-1] + 1)
            if far in (0, len(self._ids)):
                return far
            if self._survives(*self._part(begin, end), key).sum() >= self._window:
                return far
            margin *= 2


def upper_bits(positions: Tensor, key: int) -> Tensor:
    """Returns the upper 32 of 64 well-mixed bits of (position, key) as int64: splitmix64, as in
    `w2v.kernels.cpu.random`.

    int64 overflows like uint64; only right shifts need the copied sign bits masked out.
    """
    x = positions * _signed(GOLDEN) + _signed(key)
    x = (x ^ _shifted(x, 30)) * _signed(0xBF58476D1CE4E5B9)
    x = (x ^ _shifted(x, 27)) * _signed(0x94D049BB133111EB)
    return _shifted(x ^ _shifted(x, 31), 32)


def _shifted(x: Tensor, bits: int) -> Tensor:
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _signed(number: int) -> int:
    return (int(number) + (1 << 63)) % (1 << 64) - (1 << 63)


def _longest_run(numbers: Tensor) -> Tensor:
    """How often the most frequent of the never falling `numbers` occurs."""
    if not len(numbers):
        return numbers.new_zeros(())
    return (numbers - numbers[0]).bincount().max()
