"""Saved configurations give back the run."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.settings.test_build import CORPUS
from w2v.settings.build import build_config
from w2v.settings.config import Config
from w2v.settings.groups import FUSED

TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20
)
LOSS_OPTIONS = st.one_of(
    st.fixed_dictionaries({"loss": st.just("hsigmoid")}),
    st.fixed_dictionaries(
        {
            "loss": st.sampled_from(["neg", "nce"]),
            "negatives": st.integers(1, 100).map(str),
            "noise_power": st.floats(-5, 5).map(repr),
        }
    ),
    st.fixed_dictionaries(
        {
            "loss": st.just("nce"),
            "nce_log_z": st.one_of(
                st.sampled_from(["auto", "learned"]),
                st.floats(allow_nan=False, allow_infinity=False).map(repr),
            ),
            "nce_bias": st.booleans(),
        }
    ),
)
COMMON = st.fixed_dictionaries(
    {"corpus": st.lists(TEXTS, min_size=1, max_size=3).map(tuple)},
    optional={
        "column": TEXTS,
        "lowercase": st.booleans(),
        "encoding_errors": st.sampled_from(["replace", "strict"]),
        "min_count": st.integers(1, 10**12).map(str),
        "max_vocab": st.integers(0, 10**12).map(str),
        "dim": st.integers(1, 10**6).map(str),
        "sample": st.floats(0, 1).map(repr),
        "lr": st.floats(0, exclude_min=True, allow_infinity=False).map(repr),
        "threads": st.integers(1, 1024).map(str),
        "seed": st.integers(0, 2**63 - 1).map(str),
        "model": st.sampled_from(["skip-gram", "cbow"]),
        "engine": st.sampled_from(["auto", "autograd"]),
        "device": st.sampled_from(["auto", "cpu", "cuda", "cuda:3"]),
        "batch_size": st.integers(1, 10**6).map(str),
    },
)


def from_anywhere(config: Config) -> Config:
    """The configuration with absolute paths, as a saved one has them."""
    corpus = tuple(
        entry if entry == "-" else os.path.abspath(entry) for entry in config.corpus.corpus
    )
    return dataclasses.replace(config, corpus=dataclasses.replace(config.corpus, corpus=corpus))


@settings(deadline=None, max_examples=examples(30))
@given(COMMON, LOSS_OPTIONS)
@example({"corpus": ("\x85", "naïve\u2028\n")}, {"loss": "hsigmoid"})
@example({"corpus": ("yes", "1e3", "- x: y", "~")}, {"loss": "nce", "nce_log_z": "0"})
def test_a_saved_configuration_gives_back_the_run(
    tmp_path_factory: pytest.TempPathFactory, common: dict[str, Any], loss: dict[str, Any]
) -> None:
    config = build_config({**common, **loss})
    path = tmp_path_factory.getbasetemp() / "config.yaml"
    path.write_bytes(config.to_yaml().encode())
    assert build_config({}, path) == dataclasses.replace(from_anywhere(config), notes=())
    for name, text in {**common, **loss}.items():
        if isinstance(text, str) and name != "column":
            found = str(getattr(config.loss, name, config.as_dict()[name]))
            assert (
                float_or_text(found) == float_or_text(text)  # -0.0 is 0.0
                or (name, text) == ("engine", "auto")
                or (name == "batch_size" and config.training.engine in FUSED)
            )


def float_or_text(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def test_a_saved_configuration_leaves_out_where_the_result_goes(tmp_path: Path) -> None:
    config = build_config({**CORPUS, "output": "x.bin", "overwrite": True, "loss": "nce"})
    (tmp_path / "config.yaml").write_bytes(config.to_yaml().encode())
    text = (tmp_path / "config.yaml").read_text()
    assert text.startswith("# w2v train --config config.yaml")
    values = from_anywhere(config).as_dict()
    assert values.pop("output") == "x.bin"
    assert values.pop("overwrite") is True
    assert yaml.safe_load(text) == values
    back = build_config({}, tmp_path / "config.yaml")
    assert dataclasses.replace(back, output=config.output) == from_anywhere(config)


def test_file_names_that_are_not_utf8_survive(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    config = build_config({"corpus": (name,)})
    (tmp_path / "c.yaml").write_bytes(config.to_yaml().encode())
    assert build_config({}, tmp_path / "c.yaml").corpus.corpus == (os.path.abspath(name),)
