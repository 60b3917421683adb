"""The position of this process among several that train together, from environment variables that
torchrun and others set: RANK of WORLD_SIZE in all, LOCAL_RANK of LOCAL_WORLD_SIZE per machine."""

from __future__ import annotations

import os
from typing import NamedTuple

from w2v.errors import InputError, shown


class RankPosition(NamedTuple):
    """rank: from 0, of `size` in all; local_rank: of `local_size` on this machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1


def rank_from_environment() -> RankPosition:
    """Returns the position of this process, that of a single one if WORLD_SIZE is not set. Raises
    InputError if the environment is inconsistent."""
    size = _number("WORLD_SIZE", 1)
    if size <= 1:
        return RankPosition()
    rank = _number("RANK", None)
    local_size = min(size, max(1, _number("LOCAL_WORLD_SIZE", 1)))
    local_rank = _number("LOCAL_RANK", rank if local_size == size else 0)
    if rank >= size:
        raise InputError(f"RANK is {rank} of WORLD_SIZE {size}: ranks count from 0")
    return RankPosition(rank, size, local_rank, local_size)


def rank_or_single() -> RankPosition:
    """As `rank_from_environment`, but a single process if the environment is inconsistent."""
    try:
        return rank_from_environment()
    except InputError:
        return RankPosition()


def leave_ranks() -> None:
    """From now on this process, and those that it starts, are single ones."""
    os.environ.pop("WORLD_SIZE", None)


def _number(name: str, default: int | None) -> int:
    text = os.environ.get(name, "").strip()
    if not text and default is not None:
        return default
    if not text.isascii() or not text.isdigit():
        problem = f"{name} is {shown(text)}" if text else f"{name} is not set"
        remedy = "start the ranks with torchrun, or set RANK, WORLD_SIZE and MASTER_ADDR"
        raise InputError(f"WORLD_SIZE asks for several processes, and {problem}: {remedy}")
    return int(text)
