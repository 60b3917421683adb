"""The settings of a language model (`--model lm`) and of its training, and what they default to.
Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from w2v.losses.table import LM_LOSS
from w2v.settings.declare import setting

ARCHITECTURES = ("lstm", "gru", "transformer", "ffnn", "lbl")
SCHEDULES = ("constant", "linear", "cosine", "plateau")


@dataclass(frozen=True)
class LanguageModelSettings:
    """What `--model lm` has beside the settings of every model. None: see `resolved`."""

    arch: str = setting(
        "lstm",
        "what reads the text: recurrent, attention, or a window of words (Bengio 2003;"
        " log-bilinear)",
        choices=ARCHITECTURES,
    )
    hidden: int | None = setting(None, "width of the body's layers", low=1, default_text="`dim`")
    layers: int | None = setting(
        None, "layers of the body", low=1, high=64, default_text="2; transformer 4, ffnn 1"
    )
    dropout: float = setting(
        0.2, "share of the numbers between layers set to 0 while training", low=0, high=0.95
    )
    variational: bool = setting(
        False, "lstm, gru: the same dropout at all places of a segment (Gal and Ghahramani)"
    )
    tied: bool = setting(False, "output rows are the input embeddings")
    output_bias: bool | None = setting(
        None, "give every output row a bias", default_text="yes, for losses that have one"
    )
    heads: int | None = setting(None, "transformer: attention heads", low=1, default_text="4")
    positions: str | None = setting(
        None,
        "transformer: rotary, or a learned score for each distance",
        choices=("rotary", "learned"),
        default_text="rotary",
    )
    context: int | None = setting(
        None,
        "how many preceding tokens a token sees: in each layer (transformer), in all (ffnn, lbl)",
        low=1,
        default_text="transformer 256; ffnn and lbl 5",
    )
    subwords: int = setting(
        0, "train a vocabulary of this many byte-level BPE subwords; 0: words", low=0
    )
    bptt: int | None = setting(
        None,
        "tokens of a segment, through which gradients flow back",
        low=1,
        default_text="35; transformer 128",
    )
    accumulate: int = setting(1, "segments whose gradients make one step", low=1)
    clip: float | None = setting(
        None,
        "largest norm of the gradient of all parameters; 0: no limit",
        low=0,
        default_text="0.25 for sgd, 1 otherwise",
    )
    weight_decay: float | None = setting(
        None,
        "adamw: share of the body's matrices lost per step and learning rate",
        low=0,
        default_text="0.01",
    )
    schedule: str | None = setting(
        None,
        "how the learning rate falls; plateau: to a quarter when `valid` does not improve",
        choices=SCHEDULES,
        default_text="sgd: plateau with `valid`, else linear; cosine otherwise",
    )
    warmup: float | None = setting(
        None,
        "share of the run in which the learning rate rises from 0",
        low=0,
        high=1,
        default_text="0 for sgd, 0.02 otherwise",
    )
    precision: str = setting(
        "float32",
        "of the matrix products while training; weights stay float32",
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

OPTIONAL = tuple(field.name for field in fields(LanguageModelSettings) if field.default is None)
HEADS = 4
# By architecture, where it is not what the lstm has.
LAYERS = {"transformer": 4, "ffnn": 1, "lbl": 1}
CONTEXT = {"transformer": 256, "ffnn": 5, "lbl": 5}
BPTT = {"transformer": 128}

# What `model` lm sets otherwise than word vectors, where the user does not say.
DEFAULTS: dict[str, object] = {
    "loss": LM_LOSS,
    "dim": 200,
    "min_count": 1,
    "sample": 0.0,
    "batch_size": 20,
}
NEGATIVES = 1024  # noise words, shared by a segment of all columns
LR = {"sgd": 20.0, "adagrad": 0.1, "adamw": 2e-3, "sparse-adam": 2e-3}


def default_optimizer(arch: str, scores_all: bool) -> str:
    """What learns well in few epochs. Recurrent bodies: sgd, as in pytorch/examples, if the loss
    scores all rows, and adagrad if it scores few, whose rows then have rates of their own (on
    150,000 words, 2 epochs: perplexity 105 against 187 for nce, 109 against 365 for hsigmoid).
    Windows of words: adagrad (107 against adamw's 154 for ffnn).
    """
    if arch == "transformer":
        return "adamw"
    return "sgd" if scores_all and arch in ("lstm", "gru") else "adagrad"


def problems(
    settings: LanguageModelSettings,
    dim: int,
    loss: str,
    has_tied: bool,
    has_bias: bool,
    validated: bool,
) -> list[str]:
    """What in the settings cannot be, in phrases for the user.

    dim: length of the embeddings. has_tied, has_bias: whether the loss's output rows can be the
    words' embeddings, and can have biases. validated: whether there is a validation text.
    """
    found = []
    if settings.tied and not has_tied:
        found.append(
            f"`tied`: the output rows of `loss` {loss} are not words, so they cannot be the"
            " embeddings"
        )
    if settings.output_bias and not has_bias:
        found.append(f"`output_bias`: `loss` {loss} has no biases; leave it out")
    if settings.arch == "transformer":
        width = settings.hidden or dim
        heads = settings.heads or fitting_heads(width)
        if width % heads:
            found.append(
                f"`heads` {heads} does not divide the layers' width, {width}: change `heads` or"
                " `hidden`"
            )
        elif width // heads % 2 and settings.positions in (None, "rotary"):
            found.append(
                f"`positions` rotary turns pairs of numbers, but a head has {width // heads}, an"
                " odd number: change `heads` or `hidden`, or use `positions` learned"
            )
    if settings.schedule == "plateau" and not validated:
        found.append("`schedule` plateau needs `valid` FILE, whose perplexity it watches")
    return found


def fitting_heads(width: int) -> int:
    """4 heads, or fewer where these do not divide the width into even parts."""
    return next((heads for heads in (HEADS, 2) if width % (2 * heads) == 0), 1)


def notes(settings: LanguageModelSettings, places: Mapping[str, str]) -> list[str]:
    """What the user set without effect; places: the name under which each given setting was
    given."""
    return [
        f"{places[name]} is not used by `arch` {settings.arch} (only by {', '.join(architectures)})"
        for name, architectures in ONLY_FOR.items()
        if name in places
        and settings.arch not in architectures
        and getattr(settings, name) not in (None, False)
    ]


def resolved(
    settings: LanguageModelSettings,
    dim: int,
    optimizer: str,
    has_bias: bool,
    validated: bool = False,
) -> LanguageModelSettings:
    """The settings with a value for everything that the architecture and the optimizer have; None
    for what they have not.

    has_bias: whether the loss has output biases. validated: whether there is a validation text.
    """
    arch, sgd = settings.arch, optimizer == "sgd"

    def choose(name: str, value: object) -> object:
        if arch not in ONLY_FOR.get(name, ARCHITECTURES):
            return None
        current = getattr(settings, name)
        return value if current is None else current

    values = {
        "hidden": choose("hidden", dim),
        "layers": choose("layers", LAYERS.get(arch, 2)),
        "output_bias": choose("output_bias", has_bias),
        "heads": choose("heads", fitting_heads(settings.hidden or dim)),
        "positions": choose("positions", "rotary"),
        "context": choose("context", CONTEXT.get(arch)),
        "bptt": choose("bptt", BPTT.get(arch, 35)),
        "clip": choose("clip", 0.25 if sgd else 1.0),
        "weight_decay": choose("weight_decay", 0.01) if optimizer == "adamw" else None,
        "schedule": choose("schedule", ("plateau" if validated else "linear") if sgd else "cosine"),
        "warmup": choose("warmup", 0.0 if sgd else 0.02),
    }
    return replace(settings, **values)  # type: ignore[arg-type]
