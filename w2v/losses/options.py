"""The losses' own settings: what exists only for one loss. Free of torch and NumPy, so that --help can list them.

On the command line `--negatives 10`, in YAML `negatives: 10` or `loss.negatives: 10`.
"""

from __future__ import annotations

from dataclasses import dataclass

from w2v.settings import setting


@dataclass(frozen=True)
class SampledOptions:
    """Losses that score the target against k noise words drawn from q(w) ~ count(w)^power."""

    negatives: int = setting(5, "noise words drawn per window", low=1)
    noise_power: float = setting(0.75, "the noise is drawn by count to this power (0: uniform, 1: by frequency)")


@dataclass(frozen=True)
class NegOptions(SampledOptions):
    """Negative sampling, word2vec's default."""


@dataclass(frozen=True)
class NceOptions(SampledOptions):
    """Noise-contrastive estimation: the score is h.w (+ b) - log Z."""

    nce_log_z: str = setting(
        "auto",
        "log Z, subtracted from every score: auto is log V; learned starts there and is trained",
        choices=("auto", "learned"),
        or_number=True,
    )
    nce_bias: bool = setting(False, "give every output word a bias that is trained")


@dataclass(frozen=True)
class HsigmoidOptions:
    """Hierarchical softmax over the Huffman tree: nothing to set."""
