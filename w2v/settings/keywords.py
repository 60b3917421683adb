"""The settings as keyword arguments of a function: their types for editors and type checkers, their
defaults and help for `help()` and completion, and the conversion of values from programs."""

from __future__ import annotations

import inspect
import os
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, TypedDict, TypeVar

from w2v.settings.declare import Setting
from w2v.settings.groups import all_settings, losses_with
from w2v.system.arguments import path

Function = TypeVar("Function", bound=Callable[..., Any])


class Keywords(TypedDict, total=False):
    """The keyword arguments of `w2v.train`, with their types; a test compares them with the
    declared settings."""

    column: str | None
    tokenizer: str | os.PathLike[str]
    sentences: str
    lowercase: bool
    encoding: str
    encoding_errors: str
    phrases: str | os.PathLike[str] | None
    vocab: str | os.PathLike[str] | None
    min_count: int
    max_vocab: int
    max_sentence: int
    model: str
    dim: int
    window: int
    cbow_hidden: str
    cbow_grad: str
    subwords: str | int
    buckets: int
    vectors: str
    centre: bool
    components: int
    loss: str
    sample: float
    lr: float | None
    epochs: int
    threads: int | None
    seed: int
    deterministic: bool
    exchange_words: int
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
    softmax_bias: bool
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
    tensorboard: str | os.PathLike[str] | None
    output: str | os.PathLike[str] | None
    overwrite: bool


def with_keywords(function: Function) -> Function:
    """A decorator that lists all settings in a function's signature and docstring."""
    signature = inspect.signature(function)
    settings = [s for name, s in all_settings().items() if name in Keywords.__annotations__]
    parameters = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    for setting in settings:
        kind = Keywords.__annotations__[setting.name].__forward_arg__
        default = None if setting.default == () else setting.default
        parameters.append(
            inspect.Parameter(
                setting.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind
            )
        )
    function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    listed = "\n".join(map(_described, settings))
    function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\nSettings:\n{listed}"
    return function


def _described(setting: Setting) -> str:
    default = setting.default_in_words if setting.name != "output" else "a temporary directory"
    facts = setting.limits_text, f"default: {default}" if default else ""
    details = "; ".join(filter(None, facts))
    of_losses = f"{', '.join(losses)}: " if (losses := losses_with(setting.name)) else ""
    text = f"{setting.name}: {of_losses}{setting.help}{f' [{details}]' if details else ''}"
    return "\n        ".join(textwrap.wrap(f"    {text}", 92, break_on_hyphens=False))


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings with path-like objects as strings, and NumPy numbers and tensors as
    Python numbers. Raises InputError for a value that should be a path but is not."""
    known, given = all_settings(), {name: _plain(value) for name, value in settings.items()}
    for name, value in given.items():
        if value is not None and name in known and known[name].is_path(value):
            given[name] = path(name, value)  # accepts any path-like object, such as a run
    return given


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.tolist() if hasattr(value, "dtype") and hasattr(value, "tolist") else value
