"""Word vectors over ranks, with several engines in one process: the expected uses of each row, and
that ranks together learn what one process would."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.simulated_ranks import on_ranks
from w2v.kernels.cpu.merge import merge_ranks
from w2v.settings.build import build_config
from w2v.training.engine import Tally
from w2v.training.exchange import Exchange
from w2v.training.forecast import ring_bytes
from w2v.training.handout import Handout, Share
from w2v.training.schedule import Block, Blocks, Schedule
from w2v.training.sections import Sections
from w2v.training.shared_rows import ALWAYS
from w2v.words.fused import HogwildEngine

V, LINE, LR, WORDS = 400, 200, 0.05, 150_000
CUT = Blocks(np.arange(0, WORDS + 1, 1000), 2)
COUNTS = 1 + 20_000 // np.arange(1, V + 1)
NCE = {"loss": "nce", "nce_bias": "true", "nce_log_z": "learned"}
BOTH = {"loss": "hsigmoid+neg", "model": "cbow"}


def engine_of(words: int, threads: int = 1, **more: object) -> HogwildEngine:
    """Returns an engine for a text whose words come in pairs, so that it can learn something."""
    given = {"dim": 12, "sample": 0.01, "threads": threads, "epochs": 2, **more}
    config = build_config({"corpus": ("x",), **{name: str(value) for name, value in given.items()}})
    random = np.random.default_rng(5)
    drawn = random.choice(V // 2, words // 2, p=COUNTS[::2] / COUNTS[::2].sum())
    ids = np.stack([2 * drawn, 2 * drawn + 1], 1).ravel().astype(np.int32)
    ids[LINE - 1 :: LINE] = -1
    counts = np.bincount(ids[ids >= 0], minlength=V) + 1
    engine = HogwildEngine(config, ids, np.sort(counts)[::-1], threads=threads)
    engine.initialise()
    return engine


@pytest.mark.parametrize("options", [{}, NCE, BOTH], ids=str)
def test_expected_uses_are_those_that_the_kernel_counts(options: dict[str, object]) -> None:
    """In rounds every use is counted: pull = 0.4 · uses per position of the stream."""
    size = 100_000
    engine = engine_of(2 * size, threads=2, deterministic=True, **options)
    for thread in range(2):
        engine.train(Block(0, thread, thread * size, (thread + 1) * size, 0.0), LR, thread)
    weights, tables = engine.weights, engine.shared_tables()
    counted = [table for table in (weights.input, weights.noise, weights.path) if table.rows]
    for table, shared in zip(counted, tables, strict=False):
        assert shared.rows.shape == (table.rows, table.padded)
        uses = table.uses.sum(0)
        often = uses > 3000
        # line ends take of the stream and of windows what p does not know
        np.testing.assert_allclose(shared.pull[often] / 0.4 * 2 * size, uses[often], rtol=0.1)
        assert often.sum() > 5 and shared.pull.sum() / 0.4 * 2 * size == pytest.approx(
            uses.sum(), rel=0.2
        )
        assert [each.base is not None for each in shared.copies] == [True, True]
    if options is NCE:
        bias, log_z = tables[2:]
        assert (bias.pull[:V] == tables[1].pull).all() and log_z.pull.tolist() == [ALWAYS]


State = dict[str, np.ndarray]


def train(
    world: Any,
    options: dict[str, object],
    start: tuple[State, int] | None = None,
    stop: int | None = None,
) -> tuple[State, Tally]:
    """One rank's run, or its part from a state and a number of blocks done on, up to another one;
    the state afterwards, and the tally of the last epoch."""
    engine = engine_of(WORDS, **options)
    schedule, cut = Schedule(LR), CUT
    begin = 0
    if start is not None:
        engine.load_state(start[0])
        begin = start[1]
    meet = Exchange(engine.shared_tables(), world, schedule, merge_ranks, 1000, engine.threads)
    meet.begin(cut, begin)
    last = Tally()

    def rest(rest: Any) -> bool:
        assert meet(rest, False) or rest.blocks_done not in (stop, len(cut) // 2, len(cut))
        return rest.blocks_done == stop

    handout = Handout(cut, 1, rest, lambda: False, blocks_done=begin)
    handout.among(Share(world.rank, world.size, meet.blocks))
    while (block := handout.next(0)) is not None:
        tally = engine.train(block, schedule.rate(block.fraction), 0)
        if block.epoch == 1:
            last.add(tally)
    if begin == 0 and stop is None:
        ring = 2 * (world.size - 1) / world.size
        assert sum(ring_bytes(meet, cut, world.size)) == pytest.approx(ring * meet.bytes)
    return {name: np.array(array) for name, array in engine.state().items()}, last


def same(states: list[State]) -> bool:
    """Returns whether the states are equal bit for bit."""
    return all((each[name] == states[0][name]).all() for each in states for name in each)


@pytest.mark.parametrize(
    ("options", "ranks", "near"), [({}, 4, False), (NCE, 3, True), (BOTH, 2, True)], ids=str
)
def test_ranks_learn_together_what_one_learns_alone(
    options: dict[str, object], ranks: int, near: bool
) -> None:
    """near: the ranks are on one machine."""
    ((_, alone),) = on_ranks(1, lambda world: train(world, options))
    found = on_ranks(ranks, lambda world: train(world, options), near)
    together = Tally()
    for _, tally in found:
        together.add(tally)
    assert same([state for state, _ in found])  # on every rank
    for name in ("read", "rare", "trained"):
        assert getattr(together, name) == getattr(alone, name)
    untrained = engine_of(WORDS, **options).train(Block(0, 0, 0, WORDS, 0.0), 0.0, 0)
    learnt = untrained.mean_loss - alone.mean_loss
    assert together.mean_loss < alone.mean_loss + 0.03 * learnt
    # the same again, in two parts, the first of which ends with an exchange of all rows
    stop = next(
        end for end in range(ranks * 20, 10**6, ranks) if Sections(CUT, ranks, 1).is_full(end)
    )
    parts = on_ranks(ranks, lambda world: train(world, options, stop=stop), near)
    parts = on_ranks(ranks, lambda world: train(world, options, (parts[0][0], stop)), near)
    assert same([found[0][0], parts[0][0], parts[-1][0]])
    # and by another number of ranks
    other = on_ranks(ranks - 1, lambda world: train(world, options, (parts[0][0], 150)))
    assert sum(tally.read for _, tally in other) == alone.read
