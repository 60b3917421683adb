"""The GPU kernels' definition in float64 NumPy, to compare launches with: `tests.kernels.reference`
with a copy of the input row for every position of the text.

A row is copied when its position comes within `window` words of a target. What the windows have
added to the copy is added to the table when the position is more than `window` words behind. Each
run of targets begins and ends with an empty ring.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from tests.kernels import reference
from tests.kernels.engines import definition
from w2v.kernels.cpu.random import mix
from w2v.kernels.cpu.workspace import RowTables
from w2v.kernels.gpu.damping import Damping
from w2v.kernels.gpu.launch import train_windows
from w2v.kernels.gpu.shape import variant_of
from w2v.kernels.gpu.tables import Parameters, RowSelection
from w2v.kernels.plan import LOG_Z_BIAS, NOISE, PATH, WORD_BIAS
from w2v.sampling.unigram import alias_table, keep_probabilities, unigram_probabilities
from w2v.settings.build import build_config
from w2v.settings.config import Config
from w2v.words.windows import WindowReader, Windows

GOLDEN = 0x9E3779B97F4A7C15
SEED = 0xFEDCBA9876543210  # above 2^63: all 64 bits count
Step = Callable[[reference.Model, list[int], int, "reference.Noise | None", float], float]


@dataclass
class Case:
    """A text, random tables float32 [rows, dim], and a configuration."""

    config: Config
    counts: np.ndarray
    windows: Windows
    tables: list[np.ndarray]  # input, inner nodes, words
    bias: np.ndarray
    log_z: float

    @property
    def V(self) -> int:
        return len(self.counts)


def make_case(
    ids: np.ndarray,
    counts: np.ndarray,
    scale: float = 0.3,
    span: tuple[int, int] | None = None,
    **options: object,
) -> Case:
    """Returns a case for a block of the stream `ids`, which is all of it if `span` is None."""
    given = {name: str(value) for name, value in {"sample": 0, **options}.items()}
    config = build_config({"corpus": ("x",), "threads": "1", **given})
    keep = (keep_probabilities(counts, config.training.sample) * (2**32 - 1)).astype(np.uint32)
    reader = WindowReader(ids, keep, config.model.window, config.corpus.max_sentence)
    random, V = np.random.default_rng(7), len(counts)
    sizes = V, max(1, V - 1), V
    tables = [random.normal(0, scale, (n, config.model.dim)).astype(np.float32) for n in sizes]
    bias = random.normal(0, scale, V).astype(np.float32)
    windows = reader.read(*(span or (0, len(ids))), 3, 5)
    return Case(config, counts, windows, tables, bias, -1.5)


def ones(case: Case) -> Damping:
    """Returns damping factors of 1."""
    return Damping(*(torch.ones(len(table)) for table in case.tables), torch.ones(1))


def launch(
    case: Case, lr: float, programs: int = 1, damping: Damping | None = None
) -> tuple[Parameters, Tensor]:
    """Returns (the tables after a launch, its tally)."""
    variant = variant_of(case.config)
    plan = case.config.loss.plan()
    assert plan is not None

    def padded(table: np.ndarray) -> Tensor:
        return torch.from_numpy(
            np.pad(table, ((0, 0), (0, variant.stride - table.shape[1])))
        ).contiguous()

    source, path, noise = case.tables
    rows = Parameters(
        padded(source),
        padded(path) if plan.rows & PATH else None,
        padded(noise) if plan.rows & NOISE else None,
        torch.from_numpy(case.bias.copy()) if plan.bias & WORD_BIAS else None,
        torch.tensor([case.log_z]) if plan.bias & LOG_Z_BIAS else None,
    )
    accept = alias = offsets = starts = steps = None
    made = RowTables(plan, case.counts).arrays
    if plan.rows & NOISE:
        table = alias_table(unigram_probabilities(case.counts, plan.power))
        accept, alias = (torch.from_numpy(part.view(np.int32)) for part in table)
        offsets = torch.from_numpy(made[1])
    if plan.rows & PATH:
        starts, steps = (torch.from_numpy(part) for part in made[2:])
    selection = RowSelection(accept, alias, offsets, starts, steps)
    given = variant, rows, selection, damping or ones(case), case.windows, lr, SEED, programs
    return rows, train_windows(*given)


def define(
    case: Case,
    lr: float,
    programs: int = 1,
    damping: Damping | None = None,
    step: Step = reference.train_window,
) -> tuple[reference.Model, float, int]:
    """Returns (the model after the same training by the definition, loss, predictions). step: the
    function that trains one window."""
    model = definition(case.config, case.tables, case.counts)
    if model.train_bias:
        model.bias = case.bias.astype(float)
    model.shared_bias = case.log_z if model.train_shared_bias else 0.0
    factors = damping or ones(case)
    windows, window = case.windows, case.config.model.window
    words, lines = windows.words.tolist(), windows.sentences.tolist()
    draws = None
    if model.accept is not None:
        draws = noise_words(SEED, windows.trained, model.negatives, model.accept, model.alias)
    each = -(-windows.trained // programs)
    total, predictions = 0.0, 0
    for begin in range(windows.first, windows.last, each):
        end = min(begin + each, windows.last)
        ring, before = (np.full((len(words), model.w_in.shape[1]), np.nan) for _ in range(2))
        held = [p for p in range(begin - window, begin + window) if 0 <= p < len(words)]
        ring[held] = before[held] = model.w_in[[words[p] for p in held]]
        nearby = replace(model, w_in=ring)
        for i in range(begin, end):
            if i + window < len(words):
                ring[i + window] = before[i + window] = model.w_in[words[i + window]]
            far = int(windows.reach[i])
            contexts = [
                p
                for p in range(max(0, i - far), min(len(words), i + far + 1))
                if p != i and lines[p] == lines[i]
            ]
            noise = None if draws is None else scored(model, words[i], draws[i - windows.first])
            if contexts:
                old = [nearby.w_path.copy(), nearby.w_noise.copy(), nearby.bias.copy()]
                constant = nearby.shared_bias
                total += step(nearby, contexts, words[i], noise, lr)
                predictions += 1 if model.cbow else len(contexts)
                by = [factors.path, factors.noise, factors.noise]
                for table, start, f in zip(
                    (nearby.w_path, nearby.w_noise, nearby.bias), old, by, strict=True
                ):
                    f64 = f.double().numpy().reshape(-1, *[1] * (table.ndim - 1))
                    table[:] = start + f64 * (table - start)
                change = nearby.shared_bias - constant
                nearby.shared_bias = constant + factors.log_z.item() * change
            if i - window >= 0:
                leave(model, ring, before, words, [i - window], factors)
        held = [p for p in range(end - window, end + window) if 0 <= p < len(words)]
        leave(model, ring, before, words, held, factors)
        model.shared_bias = nearby.shared_bias
    return model, total, predictions


def noise_words(
    seed: int, targets: int, negatives: int, accept: np.ndarray, alias: np.ndarray
) -> Tensor:
    """Returns the words that the kernel draws, int64 [targets, negatives]; accept, alias [V]: as
    from `alias_table`."""
    counter = np.arange(targets * negatives, dtype=np.uint64) * np.uint64(GOLDEN)
    x = mix.py_func(counter + np.uint64(seed % 2**64))
    cell = ((x >> np.uint64(32)) * np.uint64(len(accept))) >> np.uint64(32)
    kept = x.astype(np.uint32) < np.asarray(accept, np.uint32)[cell]
    words = np.where(kept, cell, np.asarray(alias)[cell]).astype(np.int64)
    return torch.from_numpy(words.reshape(targets, negatives))


def leave(
    model: reference.Model,
    ring: np.ndarray,
    before: np.ndarray,
    words: list[int],
    places: list[int],
    factors: Damping,
) -> None:
    """Adds to the rows of the words at these positions the damped changes of their copies."""
    for p in places:
        f = factors.input[words[p]].item()
        model.w_in[words[p]] += f * (ring[p] - before[p])


def scored(model: reference.Model, target: int, drawn: Tensor) -> reference.Noise:
    """Returns the target and its noise words, with labels and weights."""
    rows = np.array([target, *drawn.tolist()])
    weights = np.ones(len(rows))
    if model.skip_hits:
        weights[1:][rows[1:] == target] = 0
    return rows, np.array([1.0] + [0.0] * len(drawn)), weights
