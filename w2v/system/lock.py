"""A lock on an output, so that two runs never write to the same place: `.NAME.lock` beside it, held
by flock."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from w2v.errors import InputError

TAKEN = (errno.EWOULDBLOCK, errno.EACCES, errno.EAGAIN)
FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """While the block runs, no other process (nor thread) can lock `path`, a folder by none of its
    names (a link to it, or `.` inside it). A killed process holds no lock.

    Yields whether there is a lock: none where it cannot be had (a file system without locks, a
    folder without rights, a link where the lock should be). Raises InputError if another run has
    it; the sentence names the process.
    """
    real = Path(os.path.realpath(path)) if path.is_dir() else path
    file = real.with_name(f".{real.name}.lock")
    descriptor = _acquire(file, path)
    if descriptor is None:
        yield False
        return
    try:
        yield True
    finally:
        with suppress(OSError):
            os.unlink(file)
        os.close(descriptor)


def _acquire(file: Path, path: Path) -> int | None:
    """An open descriptor that holds the lock, None where there are no locks."""
    import fcntl

    while True:
        try:
            descriptor = os.open(file, FLAGS, 0o666)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            os.close(descriptor)
            if error.errno not in TAKEN:
                return None
            who = f"process {owner}" if owner.isdigit() else "another process"
            remedy = "wait until it ends, or name another `output`"
            raise InputError(f"{path} is being written by another run ({who}): {remedy}") from None
        try:
            if os.path.samestat(os.stat(file), os.fstat(descriptor)):
                os.truncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
                return descriptor
        except FileNotFoundError:
            pass  # its owner has removed it between our two steps: try again with a new one
        except OSError:
            return descriptor  # a full disk: a lock all the same
        os.close(descriptor)
