from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from w2v.errors import InputError, RunError
from w2v.lm import precision
from w2v.lm.columns import Source
from w2v.lm.engine import LanguageModelEngine
from w2v.losses.options import SampledOptions
from w2v.losses.table import LOSSES
from w2v.settings.build import build_config
from w2v.settings.config import Config
from w2v.settings.language_model import ARCHITECTURES
from w2v.training.schedule import Blocks

V = 20
COUNTS = np.arange(2 * V, V, -1)
SMALL = {
    "model": "lm",
    "dim": "12",
    "heads": "2",
    "batch_size": "16",
    "bptt": "10",
    "threads": "1",
    "dropout": "0",
    "layers": "1",
}
Make = Callable[..., LanguageModelEngine]


def config_of(**given: str) -> Config:
    names = SMALL | given
    if issubclass(LOSSES[names.get("loss", "softmax")].options, SampledOptions):
        names |= {"negatives": "8"}
    if names.get("loss") == "adaptive-softmax":
        names |= {"cutoffs": "6"}
    if names.get("arch") == "lbl":
        del names["layers"]
    return build_config({"corpus": ("text.txt",), **names})


@pytest.fixture(scope="module")
def ids() -> np.ndarray:
    """Tokens of which each is mostly the one before plus one or plus three."""
    generator = np.random.default_rng(1)
    steps = generator.choice([1, 3, 7], 4090, p=[0.6, 0.3, 0.1])
    return (steps.cumsum() % V).astype(np.int32)


@pytest.fixture
def make(ids: np.ndarray) -> Make:
    """make(…settings): an engine over `ids`."""

    def call(text: np.ndarray = ids, **given: str) -> LanguageModelEngine:
        return LanguageModelEngine(
            config_of(**given), Source(text, None, 0), np.arange(2 * V, V, -1)
        )

    return call


def train(engine: LanguageModelEngine, lr: float, blocks: int = 2) -> list[float]:
    bounds = engine.bounds()
    return [engine.train(Blocks(bounds, 100)[number], lr).mean_loss for number in range(blocks)]


@torch.no_grad()
def nll(engine: LanguageModelEngine) -> float:
    """Nats per token of the whole text."""
    engine.model.eval()
    inputs, targets = engine.columns.read(0, engine.columns.rows)
    rows, _ = engine.model.hidden(inputs, engine.model.start(inputs.shape[1]))
    mean = engine.model.output.nll(rows.flatten(0, 1), targets.flatten()).mean().item()
    engine.model.train()
    return mean


def copied(engine: LanguageModelEngine) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in engine.model.named_parameters()}


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns(make, loss):
    engine = make(loss=loss, optimizer="adamw", lr="0.02")
    before = nll(engine)
    train(engine, 0.03, 3)
    assert before > 2.5
    assert nll(engine) < before - 0.1


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "adagrad", "sparse-adam"])
def test_every_architecture_and_optimizer_learns(make, arch, optimizer):
    engine = make(arch=arch, optimizer=optimizer)
    before = nll(engine)
    sgd = 20.0 if arch in ("lstm", "gru") else 5.0
    train(engine, {"sgd": sgd, "adagrad": 0.2}.get(optimizer, 0.02), 4)
    assert nll(engine) < before - 0.1


@pytest.mark.parametrize(
    "settings", [{"loss": "hsigmoid"}, {"loss": "softmax", "tied": "true"}, {"clip": "0"}]
)
def test_a_step_is_sgd_on_the_clipped_gradient_of_the_mean(make, settings):
    """Against autograd with dense gradients and torch.nn.utils.clip_grad_norm_."""
    engine = make(**{"clip": "0.05", "optimizer": "sgd", "layers": "2", **settings})
    twin = make(**{"clip": "0.05", "optimizer": "sgd", "layers": "2", **settings})
    engine._state = engine.model.start(16)
    engine._step(0, 10, 3.0)
    inputs, targets = twin.columns.read(0, 10)
    twin.model.sparse = twin.model.output.sparse = False
    rows, _ = twin.model.hidden(inputs, twin.model.start(16))
    twin.model.output(rows.flatten(0, 1), targets.flatten()).mean().backward()
    parameters = dict(twin.model.named_parameters())
    length = torch.nn.utils.clip_grad_norm_(
        parameters.values(), float(settings.get("clip", "0.05")) or 1e9
    )
    assert length > 0.05
    for name, value in copied(engine).items():
        expected = parameters[name].detach() - 3.0 * parameters[name].grad
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize("arch", ["lstm", "ffnn"])
def test_accumulated_segments_are_one_step_of_their_mean(make, arch):
    """Two segments of 10 in one step: the gradient is the mean over both, the state goes from one
    to the other."""
    engine = make(arch=arch, accumulate="2", clip="0", optimizer="sgd")
    before = copied(engine)
    engine._state = engine.model.start(16)
    engine._step(0, 20, 1.0)
    twin = make(arch=arch, clip="0", optimizer="sgd")
    state, total = twin.model.start(16), 0.0
    for start in (0, 10):
        inputs, targets = twin.columns.read(start, start + 10)
        rows, state = twin.model.hidden(inputs, state)
        state = tuple(part.detach() for part in state)
        total = total + twin.model.output(rows.flatten(0, 1), targets.flatten()).sum() / 320
    total.backward()
    for name, value in copied(engine).items():
        gradient = dict(twin.model.named_parameters())[name].grad.to_dense()
        torch.testing.assert_close(value, before[name] - gradient, rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize("arch", ["ffnn", "lbl"])
def test_accumulating_equals_a_larger_segment_where_nothing_is_carried_by_gradients(make, arch):
    one, two = make(arch=arch, bptt="20", context="1"), make(arch=arch, accumulate="2", context="1")
    for engine in (one, two):
        train(engine, 0.01, 1)
    for first, second in zip(copied(one).values(), copied(two).values(), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5)


def test_the_state_is_carried_through_blocks_and_starts_anew_with_the_epoch(make):
    engine = make(batch_size="4", bptt="20")
    bounds = engine.bounds()
    assert len(bounds) == 3
    block = Blocks(bounds, 2)[0]
    engine.train(block, 0.0)
    (carried, _), zeros = engine._state, engine.model.start(4)[0]
    rows = block.stop // 4
    with torch.no_grad():
        inputs, _ = engine.columns.read(0, rows)
        expected = engine.model.hidden(inputs, engine.model.start(4))[1][0]
    torch.testing.assert_close(carried, expected, rtol=1e-4, atol=1e-5)
    assert not torch.equal(carried, zeros)
    engine.train(Blocks(bounds, 2)[1], 0.0)
    after_epoch = engine._state[0]
    engine.train(Blocks(bounds, 2)[2], 0.0)
    torch.testing.assert_close(engine._state[0], expected, rtol=1e-4, atol=1e-5)
    assert not torch.equal(engine._state[0], after_epoch)


@pytest.mark.parametrize(
    "settings", [{"loss": "nce"}, {"arch": "transformer"}, {"variational": "true"}]
)
def test_one_seed_gives_the_same_bits_and_another_gives_others(make, settings):
    settings = {"dropout": "0.3", **settings}
    first, second, other = (make(seed=seed, **settings) for seed in ("1", "1", "2"))
    losses = [train(engine, 0.1, 1) for engine in (first, second, other)]
    assert losses[0] == losses[1] != losses[2]
    assert all(
        torch.equal(a, b)
        for a, b in zip(copied(first).values(), copied(second).values(), strict=True)
    )


def test_dropout_does_not_depend_on_random_numbers_drawn_elsewhere(make):
    first, second = make(dropout="0.5"), make(dropout="0.5")
    torch.manual_seed(1)
    losses = train(first, 1.0, 1)
    after = torch.rand(1)
    torch.manual_seed(2)
    assert train(second, 1.0, 1) == losses
    torch.manual_seed(1)
    assert torch.rand(1) == after  # and draws nothing from the caller's


@pytest.mark.parametrize("arch", ["lstm", "gru", "transformer"])
@pytest.mark.parametrize("loss", ["softmax", "sampled-softmax", "hsigmoid"])
def test_bfloat16_stays_close_to_float32(make, arch, loss, monkeypatch):
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)
    full = make(arch=arch, loss=loss)
    half = make(arch=arch, loss=loss, precision="bf16")
    lr = 0.003 if arch == "transformer" else 0.3
    ours, theirs = train(full, lr, 1), train(half, lr, 1)
    assert theirs != ours
    assert theirs == pytest.approx(ours, rel=0.02)
    assert all(parameter.dtype == torch.float32 for parameter in half.model.parameters())


def test_bfloat16_without_instructions_is_refused(make, monkeypatch, tmp_path: Path):
    info = tmp_path / "cpuinfo"
    monkeypatch.setattr(precision, "CPU_INFO", info)
    info.write_text("processor : 0\nflags\t\t: fpu avx2 avx512f\n")
    with pytest.raises(InputError, match="this CPU has no bf16"):
        make(precision="bf16")
    info.write_text("processor : 0\nflags\t\t: fpu avx512_bf16\n")
    assert precision.cpu_has_bf16()
    info.unlink()
    assert not precision.cpu_has_bf16()


def test_a_text_shorter_than_the_batch_is_refused(make):
    with pytest.raises(
        InputError, match=r"has 31 tokens.*`batch_size` 16 needs 32.*smaller `batch_size`"
    ):
        make(np.zeros(31, np.int32))


def test_a_missing_compiler_is_told_in_one_sentence(make, monkeypatch):
    engine = make(compile="true")

    class InductorError(RuntimeError):
        pass

    InductorError.__module__ = "torch._inductor.exc"

    def fail(*_: object) -> None:
        raise InductorError("C++ compiler not found\nmore")

    monkeypatch.setattr(engine.model, "hidden", fail)
    with pytest.raises(
        RunError, match=r"`compile` failed \(C\+\+ compiler not found\): leave it out"
    ):
        train(engine, 0.1)


def test_weight_decay_shrinks_matrices_of_the_body_alone(make):
    engines = [make(optimizer="adamw", weight_decay=decay) for decay in ("0", "0.5")]
    before = copied(engines[0])
    for engine in engines:
        engine._state = engine.model.start(16)
        engine._step(0, 10, 0.01)
    plain, decayed = (copied(engine) for engine in engines)
    for name, value in before.items():
        expected = (
            -0.01 * 0.5 * value
            if name.startswith("body.") and value.dim() == 2
            else torch.zeros_like(value)
        )
        torch.testing.assert_close(
            decayed[name] - plain[name], expected, rtol=1e-3, atol=1e-6, msg=name
        )
