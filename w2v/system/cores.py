"""How many CPU cores this process may use: its affinity mask, cut to the quota of its cgroup (what
containers set)."""

from __future__ import annotations

import math
import os
from pathlib import Path

from w2v.system.cgroup import group_folders


def available_cores(root: Path = Path("/")) -> int:
    """Returns how many cores this process may use, at least 1. `root` is as in `group_folders`."""
    known = hasattr(os, "sched_getaffinity")
    affinity = len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1
    quotas = map(_quota, group_folders(root, "cpu"))
    return max(1, min([affinity, *(math.ceil(quota) for quota in quotas if quota is not None)]))


def _quota(folder: Path) -> float | None:
    """Returns a group's quota in cores, None without one. Files say microseconds per period."""
    for names in (["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]):
        try:
            quota, period = map(int, " ".join((folder / n).read_text() for n in names).split())
        except (OSError, ValueError):  # no such file, or "max 100000"
            continue
        if quota > 0 and period > 0:
            return quota / period
    return None
