"""The control groups (cgroups) of this process, by which containers limit its cores and memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def group_folders(root: Path, controller: str) -> Iterator[Path]:
    """Yields the folders that may have limits of `controller`, in both versions of cgroups: the
    groups of this process and all their ancestors up to the mount point, which may be the only one
    visible in a container. `root` is the folder with `proc` and `sys`."""
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
        for ancestor in (folder, *folder.parents):
            if ancestor == mount or mount in ancestor.parents:
                yield ancestor
