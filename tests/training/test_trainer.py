"""The training loop with engines made for these tests: what is handed out, counted and reported,
and what ends it."""

import math
import threading
import time

import numpy as np
import pytest

import w2v.training.trainer
from w2v.training.report import SilentReporter
from w2v.training.result import Diverged
from w2v.training.schedule import Blocks, Schedule
from w2v.training.task import Job
from w2v.training.trainer import Trainer
from w2v.words.fused import Tally

BOUNDS = np.array([0, 10, 25, 40])
ALL = [(epoch, index) for epoch in range(3) for index in range(3)]


class FakeEngine:
    """Every word is one prediction with a loss of epoch + 1 nats. Records which thread trained
    which block at which rate."""

    name = "fake"
    in_rounds = False

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads
        self.calls: list[tuple[tuple[int, int], float, int]] = []

    def train(self, block, lr, thread):
        self.calls.append(((block.epoch, block.index), lr, thread))
        size = block.stop - block.start
        return Tally(float(size * (block.epoch + 1)), size, read=size, trained=size)


class Listener(SilentReporter):
    """Records all progress."""

    def __init__(self) -> None:
        self.progress: list = []

    def training(self, progress):
        self.progress.append(progress)


def trainer(engine, epochs: int, **more) -> Trainer:
    return Trainer(Job(engine, Blocks(BOUNDS, epochs), Schedule(0.5)), **more)


def never() -> threading.Event:
    return threading.Event()


@pytest.fixture(autouse=True)
def no_thread_left():
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def test_one_thread_trains_all_blocks_in_order_at_falling_rates():
    engine = FakeEngine()
    result = trainer(engine, 3).run(SilentReporter(), never())
    assert [key for key, _, _ in engine.calls] == ALL
    places = [0, 10, 25, 40, 50, 65, 80, 90, 105]
    assert [lr for _, lr, _ in engine.calls] == pytest.approx(
        [0.5 * (1 - place / 120) for place in places]
    )
    assert (result.fraction, result.interrupted, result.total.read) == (1, False, 120)
    assert [tally.mean_loss for tally in result.epochs] == [1, 2, 3]
    assert result.total.mean_loss == 2


@pytest.mark.parametrize("threads", [2, 7, 20])
def test_threads_share_the_blocks(threads):
    engine = FakeEngine(threads)
    result = trainer(engine, 3).run(SilentReporter(), never())
    assert sorted(key for key, _, _ in engine.calls) == ALL
    assert {thread for _, _, thread in engine.calls} <= set(range(threads))
    assert (result.fraction, result.total.read) == (1, 120)


def test_threads_work_at_the_same_time():
    meeting = threading.Barrier(2, timeout=300)

    class Meeting(FakeEngine):
        def train(self, block, lr, thread):
            if block.index == block.epoch == 0 or (block.epoch, block.index) == (0, 1):
                meeting.wait()
            return super().train(block, lr, thread)

    engine = Meeting(2)
    trainer(engine, 1).run(SilentReporter(), never())
    assert {thread for _, _, thread in engine.calls} == {0, 1}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), MemoryError()])
def test_a_worker_that_raises_ends_the_run(threads, error):
    class Failing(FakeEngine):
        def train(self, block, lr, thread):
            if (block.epoch, block.index) == (1, 1):
                raise error
            return super().train(block, lr, thread)

    engine = Failing(threads)
    with pytest.raises(type(error)) as caught:
        trainer(engine, 1000).run(SilentReporter(), never())
    assert caught.value is error
    assert len(engine.calls) < 3000


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_ends_the_run(loss):
    class Diverging(FakeEngine):
        def train(self, block, lr, thread):
            tally = super().train(block, lr, thread)
            return Tally(loss, 1) if (block.epoch, block.index) == (1, 2) else tally

    engine = Diverging()
    message = (
        rf"loss became {loss} in epoch 2 after 54.2 % of the words \(step 5\) at learning rate"
        r" 0.2292; .*`lr`"
    )
    with pytest.raises(Diverged, match=message + r" \(given: 0.5\)$"):
        trainer(engine, 3).run(SilentReporter(), never())
    assert engine.calls[-1][0] == (1, 2)


def test_a_reporter_that_raises_ends_the_run():
    class Broken(SilentReporter):
        def training(self, progress):
            raise BrokenPipeError

    began = time.perf_counter()

    class Idle(FakeEngine):
        def train(self, block, lr, thread):
            time.sleep(0.001)
            if time.perf_counter() - began > 300:
                raise TimeoutError
            return Tally()

    with pytest.raises(BrokenPipeError):
        trainer(Idle(2), 10**9).run(Broken(), never())
    assert time.perf_counter() - began < 300


def test_stopped_before_it_begins():
    engine, stop = FakeEngine(2), never()
    stop.set()
    result = trainer(engine, 3).run(SilentReporter(), stop)
    assert engine.calls == []
    assert (result.fraction, result.interrupted, result.epochs, result.total.read) == (
        0,
        True,
        [],
        0,
    )
    assert math.isnan(result.total.mean_loss)


def test_stopped_on_the_way_what_was_begun_is_finished_and_counted():
    stop = never()

    class Stopping(FakeEngine):
        def train(self, block, lr, thread):
            if (block.epoch, block.index) == (1, 0):
                stop.set()
            return super().train(block, lr, thread)

    engine = Stopping()
    result = trainer(engine, 3).run(SilentReporter(), stop)
    assert [key for key, _, _ in engine.calls] == ALL[:4]
    assert result.interrupted
    assert result.fraction == pytest.approx(50 / 120)
    assert [tally.read for tally in result.epochs] == [40, 10]


def test_a_stop_after_the_last_block_interrupts_nothing():
    stop = never()

    class Stopping(FakeEngine):
        def train(self, block, lr, thread):
            if (block.epoch, block.index) == (2, 2):
                stop.set()
            return super().train(block, lr, thread)

    assert not trainer(Stopping(), 3).run(SilentReporter(), stop).interrupted


def test_progress_and_metrics(monkeypatch):
    for name in ("REPORT_SECONDS", "METRICS_SECONDS"):
        monkeypatch.setattr(w2v.training.trainer, name, 0.0)
    monkeypatch.setattr(w2v.training.trainer, "POLL_SECONDS", 0.005)

    listener = Listener()

    class Reported(FakeEngine):
        def train(self, block, lr, thread):
            so_far = len(listener.progress)
            while len(listener.progress) == so_far:
                time.sleep(0.001)
            return super().train(block, lr, thread)

    result = trainer(Reported(), 3).run(listener, never())
    first, last = listener.progress[0], listener.progress[-1]
    assert (first.fraction, first.words, first.epoch, first.lr) == (0, 0, 1, 0.5)
    assert math.isnan(first.loss) and math.isnan(first.seconds_left)
    assert (last.fraction, last.words, last.epoch, last.seconds_left) == (1, 120, 3, 0)
    fractions = [progress.fraction for progress in listener.progress]
    assert fractions == sorted(fractions)
    assert len(set(fractions)) >= 5
    for progress in listener.progress:
        assert progress.lr == pytest.approx(max(5e-5, 0.5 * (1 - progress.fraction)))
        assert progress.words == pytest.approx(120 * progress.fraction)
        assert math.isnan(progress.loss) or 1 <= progress.loss <= 3
        if 0 < progress.fraction < 1:
            assert progress.seconds_left > 0
            assert progress.epoch == int(3 * progress.fraction) + 1
    # the mean losses since the last report, weighted by the words since then, make up the whole
    words = np.diff([0, *(progress.words for progress in listener.progress)])
    losses = [0.0 if math.isnan(progress.loss) else progress.loss for progress in listener.progress]
    assert float(words @ losses) == pytest.approx(result.total.loss)
    assert result.metrics[-1]["fraction"] == 1
    ends = [metric for metric in result.metrics if "epoch_loss" in metric]
    assert [(metric["epoch"], metric["words"]) for metric in ends] == [(1, 40), (2, 80), (3, 120)]
    assert [metric["epoch_loss"] for metric in ends] == [tally.mean_loss for tally in result.epochs]
    others = {metric["words"] for metric in result.metrics if "epoch_loss" not in metric}
    assert others <= {progress.words for progress in listener.progress} and len(others) > 2
    assert all(metric["loss"] is None or 1 <= metric["loss"] <= 3 for metric in result.metrics)
    assert result.seconds >= 9 * 0.001


def test_a_run_of_very_many_epochs_begins_at_once():
    stop = never()
    stop.set()
    began = time.perf_counter()
    trainer(FakeEngine(), 10**12).run(SilentReporter(), stop)
    assert time.perf_counter() - began < 300


class Rounds(FakeEngine):
    """Records the blocks of every round."""

    in_rounds = True

    def __init__(self, threads):
        super().__init__(threads)
        self.ends = []

    def end_round(self, blocks):
        self.ends.append(blocks)


class Pauser:
    """Asks for a pause after every block, and ends training at the pause after `last` blocks."""

    name = "pauser"
    epoch_ends = False

    def __init__(self, last=10**9):
        self.last, self.rests = last, []

    def due(self, words):
        return True

    def on_pause(self, pause, result):
        self.rests.append(
            (pause.blocks_done, pause.epoch_ended, result.total.read, result.fraction)
        )
        return pause.blocks_done >= self.last


@pytest.mark.parametrize("last", [2, 3, 5, 6])
def test_rounds_go_on_where_they_stopped(last):
    """With two threads, an epoch of three blocks has a round of two blocks and one of a single
    block."""
    whole, first, second = Rounds(2), Rounds(2), Rounds(2)
    trainer(whole, 3).run(SilentReporter(), never())
    before = trainer(first, 3, watchers=[Pauser(last)])
    result = before.run(SilentReporter(), never())
    assert before.blocks_done == last
    after = trainer(second, 3, blocks_done=last, result=result)
    result = after.run(SilentReporter(), never())
    assert sorted(first.calls + second.calls) == sorted(whole.calls)
    assert first.ends + second.ends == whole.ends == [2, 1] * 3
    assert (result.total.read, result.fraction, after.blocks_done) == (120, 1, 9)
    assert [tally.read for tally in result.epochs] == [40, 40, 40]


def test_a_watcher_that_asks_after_every_block_sees_every_block():
    pauser = Pauser()
    trainer(FakeEngine(), 2, watchers=[pauser]).run(SilentReporter(), never())
    assert pauser.rests == [
        (1, None, 10, 10 / 80),
        (2, None, 25, 25 / 80),
        (3, 0, 40, 40 / 80),
        (4, None, 50, 50 / 80),
        (5, None, 65, 65 / 80),
        (6, 1, 80, 1),
    ]


@pytest.mark.parametrize("threads", [1, 3])
def test_a_run_that_is_done_trains_nothing_more(threads):
    engine = FakeEngine(threads)
    again = trainer(engine, 3, watchers=[Pauser()], blocks_done=9)
    result = again.run(SilentReporter(), never())
    assert engine.calls == []
    assert (result.fraction, result.interrupted, again.blocks_done) == (1, False, 9)
