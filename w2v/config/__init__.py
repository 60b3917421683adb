"""All settings of a training run, declared once: command line, YAML files and the saved config.yaml derive from them.

    config = build_config({"corpus": ("corpus.txt",), "dim": "50"}, "recipe.yaml")

groups: the settings themselves; config: `Config`, a run that is completely described; build: from texts to a `Config`.
"""

from w2v.config.build import build_config, config_of
from w2v.config.config import Config
from w2v.config.groups import (
    CheckpointSettings,
    CorpusSettings,
    OutputSettings,
    all_settings,
    loss_settings,
    losses_with,
)

__all__ = [
    "CheckpointSettings",
    "Config",
    "CorpusSettings",
    "OutputSettings",
    "all_settings",
    "build_config",
    "config_of",
    "loss_settings",
    "losses_with",
]
