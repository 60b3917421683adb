"""How fast rows of a table are gathered and added to, by what the kernels read and add with, on
rows that are as unequally often asked for as words."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl

from harness.gpu.parts import VOCABULARY, Asked, Figures, seconds_per_call, zipf_ids
from w2v.kernels.gpu.rows import add, read

TILE = 8  # rows at a time
PROGRAMS = 12  # of a multiprocessor


@triton.jit
def visit(
    ids, table, out, per,
    STRIDE: tl.constexpr, WIDTH: tl.constexpr, TILE: tl.constexpr, READ: tl.constexpr,
    ADD: tl.constexpr,
):  # fmt: skip
    """Program p visits the rows ids[p · per …] of the table, TILE at a time."""
    d, k = tl.arange(0, WIDTH), tl.arange(0, TILE)
    held = tl.full([TILE, WIDTH], 1e-9, tl.float32)
    for first in range(0, per, TILE):
        row = tl.load(ids + tl.program_id(0) * per + first + k).to(tl.int64)
        place = table + row[:, None] * STRIDE + d[None, :]
        inside = (row >= 0)[:, None] & (d < STRIDE)[None, :]
        if READ:
            held += read(place, inside)
        if ADD:
            add(place, held, inside)
    tl.store(out + tl.program_id(0), tl.sum(tl.sum(held, 1), 0))


def measure(asked: Asked) -> Figures:
    for dim in (100,) if asked.tiny else (100, 300):
        for spread in ("words",) if asked.tiny else ("words", "even"):
            for what in ("gather", "add", "gather and add"):
                name = f"rows: {what}, {spread}, dim {dim}"
                yield name, lambda w=what, s=spread, d=dim: _rate(asked, w, s, d)


def _rate(asked: Asked, what: str, spread: str, dim: int) -> dict[str, Any]:
    stride, width = -(-dim // 16) * 16, 1 << (dim - 1).bit_length()
    vocabulary, programs = asked.size(VOCABULARY, 50), 2
    if asked.device == "cuda":
        units = torch.cuda.get_device_properties(0).multi_processor_count
        programs = PROGRAMS * units
    per = asked.size((1 << 24) // programs // TILE * TILE, 2 * TILE)
    n = per * programs
    ids = zipf_ids(n, vocabulary)
    if spread == "even":
        ids = np.random.default_rng(2).integers(0, vocabulary, n, np.int32)
    there = torch.from_numpy(ids).to(asked.device)
    table = torch.zeros(vocabulary, stride, device=asked.device)
    out = torch.zeros(programs, device=asked.device)

    def call() -> None:
        visit[(programs,)](
            there, table, out, per, STRIDE=stride, WIDTH=width, TILE=TILE,
            READ=what != "add", ADD=what != "gather",
        )  # fmt: skip

    seconds = seconds_per_call(asked, call)
    return {"value": n / seconds, "unit": "rows/s", "bytes_per_second": 4 * stride * n / seconds}
