"""The bodies of language models by name."""

from __future__ import annotations

from collections.abc import Callable

from w2v.lm.bodies.base import Body
from w2v.lm.bodies.recurrent import RecurrentBody
from w2v.lm.bodies.transformer import Transformer
from w2v.lm.bodies.windowed import FeedForward, LogBilinear
from w2v.settings.language_model import LanguageModelSettings

BODIES: dict[str, Callable[[LanguageModelSettings, int], Body]] = {
    "lstm": RecurrentBody,
    "gru": RecurrentBody,
    "transformer": Transformer,
    "ffnn": FeedForward,
    "lbl": LogBilinear,
}


def make_body(settings: LanguageModelSettings, dim: int) -> Body:
    """Returns the body that `settings.arch` names, over embeddings of length `dim`. Raises
    ValueError if the settings do not fit each other."""
    return BODIES[settings.arch](settings, dim)
