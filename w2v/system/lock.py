"""A lock on an output, so that two runs never write to the same place: flock on the folder itself,
if it exists, and on `.NAME.lock` beside it, where that can be had."""

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
    """While the block runs, no other process (nor thread) can lock `path`, a folder by none of its
    names (a link to it, or `.` inside it). A killed process holds no lock.

    Yields whether there is a lock: none where it cannot be had (a file system without locks).
    Raises InputError if another run has it, and the sentence names the process, or if something
    else is in the place of its file.
    """
    real = Path(os.path.realpath(path)) if path.is_dir() else path
    file = real.with_name(f".{real.name}.lock")
    with ExitStack() as stack:
        descriptor = _lock_file(file, path)
        if descriptor is not None:
            stack.callback(os.close, descriptor)
            with suppress(OSError):  # another user's, or a full disk: a lock all the same
                os.truncate(descriptor, 0)
                os.fchmod(descriptor, 0o644)  # others must be able to see that it is taken
                stack.callback(_remove, file)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        folder = _open(real, os.O_RDONLY | os.O_DIRECTORY)
        if folder is not None:
            stack.callback(os.close, folder)
        # of a folder that cannot have a file beside it, too
        alone = folder is not None and _lock(folder, path, "")
        yield alone or descriptor is not None


def _lock_file(file: Path, path: Path) -> int | None:
    """An open descriptor of the file that holds its lock, None where there are no locks."""
    while True:
        # another user's lock can only be read
        descriptor = _open(file, os.O_RDWR | os.O_CREAT)
        descriptor = _open(file, os.O_RDONLY) if descriptor is None else descriptor
        if descriptor is None and not os.path.islink(file):
            return None
        with ExitStack() as stack:
            if descriptor is not None:
                stack.callback(os.close, descriptor)
            if descriptor is None or _is_foreign(descriptor):
                what = "is in the place of the lock, and no run wrote it"
                raise InputError(f"{file} {what}: move it away")
            if not _lock(descriptor, path, _content(descriptor)):
                return None
            with suppress(FileNotFoundError):
                if os.path.samestat(os.lstat(file), os.fstat(descriptor)):
                    stack.pop_all()
                    return descriptor
        # its owner has removed it between our two steps: try again with a new one


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
    """Whether the descriptor holds a lock now; InputError: another one does."""
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in TAKEN:
            return False
        who = f"process {owner}" if owner.isdigit() else "another process"
        remedy = "wait until it ends, or name another `output`"
        raise InputError(f"{path} is being written by another run ({who}): {remedy}") from None
    return True


def _remove(file: Path) -> None:
    with suppress(OSError):
        os.unlink(file)
