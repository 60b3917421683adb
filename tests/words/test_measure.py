"""The loss that an engine measures on another text equals that of the definition up to float32
rounding, and measuring changes nothing."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from tests.kernels import reference
from tests.kernels.engines import definition_of, make_engine, random_text
from w2v.losses.table import LOSSES
from w2v.settings.build import build_config
from w2v.training.engine import MEASURED_SEED, block_seeds, read_only
from w2v.training.schedule import Block
from w2v.tree import huffman
from w2v.words.autograd import AutogradEngine
from w2v.words.fused import HogwildEngine

V, DIM = 40, 12  # as in the kernels' tests: the same machine code
COUNTS = 1 + 2000 // np.arange(1, V + 1)
FEW_ROWS = [name for name, entry in LOSSES.items() if entry.fused]
NOISY = [name for name in FEW_ROWS if name != "hsigmoid"]
LEARNT_Z = {"loss": "nce", "nce_bias": "true", "nce_log_z": "learned"}


def text_of(words: int = 900, seed: int = 3) -> np.ndarray:
    """Returns ids in lines of about ten words; some ids are beyond the vocabulary."""
    random = np.random.default_rng(seed)
    ids = np.minimum(random.zipf(1.5, words) - 1, V + 2).astype(np.int32)
    ids[random.random(words) < 0.1] = -1
    return read_only(ids)


def whole(ids: np.ndarray) -> Block:
    return Block(0, 0, 0, len(ids), 0.0)


def engine_of(ids: np.ndarray, **settings: object) -> HogwildEngine | AutogradEngine:
    """Returns an engine with random values for all parameters."""
    given = {"dim": DIM, "threads": 1, "sample": 0, "window": 1, **settings}
    config = build_config({"corpus": ("x",), **{name: str(value) for name, value in given.items()}})
    engine = (HogwildEngine if config.training.engine == "hogwild" else AutogradEngine)(
        config, ids, COUNTS
    )
    engine.initialise()
    random = np.random.default_rng(7)
    state = {name: np.array(array) for name, array in engine.state().items()}
    for name, array in state.items():
        if not name.startswith("optimizer"):
            array[...] = random.normal(0, 0.5, array.shape)
    engine.load_state(state)
    return engine


def bits(engine: HogwildEngine | AutogradEngine) -> dict[str, bytes]:
    """Returns everything from which training continues; for hogwild also thread-own rows and their
    use counts."""
    found = {name: np.ascontiguousarray(array).tobytes() for name, array in engine.state().items()}
    if isinstance(engine, HogwildEngine):
        for number, table in enumerate(engine.weights.tables):
            found |= {
                f"table {number}": table.floats.tobytes(),
                f"uses {number}": table.uses.tobytes(),
            }
    return found


def examples(ids: np.ndarray, cbow: bool) -> list[tuple[tuple[int, ...], int]]:
    """Returns (contexts, target) of windows of 1: neighbours among the known words of a line."""
    found = []
    for line in np.split(ids, np.flatnonzero(ids < 0) + 1):
        words = [int(word) for word in line if 0 <= word < V]
        for i, target in enumerate(words):
            contexts = words[max(0, i - 1) : i] + words[i + 1 : i + 2]
            found += (
                [(tuple(contexts), target)] * bool(contexts)
                if cbow
                else [((word,), target) for word in contexts]
            )
    return found


def log_sigmoid(z: np.ndarray) -> np.ndarray:
    return -np.logaddexp(0, -z)


def path_nll(weight: np.ndarray, hidden: np.ndarray, target: int) -> float:
    nodes, codes = huffman(COUNTS).path(target)
    return -float(log_sigmoid((1 - 2 * codes) * (weight[nodes] @ hidden)).sum())


def softmax_nll(scores: np.ndarray, place: int) -> float:
    return float(np.logaddexp.reduce(scores) - scores[place])


def adaptive_nll(state: dict[str, np.ndarray], hidden: np.ndarray, target: int) -> float:
    """Returns -log P for clusters of 10, 10 and 20 words; the head has two more entries, for the
    second and the third cluster."""
    parts = {
        name.removeprefix("output."): array
        for name, array in state.items()
        if name.startswith("output.")
    }
    head = parts["head.weight"] @ hidden
    if target < 10:
        return softmax_nll(head, target)
    cluster, first = (0, 10) if target < 20 else (1, 20)
    down, up = parts[f"tail.{cluster}.0.weight"], parts[f"tail.{cluster}.1.weight"]
    return softmax_nll(head, 10 + cluster) + softmax_nll(up @ (down @ hidden), target - first)


@pytest.mark.parametrize("model", ["skip-gram", "cbow"])
@pytest.mark.parametrize("options", [*({"loss": loss} for loss in FEW_ROWS), LEARNT_Z], ids=str)
def test_the_kernel_measures_what_the_definition_says(
    options: dict[str, object], model: str
) -> None:
    """Windows, subsampling and noise words are drawn again from the same seeds in plain Python;
    losses are computed in float64."""
    ids, counts = random_text(700, 60, 12)
    settings = {"model": model, "dim": DIM, "window": 4, "sample": 0.02, "seed": 99, **options}
    engine = make_engine(np.zeros(1, np.int32), counts, **settings)
    definition, before = definition_of(engine, counts), bits(engine)
    found = engine.measure(read_only(ids), whole(ids), 0)
    key, own = (int(seed) for seed in block_seeds(MEASURED_SEED, whole(ids)))
    loss, predictions, trained = reference.train(
        definition, ids, engine._keep, 4, 1000, 0.0, key, own
    )
    assert (found.predictions, found.trained) == (predictions, trained)
    assert found.rare == int((ids >= 60).sum()) > 0 < found.dropped
    np.testing.assert_allclose(found.loss, loss, rtol=2e-6)
    assert bits(engine) == before


@pytest.mark.parametrize("model", ["skip-gram", "cbow"])
@pytest.mark.parametrize(
    ("loss", "engine"),
    [
        ("hsigmoid", "hogwild"),
        ("hsigmoid", "autograd"),
        ("softmax", "autograd"),
        ("adaptive-softmax", "autograd"),
    ],
)
def test_exact_losses_give_the_mean_negative_log_probability(
    loss: str, engine: str, model: str
) -> None:
    more = {"cutoffs": "10,20", "div_value": 2} if loss == "adaptive-softmax" else {}
    trained = engine_of(text_of(seed=1), loss=loss, model=model, engine=engine, **more)
    ids, before = text_of(), bits(trained)
    state = {name: array.astype(float) for name, array in trained.state().items()}
    expected = []
    for contexts, target in examples(ids, model == "cbow"):
        hidden = state["input"][list(contexts)].mean(0)
        if loss == "hsigmoid":
            expected.append(path_nll(state["output.weight"], hidden, target))
        elif loss == "softmax":
            expected.append(softmax_nll(state["output.weight"] @ hidden, target))
        else:
            expected.append(adaptive_nll(state, hidden, target))
    found = trained.measure(ids, whole(ids), 0)
    assert found.predictions == len(expected) > 500
    assert found.mean_loss == pytest.approx(np.mean(expected), rel=2e-6)
    assert found.mean_loss < np.log(V) * 3
    assert bits(trained) == before


@pytest.mark.parametrize("model", ["skip-gram", "cbow"])
@pytest.mark.parametrize("loss", NOISY)
def test_autograd_measures_with_the_noise_it_draws(
    loss: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The noise words are recorded when they are drawn; everything else is computed again in
    float64."""
    trained = engine_of(text_of(seed=1), loss=loss, model=model, engine="autograd", batch_size=2000)
    ids, before = text_of(), bits(trained)
    state = {name: array.astype(float) for name, array in trained.state().items()}
    layer = trained.layer.noise if loss == "hsigmoid+neg" else trained.layer
    heard = []
    loss_with = layer.loss_with
    monkeypatch.setattr(layer, "loss_with", lambda *given: heard.append(given) or loss_with(*given))
    found = trained.measure(ids, whole(ids), 0)
    assert len(heard) == 1
    samples, hidden, targets, row_of = heard[0]
    rows = np.arange(len(targets)) if row_of is None else row_of.numpy()
    hidden, targets = hidden.double().numpy(), targets.numpy()
    wanted = Counter(
        (tuple(np.round(state["input"][list(contexts)].mean(0), 4)), target)
        for contexts, target in examples(ids, model == "cbow")
    )
    assert (
        Counter(
            (tuple(np.round(hidden[row], 4)), target)
            for row, target in zip(rows, targets, strict=True)
        )
        == wanted
    )
    k, q = 5, COUNTS**0.75 / (COUNTS**0.75).sum()
    weight = state["output.noise.weight" if loss == "hsigmoid+neg" else "output.weight"]
    tries = (
        None
        if samples.num_tries is None
        else np.broadcast_to(np.asarray(samples.num_tries), len(hidden))
    )
    expected = []
    for row, target in zip(rows, targets, strict=True):
        noise = samples.sampled[row].numpy()
        z_t, z = weight[target] @ hidden[row], weight[noise] @ hidden[row]
        others = noise != target
        if loss == "nce":
            z_t, z = (s - math.log(V) - np.log(k * q[w]) for s, w in ((z_t, target), (z, noise)))
            others[:] = True
        if loss == "sampled-softmax":
            assert len(set(noise.tolist())) == k
            # k distinct ones in k tries: TensorFlow's
            count = k * q if tries[row] == k else 1 - (1 - q) ** tries[row]
            z_t, z = z_t - np.log(count[target]), z - np.log(count[noise])
            expected.append(softmax_nll(np.append(z[others], z_t), int(others.sum())))
            continue
        value = -float(log_sigmoid(z_t) + log_sigmoid(-z[others]).sum())
        if loss == "hsigmoid+neg":
            value += path_nll(state["output.path.weight"], hidden[row], target)
        expected.append(value)
    assert found.predictions == len(expected) > 500
    assert found.mean_loss == pytest.approx(np.mean(expected), rel=2e-6)
    assert bits(trained) == before


@pytest.mark.parametrize("model", ["skip-gram", "cbow"])
@pytest.mark.parametrize(
    ("engine", "loss"),
    [("autograd", name) for name in LOSSES] + [("hogwild", name) for name in FEW_ROWS],
)
def test_every_loss_measures_what_training_prints(engine: str, loss: str, model: str) -> None:
    """Training with a rate of nearly 0 and the seed of measurements reports the same loss."""
    ids = text_of()
    settings = {"loss": loss, "model": model, "engine": engine, "window": 3, "sample": 0.05}
    trained = engine_of(ids, seed=MEASURED_SEED, **settings)
    before = bits(trained)
    measured = trained.measure(ids, whole(ids), 0)
    assert bits(trained) == before
    found = trained.train(whole(ids), 1e-30, 0)
    assert measured.predictions > 500
    assert measured.loss == pytest.approx(found.loss, rel=1e-6)
    found.loss = measured.loss
    assert found == measured
    other = engine_of(ids, seed=5, **settings)
    assert other.measure(ids, whole(ids), 0) == measured  # whatever `seed`


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("deterministic", ["false", "true"])
@pytest.mark.parametrize("options", [LEARNT_Z, {"loss": "hsigmoid+neg"}], ids=str)
def test_threads_with_rows_of_their_own_measure_the_shared_state(
    options, deterministic, threads
) -> None:
    """Any thread can measure between blocks; thread-own rows, their use counts and a learned log Z
    do not change."""
    text, ids = text_of(4000, seed=1), text_of()
    engine = engine_of(text, threads=threads, deterministic=deterministic, window=3, **options)
    for thread in range(threads):
        engine.train(Block(0, thread, 1000 * thread, 1000 * (thread + 1), 0.0), 0.05, thread)
    engine.end_round(threads)
    alone = engine_of(text, window=3, **options)
    alone.load_state(engine.state())
    before, expected = bits(engine), alone.measure(ids, whole(ids), 0)
    assert [engine.measure(ids, whole(ids), thread) for thread in range(threads)] == [
        expected
    ] * threads
    assert bits(engine) == before
