"""The autograd engine: single steps against plain autograd, optimizers against torch's."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import w2v
from w2v.errors import InputError
from w2v.losses.layers import layer_class, make_layer
from w2v.losses.table import LOSSES
from w2v.settings.build import build_config
from w2v.training.device import find_device
from w2v.training.engine import block_seeds
from w2v.training.optimizers import OPTIMIZERS
from w2v.training.schedule import Block
from w2v.words import autograd
from w2v.words.autograd import AutogradEngine
from w2v.words.cost import batch_words

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def config_of(**settings):
    given = {
        "dim": "6",
        "threads": "1",
        "sample": "0",
        "window": "2",
        "engine": "autograd",
        "device": "cpu",
    }
    given |= {name: str(value) for name, value in settings.items()}
    return build_config({"corpus": ("x",), **given})


def stream(words=12, length=400, seed=1):
    return np.random.default_rng(seed).integers(-1, words, length).astype(np.int32)


def engine_of(ids, words=12, **settings):
    engine = AutogradEngine(config_of(**settings), ids, np.arange(words, 0, -1) * 10)
    engine.initialise()
    return engine


def plain_steps(engine, block, lr, steps):
    """Returns (input matrix, output matrix, summed loss, predictions) after SGD with a full
    softmax, one prediction at a time."""
    _, own = block_seeds(engine.config.training.seed, block)
    windows = engine._reader.read(block.start, block.stop, 0, int(own))
    w_in, w_out = (
        engine.input.tables["input"].double().clone(),
        engine.layer.weight.detach().double().clone(),
    )
    loss, predictions = 0.0, 0
    for step in range(steps):
        cuts = windows.trained * step // steps, windows.trained * (step + 1) // steps
        contexts, places = windows.pairs(*cuts)
        inputs, outputs = w_in.clone().requires_grad_(), w_out.clone().requires_grad_()
        total = torch.zeros((), dtype=torch.float64)
        for place in sorted(set(places.tolist())):
            around = contexts[places == place].tolist()
            target = int(windows.words[place])
            if engine.config.model.model == "cbow":
                rows = inputs[around]
                if engine.config.model.cbow_hidden == "sum":
                    hiddens = [rows.sum(0)]
                elif engine.config.model.cbow_grad == "mean":
                    hiddens = [rows.mean(0)]
                else:  # the value of the mean, the gradient of the sum
                    hiddens = [rows.sum(0) - (rows.sum(0) - rows.mean(0)).detach()]
            else:
                hiddens = [inputs[word] for word in around]
            for hidden in hiddens:
                total = total - torch.log_softmax(outputs @ hidden, 0)[target]
                predictions += 1
        total.backward()
        w_in, w_out = w_in - lr * inputs.grad, w_out - lr * outputs.grad
        loss += total.item()
    return w_in, w_out, loss, predictions


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "model",
    [
        {"model": "skip-gram"},
        {"model": "cbow"},
        {"model": "cbow", "cbow_grad": "mean"},
        {"model": "cbow", "cbow_hidden": "sum"},
        {"model": "cbow", "cbow_hidden": "sum", "cbow_grad": "mean"},
    ],
)
def test_steps_are_those_of_plain_autograd(model, device):
    engine = engine_of(
        stream(), **model, loss="softmax", optimizer="sgd", batch_size=100, device=device
    )
    with torch.no_grad():
        engine.layer.weight.copy_(
            torch.randn(12, 6, generator=torch.Generator().manual_seed(1)) / 3
        )
    block = Block(0, 0, 0, 300, 0.0)
    w_in, w_out, loss, predictions = plain_steps(engine, block, 0.01, 3)
    tally = engine.train(block, 0.01)
    assert tally.predictions == predictions
    assert tally.loss == pytest.approx(loss, rel=1e-6)
    assert (tally.read, tally.trained) == (int((stream()[:300] >= 0).sum()),) * 2
    torch.testing.assert_close(
        torch.from_numpy(engine.vectors).double(), w_in.cpu(), rtol=1e-4, atol=1e-6
    )
    torch.testing.assert_close(engine.layer.weight.detach().double(), w_out, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("model", ["skip-gram", "cbow"])
@pytest.mark.parametrize("loss", list(LOSSES))
def test_rows_without_a_gradient_stand_still(loss, model):
    ids = np.array([0, 1, 2, 0, 1, 2, -1] * 5, np.int32)
    engine = engine_of(ids, loss=loss, model=model)
    before = engine.vectors.copy()
    # the output rows start at 0, so that the input rows only move from the second step on
    for index in range(3):
        engine.train(Block(0, index, 0, len(ids), 0.0), 0.1)
    moved = np.abs(engine.vectors - before).max(1)
    assert (moved[:3] > 0).all()
    assert not moved[3:].any()


@pytest.mark.parametrize("loss", ["neg", "nce", "sampled-softmax", "hsigmoid+neg"])
def test_few_predictions_share_their_noise_words(loss, monkeypatch):
    drawn = []
    engine = engine_of(np.array([0, 1, -1] * 100, np.int32), loss=loss, negatives=3)
    sample = engine.layer.sampler.sample

    def record(*arguments, **named):
        drawn.append(named["rows"])
        return sample(*arguments, **named)

    monkeypatch.setattr(engine.layer.sampler, "sample", record)
    tally = engine.train(Block(0, 0, 0, 300, 0.0), 0.1)
    assert tally.predictions == 200
    assert sum(drawn) >= 200 / autograd.NOISE_SHARE


def test_empty_blocks_and_lonely_words():
    engine = engine_of(np.array([0, -1, 20, -1, 1, -1], np.int32), loss="softmax")
    tally = engine.train(Block(0, 0, 0, 6, 0.0), 0.1)
    assert (tally.loss, tally.predictions, tally.read, tally.rare, tally.trained) == (0, 0, 3, 1, 2)
    assert engine.train(Block(0, 1, 3, 3, 0.5), 0.1).read == 0


# --------------------------------------------------------------------------------------------------
# Optimizers


@pytest.mark.parametrize("shape", [(7, 3), (7,), ()])
@pytest.mark.parametrize("sparse", [False, True])
def test_sgd_and_adam_are_torchs(shape, sparse):
    if sparse and not shape:
        return
    generator = torch.Generator().manual_seed(3)
    for name, theirs in (("sgd", torch.optim.SGD), ("sparse-adam", torch.optim.SparseAdam)):
        table = torch.randn(shape, generator=generator)
        parameter = torch.nn.Parameter(table.clone())
        other = torch.optim.Adam if name == "sparse-adam" and not sparse else theirs
        optimizer, ours = other([parameter], lr=0.1), OPTIMIZERS[name](table)
        for _ in range(4):
            if sparse:
                rows = torch.randint(7, (5,), generator=generator)
                values = torch.randn(5, *shape[1:], generator=generator)
                gradient = torch.sparse_coo_tensor(
                    rows[None], values, shape, check_invariants=False
                )
            else:
                gradient = torch.randn(shape, generator=generator)
            parameter.grad = gradient
            optimizer.step()
            ours.update(gradient, 0.1)
            torch.testing.assert_close(table, parameter.detach(), rtol=1e-5, atol=1e-6)


def test_adagrad_has_one_rate_per_row():
    table = torch.zeros(4, 2)
    optimizer = OPTIMIZERS["adagrad"](table)
    optimizer.update(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), 0.1, torch.tensor([2, 0]))
    rms = math.sqrt((9 + 16) / 2)
    assert table.tolist() == [
        [0, 0],
        [0, 0],
        [pytest.approx(-0.3 / rms), pytest.approx(-0.4 / rms)],
        [0, 0],
    ]
    optimizer.update(torch.tensor([[0.0, 0.0], [0.0, 0.0], [-3.0, 4.0], [1e-3, 1e-3]]), 0.1)
    rms = 5.0
    assert table[2].tolist() == pytest.approx(
        [-0.3 / math.sqrt(12.5) + 0.3 / rms, -0.4 / math.sqrt(12.5) - 0.4 / rms]
    )
    assert table[3].tolist() == pytest.approx([-0.1, -0.1]), (
        "a row's first step is as long as the rate"
    )


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_optimizers_take_rows_sparse_and_dense_gradients_alike(name):
    gradient = torch.zeros(6, 3)
    rows = torch.tensor([4, 1])
    gradient[rows] = torch.tensor([[1.0, 2, 3], [4, -5, 6]])
    halved = torch.tensor([[0.5, 1, 2], [4, -5, 6], [0.5, 1, 1]])  # row 4 in two parts
    sparse = torch.sparse_coo_tensor(
        torch.tensor([[4, 1, 4]]), halved, (6, 3), check_invariants=False
    )
    tables = []
    for given in (
        {"gradient": gradient},
        {"gradient": gradient[rows], "rows": rows},
        {"gradient": sparse},
    ):
        tables.append(torch.ones(6, 3))
        OPTIMIZERS[name](tables[-1]).update(lr=0.1, **given)
    torch.testing.assert_close(tables[1], tables[0])
    torch.testing.assert_close(tables[2], tables[0])


# --------------------------------------------------------------------------------------------------
# Blocks and devices


def test_batches_and_blocks():
    ids = np.tile(np.append(np.arange(30), -1), 40_000).astype(np.int32)
    assert batch_words(config_of(), len(ids)) == 16384
    assert batch_words(config_of(optimizer="sgd"), len(ids)) == 256
    assert batch_words(config_of(), 20_000) == 390, "a small corpus has some hundred steps too"
    assert batch_words(config_of(batch_size=7), len(ids)) == 7
    for settings in ({}, {"batch_size": 100}, {"batch_size": 10**9}, {"optimizer": "sgd"}):
        bounds = AutogradEngine(config_of(**settings), ids, np.ones(30, np.int64)).bounds()
        assert (bounds[0], bounds[-1]) == (0, len(ids))
        batch = batch_words(config_of(**settings), len(ids))
        assert len(bounds) == 2 or np.diff(bounds).max() <= max(batch, autograd.BLOCK_WORDS) + 31


def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert find_device("auto") == find_device("cpu") == torch.device("cpu")
    for name in ("cuda", "cuda:1"):
        with pytest.raises(InputError, match=f"`device` {name}: PyTorch finds no CUDA device"):
            find_device(name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert find_device("auto") == find_device("cuda") == torch.device("cuda", 0)
    assert find_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(InputError, match="finds 2 CUDA devices, the last is cuda:1"):
        find_device("cuda:2")


# --------------------------------------------------------------------------------------------------
# The table of layers, and what is imported when


def test_every_loss_has_a_layer():
    for name in LOSSES:
        layer = make_layer(
            name, 4, torch.tensor([5, 4, 3, 2, 1]), **({"sampler": None} if name == "neg" else {})
        )
        assert isinstance(layer, layer_class(name))
        assert layer.log_prob(torch.randn(3, 4)).shape == (3, 5)
    with pytest.raises(ValueError, match="no loss 'hs': did you mean hsigmoid"):
        make_layer("hs", 4, [1, 2])


def loaded_after(code: str, folder: Path) -> set[str]:
    """Returns which heavy modules a new process has loaded after running `code`."""
    heavy = {"torch", "triton", "numba", "numpy", "w2v.words.gpu", "w2v.kernels.gpu"}
    script = f"import sys\n{code}\nprint({heavy} & {{*sys.modules}} or set())"
    environment = {**os.environ, "PYTHONPATH": str(Path(w2v.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(eval(done.stdout.splitlines()[-1]))


def test_importing_the_table_of_losses_imports_nothing_heavy(folder):
    assert (
        loaded_after("import w2v, w2v.losses.table, w2v.losses.options, w2v.losses.layers", folder)
        == set()
    )


def test_the_hogwild_engine_imports_neither_torch_nor_triton(folder):
    (folder / "corpus.txt").write_text("a b c d\n" * 50)
    code = """
from w2v.cli.app import main
train = ["train", "corpus.txt", "--no-cache", "--dim", "16", "--output", "run", "--overwrite"]
for more in ("--loss neg", "--loss hsigmoid", "--dry-run", "--valid corpus.txt --patience 1"):
    assert main([*train, *more.split()]) == 0
"""
    assert loaded_after(code, folder) == {"numba", "numpy"}
