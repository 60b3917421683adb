"""The settings of a language model (`model` lm) and of its training. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from w2v.settings.declare import AUTO, setting, settings_of

ARCHITECTURES = ("lstm", "gru", "transformer", "ffnn", "lbl")
SCHEDULES = ("constant", "linear", "cosine", "plateau")


@dataclass(frozen=True)
class LanguageModelSettings:
    """The settings that only `model` lm has."""

    arch: str = setting(
        "lstm",
        "architecture: recurrent, attention, or a window (ffnn: Bengio 2003; lbl: log-bilinear)",
        choices=ARCHITECTURES,
    )
    hidden: int = setting(AUTO, "width of the hidden layers", low=1, default_text="`dim`")
    layers: int = setting(
        AUTO, "number of hidden layers", low=1, high=64, default_text="2; transformer 4, ffnn 1"
    )
    dropout: float = setting(0.2, "dropout rate between layers", low=0, high=0.95)
    variational: bool = setting(
        False, "lstm, gru: use one dropout mask for a whole segment (Gal and Ghahramani)"
    )
    tied: bool = setting(False, "use the input embeddings as output rows")
    output_bias: bool = setting(
        AUTO, "give every output row a bias", default_text="yes, for losses that have one"
    )
    heads: int = setting(AUTO, "transformer: attention heads", low=1, default_text="4")
    positions: str = setting(
        AUTO,
        "transformer: position encoding, rotary or a learned score for each distance",
        choices=("rotary", "learned"),
        default_text="rotary",
    )
    context: int = setting(
        AUTO,
        "number of preceding tokens that are seen, by each layer (transformer) or in all",
        low=1,
        default_text="transformer 256; ffnn and lbl 5",
    )
    bptt: int = setting(
        AUTO, "tokens per segment, for gradients too", low=1, default_text="35; transformer 128"
    )
    accumulate: int = setting(1, "segments whose gradients are added for one step", low=1)
    clip: float = setting(
        AUTO, "largest gradient norm; 0: no limit", low=0, default_text="0.25 for sgd, 1 otherwise"
    )
    weight_decay: float = setting(
        AUTO, "adamw: weight decay of the hidden layers' matrices", low=0, default_text="0.01"
    )
    schedule: str = setting(
        AUTO,
        "how the learning rate decays; plateau: divide by 4 when `valid` does not improve",
        choices=SCHEDULES,
        default_text="sgd: plateau with `valid`, else linear; cosine otherwise",
    )
    warmup: float = setting(
        AUTO,
        "fraction of the run in which the learning rate rises from 0",
        low=0,
        high=1,
        default_text="0 for sgd, 0.02 otherwise",
    )
    precision: str = setting(
        "float32",
        "precision of matrix products in training; weights stay float32",
        choices=("float32", "bf16"),
    )
    compile: bool = setting(False, "torch.compile the body: slower start, faster steps on a GPU")


# Settings that only some architectures have.
ONLY_FOR: dict[str, tuple[str, ...]] = {
    "hidden": ("lstm", "gru", "transformer", "ffnn"),
    "layers": ("lstm", "gru", "transformer", "ffnn"),
    "variational": ("lstm", "gru"),
    "heads": ("transformer",),
    "positions": ("transformer",),
    "context": ("transformer", "ffnn", "lbl"),
}

HEADS = 4
# Defaults by architecture, where they differ from those of lstm.
LAYERS = {"transformer": 4, "ffnn": 1, "lbl": 1}
CONTEXT = {"transformer": 256}
BPTT = {"transformer": 128}
LR = {"sgd": 20.0, "adagrad": 0.1, "adamw": 2e-3, "sparse-adam": 2e-3}


def resolved(given: Mapping[str, Any], dim: int, optimizer: str, has_bias: bool) -> dict[str, Any]:
    """Returns a value for every setting of LanguageModelSettings: the given one if the architecture
    uses the setting, else the default.

    has_bias: whether the loss has output biases.
    """
    arch, sgd = given.get("arch", ARCHITECTURES[0]), optimizer == "sgd"
    falling = "plateau" if given.get("valid") is not None else "linear"
    of_arch: dict[str, Any] = {
        "hidden": dim,
        "layers": LAYERS.get(arch, 2),
        "output_bias": has_bias,
        "positions": "rotary",
        "context": CONTEXT.get(arch, 5),
        "bptt": BPTT.get(arch, 35),
        "clip": 0.25 if sgd else 1.0,
        "weight_decay": 0.01,
        "schedule": falling if sgd else "cosine",
        "warmup": 0.0 if sgd else 0.02,
    }
    chosen = {name: given[name] for name in settings_of(LanguageModelSettings) if name in given}
    values = of_arch | {name: chosen[name] for name in chosen if has(arch, name)}
    return {"heads": fitting_heads(values["hidden"])} | values


def has(arch: str, name: str) -> bool:
    """Returns whether an architecture uses a setting."""
    return arch in ONLY_FOR.get(name, ARCHITECTURES)


def fitting_heads(width: int) -> int:
    """Returns 4, 2 or 1 heads: the largest number that gives heads of even width."""
    return next((heads for heads in (HEADS, 2) if width % (2 * heads) == 0), 1)


def unused(settings: LanguageModelSettings, optimizer: str) -> list[str]:
    """Returns the settings without effect for this architecture and optimizer."""
    names = [name for name in ONLY_FOR if name != "variational" and not has(settings.arch, name)]
    return names if optimizer == "adamw" else [*names, "weight_decay"]


def problems(settings: LanguageModelSettings, validated: bool) -> list[str]:
    """Returns phrases about impossible combinations; `validated`: whether `valid` is given."""
    phrases, heads, width = [], settings.heads, settings.hidden
    if settings.arch == "transformer" and width % heads:
        problem = f"`heads` {heads} does not divide the layers' width, {width}"
        phrases.append(f"{problem}: change `heads` or `hidden`")
    elif settings.arch == "transformer" and width // heads % 2 and settings.positions == "rotary":
        phrases.append(
            f"`positions` rotary needs heads of even width, but each has {width // heads}:"
            " change `heads` or `hidden`, or use `positions` learned"
        )
    if settings.schedule == "plateau" and not validated:
        phrases.append("`schedule` plateau needs `valid`, a text to validate on")
    return phrases


def notes(arch: str, given: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    """Returns sentences about settings given without effect; `names`: how the user named them."""
    sentences = [
        f"{names[name]} is not used by `arch` {arch} (only by {', '.join(architectures)})"
        for name, architectures in ONLY_FOR.items()
        if name in names and arch not in architectures and given[name] not in (None, False)
    ]
    if given.get("variational") and has(arch, "variational") and given.get("dropout") == 0:
        sentences.append(f"{names['variational']} is not used with `dropout` 0")
    usual = {"min_count": 1, "max_vocab": 0} if given.get("subwords", "0") != "0" else {}
    idle = [name for name, value in usual.items() if given.get(name, value) != value]
    why = "is not used with `subwords`, which cover all words"
    return sentences + [f"{names[name]} {why}" for name in idle]
