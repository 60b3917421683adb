"""The engine for GPU kernels in Triton's interpreter: the state that it shares with the CPU engine,
what it trains, measures and refuses. (Runs on the command line: test_engine_runs.py.)"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

import w2v.run
import w2v.words.gpu
from w2v.errors import InputError, RunError
from w2v.settings.build import build_config
from w2v.settings.config import Config
from w2v.training.device import find_device
from w2v.training.engine import WordEngine
from w2v.training.schedule import Block, Blocks
from w2v.training.task import Context
from w2v.words.fused import HogwildEngine
from w2v.words.gpu import TritonEngine, block_words

pytestmark = pytest.mark.triton

V = 23
LOSSES: list[dict[str, str]] = [
    {"loss": "neg"},
    {"loss": "nce", "nce_bias": "true", "nce_log_z": "learned"},
    {"loss": "nce", "nce_bias": "true"},
    {"loss": "sampled-softmax"},
    {"loss": "hsigmoid"},
    {"loss": "hsigmoid+neg", "model": "cbow"},
]


def config_of(engine: str = "triton", **settings: object) -> Config:
    given = {"dim": 20, "window": 3, "threads": 1, "sample": 0, "epochs": 2, **settings}
    texts = {name: str(value) for name, value in given.items()}
    return build_config({"corpus": ("x",), "engine": engine, **texts})


def text(length: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Returns ids of lines of 9 words, some of them rare, and the counts of V words."""
    random = np.random.default_rng(1)
    ids = np.minimum(random.zipf(1.3, length) - 1, V + 1).astype(np.int32)
    ids[9::10] = -1
    return ids, np.sort(np.bincount(ids[(ids >= 0) & (ids < V)], minlength=V) + 1)[::-1]


def both(ids: np.ndarray, **settings: object) -> tuple[HogwildEngine, TritonEngine]:
    counts = text()[1]
    engines = (
        HogwildEngine(config_of("hogwild", **settings), ids, counts),
        TritonEngine(config_of(**settings), ids, counts),
    )
    for engine in engines:
        engine.initialise()
    return engines


def assert_equal(a: WordEngine, b: WordEngine, **tolerance: float) -> None:
    first, second = a.state(), b.state()
    assert [*first] == [*second]
    for name, array in first.items():
        assert (array.shape, array.dtype) == (second[name].shape, second[name].dtype), name
        np.testing.assert_allclose(array, second[name], err_msg=name, **(tolerance or {"rtol": 0}))


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_both_engines_begin_alike_and_go_on_with_each_others_state(loss: dict[str, str]) -> None:
    hogwild, triton = both(text()[0], **loss)
    assert_equal(hogwild, triton)
    random = np.random.default_rng(2)
    state = {
        name: random.normal(size=array.shape).astype(np.float32)
        for name, array in hogwild.state().items()
    }
    hogwild.load_state(state)
    triton.load_state(hogwild.state())
    assert_equal(hogwild, triton)
    triton.load_state({name: -array for name, array in state.items()})
    hogwild.load_state(triton.state())
    assert_equal(hogwild, triton)
    np.testing.assert_array_equal(hogwild.vectors, -state["input"])
    padding = triton._parameters.input[:, 20:]
    assert padding.shape == (V, 12) and not padding.any()
    for odd in ({"input": state["input"]}, {**state, "input": np.zeros((V, 21), np.float32)}):
        with pytest.raises(ValueError, match=r"state|input is float32"):
            triton.load_state(odd)


@pytest.mark.parametrize("model", ["skip-gram", "cbow"])
def test_where_nothing_is_drawn_both_engines_learn_and_measure_the_same(model: str) -> None:
    """With paths there is no noise, with windows of 1 there is a single reach, and where no word is
    repeated soon, every window sees all changes. So both engines must compute the same."""
    ids = (np.arange(100) * 7 % (V + 1)).astype(np.int32)
    ids[9::10] = -1
    engines = both(ids, loss="hsigmoid", window=1, model=model, sample=0.05, max_sentence=4, dim=16)
    for block, lr in ((Block(0, 0, 0, 40, 0.0), 0.2), (Block(1, 1, 40, 100, 0.7), 0.1)):
        hogwild, triton = (engine.train(block, lr, 0) for engine in engines)
        counted = [(t.predictions, t.read, t.rare, t.dropped, t.trained) for t in (hogwild, triton)]
        assert counted[0] == counted[1] and min(counted[0]) > 0
        assert triton.loss == pytest.approx(hogwild.loss, rel=3e-5)
    assert_equal(*engines, rtol=1e-4, atol=1e-6)
    before = {name: np.array(array) for name, array in engines[1].state().items()}
    block = Block(0, 3, 0, 50, 0.0)
    hogwild, triton, again = (engine.measure(ids, block, 0) for engine in (*engines, engines[1]))
    assert triton == again
    assert triton.loss == pytest.approx(hogwild.loss, rel=3e-5)
    assert (triton.predictions, triton.trained) == (hogwild.predictions, hogwild.trained)
    for name, array in engines[1].state().items():
        np.testing.assert_array_equal(array, before[name])


def test_random_numbers_belong_to_seed_epoch_and_block(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[tuple[int, bytes]] = []

    def recorded(*given: Any) -> torch.Tensor:
        windows, seed = given[4], given[6]
        seeds.append((seed, windows.reach.numpy().tobytes()))
        return torch.zeros(2, dtype=torch.float64)

    monkeypatch.setattr(w2v.words.gpu, "train_windows", recorded)
    ids, counts = text()
    for seed in (1, 1, 2):
        engine = TritonEngine(config_of(seed=seed), ids, counts)
        for epoch, index in ((0, 0), (0, 1), (1, 0)):
            engine.train(Block(epoch, index, 0, 160, 0.0), 0.1)
        engine.measure(ids, Block(0, 0, 0, 160, 0.0))
    assert seeds[:4] == seeds[4:8]
    assert seeds[3] == seeds[11], "a measurement does not depend on `seed`"
    assert len({*seeds[:3], *seeds[8:]}) == len({seed for seed, _ in seeds}) == 7


class Waits(TorchFunctionMode):
    """Records the operations for which a program waits for a GPU: those that return numbers or need
    lengths."""

    NAMES = ("tolist", "item", "cpu", "nonzero", "bincount", "unique", "masked_select")

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_function__(
        self, function: Any, types: Any, given: Any = (), named: Any = None
    ) -> Any:
        name = getattr(function, "__name__", "")
        chosen = name == "__getitem__" and getattr(given[1], "dtype", None) is torch.bool
        if chosen or name in (*self.NAMES, "__bool__", "__int__", "__float__", "__index__"):
            self.seen.append(name)
        return function(*given, **(named or {}))


@pytest.mark.parametrize("max_sentence", [7, 1_000_000])
def test_a_gpu_is_waited_for_once_a_block(
    max_sentence: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next block is read in advance, with the same content as when it is read later."""
    read: list[tuple[Any, ...]] = []

    def launch(*given: Any) -> torch.Tensor:
        windows, seed = given[4], given[6]
        read.append((windows, seed))
        return torch.tensor([1.5, windows.trained], dtype=torch.float64)

    monkeypatch.setattr(w2v.words.gpu, "train_windows", launch)
    ids, counts = text(400)
    given = {"sample": 0.1, "max_sentence": max_sentence}
    ahead, alone = (TritonEngine(config_of(**given), ids, counts) for _ in range(2))
    blocks = Blocks(ahead.bounds(), 2)
    assert len(blocks) > 5
    order = [*range(len(blocks) - 2), 1, len(blocks) - 2, len(blocks) - 1]  # 1: out of turn
    for place, number in enumerate(order):
        with Waits() as waits:
            tally = ahead.train(blocks[number], 0.1)
        unforeseen = place == 0 or number != order[place - 1] + 1
        assert waits.seen == ["tolist"] * (2 if unforeseen else 1)
        if place == 2:  # which does not disturb
            ahead.measure(ids, blocks[0])
            read.pop()
        assert tally == alone.train(blocks[number], 0.1)
        (found, seed), (same, own) = read[-2:]
        assert seed == own and 0 < found.trained == tally.predictions
        for name, value in vars(same).items():
            torch.testing.assert_close(getattr(found, name), value, rtol=0, atol=0)


def test_a_block_without_words_is_no_work() -> None:
    ids, counts = text()
    ids[:10] = V  # rare
    engine = TritonEngine(config_of(), ids, counts)
    assert engine.train(Block(0, 0, 0, 0, 0.0), 0.1).read == 0
    tally = engine.train(Block(0, 0, 0, 10, 0.0), 0.1)
    assert (tally.read, tally.rare, tally.trained, tally.predictions) == (10, 10, 0, 0)


def test_blocks_are_launches_and_a_64th_of_the_run_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of(epochs=4)
    assert block_words(config, 160_000) == 10_000
    assert block_words(config, 1 << 40) == 1 << 23
    assert block_words(config, 200) == 100
    monkeypatch.setattr(w2v.words.gpu, "interprets_triton", lambda: False)
    assert block_words(config, 200) == 1000


def test_damping_follows_the_learning_rate_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(w2v.words.gpu, "resident_programs", lambda variant, device: 500)
    monkeypatch.setattr(w2v.words.gpu, "program_count", lambda *of: 32)  # a block is cut into fewer
    ids, counts = text()
    engine = TritonEngine(config_of(lr=0.025), ids, counts)
    first = engine._damped(0.025)
    assert engine._damped(0.02476) is first
    assert first.noise is not None
    p, q = counts / counts.sum(), counts**0.75 / (counts**0.75).sum()
    expected = 1 / (1 + 0.4 * 0.025 * (p + 5 * q) * 31)
    np.testing.assert_allclose(first.noise.numpy(), expected, rtol=1e-5)
    later = engine._damped(0.0101)  # as at 0.01025
    expected = 1 / (1 + 0.01025 / 0.025 * (1 / first.input.numpy() - 1))
    np.testing.assert_allclose(later.input.numpy(), expected, rtol=1e-5)
    other = TritonEngine(config_of(lr=0.025), ids, counts)
    assert torch.equal(other._damped(0.0101).input, later.input)


# --------------------------------------------------------------------------------------------------
# Devices, memory, compilers


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that can be asked for its memory and nothing else."""
    monkeypatch.setattr(w2v.words.gpu, "interprets_triton", lambda: False)
    for module in ("words.gpu", "training.device"):
        monkeypatch.setattr(f"w2v.{module}.find_device", lambda *given: torch.device("cuda", 1))
    monkeypatch.setattr(w2v.words.gpu, "free_memory", lambda device: 4 << 30)


def test_memory_is_that_of_the_tables_on_the_gpu(gpu: None) -> None:
    words = 1_000_000
    for loss, tables in (("neg", 2), ("hsigmoid", 2), ("hsigmoid+neg", 3)):
        config = config_of(loss=loss, device="cuda:1", dim=100)
        host, there = TritonEngine.demands(config, words)
        assert (host.where, there.where, there.available) == ("memory", "memory on cuda:1", 4 << 30)
        rows = tables * words * 112 * 4
        assert rows < there.needed < rows + words * 300 + (1 << 30) + (1 << 27)
        assert words * 400 < host.needed < words * 800 + (3 << 30)
    for large in ({"dim": 1000, "window": 5}, {"negatives": 100_000_000}):
        config = config_of(device="cuda:1", **large)
        with pytest.raises(RunError, match=r"of memory on cuda:1, 4.3 GB are free; .*`device` cpu"):
            w2v.run.check_memory(w2v.run.make_task(Context(config)), words)
    assert TritonEngine.describe(config) == "cuda:1; engine triton"


def test_a_compiler_that_fails_is_told_in_a_line(
    gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*given: object) -> None:
        raise RuntimeError("in a kernel\nFailed to find C compiler.")

    monkeypatch.setattr(TritonEngine, "__init__", fails)
    with pytest.raises(RunError) as caught:
        TritonEngine.compile(config_of(device="cuda:1"))
    assert str(caught.value) == (
        "the kernels for cuda:1 cannot be compiled (Failed to find C compiler.);"
        " use `engine` autograd, or `engine` hogwild with `device` cpu"
    )


def test_without_a_gpu_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="`device` cuda: PyTorch finds no CUDA device"):
        TritonEngine.device_of(config_of(device="cuda"))  # the interpreter is for the CPU
    assert TritonEngine.device_of(config_of()) == torch.device("cpu")
    monkeypatch.setattr(w2v.words.gpu, "interprets_triton", lambda: False)
    with pytest.raises(InputError, match="`engine` triton: PyTorch finds no CUDA device"):
        TritonEngine.device_of(config_of())


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("CUDA error: out of memory\nCompile with", "cuda:1 has too little memory; try a smaller"),
        ("Triton Error [CUDA]: out of memory", "cuda:1 has too little memory; try a smaller"),
        ("CUDA error: unspecified launch failure\nCUDA", "cuda:1 failed (CUDA error: unspecified"),
        ("Triton Error [CUDA]: device busy", "cuda:1 failed (Triton Error [CUDA]: device busy): "),
    ],
)
def test_what_a_driver_says_becomes_a_line(
    said: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*given: object) -> None:
        raise RuntimeError(said)

    engine = TritonEngine(config_of(), *text())
    monkeypatch.setattr(engine, "device", torch.device("cuda", 1))
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    monkeypatch.setattr(w2v.words.gpu, "train_windows", fails)
    with pytest.raises(RunError) as caught:
        engine.train(Block(0, 0, 0, 160, 0.0), 0.1)
    assert told in str(caught.value) and "\n" not in str(caught.value)
    said = "in Python"
    with pytest.raises(RuntimeError, match="in Python"):
        engine.train(Block(0, 0, 0, 160, 0.0), 0.1)


def test_a_pytorch_without_cuda_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for version, told in ((None, "is built without CUDA"), ("13.0", "does nvidia-smi list one?")):
        monkeypatch.setattr(torch.version, "cuda", version)
        with pytest.raises(InputError) as caught:
            find_device("cuda")
        assert told in str(caught.value)
