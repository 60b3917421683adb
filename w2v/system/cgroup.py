"""The control groups of this process: with them containers limit its cores and its memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def group_folders(root: Path, controller: str) -> Iterator[Path]:
    """Yields the folders where the limits of `controller` may be found, in both versions of
    cgroups: those of this process's groups, and all above them up to the mount point, which may be
    the only one that a container shows. `proc` and `sys` are looked for in `root`."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    top = root / "sys/fs/cgroup"
    groups = {top: "/", top / controller: "/"}
    for line in lines:
        controllers, _, group = line.partition(":")[2].partition(":")
        if not controllers:
            groups[top] = group
        elif controller in controllers.split(","):
            groups[top / controller] = groups[top / controllers] = group
    for mount, group in groups.items():
        folder = mount / group.strip("/")
        for one in (folder, *folder.parents):
            if one == mount or mount in one.parents:
                yield one
