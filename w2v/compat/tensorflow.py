"""TensorFlow's nce_loss and sampled_softmax_loss, and tf.random's candidate samplers: same
arguments, same values, same gradients.

    # [N] nats, no reduction
    loss = nce_loss(weights, biases, labels, inputs, num_sampled=64, num_classes=50_000)

Scores of the labels and of one set of candidates for the whole batch, minus the log of the expected
counts; then, summed over each row, the logistic loss or the cross-entropy with labels 1 / num_true.
Both are for training only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from w2v.compat.shards import Shards, Tables
from w2v.losses.math.numbers import accumulate_dtype, checked_classes, eager
from w2v.losses.math.sampled_step import LOGISTIC, SOFTMAX, Link, Taken, log_count, sampled_loss
from w2v.sampling.candidates import Candidates, Sampler, compute_accidental_hits
from w2v.sampling.samplers import (
    AllCandidateSampler,
    LearnedUnigramSampler,
    LogUniformSampler,
    UniformSampler,
    UnigramSampler,
)

Generator = torch.Generator | None
Given = Candidates | Sequence[Tensor] | None
Sampled = tuple[Tensor, Tensor, Tensor]  # candidates, expected counts: true and sampled


@eager
def nce_loss(
    weights: Shards,
    biases: Shards | None,
    labels: Tensor,
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
    """Noise-contrastive estimation (arXiv:1206.6426), [N] nats.

    Args:
        weights, biases: [num_classes, D] and [num_classes], or shards of them; biases also None.
        labels, inputs: [N, num_true], or [N] if num_true is 1; [N, D].
        sampled_values: (sampled [num_sampled], true_expected_count [N, num_true],
            sampled_expected_count [num_sampled]), as a sampler of `w2v.sampling.samplers` gives
            them; None: log-uniform, unique.
        remove_accidental_hits: leave out candidates that equal one of the row's labels.
        partition_strategy: class c is row c // P of shard c % P ("mod"), or the shards hold the
            classes one after another, the first num_classes % P of them one more ("div").
            TensorFlow 1 defaults to "mod".
        seed: draws the same candidates at every call; to go on drawing give a generator.
        sparse: give weights and biases gradients that hold only the rows used.
    """
    tables = Tables(weights, biases, num_classes, partition_strategy, sparse)
    drawn = sampled_values, num_sampled, generator or _seeded(seed, labels.device)
    return _loss(LOGISTIC, tables, (labels, num_true), inputs, drawn, remove_accidental_hits)


@eager
def sampled_softmax_loss(
    weights: Shards,
    biases: Shards | None,
    labels: Tensor,
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
    """Sampled softmax (arXiv:1412.2007), [N] nats. Arguments and errors as for nce_loss."""
    tables = Tables(weights, biases, num_classes, partition_strategy, sparse)
    drawn = sampled_values, num_sampled, generator or _seeded(seed, labels.device)
    return _loss(SOFTMAX, tables, (labels, num_true), inputs, drawn, remove_accidental_hits)


def _seeded(seed: int | None, device: torch.device) -> Generator:
    return None if seed is None else torch.Generator(device).manual_seed(seed)


def _loss(
    link: Link,
    tables: Tables,
    labelled: tuple[Tensor, int],
    inputs: Tensor,
    drawn: tuple[Given, int, Generator],
    remove_hits: bool,
) -> Tensor:
    """[N] nats of the labels' and the candidates' scores minus log counts, hits removed."""
    labels = _checked_labels(*labelled, tables.num_classes, len(inputs))
    ids, expected_counts = _candidates(labels, tables.num_classes, *drawn)
    rows, bias = tables.rows(ids)
    D, own = inputs.shape[1], rows.shape[1]
    if own != D:
        raise ValueError(f"weights has rows of {own} numbers, inputs of {D}")
    log_counts = log_count(expected_counts, accumulate_dtype(inputs))
    removed = None
    if remove_hits:
        row, position = compute_accidental_hits(labels, ids[labels.numel() :])
        removed = position.add(row, alpha=len(ids) - labels.numel())
    offset = -log_counts if bias is None else bias - log_counts
    taken = Taken(link, num_true=labels.shape[1], removed=removed)
    return sampled_loss(inputs, rows, offset, taken)


def _checked_labels(labels: Tensor, num_true: int, num_classes: int, rows: int) -> Tensor:
    labels = labels[:, None] if labels.dim() == 1 else labels
    if num_true < 1:
        raise ValueError(f"num_true is {num_true}, it must be 1 or more")
    if labels.shape[1] != num_true:
        raise ValueError(f"labels has {labels.shape[1]} columns, num_true is {num_true}")
    if len(labels) != rows:
        raise ValueError(f"labels has {len(labels)} rows, inputs has {rows}")
    return checked_classes(labels, num_classes)


def _candidates(
    labels: Tensor, num_classes: int, given: Given, num_sampled: int, generator: Generator
) -> tuple[Tensor, Tensor]:
    """(labels, then candidates [N T + S], their expected counts [N T + S]): the given candidates,
    or drawn ones.

    One tensor for both, so that they are gathered at once and weights get one gradient.
    """
    k = num_sampled
    if given is None:
        if k > num_classes:
            most = f"there are only {num_classes} classes to draw from"
            raise ValueError(f"num_sampled is {k}, but {most}")
        if k < 1:
            raise ValueError(f"num_sampled is {k}, it must be 1 or more")
        sampler = LogUniformSampler(num_classes)
        place = labels.device if generator is None else generator.device
        drawn, tries = sampler.draw_distinct(1, k, generator, place)
        ids = torch.cat([labels.reshape(-1), drawn[0].to(labels.device)])
        return ids, sampler.expected_count(ids, k, int(tries))
    if given[1] is None:
        remedy = "sample with the labels as true_classes"
        raise ValueError(f"sampled_values has no true_expected_count: {remedy}")
    tensors = (torch.as_tensor(value, device=labels.device) for value in given[:3])
    sampled, true_count, sampled_count = tensors
    shape = list(sampled.shape)
    if shape != [k]:
        raise ValueError(f"sampled_values has candidates of shape {shape}, num_sampled is {k}")
    sampled = checked_classes(sampled, num_classes)
    true_count = true_count[:, None] if true_count.dim() == 1 else true_count
    if true_count.shape == (len(labels), 1):
        true_count = true_count.expand(labels.shape)
    for name, count, ids in (("true", true_count, labels), ("sampled", sampled_count, sampled)):
        shape, wanted = list(count.shape), list(ids.shape)
        if shape != wanted:
            raise ValueError(f"{name}_expected_count has shape {shape}, it must be {wanted}")
        if count.numel() and (least := float(count.min())) < 0:
            raise ValueError(f"{name}_expected_count holds {least:g}, it must not be negative")
    counts = true_count.reshape(-1).detach().double(), sampled_count.detach().double()
    return torch.cat([labels.reshape(-1), sampled]), torch.cat(counts)


class RangeSampler(NamedTuple):
    """A sampler of the classes 0 … range_max - 1, called as tf.random's."""

    kind: Callable[[int], Sampler]

    def __call__(
        self,
        true_classes: Tensor,
        num_true: int,
        num_sampled: int,
        unique: bool,
        range_max: int,
        seed: int | None = None,
        name: str | None = None,
    ) -> Sampled:
        """(sampled, true_expected_count, sampled_expected_count) for true_classes [N, num_true]."""
        return _sampled(self.kind(range_max), true_classes, num_true, num_sampled, unique, seed)


uniform_candidate_sampler = RangeSampler(UniformSampler)
log_uniform_candidate_sampler = RangeSampler(LogUniformSampler)
# Each call starts from equal weights: what was learnt lives in the sampler, so that for several
# calls take `w2v.sampling.samplers.LearnedUnigramSampler`.
learned_unigram_candidate_sampler = RangeSampler(LearnedUnigramSampler)


def fixed_unigram_candidate_sampler(
    true_classes: Tensor,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    vocab_file: str = "",
    distortion: float = 1.0,
    num_reserved_ids: int = 0,
    num_shards: int = 1,
    shard: int = 0,
    unigrams: Sequence[float] = (),
    seed: int | None = None,
    name: str | None = None,
) -> Sampled:
    """As the others, with P(k) ~ weight(k)^distortion; the weights are `unigrams`, or the last
    fields of the lines of vocab_file."""
    shards = {"num_shards": num_shards, "shard": shard, "range_max": range_max}
    more: Any = {"distortion": distortion, "num_reserved_ids": num_reserved_ids, **shards}
    sampler = UnigramSampler(list(unigrams) or None, vocab_file=vocab_file or None, **more)
    return _sampled(sampler, true_classes, num_true, num_sampled, unique, seed)


def all_candidate_sampler(
    true_classes: Tensor,
    num_true: int,
    num_sampled: int,
    unique: bool,
    seed: int | None = None,
    name: str | None = None,
) -> Sampled:
    """As the others, with every class 0 … num_sampled - 1 once, expected count 1."""
    sampler = AllCandidateSampler(num_sampled)
    return _sampled(sampler, true_classes, num_true, num_sampled, unique, seed)


def _sampled(
    sampler: Sampler, classes: Tensor, num_true: int, k: int, unique: bool, seed: int | None
) -> Sampled:
    classes = torch.as_tensor(classes)
    shape = list(classes.shape)
    if len(shape) != 2 or shape[1] != num_true:
        raise ValueError(f"true_classes has shape {shape}, it must be [N, {num_true}]")
    generator = _seeded(seed, classes.device)
    classes = checked_classes(classes, sampler.range_max, "true_classes")
    found = sampler.sample(classes, k, unique, generator)
    assert found.true_expected_count is not None
    return found.sampled, found.true_expected_count, found.sampled_expected_count
