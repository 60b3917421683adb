from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from w2v.config import build_config
from w2v.corpus import read_corpus
from w2v.errors import InputError
from w2v.losses import LOSSES
from w2v.models.language_model import make_language_model
from w2v.models.options import ARCHITECTURES
from w2v.models.saved import load_language_model, save_language_model
from w2v.models.vocabulary import TokenVocabulary


@pytest.fixture
def saved(tmp_path: Path):
    """saved(…settings): (a model with random weights, the run directory that holds it)."""

    def call(**settings: str):
        (tmp_path / "text.txt").write_text("a b c d\nb c\ne f g h\n" * 3)
        options = {field.name for field in fields(LOSSES[settings.get("loss", "softmax")].options)}
        more = {"negatives": "3"} if "negatives" in options else {}
        given = {"dim": "8", "heads": "2", **more, **settings}
        config = build_config({"corpus": (str(tmp_path / "text.txt"),), "model": "lm", **given})
        store = read_corpus((str(tmp_path / "text.txt"),), config.corpus, use_cache=False)
        vocabulary = TokenVocabulary.of_corpus(store, config)
        if "cutoffs" in options:
            config = replace(config, loss=replace(config.loss, cutoffs=("4",)))
        torch.manual_seed(1)
        model = make_language_model(config, torch.from_numpy(vocabulary.counts)).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        run = tmp_path / "run"
        run.mkdir(exist_ok=True)
        config.save_yaml(run / "config.yaml")
        save_language_model(run, model, vocabulary)
        return model, run

    return call


@torch.no_grad()
def nll(model) -> torch.Tensor:
    ids = torch.randint(8, (15, 2), generator=torch.Generator().manual_seed(5))
    rows, _ = model.hidden(ids[:-1], model.start(2))
    return model.layer.nll(rows.flatten(0, 1), ids[1:].flatten())


CASES = [
    *({"loss": loss} for loss in LOSSES),
    *({"arch": arch} for arch in ARCHITECTURES),
    {"tied": "true", "hidden": "12"},
    {"arch": "transformer", "positions": "learned"},
    {"loss": "nce", "nce_log_z": "learned"},
    {"loss": "adaptive-softmax", "tied": "true"},
]


@pytest.mark.parametrize("settings", CASES, ids=str)
def test_a_loaded_model_predicts_the_same(saved, settings):
    model, run = saved(**settings)
    loaded = load_language_model(run)
    assert not loaded.model.training
    assert torch.equal(nll(loaded.model), nll(model))
    assert loaded.config.training.loss == settings.get("loss", "softmax")


def test_tied_weights_are_stored_once(saved):
    _, run = saved(tied="true")
    arrays = load_file(run / "model.safetensors")
    assert "output.weight" not in arrays
    loaded = load_language_model(run).model
    assert loaded.layer.weight is loaded.input.weight


def test_what_is_no_language_model_is_refused(saved, tmp_path):
    with pytest.raises(InputError, match="no run directory"):
        load_language_model(tmp_path / "text")
    (tmp_path / "vectors").mkdir()
    with pytest.raises(InputError, match="holds no language model"):
        load_language_model(tmp_path / "vectors")


def _without(name: str):
    def damage(run: Path) -> None:
        (run / name).unlink()

    return damage


def _renamed(run: Path) -> None:
    arrays = load_file(run / "model.safetensors")
    arrays["odd"] = arrays.pop("input.weight")
    save_file(arrays, run / "model.safetensors")


def _shortened(run: Path) -> None:
    arrays = load_file(run / "model.safetensors")
    arrays["input.weight"] = np.ascontiguousarray(arrays["input.weight"][:-1])
    save_file(arrays, run / "model.safetensors")


def _cut(run: Path) -> None:
    whole = (run / "model.safetensors").read_bytes()
    (run / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def _pickled(run: Path) -> None:
    torch.save({"input.weight": torch.zeros(2)}, run / "model.safetensors")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_without("config.yaml"), "config.yaml is missing"),
        (_without("vocab.tsv"), "vocab.tsv cannot be read"),
        (_renamed, "is in one of them only"),
        (_shortened, "input.weight"),
        (_cut, "cannot be read"),
        (_pickled, "cannot be read"),
        (lambda run: (run / "format_version").write_text("99\n"), "format_version '99'"),
        (lambda run: (run / "vocab.tsv").write_text("a\t1\n"), "no <unk>"),
    ],
)
def test_damaged_runs_are_refused_in_one_sentence(saved, damage, told):
    _, run = saved()
    damage(run)
    with pytest.raises(InputError, match=told) as caught:
        load_language_model(run)
    assert "\n" not in str(caught.value)
