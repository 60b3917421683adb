"""The settings as keywords with their types, for editors and type checkers; a test compares them
with the declarations."""

from __future__ import annotations

import os
from typing import TypedDict


class Keywords(TypedDict, total=False):
    """What `w2v.train` takes: every setting of `w2v train --help` in its own type."""

    column: str | None
    lowercase: bool
    encoding_errors: str
    min_count: int
    max_vocab: int
    max_sentence: int
    model: str
    dim: int
    window: int
    cbow_hidden: str
    cbow_grad: str
    loss: str
    sample: float
    lr: float | None
    epochs: int
    threads: int | None
    seed: int
    deterministic: bool
    engine: str
    device: str
    batch_size: int | None
    optimizer: str | None
    smoothing: float
    top_k: int
    keep_target: bool
    scale: float
    am_margin: float
    angular_margin: int
    annealing: float
    sm_margin: float
    cutoffs: tuple[str, ...] | list[int]
    div_value: float
    head_bias: bool
    negatives: int
    noise_power: float
    nce_log_z: str | float
    nce_bias: bool
    remove_hits: bool
    arch: str
    hidden: int | None
    layers: int | None
    dropout: float
    variational: bool
    tied: bool
    output_bias: bool | None
    heads: int | None
    positions: str | None
    context: int | None
    subwords: int
    bptt: int | None
    accumulate: int
    clip: float | None
    weight_decay: float | None
    schedule: str | None
    warmup: float | None
    precision: str
    compile: bool
    valid: str | os.PathLike[str] | None
    patience: int
    init: str | os.PathLike[str] | None
    freeze: bool
    extend_vocab: bool
    checkpoint_every: str | None
    keep: int
    output: str | os.PathLike[str] | None
    overwrite: bool
