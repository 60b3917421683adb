"""Run directories of small language models with random parameters: what the tests of their verbs
work on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from w2v.corpus import read_corpus
from w2v.lm.model import Network
from w2v.lm.saved import model_arrays, model_files
from w2v.lm.vocabulary import TokenVocabulary
from w2v.settings.build import build_config
from w2v.settings.config import Config

WORDS = [f"w{rank}" for rank in range(1, 31)]
LINE_WORDS = 9


def corpus_text(seed: int = 1, lines: int = 60) -> str:
    """Lines of w1 … w30 by Zipf's law; one in ten is empty, the last has no line end."""
    random = np.random.default_rng(seed)
    shares = 1 / np.arange(1, len(WORDS) + 1)
    found = [
        (
            ""
            if random.random() < 0.1
            else " ".join(random.choice(WORDS, LINE_WORDS, p=shares / shares.sum()))
        )
        for _ in range(lines)
    ]
    return "\n".join([*found, "w1 w2"])


def write_run(folder: Path, corpus: Path, seed: int = 3, **settings: Any) -> Config:
    """Writes the run directory of an untrained model over the corpus, its parameters drawn anew."""
    given = {
        "model": "lm",
        "dim": "8",
        "corpus": (str(corpus),),
        **{k: str(v) for k, v in settings.items()},
    }
    config = build_config(given)
    with read_corpus(config.corpus.corpus, config.corpus, use_cache=False) as store:
        vocabulary = TokenVocabulary.of_corpus(store, config)
    torch.manual_seed(seed)
    network = Network(config, torch.from_numpy(vocabulary.counts), sparse=False)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.5)
    write_files(folder, network, vocabulary, config)
    np.save(folder / "vectors.npy", network.input.weight.detach().numpy())
    return config


def write_files(
    folder: Path, network: Network, vocabulary: TokenVocabulary, config: Config
) -> None:
    """Writes the run directory of a model, without its vectors.npy."""
    folder.mkdir(exist_ok=True)
    (folder / "format_version").write_text("1\n")
    (folder / "config.yaml").write_bytes(config.to_yaml().encode())
    vocabulary.vocabulary.save(folder / "vocab.tsv")
    for name, write in model_files(model_arrays(network), vocabulary).items():
        with open(folder / name, "wb") as file:
            write(file)
