"""Generated: every output layer x shapes x types x devices x methods gives the value that is
written out in `references`, or a sentence that names the argument; so does every option and every
argument that a layer is made with."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.losses.references import COUNTS, SETTINGS, D, V, make, reference
from w2v.losses import LOSSES, make_layer
from w2v.losses.layers import layer_class
from w2v.settings.declare import settings_of

POOL = 12  # hidden rows that the batches are made of
FLOATS = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
INTEGERS = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.uint16]
INTEGERS += [torch.uint32, torch.uint64]
NO_FLOATS = [torch.int64, torch.bool, torch.complex64]
NO_INTEGERS = [torch.bool, torch.float32, torch.float64, torch.complex64]
TYPES = [*itertools.product(FLOATS, INTEGERS), *itertools.product(NO_FLOATS, INTEGERS[:1])]
TYPES += itertools.product(FLOATS[:2], NO_INTEGERS)
SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    *(((*shape, D), shape) for shape in [(), (7,), (7, 1), (1, 5), (2, 3), (1,), (0,), (2, 1, 2)]),
    ((7, D), (7, 1)),
    ((2, 3, D), (2, 3, 1)),
    # from here on nothing that fits
    *[((7, 1, D), (7,)), ((7, D), (1, 7)), ((7, D), (7, 7)), ((7, D), (3,)), ((1, D), (7,))],
    *[((7, D), (1,)), ((7, D), ()), ((D,), (7,)), ((2, 3, D), (3, 2)), ((2, 3, D), (6,))],
    *[((2, 3, D), (2, 3, 3)), ((7, D + 1), (7,)), ((D, 7), (7,)), ((7, 1), (7,)), ((), ())],
    *[((0, D), (7,)), ((7, D), (0,)), ((2, 3, D), (2,)), ((2, 3, D), (3,))],
]
DEVICES = [("cpu", "cpu"), ("meta", "meta"), ("cpu", "meta"), ("meta", "cpu")]
METHODS = ["forward", "nll", "log_prob", "predict", "sample", "row_of"]
SOME_TYPES = [(torch.float64, torch.int64), (torch.bfloat16, torch.uint8)]
HERE = DEVICES[:1]
CASES = [
    *itertools.product(SHAPES, TYPES, HERE, METHODS[:1]),
    *itertools.product(SHAPES[:10], TYPES, HERE, METHODS[1:2]),
    *itertools.product(SHAPES, SOME_TYPES, DEVICES[1:], METHODS[:1]),
    *itertools.product(SHAPES, SOME_TYPES, DEVICES, METHODS[2:]),
]
COUNT = len(CASES) * len(LOSSES)  # of arguments of calls


class Sentence(str):
    """How a call was refused."""


def outcome(function: Callable[..., Any], *args: Any, **more: Any) -> Any:
    """What a call returns, or the sentence that refuses it; any other error stays one."""
    try:
        return function(*args, **more)
    except (ValueError, TypeError) as error:
        text = str(error)
        assert 10 < len(text) < 250 and text.count("\n") < 2, text
        return Sentence(text)


def refused(found: Any, *names: str) -> bool:
    """Whether it is a sentence that holds one of the names."""
    return isinstance(found, Sentence) and any(name in found for name in names)


def batch(shapes, types, devices) -> tuple[Tensor, Tensor, np.ndarray, np.ndarray]:
    """hidden and target of these kinds; which row of the pool and which class each is."""
    (wide, narrow), (kind, integers) = shapes, types
    count, many = math.prod(wide) // max(1, (wide or (1,))[-1]), math.prod(narrow)
    rows, classes = np.arange(count) % POOL, (np.arange(many) * 5 + 2) % V
    values = pool()[rows] if wide[-1:] == (D,) else torch.ones(math.prod(wide)).double()
    hidden = values.reshape(wide).to(kind).to(devices[0])
    target = torch.from_numpy(classes).reshape(narrow).to(integers).to(devices[1])
    return hidden, target, rows, classes


def pool() -> Tensor:
    return torch.randn(POOL, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def fits(shapes, types, devices, method: str) -> bool:
    (wide, narrow), (kind, integers) = shapes, types
    right = wide[-1:] == (D,) and kind in FLOATS
    if method in ("log_prob", "predict", "sample"):
        return right
    right = right and integers in INTEGERS and devices[0] == devices[1]
    if method == "row_of":
        some = wide[:1] != (0,) or narrow == (0,) or devices[0] == "meta"
        return right and len(wide) == 2 and len(narrow) == 1 and some
    return right and narrow in (wide[:-1], (*wide[:-1], 1))


def call(layer, method: str, hidden: Tensor, target: Tensor) -> Any:
    if method == "row_of":
        row_of = torch.zeros_like(target) + (len(hidden) - 1 if hidden.dim() else 0)
        return layer(hidden, target, row_of)
    if method in ("forward", "nll"):
        return getattr(layer, method)(hidden, target)
    return layer.predict(hidden, 3) if method == "predict" else getattr(layer, method)(hidden)


@pytest.mark.parametrize("name", LOSSES)
def test_right_or_a_sentence(name: str) -> None:
    layers = {"cpu": make(name)}
    layers["meta"] = make(name).to("meta")
    loss, log_p = reference(name, layers["cpu"])
    tables = {}
    for kind in FLOATS:
        rows = pool().to(kind).double().numpy()
        losses = np.array([[loss(h, t) for t in range(V)] for h in rows])
        tables[kind] = losses, np.array([log_p(h) for h in rows])
    wrong = []
    for case in CASES:
        hidden, target, rows, classes = batch(*case[:3])
        found = outcome(call, layers[case[2][0]], case[3], hidden, target)
        if not fits(*case):
            good = refused(found, "hidden", "target", "row_of")
        else:
            good = not isinstance(found, Sentence) and right(found, case, rows, classes, tables)
        if not good:
            wrong.append((case, found))
    assert not wrong, f"{len(wrong)} of {len(CASES)}, the first: {wrong[:3]}"


def right(found, case, rows, classes, tables) -> bool:
    """Whether a value is the one of the tables, in shape, type and device."""
    (wide, _), (kind, _), devices, method = case
    losses, log_p = tables[kind]
    shape = wide[:-1]
    if method == "row_of":
        shape, rows = classes.shape, np.full(len(classes), rows[-1] if len(rows) else 0)
    if method in ("predict", "sample"):
        ids = found[0] if method == "predict" else found
        if ids.shape != (shape if method == "sample" else (*shape, 3)) or ids.dtype != torch.int64:
            return False
        if ids.is_meta or method == "sample":
            return ids.is_meta or not ids.numel() or 0 <= int(ids.min()) <= int(ids.max()) < V
        best = np.sort(log_p[rows], axis=1)[:, ::-1][:, :3].reshape(ids.shape)
        here = np.take_along_axis(log_p[rows], ids.reshape(-1, 3).numpy(), 1).reshape(ids.shape)
        return np.allclose(found[1].numpy(), best) and np.allclose(here, best)
    if method == "log_prob":
        shape, want = (*shape, V), log_p[rows]
    else:
        want = (-log_p if method == "nll" else losses)[rows, classes]
    wide_type = torch.float64 if kind == torch.float64 else torch.float32
    if (
        tuple(found.shape) != shape
        or found.dtype != wide_type
        or found.is_meta != (devices[0] == "meta")
    ):
        return False
    close = 1e-10 if kind == torch.float64 else 2e-5
    return found.is_meta or np.allclose(
        found.detach().double().numpy(), want.reshape(shape), rtol=close, atol=close
    )


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("kind", INTEGERS[3:6])
@pytest.mark.parametrize("classes", [127, 128, 255, 256, 257])
def test_classes_near_the_limit_of_their_type(name: str, kind: torch.dtype, classes: int) -> None:
    layer = make_layer(name, D, list(range(classes, 0, -1))).double()
    torch.nn.init.normal_(next(layer.parameters()))
    most = min(classes - 1, torch.iinfo(kind).max)
    target = torch.tensor([0, 1, most - 1, most])
    hidden = torch.randn(4, D, dtype=torch.float64)
    for method in (layer, layer.nll):
        torch.manual_seed(1)
        want = method(hidden, target)
        torch.manual_seed(1)
        assert torch.equal(method(hidden, target.to(kind)), want)
    if classes <= most:
        with pytest.raises(ValueError, match="targets range"):
            layer(hidden, torch.full((4,), classes).to(kind))


# the only ones of these that are something
FINE = [("cutoffs", [1]), ("noise_power", -3), ("nce_log_z", -3), ("nce_log_z", -1e30)]
NONSENSE = ["x", None, [1], {}, object(), float("nan"), float("inf"), -1e30, -3, 10**400, b"2", 1j]


@pytest.mark.parametrize("name", LOSSES)
def test_every_option(name: str) -> None:
    kind = LOSSES[name].options
    for option, setting in settings_of(kind).items():
        tried = list(NONSENSE)
        low = setting.low if setting.low is not None else setting.above
        tried += [] if low is None else [low - 1, low - 0.5]
        tried += [] if setting.high is None else [setting.high + 1]
        for value in tried:
            for found in (
                outcome(make_layer, name, D, COUNTS, **{option: value}),
                outcome(lambda given: make_layer(name, D, COUNTS, kind(**given)), {option: value}),
            ):
                if isinstance(found, Sentence):
                    assert option in found, (option, value, found)
                else:
                    assert (option, value) in FINE, (option, value)
    chosen = SETTINGS.get(name, {})
    layer = make_layer(name, D, COUNTS, kind(), **chosen)
    assert {option: getattr(layer.options, option) for option in chosen} == chosen
    assert refused(outcome(make_layer, name, D, COUNTS, {}), "options")


@pytest.mark.parametrize("name", LOSSES)
def test_what_a_layer_is_made_of(name: str) -> None:
    rows = torch.zeros(V, D)
    bad: dict[str, list[object]] = {
        "dim": [0, -1, 2.5, "6", None, True, [6], float("nan")],
        "counts": [
            *[[], [1], 5, "abc", None, [[1, 2], [3, 4]], [-1, 2], [math.nan, 1.0], [None, 1], {}],
            *[[math.inf, 1.0], [True, False], torch.ones(3, device="meta"), [2**62] * 4, [1j, 2j]],
            ["a", "b"],
        ],
        "options": [{}, "x", 5, LOSSES["neg" if name != "neg" else "nce"].options()],
        "device": ["moon", 2.5, object()],
        "dtype": [torch.int64, "float64", 5],
        "nonsense": [1],
    }
    if LOSSES[name].tied:
        bad["weight"] = [rows[:3], rows[:, :3], rows.long(), rows.tolist(), 5, rows.numpy(), rows.T]
    if name != "adaptive-softmax":
        bad["bias"] = [None, rows[:3, 0], 1, "x", rows[:, 0].long()]
    if LOSSES[name].sparse:
        bad["sparse"] = ["x", 2, rows]
    if LOSSES[name].draws_noise:
        bad |= {"sampler": [5, "x"], "per_row": ["x", 3], "generator": [5, "x"]}
    if name == "hsigmoid":
        bad["tree"] = [5, [1, 2], "x"]
    for argument, values in bad.items():
        for value in values:
            if argument == "options":
                found = outcome(layer_class(name), D, COUNTS, value)
            else:
                given = {"dim": D, "counts": COUNTS, **SETTINGS.get(name, {}), argument: value}
                found = outcome(make_layer, name, **given)
            assert refused(found, argument, "no bias"), (argument, value, found)


@pytest.mark.parametrize("name", LOSSES)
def test_arguments_of_the_other_methods(name: str) -> None:
    layer, hidden = make(name), pool()
    for k in (0, -1, 2.5, "3", None, True, math.nan):
        assert refused(outcome(layer.predict, hidden, k), "k is")
    assert layer.predict(hidden, 10**6)[0].shape == (POOL, V)
    for temperature in (0, -1, math.nan, "3", None, [1], True, 1j):
        assert refused(outcome(layer.sample, hidden, None, temperature), "temperature is")
    assert refused(outcome(layer.sample, hidden, 5), "generator is")
    target = torch.zeros(POOL).long()
    for method in METHODS[:5]:
        for value in (None, [1.0], hidden.numpy(), hidden.to_sparse(), 2.5, "x"):
            found = outcome(call, layer, method, value, target)
            assert refused(found, "hidden is"), (method, value, found)
    for value in ([1], 2, "x", np.zeros(POOL)):
        assert refused(outcome(layer, hidden, target, value), "row_of is")
        assert refused(outcome(layer, hidden, value), "target is")
        assert refused(outcome(layer.nll, hidden, value), "target is")
    assert refused(outcome(layer.nll, hidden, None), "target is")


def test_how_many_there_are() -> None:
    print(f"{COUNT:,} arguments of calls")
    assert COUNT > 30_000 and len({*map(str, CASES)}) == len(CASES)
