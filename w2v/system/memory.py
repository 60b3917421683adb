"""Determines the memory available to this process, and returns freed memory to the system."""

from __future__ import annotations

import ctypes
import errno
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from w2v.errors import RunError, W2VError
from w2v.system.cgroup import group_folders

LIBRARY_BYTES, CHECKED_BYTES = 1 << 30, 64 << 20


class Demand(NamedTuple):
    """The bytes that a run needs in one place (`where`), and those free there (None: unknown)."""

    where: str
    needed: int
    available: int | None

    @property
    def fits(self) -> bool:
        """Whether the bytes needed are free; true if that is unknown."""
        return self.available is None or self.needed <= self.available


def available_memory(root: Path = Path("/")) -> int | None:
    """Returns the bytes that can be allocated without swapping, None if unknown: the free memory,
    limited by what the cgroup of this process and its ancestors still allow. See `group_folders` on
    `root`."""
    limits = [_field(root / "proc/meminfo", "MemAvailable:", 1024)]
    for folder in group_folders(root, "memory"):
        limits.append(_unused(folder, "memory.max", "memory.current", ""))
        limits.append(_unused(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"))
    return min((bytes for bytes in limits if bytes is not None), default=None)


def check_free(task: str, needed: int, remedy: str) -> None:
    """Raises RunError if `needed` bytes are not free; amounts below CHECKED_BYTES are not checked.
    `task` begins the message."""
    available = available_memory() if needed >= CHECKED_BYTES else None
    if available is not None and needed > available:
        free = f"{available / 1e9:.1f} GB are free"
        raise RunError(f"{task} needs {needed / 1e9:.1f} GB more memory, {free}; {remedy}")


def _unused(folder: Path, limit: str, usage: str, prefix: str) -> int | None:
    """Returns limit minus usage, not counting cached file pages, which the kernel reclaims on
    demand; None if the limit is "max" or larger than any memory."""
    try:
        most, used = int((folder / limit).read_text()), int((folder / usage).read_text())
    except (OSError, ValueError):
        return None
    names = (f"{prefix}{kind}_file" for kind in ("inactive", "active"))
    cached = sum(_field(folder / "memory.stat", name, 1) or 0 for name in names)
    return max(0, most - max(0, used - cached)) if most < 1 << 60 else None


def _field(path: Path, name: str, unit: int) -> int | None:
    """Returns the number after `name` in a file of `name number` lines, times `unit`, or None."""
    try:
        words = path.read_text().split()
        return int(words[words.index(name) + 1]) * unit
    except (OSError, ValueError, IndexError):
        return None


@contextmanager
def short_memory() -> Iterator[None]:
    """Raises MemoryError for a library that fails to load under a limit on this process's memory
    (`ulimit -v`); libraries then raise all sorts of errors, such as a bare SystemError."""
    try:
        yield
    except (ImportError, OSError, RuntimeError, SystemError) as error:
        unrelated = isinstance(error, OSError) and error.errno not in (None, errno.ENOMEM)
        if unrelated or isinstance(error, W2VError) or not _limited():
            raise
        raise MemoryError from error


def _limited() -> bool:
    """Returns whether a limit leaves this process less memory than libraries need."""
    try:
        import resource  # not on every system

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ModuleNotFoundError, OSError, ValueError):
        return False
    except ImportError:  # `resource` exists, but there is not even memory to load it
        return True
    return limit != resource.RLIM_INFINITY and limit - used < LIBRARY_BYTES


def return_freed_memory() -> None:
    """Returns freed memory to the system; glibc would keep about 40 MB after reading a corpus."""
    gc.collect()
    trim()


def trim() -> None:
    """Returns freed memory to the system without a garbage collection; takes a millisecond."""
    with suppress(AttributeError, OSError, TypeError):  # the C library is not glibc
        ctypes.CDLL(None).malloc_trim(0)
