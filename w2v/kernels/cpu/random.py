"""Random numbers inside the kernel: a hash of the position for decisions that belong to a position
in the text, xorshift for everything else."""

from __future__ import annotations

from typing import Any

from numba import njit, uint32, uint64


@njit(nogil=True, boundscheck=False, forceinline=True)
def mix(x: Any) -> Any:
    """Returns 64 well-mixed bits of a counter (splitmix64, doi:10.1145/2660193.2660195)."""
    x ^= x >> uint64(30)
    x *= uint64(0xBF58476D1CE4E5B9)
    x ^= x >> uint64(27)
    x *= uint64(0x94D049BB133111EB)
    return x ^ (x >> uint64(31))


@njit(nogil=True, boundscheck=False, forceinline=True)
def step(state: Any) -> Any:
    """Returns the next state of xorshift64 (doi:10.18637/jss.v008.i14), which is also its output;
    never 0 unless `state` is."""
    state ^= state << uint64(13)
    state ^= state >> uint64(7)
    state ^= state << uint64(17)
    return state


@njit(nogil=True, boundscheck=False, forceinline=True)
def below(state: Any, bound: Any) -> Any:
    """Returns an int64 in 0 … bound - 1 from the upper half of `state` (bound < 2^32)."""
    return ((state >> uint64(32)) * uint64(bound)) >> uint64(32)


@njit(nogil=True, boundscheck=False, forceinline=True)
def survives(position: Any, key: Any, threshold: Any) -> bool:
    """Returns whether the word at `position` survives subsampling: hash of (key, position) <=
    threshold = keep probability · 2^32 - 1."""
    counter = uint64(position) * uint64(0x9E3779B97F4A7C15) + key
    return uint32(mix(counter) >> uint64(32)) <= threshold
