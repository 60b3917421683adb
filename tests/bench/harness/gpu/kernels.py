"""The kernels alone, without reading the text: words of the text per second by warps, precision and
programs, and for every loss and model."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any
from unittest import mock

import numpy as np

from harness.gpu.parts import VOCABULARY, Asked, Figures, seconds_per_call, zipf, zipf_ids
from w2v.kernels.gpu import launch
from w2v.kernels.gpu.launch import Tuning
from w2v.losses.table import LOSSES
from w2v.settings.build import build_config
from w2v.words.gpu import TritonEngine
from w2v.words.windows import Windows

# and how many registers a thread may have, None: as shipped
TUNINGS = (
    *((Tuning(warps, "tf32"), None) for warps in (4, 8)),
    *((Tuning(warps, "tf32"), registers) for warps, registers in ((4, 168), (2, 255), (1, 255))),
    *((Tuning(4, "tf32x3"), registers) for registers in (168, 255)),
    (Tuning(8, "tf32x3"), None),
    (Tuning(4, "ieee"), 168),
)
TINY = ((Tuning(4, "ieee"), None), (Tuning(8, "tf32"), 168))
LR = 0.025
LINE = 25  # words


class Made:
    """An engine on a made-up text, and one block's windows."""

    def __init__(self, asked: Asked, **settings: object) -> None:
        given = {name: str(value) for name, value in settings.items()}
        device = {"engine": "triton", "device": asked.device, "min_count": "1"}
        config = build_config({"corpus": ("x",), **device, **given})
        V, n = asked.size(VOCABULARY, 50), asked.size(1 << 22, 52)
        counts = np.maximum(1, (zipf(V) * 17_400_000).astype(np.int64))
        ids = zipf_ids(n, V)
        ids[LINE::LINE] = -1
        self.engine, self.n = TritonEngine(config, ids, counts), int((ids >= 0).sum())
        self.engine.initialise()

    def read(self) -> Windows:
        return self.engine._reader.read(0, len(self.engine._ids), 1, 2)

    def launch(
        self, tuning: Tuning | None = None, programs: int | None = None
    ) -> Callable[[], object]:
        """What launches the kernel on all windows."""
        engine, windows = self.engine, self.read()
        tables = engine._variant, engine._parameters, engine._selection, engine._damped(LR)
        return lambda: launch.train_windows(*tables, windows, LR, 7, programs, tuning)


@cache
def default(asked: Asked) -> Made:
    return Made(asked)


def tunings(asked: Asked) -> Figures:
    """Skip-gram with negative sampling, dim 100, window 5."""
    yield "kernel: forming windows", lambda: _read(asked)
    for tuning, registers in TINY if asked.tiny else TUNINGS:
        name = f"kernel: neg skip-gram, {tuning.warps} warps, {tuning.precision}"
        if registers is not None:
            name += f", {registers} registers"
        yield name, lambda t=tuning, r=registers: _tuned(asked, t, registers=r)
    for times in (1,) if asked.tiny else (1, 2, 4, 16):
        name = f"kernel: neg skip-gram, as shipped, programs {times} x resident"
        yield name, lambda t=times: _tuned(asked, None, times=t)


def _read(asked: Asked) -> dict[str, Any]:
    made = default(asked)
    return {"value": made.n / seconds_per_call(asked, made.read), "unit": "words/s"}


def _tuned(
    asked: Asked, tuning: Tuning | None, *, registers: int | None = None, times: int | None = None
) -> dict[str, Any]:
    made, programs = default(asked), None
    limit = (lambda *_: registers) if registers else launch.registers_of
    with mock.patch.object(launch, "registers_of", limit):
        if times is not None:
            programs = times * launch.resident_programs(made.engine._variant, made.engine.device)
        return _rate(asked, made, made.launch(tuning, programs)) | {"programs": programs}


def _rate(asked: Asked, made: Made, call: Callable[[], object]) -> dict[str, Any]:
    trained, seconds = made.read().trained, seconds_per_call(asked, call)
    return {
        "value": made.n / seconds,
        "unit": "words/s",
        "trained_per_second": trained / seconds,
        "shipped": launch.default_tuning(made.engine._variant, made.engine.device)._asdict(),
    }


def losses(asked: Asked) -> Figures:
    """Every loss that has a kernel, with both models, as shipped."""
    fused = [name for name, loss in LOSSES.items() if loss.fused]
    cases: list[dict[str, object]] = [
        {"loss": loss, "model": model} for model in ("skip-gram", "cbow") for loss in fused
    ]
    cases += [{"loss": "neg", "model": "skip-gram", "dim": 300}]
    for case in cases[:1] if asked.tiny else cases:
        name = f"kernel: {case['loss']} {case['model']}, dim {case.get('dim', 100)}"
        yield name, lambda c=case: _loss(asked, c)


def _loss(asked: Asked, case: dict[str, object]) -> dict[str, Any]:
    made = Made(asked, **case)
    return _rate(asked, made, made.launch())
