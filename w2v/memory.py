"""How much memory is free for this process."""

from __future__ import annotations

from pathlib import Path


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes that can be allocated without swapping: what the system has free, cut to what the cgroup still allows; None if the system does not tell.

    Args:
        root: where `proc` and `sys` are looked for; anything else than `/` is for tests.
    """
    limits = [limit for limit in (_system(root), _cgroup(root)) if limit is not None]
    return min(limits, default=None)


def _system(root: Path) -> int | None:
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _cgroup(root: Path) -> int | None:
    """Version 2, then version 1; "max" (or a number beyond any memory) is no limit."""
    for limit, usage in (
        ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory.current"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            allowed = int((root / limit).read_text())
            used = int((root / usage).read_text())
        except (OSError, ValueError):
            continue
        return max(0, allowed - used) if allowed < 1 << 60 else None
    return None
