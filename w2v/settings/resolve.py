"""Determines a value for every setting from what the user gave. All defaults that depend on other
settings are here or, for language models, in `w2v.settings.language_model`; the others are declared
with the settings.

Defaults are those of word2vec.c if it has the setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from w2v.kernels.plan import most_negatives, widest_window
from w2v.losses.table import LM_LOSS, LOSSES, WORDS_LOSS
from w2v.settings import language_model
from w2v.settings.config import BY_THE_TEXT
from w2v.settings.declare import settings_of
from w2v.settings.groups import FUSED, GROUPS, HOGWILD, LANGUAGE_MODEL, TRITON
from w2v.system.cores import available_cores
from w2v.system.packages import has_triton, interprets_triton
from w2v.system.ranks import rank_or_single

# By optimizer and model: for sgd those of word2vec.c; for the others, values at which all losses
# learn well on the demo corpus.
DEFAULT_LR = {
    "sgd": {"skip-gram": 0.025, "cbow": 0.05},
    "adagrad": {"skip-gram": 0.1, "cbow": 0.1},
    "sparse-adam": {"skip-gram": 0.01, "cbow": 0.01},
}


def resolve(given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values of all settings by name, including those of the chosen loss.

    given: the converted values that the user gave, without any None.
    """
    is_lm = given.get("model") == LANGUAGE_MODEL
    loss = given.get("loss", LM_LOSS if is_lm else WORDS_LOSS)
    values: dict[str, Any] = {}
    for group in (*GROUPS.values(), LOSSES[loss].options):
        for name, setting in settings_of(group).items():
            # None if the default depends on other settings
            values[name] = setting.default if setting.lm is None or not is_lm else setting.lm
    values |= given
    processes = rank_or_single().local_size  # number of processes that share the cores
    values["threads"] = values["threads"] or max(1, available_cores() // processes)
    return _resolve_lm(given, values) if is_lm else _resolve_words(given, values)


def unsupported(engine: str, values: Mapping[str, Any]) -> list[str]:
    """Returns the settings that an engine with fused kernels does not support."""
    if values["model"] == LANGUAGE_MODEL:
        return [f"`model` {LANGUAGE_MODEL}"]
    device, optimizer, ranks = values["device"], values["optimizer"], rank_or_single().size
    obstacles = {
        f"`loss` {values['loss']}": not LOSSES[values["loss"]].fused,
        f"`optimizer` {optimizer}": optimizer not in (None, "sgd"),
        f"`device` {device}": device.startswith("cuda"),
        "`freeze`": values["freeze"],
    }
    if engine == TRITON:
        obstacles[f"`device` {device}"] = device == "cpu" and not interprets_triton()
        obstacles[f"`subwords` {values['subwords']}"] = values["subwords"] != "0"
        obstacles[f"a run over {ranks} ranks"] = ranks > 1
        dim, window, size = values["dim"], values["window"], f"`dim` {values['dim']}"
        widest = widest_window(dim)
        at_most = f"`window` {window} at {size} (at most {widest})"
        obstacles[at_most if widest > 0 else size] = window > widest
        negatives, most = values.get("negatives", 0), most_negatives(min(window, widest))
        obstacles[f"`negatives` {negatives} (at most {most})"] = negatives > most
    return [text for text, applies in obstacles.items() if applies]


def fused_engine(device: str) -> str:
    """Returns the engine with fused kernels for `device`."""
    return TRITON if device.startswith("cuda") else HOGWILD


def _resolve_words(given: Mapping[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    if values["engine"] == "auto":
        engine = fused_engine(values["device"])
        lacks = unsupported(engine, values) or (engine == TRITON and not has_triton())
        values["engine"] = "autograd" if lacks else engine
    fused = values["engine"] in FUSED
    if values["optimizer"] is None:
        values["optimizer"] = "sgd" if fused else "adagrad"
    if values["lr"] is None:
        # adamw is only for language models; `build` rejects it later
        values["lr"] = DEFAULT_LR.get(values["optimizer"], {}).get(values["model"], 0.0)
    if fused or values["batch_size"] is None:
        values["batch_size"] = BY_THE_TEXT
    return values | language_model.resolved(given, values["dim"], "sgd", False)


def _resolve_lm(given: Mapping[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    loss = LOSSES[values["loss"]]
    # these learn well with every loss, which makes runs comparable (see tests/bench/notes.md)
    usual = "adamw" if values["arch"] == "transformer" else "adagrad"
    optimizer = values["optimizer"] = values["optimizer"] or usual
    values["lr"] = values["lr"] or language_model.LR[optimizer]
    values["engine"] = "autograd" if values["engine"] == "auto" else values["engine"]
    return values | language_model.resolved(given, values["dim"], optimizer, loss.bias)
