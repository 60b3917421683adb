"""How much memory is free for this process, and giving back what it no longer needs."""

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
    """Bytes that a run needs somewhere, and how many are free there (None: not known)."""

    where: str
    needed: int
    available: int | None

    @property
    def fits(self) -> bool:
        """Whether there is enough, as far as that is known."""
        return self.available is None or self.needed <= self.available


def available_memory(root: Path = Path("/")) -> int | None:
    """Returns the bytes that can be allocated without swapping, None if the system does not tell:
    what is free, cut to what this process's cgroup and those above it still allow. `root` is as in
    `group_folders`."""
    known = [_field(root / "proc/meminfo", "MemAvailable:", 1024)]
    for folder in group_folders(root, "memory"):
        known.append(_left(folder, "memory.max", "memory.current", ""))
        known.append(_left(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"))
    return min((bytes for bytes in known if bytes is not None), default=None)


def check_free(told: str, needed: int, remedy: str) -> None:
    """Raises RunError, before it is taken, for memory that is not free; of little is not asked."""
    available = available_memory() if needed >= CHECKED_BYTES else None
    if available is not None and needed > available:
        free = f"{available / 1e9:.1f} GB are free"
        raise RunError(f"{told} needs {needed / 1e9:.1f} GB more memory, {free}; {remedy}")


def _left(folder: Path, limit: str, usage: str, prefix: str) -> int | None:
    """Returns limit less usage, without cached file pages, which make room when asked to, or None
    where the limit is "max" or a number beyond any memory."""
    try:
        allowed, used = int((folder / limit).read_text()), int((folder / usage).read_text())
    except (OSError, ValueError):
        return None
    names = (f"{prefix}{kind}_file" for kind in ("inactive", "active"))
    cached = sum(_field(folder / "memory.stat", name, 1) or 0 for name in names)
    return max(0, allowed - max(0, used - cached)) if allowed < 1 << 60 else None


def _field(path: Path, name: str, unit: int) -> int | None:
    """The number after `name` in a file of `name number` lines, times `unit`."""
    try:
        words = path.read_text().split()
        return int(words[words.index(name) + 1]) * unit
    except (OSError, ValueError, IndexError):
        return None


@contextmanager
def short_memory() -> Iterator[None]:
    """A library that could not be loaded within a limit on this process's memory (`ulimit -v`),
    which says anything then (SystemError: that it failed and not why), is a MemoryError."""
    try:
        yield
    except (ImportError, OSError, RuntimeError, SystemError) as error:
        other = isinstance(error, OSError) and error.errno not in (None, errno.ENOMEM)
        if other or isinstance(error, W2VError) or not _limited():
            raise
        raise MemoryError from error


def _limited() -> bool:
    """Whether a limit leaves this process less than libraries take."""
    try:
        import resource  # not on every system

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError, ValueError):
        return False
    return limit != resource.RLIM_INFINITY and limit - used < LIBRARY_BYTES


def return_freed_memory() -> None:
    """Gives memory that was freed back to the system. Otherwise glibc keeps it, 40 MB after a
    corpus was read."""
    gc.collect()
    trim()


def trim() -> None:
    """As `return_freed_memory`, in a millisecond: of what Python has let go of already."""
    with suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
