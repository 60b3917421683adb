"""The vector intrinsics against NumPy."""

from __future__ import annotations

import numpy as np
from numba import njit
from numba.cpython.unsafe.tuple import tuple_setitem

from w2v.kernels.cpu.lanes import load_tile, segment_first, segment_sum, transposed_sum
from w2v.kernels.cpu.vector import exp, load, store, zeros
from w2v.kernels.cpu.workspace import address


@njit
def exp_of(source: int, target: int, count: int) -> None:
    for i in range(0, 4 * count, 64):
        store(target + i, exp(load(source + i)))


@njit
def sums_of(source: int, target: int) -> None:
    vectors = zeros(12)
    for k in range(12):
        vectors = tuple_setitem(vectors, k, load(source + 64 * k))
    store(target, transposed_sum(vectors))


@njit
def tile_of(source: int, target: int) -> None:
    store(target, load_tile(source, zeros(6), zeros(12)))


@njit
def segments_of(source: int, sums: int, first: int) -> None:
    store(sums, segment_sum(load(source), zeros(5), zeros(15)))
    store(first, segment_first(load(source), zeros(5), zeros(15)))


def test_exp_is_accurate_to_two_ulp() -> None:
    x = np.concatenate(
        [-np.logspace(-8, 2, 16_000), np.zeros(16), np.linspace(-87, 60, 16_000)]
    ).astype(np.float32)
    y = np.empty_like(x)
    exp_of(address(x), address(y), len(x))
    exact = np.exp(np.maximum(x.astype(np.float64), -87))
    assert np.abs(y / exact - 1).max() < 2 * 2**-23
    assert y[x == 0].tolist() == [1.0] * int((x == 0).sum())


def test_exp_keeps_nan() -> None:
    x = np.full(16, np.nan, np.float32)
    y = np.zeros_like(x)
    exp_of(address(x), address(y), 16)
    assert np.isnan(y).all()


def test_transposed_sum_puts_sum_i_into_lane_i() -> None:
    rows = np.random.default_rng(1).normal(size=(12, 16)).astype(np.float32)
    out = np.full(16, np.nan, np.float32)
    sums_of(address(rows), address(out))
    np.testing.assert_allclose(out[:12], rows.astype(float).sum(1), rtol=1e-5, atol=1e-6)
    assert not out[12:].any()


def test_load_tile_repeats_a_tile_and_leaves_the_other_lanes_zero() -> None:
    eight = np.arange(1, 9, dtype=np.float32)
    out = np.full(16, np.nan, np.float32)
    tile_of(address(eight), address(out))
    assert out.tolist() == [1, 2, 3, 4, 5, 6] * 2 + [0] * 4


def test_segments_have_their_own_sums_and_first_lanes() -> None:
    x = np.random.default_rng(2).normal(size=16).astype(np.float32)
    sums, first = np.zeros_like(x), np.zeros_like(x)
    segments_of(address(x), address(sums), address(first))
    parts = x[:15].reshape(3, 5)
    np.testing.assert_allclose(sums[:15], np.repeat(parts.sum(1), 5), rtol=1e-6, atol=1e-6)
    assert first[:15].tolist() == np.repeat(parts[:, 0], 5).tolist()
