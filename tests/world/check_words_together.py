"""Run by both ranks of test_data_parallel.py: the autograd engine of word vectors on two ranks,
against one process."""

import sys

import numpy as np

from w2v.settings.build import build_config
from w2v.training.engine import Tally
from w2v.training.schedule import Blocks
from w2v.training.world import World
from w2v.words.autograd import AutogradEngine

WORDS = {"corpus": ["x"], "engine": "autograd", "dim": "16", "threads": "1", "sample": "0"}
WORDS |= {"batch_size": "300", "seed": "5"}
OF_WORDS = [
    {"loss": "neg", "negatives": "3"},
    {"loss": "nce", "negatives": "3", "model": "cbow", "nce_bias": "yes", "batch_size": "1"},
    {"loss": "sampled-softmax", "negatives": "5", "optimizer": "sgd", "lr": "0.02"},
    {"loss": "softmax", "model": "cbow", "cbow_grad": "mean"},
    {"loss": "adaptive-softmax", "cutoffs": "20,100", "optimizer": "sparse-adam", "lr": "0.01"},
    {"loss": "hsigmoid+neg", "optimizer": "sgd", "lr": "0.02"},
]


def words(given: dict[str, str], world: World) -> tuple[dict[str, np.ndarray], list[float]]:
    random = np.random.default_rng(0)
    counts = np.sort(random.zipf(1.3, 200) % 1000 + 1)[::-1].astype(np.int64)
    ids = random.choice(200, 400, p=counts / counts.sum()).astype(np.int32)
    ids[10::11] = -1
    engine = AutogradEngine(build_config(WORDS | given), ids, counts)
    engine.initialise()
    engine.world, tally = world, Tally()
    blocks = Blocks(engine.bounds(), 1)
    for number in range(len(blocks)):
        tally.add(engine.train(blocks[number], engine.config.training.lr))
    return {name: np.array(array) for name, array in engine.state().items()}, [
        *vars(tally).values()
    ]


world = World.join()
for given in OF_WORDS:
    (alone, one), (together, part) = words(given, World.alone()), words(given, world)
    for name, array in alone.items():
        worst = np.abs(together[name] - array).max() / max(np.abs(array).max(), 1e-3)
        print(world.rank, given["loss"], name, worst, file=sys.stderr)
        assert worst <= 2e-5, (given, name, worst)
    assert np.allclose(world.agree(part).sum(axis=0), one, rtol=1e-6), (given, part, one)
world.leave(None)
