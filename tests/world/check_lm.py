"""Run by both ranks of test_data_parallel.py: two ranks with half of the columns each, against one
process with all of them, on the same batches."""

import sys

import numpy as np
import torch

import w2v.lm.dealing
import w2v.training.device
from w2v.lm.columns import Source
from w2v.lm.engine import LanguageModelEngine
from w2v.settings.build import build_config
from w2v.training.schedule import Blocks
from w2v.training.world import World

COMMON = {"corpus": ["x"], "model": "lm", "dim": "24", "hidden": "24", "batch_size": "6"}
COMMON |= {"bptt": "12", "dropout": "0", "seed": "3", "threads": "1", "clip": "0.25"}
SETTINGS = [
    {"loss": "softmax", "optimizer": "sgd", "lr": "2", "accumulate": "2"},
    {"loss": "softmax", "arch": "transformer", "tied": "yes", "optimizer": "sgd", "lr": "0.5"},
    {"loss": "adaptive-softmax", "cutoffs": "20,100"},
    {"loss": "hsigmoid"},
    {"loss": "nce", "negatives": "20", "nce_log_z": "learned"},
    {"loss": "sampled-softmax", "negatives": "20", "arch": "transformer", "heads": "2"},
    {"loss": "label-smoothing", "arch": "gru", "optimizer": "sparse-adam", "lr": "0.01"},
]


def text() -> tuple[Source, np.ndarray]:
    random = np.random.default_rng(0)
    counts = np.sort(random.zipf(1.3, 200) % 1000 + 1)[::-1].astype(np.int64)
    ids = random.choice(200, 603, p=counts / counts.sum()).astype(np.int32)
    return Source(ids, None, 0), counts


SHARDED = [
    {"loss": "softmax", "optimizer": "sgd", "lr": "2", "output_bias": "yes"},
    {"loss": "nce", "negatives": "20", "nce_log_z": "learned", "nce_bias": "yes"},
    {"loss": "neg", "negatives": "30", "optimizer": "adamw", "lr": "0.01", "accumulate": "2"},
    {"loss": "label-smoothing", "optimizer": "sparse-adam", "lr": "0.01", "accumulate": "2"},
    {"loss": "am-softmax", "arch": "gru"},
    {"loss": "sparse-softmax", "top_k": "30", "output_bias": "yes"},
    {"loss": "sampled-softmax", "negatives": "20", "arch": "transformer", "heads": "2"},
]


def trained(given: dict[str, str], world: World) -> tuple[dict[str, np.ndarray], float, slice]:
    """The state, with output rows `own` of a layer that is dealt out; and the loss."""
    engine = LanguageModelEngine(build_config(COMMON | given), *text(), world)
    if world.size > 1:
        assert (engine._shard is not None) == (w2v.lm.dealing.SHARD_FROM == 0)
    blocks, loss = Blocks(engine.bounds(), 1), 0.0
    for number in range(len(blocks)):
        loss += engine.train(blocks[number], engine.config.training.lr).loss
    if world.size > 1:
        engine.collect()
    part, state = engine.part(), dict(engine.state())
    own = slice(None) if part is None else slice(part.low, part.high)
    state |= {} if part is None else part.tensors
    return {name: np.array(array) for name, array in state.items()}, loss, own


world = World.join()
runs = [(torch.float64, 1e-12, given) for given in SETTINGS + SHARDED]
# the other optimizers divide by what rounding alone may have made
plain = {"optimizer": "sgd", "lr": "1"}
runs += [(torch.float32, 1e-5, given | plain) for given in SETTINGS + SHARDED[:2]]
for place, (dtype, tolerance, given) in enumerate(runs):
    torch.set_default_dtype(dtype)
    w2v.training.device.DTYPE = dtype
    dealt = place % len(SETTINGS + SHARDED) >= len(SETTINGS)
    w2v.lm.dealing.SHARD_FROM = 0 if dealt else 1000
    (alone, whole, _), (together, part, own) = trained(given, World.alone()), trained(given, world)
    assert alone.keys() == together.keys()
    for name, array in alone.items():
        rounding = max(tolerance, 1e-6) if name.startswith("carry.") else tolerance
        if together[name].shape != array.shape:
            array = array[own]
        worst = np.abs(together[name] - array).max() / max(np.abs(array).max(), 1e-3)
        print(world.rank, dtype, given["loss"], name, worst, file=sys.stderr)
        assert worst <= rounding, (given, name, worst)
    assert abs(world.agree([part]).sum() / whole - 1) <= tolerance, given
    if not dealt:
        own = np.concatenate([array.ravel() for array in together.values()]).astype(np.float64)
        assert len({bytes(other) for other in world.gather(own)}) == 1, given  # on both the same
world.leave(None)
