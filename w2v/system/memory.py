"""How much memory is free for this process, and giving back what it no longer needs."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path
from typing import NamedTuple


class Demand(NamedTuple):
    """Bytes that a run needs somewhere, and how many are free there (None: not known)."""

    where: str
    needed: int
    available: int | None

    @property
    def fits(self) -> bool:
        """Whether there is enough, as far as that is known."""
        return self.available is None or self.needed <= self.available


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes that can be allocated without swapping; None if the system does not tell.

    What the system has free, cut to what this process's cgroup and those above it still allow.

    Args:
        root: where `proc` and `sys` are looked for; anything else than `/` is for tests.
    """
    limits = [limit for limit in (_system(root), *_cgroups(root)) if limit is not None]
    return min(limits, default=None)


def _system(root: Path) -> int | None:
    return _field(root / "proc/meminfo", "MemAvailable:", 1024)


def _cgroups(root: Path) -> list[int | None]:
    """What each group of this process still allows; in a container only the topmost may be
    visible."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    groups = {"": "/", "memory": "/"}
    for line in lines:
        controllers, _, group = line.partition(":")[2].partition(":")
        groups |= {name: group for name in controllers.split(",") if name in groups}
    found = []
    for mount, group, files in (
        (root / "sys/fs/cgroup", groups[""], ("memory.max", "memory.current", "")),
        (
            root / "sys/fs/cgroup/memory",
            groups["memory"],
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
        ),
    ):
        folder = mount / group.strip("/")
        inside = [one for one in (folder, *folder.parents) if one == mount or mount in one.parents]
        found += [_left(one, *files) for one in inside]
    return found


def _left(folder: Path, limit: str, usage: str, prefix: str) -> int | None:
    """Limit less usage. Cached file pages, such as those of a corpus just read, make room when
    asked to: not counted.

    "max" (or a number beyond any memory) is no limit.
    """
    try:
        allowed, used = int((folder / limit).read_text()), int((folder / usage).read_text())
    except (OSError, ValueError):
        return None
    cached = sum(
        _field(folder / "memory.stat", f"{prefix}{kind}_file", 1) or 0
        for kind in ("inactive", "active")
    )
    return max(0, allowed - max(0, used - cached)) if allowed < 1 << 60 else None


def _field(path: Path, name: str, unit: int) -> int | None:
    """The number after `name` in a file of `name number` lines, times `unit`."""
    try:
        lines = path.read_text().splitlines()
        return next(
            (int(words[1]) * unit for words in map(str.split, lines) if words and words[0] == name),
            None,
        )
    except (OSError, ValueError, IndexError):
        return None


def return_freed_memory() -> None:
    """Gives memory that was freed back to the system; glibc keeps it otherwise (40 MB after a
    corpus was read)."""
    gc.collect()
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library
        return
    trim(0)
