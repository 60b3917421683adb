"""Runs of small language models, which the tests of their verbs work on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from w2v.lm.language_model import LanguageModel

LAYERS = ("softmax", "adaptive-softmax", "hsigmoid", "nce")
TEXT = "w1 w2 nowhere w3\n\nw4 <unk> w5\nw6"


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run per output layer, named after it; w30 is too rare for their vocabularies."""
    from tests.language_runs import corpus_text, write_run  # imports PyTorch

    folder = tmp_path_factory.mktemp("templates")
    (folder / "corpus.txt").write_text(corpus_text())
    for loss in LAYERS:
        more = {"negatives": 4} if loss == "nce" else {}
        write_run(folder / loss, folder / "corpus.txt", loss=loss, **more)
    return folder


@pytest.fixture(name="run")
def saved_run(templates: Path, tmp_path: Path) -> str:
    """The name of a run in the directory in which `w2v` runs."""
    shutil.copytree(templates / "softmax", tmp_path / "run")
    return "run"


def by_hand(saved: LanguageModel, lines: list[str]) -> np.ndarray:
    """log P of every token of the lines, one at a time from the start state, in float64."""
    import torch  # takes a second

    vocabulary, model = saved.vocabulary, saved.network.double()
    ids = [token for line in lines for token in (*vocabulary.encode(line).tolist(), vocabulary.eos)]
    state, last, found = model.start(1), vocabulary.eos, []
    state = tuple(part.double() for part in state)
    with torch.no_grad():
        for token in ids:
            hidden, state = model.hidden(torch.tensor([[last]]), state)
            found.append(model.output.log_prob(hidden[0])[0, token].item())
            last = token
    return np.array(found)
