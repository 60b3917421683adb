"""Strange values of the arguments of every layer: each is refused in one sentence."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from tests.losses.strange_values import CUTOFFS, HUGE, NO_FLAGS, TARGET, UNUSUAL, D, N, V, refuses
from w2v.losses.layers import make_layer
from w2v.losses.table import LOSSES


@pytest.mark.parametrize("name", ["neg", "hsigmoid", "hsigmoid+neg"])
@pytest.mark.parametrize("flag", ["sparse", "per_row"])
def test_flags_of_layers(name, flag):
    if (name, flag) != ("hsigmoid", "per_row"):
        for value in NO_FLAGS:
            refuses(lambda value=value: make_layer(name, D, [3, 2, 1], **{flag: value}))
        assert getattr(make_layer(name, D, [3, 2, 1], sparse=np.True_), "sparse") is True  # noqa: B009


@pytest.mark.parametrize(
    ("loss", "counts", "more", "remedy"),
    [
        ("adaptive", [3, 2, 1], {}, "adaptive-softmax"),
        ("nce", 50, {}, "50.*torch.ones"),
        ("nce", [3, 2, 1], {"dtype": "float64"}, "torch.float64"),
        (["nce"], [3, 2, 1], {}, "sampled-softmax"),
    ],
)
def test_remedies_are_named(loss, counts, more, remedy):
    with pytest.raises(ValueError, match=remedy):
        make_layer(loss, D, counts, **more)


@pytest.mark.parametrize("cutoffs", CUTOFFS)
def test_cutoffs_that_are_no_whole_numbers(cutoffs):
    refuses(lambda: make_layer("adaptive-softmax", 16, range(V, 0, -1), cutoffs=cutoffs))


def test_numbers_that_float32_cannot_hold():
    settings = {"am-softmax": ("scale", "am_margin"), "l-softmax": ("annealing",)}
    settings["nce"] = ("nce_log_z",)
    settings["sm-softmax"] = ("sm_margin",)
    for name, options in settings.items():
        for option, value in itertools.product(options, HUGE):
            make = {option: str(value) if option == "nce_log_z" else value}
            refuses(lambda name=name, make=make: make_layer(name, D, [3, 2, 1], **make))
    layer = make_layer("am-softmax", D, [3, 2, 1], scale=1e30, am_margin=1e30)
    refuses(lambda: layer(torch.ones(1, D), torch.tensor([0])))


@pytest.mark.parametrize("name", LOSSES)
def test_layers_take_dense_numbers_only(name):
    more = {"cutoffs": ("3",), "div_value": 1.0} if name == "adaptive-softmax" else {}
    layer = make_layer(name, D, range(V, 0, -1), **more)
    for value in UNUSUAL:
        refuses(lambda value=value: layer(value, TARGET))
        refuses(lambda value=value: layer(torch.randn(N, D), value))
        refuses(lambda value=value: make_layer(name, D, value, **more))
        if name != "hsigmoid+neg":
            refuses(lambda value=value: make_layer(name, D, range(V, 0, -1), weight=value, **more))
    refuses(lambda: make_layer(name, D, range(V, 0, -1), dtype=torch.float8_e5m2, **more))
