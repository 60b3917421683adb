"""The number of CPU cores this process may use: those of its affinity mask, limited by the CPU
quota of its cgroup, which containers set."""

from __future__ import annotations

import math
import os
from pathlib import Path

from w2v.system.cgroup import group_folders


def available_cores(root: Path = Path("/")) -> int:
    """Returns the number of usable cores, at least 1; see `group_folders` on `root`."""
    has_affinity = hasattr(os, "sched_getaffinity")
    affinity = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    quotas = map(_quota, group_folders(root, "cpu"))
    return max(1, min([affinity, *(math.ceil(quota) for quota in quotas if quota is not None)]))


def _quota(folder: Path) -> float | None:
    """Returns a group's quota in cores, None if none; its files have microseconds per period."""
    for names in (["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]):
        try:
            quota, period = map(int, " ".join((folder / n).read_text() for n in names).split())
        except (OSError, ValueError):  # no such file, or "max 100000"
            continue
        if quota > 0 and period > 0:
            return quota / period
    return None
