"""How many CPU cores this process may use: its affinity mask, cut to the quota of its cgroup (what
containers set)."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path


def available_cores(root: Path = Path("/")) -> int:
    """Cores this process may use, at least 1.

    Args:
        root: where `proc` and `sys` are looked for; anything else than `/` is for tests.
    """
    affinity = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    quota = cgroup_quota(root)
    return affinity if quota is None else max(1, min(affinity, math.ceil(quota)))


def cgroup_quota(root: Path = Path("/")) -> float | None:
    """The smallest CPU quota, in cores, of this process's cgroup and those above it; None when
    there is none."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    quotas = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controllers == "":
            quotas += _quotas_upwards(root / "sys/fs/cgroup", group, _quota_v2)
        elif "cpu" in controllers.split(","):
            quotas += _quotas_upwards(root / "sys/fs/cgroup" / controllers, group, _quota_v1)
            quotas += _quotas_upwards(root / "sys/fs/cgroup/cpu", group, _quota_v1)
    return min(quotas, default=None)


def _quotas_upwards(mount: Path, group: str, read: Callable[[Path], float | None]) -> list[float]:
    """The quotas from the group's folder up to the mount point; in a container only the latter may
    be visible."""
    folder = mount / group.strip("/")
    folders = [folder, *folder.parents]
    inside = [
        candidate for candidate in folders if candidate == mount or mount in candidate.parents
    ]
    return [quota for candidate in inside if (quota := read(candidate)) is not None]


def _quota_v2(folder: Path) -> float | None:
    """`cpu.max` is "max 100000" or "150000 100000": microseconds of CPU per period."""
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _quota_v1(folder: Path) -> float | None:
    """`cpu.cfs_quota_us` is -1 for no limit."""
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
        return quota / period if quota > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
