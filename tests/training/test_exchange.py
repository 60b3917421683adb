"""The exchange of rows between ranks: what comes out, by the formula, and how often what is
exchanged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.simulated_ranks import on_ranks
from w2v.kernels.cpu.merge import merge_ranks
from w2v.training import by_message, in_memory, sections, shared_rows
from w2v.training.exchange import Exchange
from w2v.training.handout import Handout, Pause, Share
from w2v.training.schedule import Blocks, Schedule
from w2v.training.sections import Sections, default_words
from w2v.training.shared_rows import SharedTable

WORDS = 10  # of a block


def blocks_of(per_epoch: int, epochs: int) -> Blocks:
    return Blocks(WORDS * np.arange(per_epoch + 1), epochs)


def section_ends(sections: Sections) -> list[int]:
    """Blocks done at the end of every section of a run."""
    per_epoch, step = sections.blocks.per_epoch, sections.ranks * sections.size
    epochs = range(0, len(sections.blocks), per_epoch)
    return [
        begin + min(at + step, per_epoch) for begin in epochs for at in range(0, per_epoch, step)
    ]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("near", [True, False])
def test_changes_are_summed_and_damped(
    near: bool, ranks: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Δ_r = W_r - base; base += f ΣΔ; W_r += f ΣΔ - Δ_r, f = (1 + x) / (1 + N x), x = pull · lr ·
    positions of a rank since the row's last exchange. On one machine at once, on several only for
    the first HOT_ROWS rows, and for all where all are exchanged; else one section late."""
    monkeypatch.setattr(sections, "HOT_ROWS", 3)
    monkeypatch.setattr(shared_rows, "CHUNK_BYTES", 500)
    monkeypatch.setattr(by_message, "PIECE_CHUNKS", 2)
    monkeypatch.setattr(in_memory, "PIECE", ranks * 200)
    blocks, rows, width = blocks_of(50, 2), 47, 16
    schedule, stop = Schedule(0.5), 46
    random = np.random.default_rng(3)
    pull = np.sort(random.random(rows))[::-1] / 5
    start = random.normal(size=(rows, width)).astype(np.float32)
    cut = Sections(blocks, ranks, 1)
    ends = [end for end in section_ends(cut) if end <= stop]

    def moved(rank: int, section: int) -> np.ndarray:
        return np.random.default_rng([rank, section]).normal(size=start.shape).astype(np.float32)

    def work(world: Any) -> tuple[np.ndarray, np.ndarray, list[bool], int]:
        table, copy = start.copy(), start.copy()
        shared = [
            SharedTable(table, pull, [copy]),
            SharedTable(np.zeros((1, 4), np.float32), pull[:1]),
        ]
        meet = Exchange(shared, world, schedule, merge_ranks, WORDS, threads)
        meet.begin(blocks, 0)
        assert meet.blocks == 1
        same = []
        for section, end in enumerate(ends):
            table += moved(world.rank, section)
            same.append(meet(Pause(1, end, None), whole=section == len(ends) - 1))
        return table, copy, same, meet.bytes

    base = start.astype(float)
    tables = [base.copy() for _ in range(ranks)]
    since, late, before = np.zeros(rows), None, 0
    sent = 0

    def apply(part: slice, factor: np.ndarray, own: list[np.ndarray]) -> None:
        total = factor * sum(own)
        base[part] += total
        for rank in range(ranks):
            tables[rank][part] += total - own[rank]

    for section, end in enumerate(ends):
        lr = 0.5 * max(1e-4, 1 - before / len(blocks))
        since += (end - before) * WORDS / ranks
        before = end
        for rank in range(ranks):
            tables[rank] += moved(rank, section)
        if late is not None:
            apply(*late)
            late = None
        whole = cut.is_full(end) or section == len(ends) - 1
        hot, hi = 3, rows if whole else cut.prefix(end, rows)
        for part in [slice(rows)] if whole else [slice(hot), slice(hot, hi)]:
            x = pull[part] * lr * since[part]
            f = (1 + x) / (1 + ranks * x)
            since[part] = 0
            change = part, f[:, None], [table[part] - base[part] for table in tables]
            if part.start is None or near:
                apply(*change)
            else:
                late = change
        sent += hi * width * 4 + 16
    found = on_ranks(ranks, work, near)
    for rank, (table, copy, same, gave) in enumerate(found):
        np.testing.assert_allclose(table, tables[rank], rtol=1e-4, atol=1e-4)
        assert table.tobytes() == found[0][0].tobytes() == copy.tobytes()
        assert same == [cut.is_full(end) for end in ends[:-1]] + [True]
        assert gave == sent


@settings(max_examples=examples(80), deadline=None)
@given(
    per_epoch=st.integers(1, 3000),
    epochs=st.integers(1, 30),
    ranks=st.integers(2, 64),
    words=st.integers(1, 20_000),
    rows=st.integers(1, 4_000_000),
)
def test_hot_rows_meet_every_time_and_all_rows_often(
    per_epoch: int, epochs: int, ranks: int, words: int, rows: int
) -> None:
    cut = Sections.of(blocks_of(per_epoch, epochs), ranks, words)
    ends = section_ends(cut)
    sizes = np.array([cut.prefix(end, rows) for end in ends])
    full = np.array([cut.is_full(end) for end in ends])
    assert (sizes >= min(rows, 1024)).all() and (sizes[full] == rows).all()
    assert full[[end % per_epoch == 0 for end in ends]].all()
    assert full.sum() >= min(20, len(ends))
    assert full.sum() <= 2 * (20 + epochs)  # nobody waits without need
    assert sizes[~full].max(initial=0) <= cut.buffered(rows)
    # a row of the first 2^k · hot ones meets at every 2^k-th section at least, from a full one on
    if len(ends) > 40 and not full.all():
        assert sizes.mean() < rows or cut.hot(rows) * 2 > rows


def test_the_default_is_a_number_of_exchanges() -> None:
    assert default_words(87_000_000, 2) == 43_500
    assert default_words(87_000_000, 8) == 87_000_000 // (8 * 2000)
    assert default_words(10, 64) == 1
    cut = Sections.of(blocks_of(400, 5), 2, 20)
    assert (cut.size, cut.per_epoch) == (2, 100)


@settings(max_examples=40, deadline=None)
@given(
    per_epoch=st.integers(1, 30),
    epochs=st.integers(1, 3),
    ranks=st.integers(1, 5),
    size=st.integers(1, 7),
    in_rounds=st.booleans(),
    begin=st.integers(0, 20),
)
def test_every_block_is_one_ranks(
    per_epoch: int, epochs: int, ranks: int, size: int, in_rounds: bool, begin: int
) -> None:
    blocks = blocks_of(per_epoch, epochs)
    begin = min(begin, len(blocks) - 1)
    taken, ends = [], []
    for rank in range(ranks):
        rests: list[Pause] = []
        handout = Handout(
            blocks,
            1,
            lambda rest, rests=rests: bool(rests.append(rest)),
            lambda: True,  # one rank alone ends nothing
            in_rounds=in_rounds,
            blocks_done=begin,
        ).among(Share(rank, ranks, size))
        own = []
        while (block := handout.next(0)) is not None:
            own.append(block.epoch * per_epoch + block.index)
        assert sum(rest.blocks for rest in rests) == len(own)
        taken += own
        ends.append([rest.blocks_done for rest in rests if not rest.inside])
    assert sorted(taken) == list(range(begin, len(blocks)))
    assert all(each == ends[0] for each in ends) and ends[0][-1] == len(blocks)
