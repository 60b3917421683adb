"""Generated: every function of `w2v.compat.losses` x shapes x types x devices x reductions x
arguments gives the value that is written out here in float64, or a sentence that names the
argument."""

from __future__ import annotations

import inspect
import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.losses.references import large_margin, moved, total
from tests.losses.test_arguments import FLOATS, INTEGERS, NO_FLOATS, NO_INTEGERS, outcome, refused
from w2v.compat import losses as functions

C, D = 11, 5
SMOOTHING, MARGIN, K, SCALE = 0.2, 0.3, 3, 5.0
ROWS = torch.randn(C, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
BIAS = torch.linspace(-1, 1, C, dtype=torch.float64)
WEIGHTS = np.linspace(0.5, 2, C)  # of classes
LOGITS = ["label_smoothing", "sparse_softmax", "soft_margin"]
LINEAR = ["linear", "am_softmax", "l_softmax"]
TYPES = [*itertools.product(FLOATS, INTEGERS), *itertools.product(NO_FLOATS, INTEGERS[:1])]
TYPES += itertools.product(FLOATS[:2], NO_INTEGERS)
USUAL = TYPES[:1]
# of the target; the input's last or second length is put in
FIT: list[tuple[int, ...]] = [(), (7,), (7, 1), (1, 5), (2, 3), (0,), (2, 1, 2)]
# (where the classes or dimensions of the input stand in for None, target)
MISFIT: list[tuple[tuple[int | None, ...], tuple[int, ...]]] = [
    *[((7, None), (1, 7)), ((7, None), (7, 1)), ((7, None), (7, 7)), ((7, None), (3,))],
    *[((1, None), (7,)), ((7, None), (1,)), ((7, None), ()), ((None,), (7,)), ((), ())],
    *[((7, 3), (7,)), ((None, 7), (7,)), ((0, None), (7,)), ((7, None), (0,))],
]
REDUCTIONS = ["none", "mean", "sum"]
IGNORED = [-100, 4, 300, -1]  # 4 occurs
DEVICES = [("meta", "cpu"), ("cpu", "meta"), ("meta", "meta")]


def call(name: str, input: Any, target: Any, **more: Any) -> Any:
    """The function with its usual arguments, and those in more."""
    rows = {"weight": ROWS}
    function, usual = {
        "label_smoothing": (
            functions.label_smoothing_cross_entropy,
            {"smoothing": SMOOTHING, "weight": torch.from_numpy(WEIGHTS)},
        ),
        "sparse_softmax": (
            functions.sparse_softmax_cross_entropy,
            {"k": K, "weight": torch.from_numpy(WEIGHTS)},
        ),
        "soft_margin": (functions.soft_margin_cross_entropy, {"margin": MARGIN}),
        "linear": (
            functions.linear_cross_entropy,
            {**rows, "bias": BIAS, "label_smoothing": SMOOTHING},
        ),
        "am_softmax": (functions.am_softmax_loss, {**rows, "scale": SCALE, "margin": MARGIN}),
        "l_softmax": (functions.l_softmax_loss, {**rows, "margin": 3, "annealing": 0.5}),
    }[name]
    return function(**{"input": input, "target": target, **usual, **more})


def expected(name: str, row: np.ndarray, t: int) -> float:
    """One target's loss."""
    rows, bias = ROWS.numpy(), BIAS.numpy()
    if name in LOGITS:
        z = row
    else:
        z = rows @ row + (bias if name == "linear" else 0.0)
    if name == "label_smoothing":
        q = np.full(C, SMOOTHING / C)
        q[t] += 1 - SMOOTHING
        return float((q * WEIGHTS * (total(z) - z)).sum())
    if name == "sparse_softmax":
        kept = sorted({*np.argsort(-z)[:K].tolist(), t})
        return float(WEIGHTS[t] * (total(z[kept]) - z[t]))
    if name == "soft_margin":
        return moved(z, t, z[t] - MARGIN)
    if name == "linear":
        return float(total(z) - (1 - SMOOTHING) * z[t] - SMOOTHING * z.mean())
    if name == "am_softmax":
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        z = SCALE * (unit @ row) / np.linalg.norm(row)
        return moved(z, t, z[t] - SCALE * MARGIN)
    return moved(z, t, large_margin(row, rows[t], 3, 0.5))


def reduced(name: str, rows: np.ndarray, classes: np.ndarray, ignored: int, how: str) -> Any:
    counted = classes != ignored
    losses = [
        expected(name, r, t) if c else 0.0 for r, t, c in zip(rows, classes, counted, strict=True)
    ]
    if how == "none":
        return np.array(losses)
    if how == "sum":
        return sum(losses)
    weighted = name in ("label_smoothing", "sparse_softmax")
    shares = WEIGHTS[classes] if weighted else np.ones(len(classes))
    return sum(losses) / shares[counted].sum() if counted.any() else math.nan


def batch(name: str, wide, narrow, types) -> tuple[Tensor, Tensor, np.ndarray, np.ndarray]:
    """(input, target, the input's vectors one by one, classes)."""
    kind, integers = types
    many, length = math.prod(narrow), C if name in LOGITS else D
    classes = (np.arange(many) * 4 + 4) % C
    rows = torch.randn(max(many, 1), length, generator=torch.Generator().manual_seed(2))
    rows = rows.double()[:many].to(kind)
    if wide is None:
        input = rows.reshape(*narrow, length)
        if name in LOGITS and narrow:
            input = input.movedim(-1, 1)
    else:
        input = torch.ones([length if n is None else n for n in wide]).to(kind)
    exact = rows.double().numpy() if kind in FLOATS else np.zeros(0)
    return input, torch.from_numpy(classes).reshape(narrow).to(integers), exact, classes


FITTING = [
    *itertools.product(FIT, TYPES, REDUCTIONS[:1], IGNORED[:2]),
    *itertools.product(FIT, USUAL, REDUCTIONS, IGNORED),
]
WRONG = list(itertools.product(MISFIT, USUAL, REDUCTIONS))
COUNT = (len(FITTING) + len(WRONG)) * 6  # of shapes, types, reductions and ignored classes


@pytest.mark.parametrize("name", LOGITS + LINEAR)
@pytest.mark.filterwarnings("ignore")
def test_right_or_a_sentence(name: str) -> None:
    wrong = []
    for case in FITTING:
        narrow, types, how, ignored = case
        input, target, rows, classes = batch(name, None, narrow, types)
        found = outcome(call, name, input, target, reduction=how, ignore_index=ignored)
        if types[0] not in FLOATS or types[1] not in INTEGERS:
            good = refused(found, "input", "target")
        elif isinstance(found, str):
            good = False
        else:
            want = np.asarray(reduced(name, rows, classes, ignored, how))
            want = want.reshape(narrow if how == "none" else ())
            close = 1e-10 if types[0] == torch.float64 else 2e-5
            exact = torch.float64 if types[0] == torch.float64 else torch.float32
            good = tuple(found.shape) == want.shape and found.dtype == exact
            given = found.detach().double().numpy()
            good = good and np.allclose(given, want, rtol=close, atol=close, equal_nan=True)
        if not good:
            wrong.append((case, found))
    for case in WRONG:
        (wide, narrow), types, how = case
        input, target, _, _ = batch(name, wide, narrow, types)
        found = outcome(call, name, input, target, reduction=how)
        if not refused(found, "input", "target", "weight"):
            wrong.append((case, found))
    assert not wrong, f"{len(wrong)}, the first: {wrong[:3]}"


BAD: dict[str, list[object]] = {
    "input": [None, [1.0], np.ones((7, C)), torch.ones(7, C).to_sparse(), "x", 5],
    "target": [None, [1], np.ones(7), "x", 5],
    "weight": ["x", 5, [1.0], torch.ones(C).long(), torch.ones(C - 1), torch.ones(C, D, 1)],
    "bias": ["x", 5, [1.0], torch.ones(C).long(), torch.ones(C - 1), torch.ones(C, 1)],
    "reduction": ["avg", None, 5, ["mean"], True],
    "ignore_index": [None, "x", 2.5, True, [1], math.nan],
    "smoothing": [-0.1, 1.1, math.nan, "x", None, [1], True, 1j],
    "margin": [-0.1, math.nan, "x", None, [1], 1j],
    "k": [0, -1, C + 1, 2.5, "x", None, True],
    "scale": [0, -1, math.nan, "x", None],
    "annealing": [-1, math.nan, "x", None],
    "masked_mean": [],
}
BAD["label_smoothing"] = BAD["smoothing"]


@pytest.mark.parametrize("name", LOGITS + LINEAR)
def test_every_argument(name: str) -> None:
    input, target, _, _ = batch(name, None, (7,), USUAL[0])
    for place, other in DEVICES:
        found = outcome(call, name, input.to(place), target.to(other))
        assert refused(found, "meta"), found
    given = outcome(call, name, input, target)
    assert isinstance(given, Tensor)
    for argument, values in BAD.items():
        for value in values:
            found = outcome(call, name, **{"input": input, "target": target, argument: value})
            assert refused(found, argument, "bias has"), (argument, value, found)
    assert refused(outcome(call, name, input, target, reduktion="mean"), "reduktion")
    assert refused(outcome(call, name, input, target + C), "targets range")
    soft = torch.ones_like(input).softmax(-1)
    if name == "label_smoothing":
        q = SMOOTHING / C + (1 - SMOOTHING) * soft
        weighted = torch.from_numpy(WEIGHTS) * -input.log_softmax(1)
        torch.testing.assert_close(call(name, input, soft), (q * weighted).sum() / 7)
    else:
        assert refused(outcome(call, name, input, soft), "target")


@pytest.mark.parametrize("name", LOGITS + LINEAR)
@pytest.mark.parametrize("kind", INTEGERS[3:6])
def test_no_class_is_taken_for_the_ignored_one(name: str, kind: torch.dtype) -> None:
    """-100 is no number of these types: torch compares with 156, or 65,436."""
    classes, width = 256, 4
    rows = torch.randn(classes, width, generator=torch.Generator().manual_seed(3))
    target = torch.arange(torch.iinfo(kind).max + 1 if kind == torch.int8 else classes)
    input = rows[: len(target)] if name in LINEAR else rows[: len(target)] @ rows.T
    more = {"reduction": "none", "weight": rows if name in LINEAR else None}
    more |= {"bias": None} if name == "linear" else {}
    assert torch.equal(
        call(name, input, target.to(kind), **more), call(name, input, target, **more)
    )


def test_every_function_is_tried() -> None:
    """And how many arguments there are."""
    public = [
        name
        for name, value in vars(functions).items()
        if inspect.isfunction(value) and value.__module__ == functions.__name__
    ]
    tried = {
        name for name in public if name.rsplit("_cross")[0].removesuffix("_loss") in LOGITS + LINEAR
    }
    assert {name for name in public if not name.startswith("_")} == tried
    print(f"{COUNT:,} arguments of calls")
    assert COUNT > 4_000
