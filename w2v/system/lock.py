"""A lock on an output, which prevents two runs from writing to the same place: flock on the folder
itself, if it exists, and on the file `.NAME.lock` next to it, if that can be created."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from w2v.errors import InputError

TAKEN = (errno.EWOULDBLOCK, errno.EACCES, errno.EAGAIN)
FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Locks `path` for the duration of the block, against other processes and threads; a folder is
    locked under all its names (a link to it, or `.` inside it). A process that is killed releases
    its locks.

    Yields whether there is a lock; there is none on a file system without locks. Raises InputError
    if another run holds the lock, naming the process if known, or if the name of the lock file is
    taken by something else.
    """
    real = Path(os.path.realpath(path)) if path.is_dir() else path
    file = real.with_name(f".{real.name}.lock")
    with ExitStack() as stack:
        descriptor = _lock_file(file, path)
        if descriptor is not None:
            stack.callback(os.close, descriptor)
            with suppress(OSError):  # another user's file, or a full disk: the lock holds anyway
                os.truncate(descriptor, 0)
                os.fchmod(descriptor, 0o644)  # other users must be able to read the owner
                stack.callback(_remove, file)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        folder = _open(real, os.O_RDONLY | os.O_DIRECTORY)
        if folder is not None:
            stack.callback(os.close, folder)
        # the folder is locked as well, since the lock file cannot always be created
        alone = folder is not None and _lock(folder, path, "")
        yield alone or descriptor is not None


def _lock_file(file: Path, path: Path) -> int | None:
    """Opens and locks the lock file. Returns its descriptor, or None if locking is impossible."""
    while True:
        # another user's lock file can only be opened for reading
        descriptor = _open(file, os.O_RDWR | os.O_CREAT)
        descriptor = _open(file, os.O_RDONLY) if descriptor is None else descriptor
        if descriptor is None and not os.path.islink(file):
            return None
        with ExitStack() as stack:
            if descriptor is not None:
                stack.callback(os.close, descriptor)
            if descriptor is None or _is_foreign(descriptor):
                problem = "has the name of the lock file, but was not written by a run"
                raise InputError(f"{file} {problem}: move it away")
            if not _lock(descriptor, path, _content(descriptor)):
                return None
            with suppress(FileNotFoundError):
                if os.path.samestat(os.lstat(file), os.fstat(descriptor)):
                    stack.pop_all()
                    return descriptor
        # its owner removed the file between opening and locking: try again with a new one


def _is_foreign(descriptor: int) -> bool:
    status, content = os.fstat(descriptor), _content(descriptor)
    written = content == "" or content.isdigit()
    return not stat.S_ISREG(status.st_mode) or status.st_nlink > 1 or not written


def _open(path: Path, flags: int) -> int | None:
    with suppress(OSError):
        return os.open(path, flags | FLAGS, 0o666)
    return None


def _content(descriptor: int) -> str:
    with suppress(OSError):
        return os.pread(descriptor, 32, 0).decode(errors="replace").strip()
    return ""


def _lock(descriptor: int, path: Path, owner: str) -> bool:
    """Locks a descriptor; returns False if unsupported, raises InputError if another has it."""
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in TAKEN:
            return False
        holder = f"process {owner}" if owner.isdigit() else "another process"
        remedy = "wait until it ends, or name another `output`"
        raise InputError(f"{path} is being written by another run ({holder}): {remedy}") from None
    return True


def _remove(file: Path) -> None:
    with suppress(OSError):
        os.unlink(file)
