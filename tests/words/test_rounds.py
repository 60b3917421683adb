"""`deterministic`: several threads in rounds give the same bits whatever their speed; and what
`state` holds is enough to go on."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest

from w2v.settings.build import build_config
from w2v.training.engine import Tally
from w2v.training.schedule import Block
from w2v.words.fused import HogwildEngine, memory_bytes

V, BLOCK = 300, 700
COUNTS = 1 + 3000 // np.arange(1, V + 1)
LOSSES = [
    {"loss": "neg"},
    {"loss": "nce", "nce_bias": "true", "nce_log_z": "learned"},
    {"loss": "hsigmoid+neg", "model": "cbow"},
]


def engine_of(
    threads: int, deterministic: bool = True, words: int = 12 * BLOCK, **settings: object
) -> HogwildEngine:
    given = {
        "dim": "12",
        "sample": "0.01",
        "threads": threads,
        "deterministic": deterministic,
        **settings,
    }
    config = build_config({"corpus": ("x",), **{name: str(value) for name, value in given.items()}})
    share = 1 / np.arange(1, V + 1)
    ids = np.random.default_rng(5).choice(V, words, p=share / share.sum()).astype(np.int32)
    ids[::23] = -1
    engine = HogwildEngine(config, ids, COUNTS)
    engine.initialise()
    return engine


def block(number: int) -> Block:
    return Block(0, number, number * BLOCK, (number + 1) * BLOCK, 0.0)


def train_rounds(
    engine: HogwildEngine,
    rounds: range,
    order: Callable[[int], list[int]] | None = None,
    last: int | None = None,
) -> None:
    """Each thread one block per round, at once, or one after another in an `order`; `last` blocks
    in the last round."""
    for number in rounds:
        blocks = last if last is not None and number == rounds[-1] else engine.threads

        def work(thread: int, number: int = number) -> None:
            engine.train(block(number * engine.threads + thread), 0.05, thread)

        if order is None:
            workers = [threading.Thread(target=work, args=(thread,)) for thread in range(blocks)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        else:
            for thread in [thread for thread in order(number) if thread < blocks]:
                work(thread)
        engine.end_round(blocks)


def bits(engine: HogwildEngine) -> dict[str, bytes]:
    return {name: np.ascontiguousarray(array).tobytes() for name, array in engine.state().items()}


@pytest.mark.parametrize("options", LOSSES, ids=lambda options: options["loss"])
@pytest.mark.parametrize("threads", [2, 3])
def test_the_threads_speed_does_not_matter(threads: int, options: dict[str, str]) -> None:
    orders = [
        None,
        None,
        lambda number: list(range(threads)),
        lambda number: list(range(threads))[::-1],
    ]
    found = []
    for order in orders:
        engine = engine_of(threads, **options)
        assert engine.in_rounds
        start = bits(engine)
        train_rounds(engine, range(4), order, last=threads - 1)  # the last round is not full
        found.append(bits(engine))
    assert all(found[0][name] != start[name] for name in start)
    assert all(each == found[0] for each in found[1:])


@pytest.mark.parametrize("options", LOSSES, ids=lambda options: options["loss"])
def test_a_round_adds_up_what_the_threads_changed(options: dict[str, str]) -> None:
    """The sum of the threads' changes, damped by (1 + x) / (1 + N x), x = 0.4 · lr · uses by each
    of the N threads that have used the row; a learnt log Z moves by their mean."""
    together = engine_of(3, **options)
    train_rounds(together, range(1))  # output rows start at 0: now they are something
    state = {name: np.array(array) for name, array in together.state().items()}
    changes: dict[str, list[np.ndarray]] = {name: [] for name in state}
    for thread in range(3):
        alone = engine_of(1, **options)
        alone.load_state(state)
        alone.train(block(3 + thread), 0.05, 0)
        for name, array in alone.state().items():
            changes[name].append(array.astype(float) - state[name])
    for thread in range(3):
        together.train(block(3 + thread), 0.05, thread)
    weights = together.weights
    tables = {"input": weights.input, "output.weight": weights.noise, "output.bias": weights.noise}
    tables |= {"output.path.weight": weights.path, "output.noise.weight": weights.noise}
    uses = {name: tables[name].uses.copy() for name in state if name in tables}
    together.end_round(3)
    for name, array in together.state().items():
        if name == "output.log_z":
            factor = np.float64(1 / 3)
        else:
            assert uses[name].sum() > 1000
            users = np.maximum(1, (uses[name] > 0).sum(0))
            x = 0.4 * 0.05 * uses[name].sum(0) / users
            factor = np.where(users > 1, (1 + x) / (1 + users * x), 1.0)
            assert factor.min() < 0.5 and factor.max() > 0.8
            factor = factor.reshape(-1, *[1] * (array.ndim - 1))
        expected = state[name] + factor * sum(changes[name])
        np.testing.assert_allclose(array, expected, rtol=1e-5, atol=2e-7, err_msg=name)
    for table in weights.tables:
        for thread in range(3):
            assert (table.own(thread) == table.matrix).all()
    for table in (weights.input, weights.path, weights.noise):
        assert not table.uses.any()


@pytest.mark.parametrize(
    "options", [{"loss": "neg"}, {"loss": "hsigmoid"}, {"loss": "neg", "model": "cbow"}]
)
def test_many_threads_learn_as_one_does(options: dict[str, str]) -> None:
    """Frequent rows do not swing, which plain sums over 8 threads let them do until the loss is
    infinite."""
    losses = []
    for threads in (1, 8):
        engine = engine_of(threads, words=16 * 4000, sample=0, **options)
        tally = Tally()
        for number in range(16 // threads):
            for thread in range(threads):
                start = (number * threads + thread) * 4000
                tally.add(engine.train(Block(0, 0, start, start + 4000, 0.0), 0.05, thread))
            engine.end_round(threads)
        losses.append(tally.mean_loss)
    assert losses[1] < 1.15 * losses[0]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("options", LOSSES, ids=lambda options: options["loss"])
def test_the_state_is_all_that_training_goes_on_from(options: dict[str, str], threads: int) -> None:
    whole, first, second = (engine_of(threads, **options) for _ in range(3))
    train_rounds(whole, range(5))
    train_rounds(first, range(3))
    state = {name: np.array(array) for name, array in first.state().items()}
    assert all(array.dtype == np.float32 for array in state.values())
    train_rounds(second, range(2))  # something else before
    second.load_state(state)
    train_rounds(second, range(3, 5))
    assert bits(second) == bits(whole)


def test_the_state_has_the_layers_names_and_shapes() -> None:
    import torch

    from w2v.losses.layers import make_layer

    for options in (*LOSSES, {"loss": "hsigmoid"}, {"loss": "sampled-softmax"}):
        engine = engine_of(1, **options)
        layer = make_layer(
            engine.config.training.loss, 12, torch.from_numpy(COUNTS), engine.config.loss
        )
        expected = {
            f"output.{name}": tuple(array.shape) for name, array in layer.state_dict().items()
        }
        found = {name: array.shape for name, array in engine.state().items()}
        assert found == {"input": (V, 12), **expected}


def test_the_learnt_log_z_starts_at_log_v() -> None:
    engine = engine_of(1, loss="nce", nce_log_z="learned")
    assert engine.state()["output.log_z"] == pytest.approx(np.log(V))


def test_a_state_that_does_not_fit_is_refused() -> None:
    engine = engine_of(1)
    with pytest.raises(ValueError, match=r"the state lacks 'output.weight'"):
        engine.load_state({"input": np.zeros((V, 12), np.float32)})
    with pytest.raises(
        ValueError,
        match=r"output.weight is float32 \[299, 12\] in the state, but float32 \[300, 12\]",
    ):
        engine.load_state(
            {name: np.zeros((V - (name != "input"), 12), np.float32) for name in engine.state()}
        )


def test_one_thread_is_deterministic_anyway() -> None:
    plain, asked = engine_of(1, deterministic=False), engine_of(1)
    assert not asked.in_rounds
    train_rounds(plain, range(2))
    train_rounds(asked, range(2))
    assert bits(plain) == bits(asked)


def test_rounds_take_memory_for_every_thread() -> None:
    plain, rounds = (engine_of(3, deterministic=on).config for on in (False, True))
    row = 64 + 4  # and a count of its uses
    assert (
        memory_bytes(rounds, 100_000) - memory_bytes(plain, 100_000)
        == 2 * 3 * (100_000 - 2 * 1024) * row
    )
    assert memory_bytes(engine_of(1).config, 1000) == memory_bytes(
        engine_of(1, deterministic=False).config, 1000
    )


def test_rounds_are_short() -> None:
    ids = np.tile(np.append(np.arange(30), -1), 100_000).astype(np.int32)
    for options in ({}, {"model": "cbow"}, {"loss": "hsigmoid"}):
        config = engine_of(2, **options).config
        assert (
            np.diff(HogwildEngine(config, ids, np.ones(30, np.int64)).bounds()).max()
            < 280_000 / 4 + 31
        )


@pytest.mark.parametrize("threads", [2, 3])
def test_whole_runs_repeat_bit_for_bit(train, zipf_lines, threads) -> None:
    settings = {"threads": threads, "deterministic": True, "epochs": 3, "sample": 0.01}
    first, second = (train(zipf_lines, **settings) for _ in range(2))
    assert first.matrix.tobytes() == second.matrix.tobytes()
    # the blocks' losses are added up as they come in
    assert first.summary.final_loss == pytest.approx(second.summary.final_loss, rel=1e-12)
