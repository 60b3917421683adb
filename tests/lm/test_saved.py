from __future__ import annotations

import json
import os
import re
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from tests.language_runs import write_files
from w2v.corpus import read_corpus
from w2v.errors import InputError, RunError
from w2v.lm.model import Network
from w2v.lm.saved import load_language_model
from w2v.lm.vocabulary import TokenVocabulary
from w2v.losses.table import LOSSES
from w2v.settings.build import build_config
from w2v.settings.language_model import ARCHITECTURES


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
        model = Network(config, torch.from_numpy(vocabulary.counts)).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        run = tmp_path / "run"
        write_files(run, model, vocabulary, config)
        return model, run

    return call


@torch.no_grad()
def nll(model) -> torch.Tensor:
    ids = torch.randint(8, (15, 2), generator=torch.Generator().manual_seed(5))
    rows, _ = model.hidden(ids[:-1], model.start(2))
    return model.output.nll(rows.flatten(0, 1), ids[1:].flatten())


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
    assert not loaded.network.training
    assert torch.equal(nll(loaded.network), nll(model))
    assert loaded.config.training.loss == settings.get("loss", "softmax")


def test_tied_weights_are_stored_once(saved):
    _, run = saved(tied="true")
    arrays = load_file(run / "model.safetensors")
    assert "output.weight" not in arrays
    loaded = load_language_model(run).network
    assert loaded.output.weight is loaded.input.weight


def test_what_is_no_language_model_is_refused(saved, tmp_path):
    with pytest.raises(InputError, match="not a run directory"):
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


def _other(**changes):
    """Settings of config.yaml changed."""

    def change(run):
        text = (run / "config.yaml").read_text()
        for key, value in changes.items():
            text, found = re.subn(rf"(?m)^{key}: .*$", f"{key}: {value}", text)
            assert found == 1
        (run / "config.yaml").write_text(text)

    return change


def _header(**entries):
    """A model.safetensors with a header of one's own before its tensors."""

    def change(run):
        data = (run / "model.safetensors").read_bytes()
        size = int.from_bytes(data[:8], "little")
        header = json.dumps(
            json.loads(data[8 : 8 + size]) | {n.replace("_", "."): e for n, e in entries.items()}
        )
        (run / "model.safetensors").write_bytes(
            len(header).to_bytes(8, "little") + header.encode() + data[8 + size :]
        )

    return change


def _device(name, make):
    def change(run):
        (run / name).unlink()
        make(run / name)

    return change


NOTHING = {"dtype": "F32", "shape": [0, 1 << 61], "data_offsets": [0, 0]}


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_without("config.yaml"), "config.yaml is missing"),
        (_without("vocab.tsv"), "vocab.tsv cannot be read"),
        (_renamed, "is in only one of them"),
        (_shortened, "input.weight"),
        (_cut, "cannot be read"),
        (_pickled, "cannot be read"),
        (lambda run: (run / "format_version").write_text("99\n"), "format_version '99'"),
        (lambda run: (run / "vocab.tsv").write_text("a\t1\n"), "no <unk>"),
        (_other(model="skip-gram"), "config.yaml is for skip-gram, not for a language model"),
        (
            lambda run: (run / "config.yaml").write_text("dim: 8\ncorpus: x\n"),
            "config.yaml is for skip-gram, not for",
        ),
        (_other(hidden="1000000"), r"config.yaml and vocab.tsv make it \[4"),
        (_other(hidden="1000000000"), "no model can be that large"),
        (_other(dim="1048576"), "config.yaml and vocab.tsv make it"),
        (_header(x=NOTHING), "cannot be read"),
        (
            _header(x={"dtype": "BF16", "shape": [0], "data_offsets": [0, 0]}),
            "cannot be read: tensor 'x' is BF16",
        ),
        (
            _header(output_bias={"dtype": "F32", "shape": [2, 5], "data_offsets": [0, 40]}),
            r"output.bias is \[2, 5\]",
        ),
        (_device("vocab.tsv", lambda path: path.symlink_to("/dev/zero")), "it is not a file"),
        (_device("vocab.tsv", os.mkfifo), "it is not a file"),
        (_device("config.yaml", os.mkfifo), "config.yaml is missing"),
    ],
)
def test_damaged_runs_are_refused_in_one_sentence(saved, damage, told):
    _, run = saved()
    damage(run)
    with pytest.raises(InputError, match=told) as caught:
        load_language_model(run)
    assert "\n" not in str(caught.value)


def test_the_memory_of_the_output_layer_is_checked(saved, monkeypatch):
    _, run = saved(hidden="8")
    rows = len((run / "vocab.tsv").read_text().splitlines())
    needed = 4 * rows * 9 + (run / "model.safetensors").stat().st_size
    monkeypatch.setattr("w2v.lm.saved.available_memory", lambda: needed - 1)
    with pytest.raises(
        RunError, match=rf"{rows} output rows of 8 numbers need 0.0 GB of memory, 0.0 GB are free"
    ):
        load_language_model(run)
    monkeypatch.setattr("w2v.lm.saved.available_memory", lambda: needed)
    load_language_model(run)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_without("tokenizer.json"), "cannot read .*tokenizer.json: No such file"),
        (_device("tokenizer.json", os.mkfifo), "cannot read .*tokenizer.json: it is not a file"),
        (lambda run: (run / "tokenizer.json").write_text("{"), "tokenizer.json is damaged: "),
        (lambda run: (run / "tokenizer.json").write_bytes(b"\xff"), "tokenizer.json is damaged: "),
        (
            lambda run: (run / "tokenizer.json").write_text('{"version": 1, "model": null}'),
            "tokenizer.json is damaged",
        ),
    ],
)
def test_damaged_subwords(saved, damage, told):
    pytest.importorskip("tokenizers")
    _, run = saved(subwords="270")
    assert load_language_model(run).vocabulary.subwords is not None
    damage(run)
    with pytest.raises(InputError, match=told) as caught:
        load_language_model(run)
    assert "\n" not in str(caught.value)
