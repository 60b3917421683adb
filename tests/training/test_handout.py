"""Blocks for several workers: their order, pauses in which no worker is busy, and rounds."""

import random
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2v.training.handout import Handout, Pause
from w2v.training.schedule import Blocks


class Crew:
    """Workers that take blocks until there are none left. Records who trained which block, and what
    was finished at every pause."""

    def __init__(
        self,
        blocks: int,
        epochs: int,
        workers: int,
        *,
        ends_at: int | None = None,
        seed: int = 0,
        **how,
    ):
        self.done: list[int] = []
        self.by_worker: dict[int, list[int]] = {worker: [] for worker in range(workers)}
        self.pauses: list[tuple[Pause, list[int]]] = []
        self.at_work = 0
        self.ends_at, self.blocks, self.stop = ends_at, blocks, threading.Event()
        self.lock, self.random = threading.Lock(), random.Random(seed)
        self.handout = Handout(
            Blocks(np.arange(blocks + 1), epochs), workers, self.on_pause, self.stop.is_set, **how
        )
        self.threads = [
            threading.Thread(target=self.work, args=(number,)) for number in range(workers)
        ]

    def on_pause(self, pause: Pause) -> bool:
        assert self.at_work == 0
        self.pauses.append((pause, sorted(self.done)))
        return pause.blocks_done == self.ends_at

    def work(self, worker: int) -> None:
        while (block := self.handout.next(worker)) is not None:
            with self.lock:
                self.at_work += 1
            time.sleep(self.random.random() / 2000)
            self.during(block)
            with self.lock:
                self.at_work -= 1
                self.done.append(block.epoch * self.blocks + block.index)
                self.by_worker[worker].append(self.done[-1])

    def during(self, block) -> None:
        pass

    def note_begun(self) -> None:
        """Records how many blocks have been begun by now."""
        with self.lock:
            self.begun = len(self.done) + self.at_work

    def run(self) -> "Crew":
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive()
        return self


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 7),
    st.integers(1, 3),
    st.integers(1, 4),
    st.booleans(),
    st.booleans(),
    st.integers(0, 20),
)
def test_every_block_is_done_once_and_nobody_works_during_a_pause(
    blocks, epochs, workers, rounds, epoch_ends, begin
):
    begin = min(begin, blocks * epochs - 1)
    crew = Crew(
        blocks, epochs, workers, in_rounds=rounds, epoch_ends=epoch_ends, blocks_done=begin
    ).run()
    assert sorted(crew.done) == list(range(begin, blocks * epochs))
    before = begin
    for pause, done in crew.pauses:
        assert done == list(range(begin, pause.blocks_done))
        assert pause.blocks == pause.blocks_done - before > 0
        assert (pause.epoch_ended is not None) == (pause.blocks_done % blocks == 0)
        before = pause.blocks_done
    assert before == blocks * epochs
    if epoch_ends or rounds:
        ended = [pause.epoch_ended for pause, _ in crew.pauses if pause.epoch_ended is not None]
        assert ended == list(range(begin // blocks, epochs))
    else:
        assert len(crew.pauses) == 1


@pytest.mark.parametrize("seed", range(3))
def test_in_rounds_the_worker_of_a_block_does_not_depend_on_time(seed):
    crew = Crew(8, 2, 3, in_rounds=True, seed=seed).run()
    assert crew.by_worker == {0: [0, 3, 6, 8, 11, 14], 1: [1, 4, 7, 9, 12, 15], 2: [2, 5, 10, 13]}
    assert [pause.blocks for pause, _ in crew.pauses] == [3, 3, 2, 3, 3, 2]


@pytest.mark.parametrize("rounds", [False, True])
def test_a_pause_is_a_rest_soon_and_training_goes_on(rounds):
    class Pausing(Crew):
        def during(self, block):
            if block.index == 30 and block.epoch == 0:
                self.handout.pause()
                self.note_begun()

    crew = Pausing(100, 2, 2, in_rounds=rounds).run()
    assert sorted(crew.done) == list(range(200))
    done = [pause.blocks_done for pause, _ in crew.pauses]
    # the other worker may just be getting one
    assert any(31 <= blocks <= crew.begun + 1 for blocks in done) and (rounds or len(done) == 2)


@pytest.mark.parametrize("rounds", [False, True])
def test_a_stop_ends_with_a_rest_and_whole_rounds(rounds):
    class Stopping(Crew):
        def during(self, block):
            if block.index == 30:
                self.stop.set()
                self.note_begun()

    crew = Stopping(100, 2, 2, in_rounds=rounds).run()
    last, done = crew.pauses[-1]
    assert done == list(range(last.blocks_done)) == sorted(crew.done)
    assert 31 <= last.blocks_done <= crew.begun + 1
    assert not rounds or last.blocks_done % 2 == 0


def test_at_rest_can_end_the_run():
    crew = Crew(10, 5, 2, epoch_ends=True, ends_at=20).run()
    assert sorted(crew.done) == list(range(20))


def test_an_error_at_rest_leaves_nobody_waiting():
    class Failing(Crew):
        failed = 0

        def on_pause(self, pause):
            raise OSError("disk full")

        def work(self, worker):
            try:
                super().work(worker)
            except OSError:
                self.failed += 1
                self.handout.end()

    assert Failing(10, 2, 3, epoch_ends=True).run().failed >= 1
