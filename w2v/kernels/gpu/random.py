"""Noise words by counter: number j of target i is a hash of (seed, i · negatives + j), so that it
does not matter which program trains the target, nor when."""

from __future__ import annotations

import triton
import triton.language as tl

GOLDEN = tl.constexpr(0x9E3779B97F4A7C15)


@triton.jit
def mix(x):
    """64 well mixed bits of a uint64: splitmix64's finaliser, as in `w2v.kernels.cpu.random`."""
    x ^= x >> 30
    x *= 0xBF58476D1CE4E5B9
    x ^= x >> 27
    x *= 0x94D049BB133111EB
    return x ^ (x >> 31)


@triton.jit
def draw(seed, counter, used, vocabulary, accept, alias):
    """A word (int32) for each counter, by Walker's alias method: the upper half of the hash chooses
    a cell, the lower one between the cell and its alias. Where not `used`, any word."""
    x = mix(seed.to(tl.uint64) + counter.to(tl.uint64) * GOLDEN)
    cell = (((x >> 32) * vocabulary.to(tl.uint64)) >> 32).to(tl.int32)
    kept = tl.load(accept + cell, mask=used, other=0).to(tl.uint32)
    other = tl.load(alias + cell, mask=used, other=0).to(tl.int32)
    return tl.where(x.to(tl.uint32) < kept, cell, other)
