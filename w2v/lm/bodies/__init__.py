"""The bodies of language models: recurrent, attention, and fixed windows of words."""

from __future__ import annotations

from w2v.lm.bodies.base import Body
from w2v.lm.bodies.recurrent import RecurrentBody
from w2v.lm.bodies.transformer import Transformer
from w2v.lm.bodies.windowed import FeedForward, LogBilinear
from w2v.settings.language_model import LanguageModelSettings


def make_body(settings: LanguageModelSettings, dim: int) -> Body:
    """Returns the body named by `settings.arch`, for embeddings of length `dim`."""
    if settings.arch in ("lstm", "gru"):
        return RecurrentBody(settings, dim)
    if settings.arch == "transformer":
        return Transformer(settings, dim)
    return FeedForward(settings, dim) if settings.arch == "ffnn" else LogBilinear(settings, dim)
