"""Predicts the time of a run with several ranks, from a second of training without exchanges and a
second with them.

    one      seconds that one rank would need alone, at its speed here while the others also run
    ranks    seconds that all ranks need together: as measured in the second one, corrected by the
             cost per byte for the bytes that the run exchanges more or less than it. On several
             machines, if a section takes longer than LONG_SECTION: max(one / N, hidden bytes /
             bandwidth) + bytes waited for / bandwidth
    efficiency = one / (N · ranks)

Summed in a ring, 2 (N - 1) / N of the exchanged bytes leave every rank; these are counted, also for
exchanges in memory. Other numbers n of ranks are predicted to take one / n + (the cost of a byte
here) · (bytes that leave a rank with n).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from w2v.training.exchange import Exchange
from w2v.training.handout import Pause
from w2v.training.schedule import Blocks
from w2v.training.sections import Sections
from w2v.training.task import Job
from w2v.training.world import World

LONG_SECTION = 0.1  # seconds; a second of training holds too few longer ones
SENT = 1 << 22  # numbers sent to measure the bandwidth
WORSE = 1.05  # fewer ranks are recommended if this run takes so many times as long


@dataclass(frozen=True)
class Forecast:
    """What `--dry-run` reports about several ranks; bytes_per_word: bytes that leave a rank per
    word of text that it trains."""

    ranks: int
    exchange_words: int
    bytes_per_word: float
    efficiency: float


def ring_bytes(exchange: Exchange, blocks: Blocks, ranks: int) -> tuple[float, float]:
    """Returns the bytes that leave each of `ranks` ranks during the run: (while training continues,
    while it waits)."""
    sections = Sections.of(blocks, ranks, exchange.words(blocks.positions, ranks))
    hidden = waited = 0
    step = ranks * sections.size
    for end in range(step, blocks.per_epoch + step, step):
        done = min(end, blocks.per_epoch)
        for rows, width in exchange.shapes:
            size = sections.prefix(done, rows)
            waits = size if sections.is_full(done) else sections.waited(rows)
            waited, hidden = waited + waits * width, hidden + (size - waits) * width
    factor = 2 * (ranks - 1) / ranks * blocks.epochs
    return factor * hidden, factor * waited


def forecast(
    job: Job, training_seconds: Callable[[Job], float | None], tell: Callable[[str], None]
) -> tuple[float | None, Forecast | None]:
    """Returns (seconds of training, forecast); calls `tell` if fewer ranks would be faster."""
    exchange, blocks = job.exchange, job.blocks
    if not isinstance(exchange, Exchange):
        return training_seconds(job), None
    world, size = exchange.world, exchange.world.size
    world.barrier()
    alone = _mean(world, training_seconds(replace(job, exchange=None)))
    limit = 1 + int(blocks.positions / (alone or 1.0) * LONG_SECTION)  # words of a section
    seconds = _exchanging(job, exchange, training_seconds, limit)
    if alone is None or seconds is None:
        return None, None
    hidden, waited = ring_bytes(exchange, blocks, size)
    words = exchange.words(blocks.positions, size)
    if words > limit and not exchange.in_memory:
        bandwidth = _bandwidth(world)
        seconds = max(alone / size, hidden / bandwidth) + waited / bandwidth
    cost = max(0.0, seconds - alone / size) / (hidden + waited)  # of a byte
    times = {n: alone / n + cost * sum(ring_bytes(exchange, blocks, n)) for n in range(2, size + 1)}
    times |= {1: alone}
    best = min(times, key=lambda n: times[n])
    efficiency = min(1.0, alone / size / seconds)
    if times[best] * WORSE < times[size]:
        processes = f"{best} rank{'s' if best > 1 else ''}"
        tell(
            f"{size} ranks for {blocks.positions:,} words: exchanges take longer than the ranks"
            f" save; expected efficiency {100 * efficiency:.0f} %; {processes} would be faster, or"
            " a larger `exchange_words`, with which less is learnt"
        )
    per_word = (hidden + waited) / (blocks.positions / size)
    return seconds, Forecast(size, words, round(per_word, 1), round(efficiency, 3))


def _mean(world: World, seconds: float | None) -> float | None:
    """Returns the mean over all ranks, or None if one has none."""
    times = world.agree([seconds or 0.0])
    return float(times.mean()) if times.all() else None


def _exchanging(
    job: Job, exchange: Exchange, training_seconds: Callable[[Job], float | None], limit: int
) -> float | None:
    """Returns the seconds of the run, from one second with sections of at most `limit` words."""
    blocks, size, words = job.blocks, exchange.world.size, exchange.chosen_words
    exchange.chosen_words = min(limit, exchange.words(blocks.positions, size))
    exchange.begin(blocks, 0)
    exchange(Pause(0, 0, None), whole=True)  # the first exchange takes longer than later ones
    exchange.bytes, exchange.seconds = 0, 0.0
    seconds = _mean(exchange.world, training_seconds(job))
    spent = _mean(exchange.world, exchange.seconds)
    exchange.chosen_words = words
    if seconds is None or spent is None:
        return None
    bytes_of_run = sum(ring_bytes(exchange, blocks, size)) * size / (2 * (size - 1))
    # both terms are scaled to the bytes of the whole run
    return seconds + spent * (bytes_of_run / exchange.bytes - blocks.positions / exchange.trained)


def _bandwidth(world: World) -> float:
    """Returns the bytes per second that leave this rank when an array is summed."""
    array = np.zeros(SENT, np.float32)
    world.sum(array[:1])
    began = time.perf_counter()
    world.sum(array)
    seconds = max(1e-6, float(world.agree([time.perf_counter() - began]).max()))
    return 2 * (world.size - 1) / world.size * array.nbytes / seconds
