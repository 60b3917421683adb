"""Random noise words from counters: noise word j of target i is a hash of (seed, i · negatives +
j), so that it depends neither on the program that trains the target nor on the time."""

from __future__ import annotations

import triton
import triton.language as tl

GOLDEN = tl.constexpr(0x9E3779B97F4A7C15)


@triton.jit
def mix(x):
    """Returns 64 well-mixed bits of a uint64: the finaliser of splitmix64, as in
    `w2v.kernels.cpu.random`."""
    x ^= x >> 30
    x *= 0xBF58476D1CE4E5B9
    x ^= x >> 27
    x *= 0x94D049BB133111EB
    return x ^ (x >> 31)


@triton.jit
def draw(seed, counter, mask, vocabulary, accept, alias):
    """Returns a word (int32) for each counter, drawn by Walker's alias method: the upper 32 bits of
    the hash choose a cell of the alias table, the lower 32 bits choose between the cell's own word
    and its alias. Words are undefined where `mask` is False."""
    x = mix(seed.to(tl.uint64) + counter.to(tl.uint64) * GOLDEN)
    cell = (((x >> 32) * vocabulary.to(tl.uint64)) >> 32).to(tl.int32)
    threshold = tl.load(accept + cell, mask=mask, other=0).to(tl.uint32)
    other = tl.load(alias + cell, mask=mask, other=0).to(tl.int32)
    return tl.where(x.to(tl.uint32) < threshold, cell, other)
