"""TensorFlow's nce_loss, sampled_softmax_loss, compute_accidental_hits and the candidate samplers
of tf.random, with the same arguments, values and gradients.

    # [N] nats, no reduction
    loss = nce_loss(weights, biases, labels, inputs, num_sampled=64, num_classes=50_000)

The scores of the labels and of one set of candidates for the whole batch, minus the logs of the
expected counts, enter the logistic loss or the cross-entropy with labels 1 / num_true, summed over
each row. Both losses are for training only.

Classes may also be lists, arrays or whole floating-point numbers, which TensorFlow would cast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from w2v.compat.shards import STRATEGIES, Shards, Tables
from w2v.losses.math.numbers import accumulate_dtype, eager
from w2v.losses.math.sampled_step import (
    LOGISTIC,
    REMOVED,
    SOFTMAX,
    Link,
    RowLayout,
    log_count,
    sampled_loss,
)
from w2v.sampling import candidates
from w2v.sampling.candidates import Candidates, Sampler
from w2v.sampling.checks import (
    MOST,
    check_kind,
    checked_expected,
    checked_flag,
    checked_floats,
    checked_ids,
    checked_whole,
    device_of_draws,
)
from w2v.sampling.samplers import (
    AllCandidateSampler,
    LearnedUnigramSampler,
    LogUniformSampler,
    UniformSampler,
    UnigramSampler,
)

Generator = torch.Generator | None
Given = Candidates | Sequence[Any] | None
Classes = Tensor | Sequence[Any]  # or an array
Sampled = tuple[Tensor, Tensor, Tensor]  # candidates, expected counts: true, then sampled


@eager
def nce_loss(
    weights: Shards,
    biases: Shards | None,
    labels: Classes,
    inputs: Tensor,
    num_sampled: int,
    num_classes: int,
    num_true: int = 1,
    sampled_values: Given = None,
    remove_accidental_hits: bool = False,
    name: str | None = None,
    *,
    partition_strategy: str = "div",
    seed: int | None = None,
    generator: Generator = None,
    sparse: bool = False,
) -> Tensor:
    """Returns the noise-contrastive estimation loss (arXiv:1206.6426), [N] in nats.

    Args:
        weights, biases: [num_classes, D] and [num_classes], or shards of them; biases also None.
        labels, inputs: [N, num_true], or [N] if num_true is 1; [N, D].
        sampled_values: (sampled [num_sampled], true_expected_count [N, num_true],
            sampled_expected_count [num_sampled]) as returned by a sampler of
            `w2v.sampling.samplers`; counts are broadcast; None: log-uniform, unique.
        remove_accidental_hits: whether to leave out candidates that equal a label of the row.
        partition_strategy: class c is row c // P of shard c % P ("mod"), or the shards hold
            consecutive classes, the first num_classes % P of them one more ("div"). The default of
            TensorFlow 1 is "mod".
        seed: draws the same candidates in every call; for different ones pass a generator.
        sparse: whether weights and biases get sparse gradients of only the rows used.
    """
    if isinstance(name, str) and name in STRATEGIES:
        raise ValueError(f"name is '{name}', as in TensorFlow 1's order: use partition_strategy=")
    tables = Tables.of(weights, biases, num_classes, partition_strategy, sparse)
    drawn = sampled_values, num_sampled, seed, generator
    return _loss(LOGISTIC, tables, (labels, num_true), inputs, drawn, remove_accidental_hits)


@eager
def sampled_softmax_loss(
    weights: Shards,
    biases: Shards | None,
    labels: Classes,
    inputs: Tensor,
    num_sampled: int,
    num_classes: int,
    num_true: int = 1,
    sampled_values: Given = None,
    remove_accidental_hits: bool = True,
    seed: int | None = None,
    name: str | None = None,
    *,
    partition_strategy: str = "div",
    generator: Generator = None,
    sparse: bool = False,
) -> Tensor:
    """Returns the sampled softmax loss (arXiv:1412.2007), [N] in nats; arguments as in nce_loss."""
    tables = Tables.of(weights, biases, num_classes, partition_strategy, sparse)
    drawn = sampled_values, num_sampled, seed, generator
    return _loss(SOFTMAX, tables, (labels, num_true), inputs, drawn, remove_accidental_hits)


def _seeded(seed: int | None, device: torch.device) -> Generator:
    if seed is None:
        return None
    return torch.Generator(device).manual_seed(checked_whole(seed, "seed"))


def _loss(
    link: Link,
    tables: Tables,
    labelled: tuple[Classes, int],
    inputs: Tensor,
    drawn: tuple[Given, int, int | None, Generator],
    remove_hits: bool,
) -> Tensor:
    """Returns [N] nats from the scores of labels and candidates minus log counts, without hits."""
    remove_hits = checked_flag(remove_hits, "remove_accidental_hits")
    labels = _checked_labels(*labelled, tables.num_classes, inputs)
    ids, expected_counts = _candidates(labels, tables.num_classes, *drawn)
    rows, bias = tables.rows(ids)
    D, width = inputs.shape[1], rows.shape[1]
    if width != D:
        raise ValueError(f"weights has rows of {width} numbers, inputs of {D}")
    log_counts = log_count(expected_counts, accumulate_dtype(inputs))
    removed = None
    if remove_hits:
        row, position = candidates.compute_accidental_hits(labels, ids[labels.numel() :])
        removed = position.add(row, alpha=len(ids) - labels.numel())
    offset = -log_counts if bias is None else bias - log_counts
    layout = RowLayout(link, num_true=labels.shape[1], removed=removed)
    return sampled_loss(inputs, rows, offset, layout)


def _checked_labels(labels: Classes, num_true: int, num_classes: int, inputs: Tensor) -> Tensor:
    """Returns labels as [N, num_true] int64 on the device of the inputs [N, D]."""
    N = len(checked_floats(inputs, "inputs", ("N", "D")))
    num_true = checked_whole(num_true, "num_true", 1)
    ids = checked_ids(labels, num_classes, "labels").to(inputs.device)
    ids = ids[:, None] if ids.dim() == 1 else ids
    if list(ids.shape) != [N, num_true]:
        expected = f"[rows of inputs, num_true] = [{N}, {num_true}]"
        raise ValueError(f"labels has shape {list(ids.shape)}, it must be {expected}")
    return ids


def _candidates(
    labels: Tensor,
    num_classes: int,
    candidates: Given,
    num_sampled: int,
    seed: int | None,
    generator: Generator,
) -> tuple[Tensor, Tensor]:
    """Returns (labels followed by candidates [N T + S], their expected counts [N T + S]); the
    candidates are the given ones, or drawn.

    Labels and candidates are one tensor, so that weights are gathered and get a gradient once.
    """
    k, device = checked_whole(num_sampled, "num_sampled", 1), labels.device
    check_kind(generator, "generator", torch.Generator)
    seeded = _seeded(seed, device)
    generator = seeded if generator is None else generator
    if candidates is None:
        if k > num_classes:
            most = f"there are only {num_classes} classes to draw from"
            raise ValueError(f"num_sampled is {k}, but {most}")
        sampler = LogUniformSampler(num_classes)
        drawn, tries = sampler.draw_distinct(1, k, generator, device_of_draws(generator, device))
        ids = torch.cat([labels.reshape(-1), drawn[0].to(device)])
        return ids, sampler.expected_count(ids, k, int(tries))
    if not isinstance(candidates, (tuple, list)) or len(candidates) < 3:
        parts = "candidates, true_expected_count and sampled_expected_count"
        raise ValueError(f"sampled_values must have three parts: {parts}")
    sampled = checked_ids(candidates[0], num_classes, "the candidates").to(device)
    if (shape := list(sampled.shape)) != [k]:
        raise ValueError(f"sampled_values has candidates of shape {shape}, num_sampled is {k}")
    true_count = checked_expected(candidates[1], "true_expected_count", labels)
    count = checked_expected(candidates[2], "sampled_expected_count", sampled)
    return torch.cat([labels.reshape(-1), sampled]), torch.cat([true_count.reshape(-1), count])


def compute_accidental_hits(
    true_classes: Classes,
    sampled_candidates: Classes,
    num_true: int,
    seed: int | None = None,
    name: str | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns (indices, ids, weights) [hits] of the candidates [S] that equal a label in
    true_classes [N, num_true]: the label's row, the candidate's position, and float32's lowest
    number, which excludes the candidate when it is added to its logit."""
    classes = _true_classes(true_classes, num_true)
    sampled = checked_ids(sampled_candidates, MOST, "sampled_candidates")
    if sampled.dim() != 1:
        raise ValueError(f"sampled_candidates has shape {list(sampled.shape)}, it must be [S]")
    row, position = candidates.compute_accidental_hits(classes, sampled.to(classes.device))
    return row, position, torch.full(row.shape, REMOVED, dtype=torch.float32, device=row.device)


class RangeSampler(NamedTuple):
    """A sampler of the classes 0 … range_max - 1, called like those of tf.random."""

    kind: Callable[[int], Sampler]

    def __call__(
        self,
        true_classes: Classes,
        num_true: int,
        num_sampled: int,
        unique: bool,
        range_max: int,
        seed: int | None = None,
        name: str | None = None,
    ) -> Sampled:
        """Returns (sampled, true_expected_count, sampled_expected_count) for true_classes
        [N, num_true]."""
        return _sampled(self.kind(range_max), true_classes, num_true, num_sampled, unique, seed)


uniform_candidate_sampler = RangeSampler(UniformSampler)
log_uniform_candidate_sampler = RangeSampler(LogUniformSampler)
# Each call starts with equal weights, because the learned state is in the sampler; for several
# calls use `w2v.sampling.samplers.LearnedUnigramSampler`.
learned_unigram_candidate_sampler = RangeSampler(LearnedUnigramSampler)


def fixed_unigram_candidate_sampler(
    true_classes: Classes,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    vocab_file: str = "",
    distortion: float = 1.0,
    num_reserved_ids: int = 0,
    num_shards: int = 1,
    shard: int = 0,
    unigrams: Sequence[float] | Tensor = (),
    seed: int | None = None,
    name: str | None = None,
) -> Sampled:
    """Like the others, with P(k) ~ weight(k)^distortion; the weights are `unigrams` or the last
    fields of the lines of vocab_file.

    Shard s of P holds the ids s, s + P, … of all ids, including reserved ones. (TensorFlow counts
    from the reserved ids of the shard only, so that classes are in two shards or in none.)
    """
    shards = {"num_shards": num_shards, "shard": shard, "range_max": range_max}
    options: Any = {"distortion": distortion, "num_reserved_ids": num_reserved_ids, **shards}
    listed = not isinstance(unigrams, Tensor) and np.iterable(unigrams)
    weights: Any = list(unigrams) or None if listed else unigrams
    file = None if isinstance(vocab_file, str) and not vocab_file else vocab_file
    sampler = UnigramSampler(weights, vocab_file=file, **options)
    return _sampled(sampler, true_classes, num_true, num_sampled, unique, seed)


def all_candidate_sampler(
    true_classes: Classes,
    num_true: int,
    num_sampled: int,
    unique: bool,
    seed: int | None = None,
    name: str | None = None,
) -> Sampled:
    """Like the others, but returns each class 0 … num_sampled - 1 once, with expected count 1."""
    sampler = AllCandidateSampler(num_sampled)
    return _sampled(sampler, true_classes, num_true, num_sampled, unique, seed)


def _sampled(
    sampler: Sampler, classes: Classes, num_true: int, k: int, unique: bool, seed: int | None
) -> Sampled:
    classes = _true_classes(classes, num_true, sampler.range_max)
    samples = sampler.sample(classes, k, unique, _seeded(seed, classes.device))
    assert samples.true_expected_count is not None
    return samples.sampled, samples.true_expected_count, samples.sampled_expected_count


def _true_classes(classes: Classes, num_true: int, num_classes: int = MOST) -> Tensor:
    """Returns the classes as [N, num_true] int64."""
    ids = checked_ids(classes, num_classes, "true_classes")
    num_true = checked_whole(num_true, "num_true", 1)
    if ids.dim() != 2 or ids.shape[1] != num_true:
        raise ValueError(f"true_classes has shape {list(ids.shape)}, it must be [N, {num_true}]")
    return ids
