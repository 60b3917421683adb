"""Atomic files and directories, written under a temporary name next to the target, synced and
renamed; also temporary files, and bounded reads of regular files."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO

from w2v.errors import InputError, RunError, shown
from w2v.system.fields import without_mark
from w2v.system.limits import MANY_WORD_BYTES, MAX_WORD_BYTES, MEAN_WORD_BYTES

NUMBER_BYTES = 64  # for the numbers in a line of words
MAX_LINE_BYTES = MAX_WORD_BYTES + NUMBER_BYTES
HUB = "hf://"  # prefix of an address on the hub, as opposed to a path
WORKING_DIRECTORY_GONE = "the working directory no longer exists; change to another directory"
_DESCRIPTOR = re.compile("/dev/(std(in|out|err)|fd/[0-9]+)|/proc/(self|[0-9]+)/fd/[0-9]+")
_UMASK = threading.Lock()  # the umask, which all threads share, can be read only by setting it


def absolute(name: str) -> str:
    """Returns the absolute path; "-" and hub addresses are returned unchanged."""
    return name if name == "-" or name.startswith(HUB) else os.path.abspath(name)


def named(path: str | os.PathLike[str], noun: str) -> Path:
    """Returns the path of `noun` (for messages), which need not exist. Raises InputError if the
    name is empty or invalid, or its folder cannot be accessed."""
    if not os.fspath(path):
        raise InputError(f"the name of {noun} is empty: give a path")
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            f"cannot open {shown(os.fspath(path))}: {reason}; check the path"
        ) from None
    return Path(path)


def check_working_directory() -> None:
    """Raises RunError if the working directory was removed: Numba and PyTorch need one."""
    try:
        os.getcwd()
    except OSError:
        raise RunError(WORKING_DIRECTORY_GONE) from None


def sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Makes a rename inside `path` durable, if the file system can sync directories."""
    with suppress(OSError):
        sync_file(path)


def default_mode(mode: int) -> int:
    """Returns `mode` without the bits of the umask. Results get these permissions, because tempfile
    creates private files."""
    with _UMASK:
        mask = os.umask(0)
        os.umask(mask)
    return mode & ~mask


@contextmanager
def _reported(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        missing = isinstance(error, FileNotFoundError) and not target.parent.exists()
        remedy = f"; create the folder {target.parent} first" if missing else ""
        raise RunError(f"cannot write {target}: {error.strerror or error}{remedy}") from error


def user_caches() -> Path | None:
    """Returns this user's cache folder for w2v, None if there is no home directory."""
    home = os.path.expanduser(os.environ.get("XDG_CACHE_HOME", ""))
    # a relative path is invalid and to be ignored, says the standard
    home = home if os.path.isabs(home) else os.path.expanduser("~/.cache")
    # `~` stays for a user who is not in passwd; it would name a folder in the working directory
    return None if home.startswith("~") else Path(home) / "w2v"


def read_plain(
    path: str | os.PathLike[str], limit: int = sys.maxsize - 1, *, follow: bool = False
) -> bytes:
    """Returns the content of a regular file, opened as in `open_plain`. Raises OSError also for a
    file larger than `limit` bytes."""
    with open_plain(path, follow=follow) as file:
        data = file.read(min(limit, os.fstat(file.fileno()).st_size) + 1)
        if len(data) > limit:
            raise OSError(errno.EFBIG, f"it is larger than {limit >> 20} MiB", str(path))
        return data


def open_plain(path: str | os.PathLike[str], *, follow: bool = False) -> IO[bytes]:
    """Opens a regular file for reading; symbolic links are followed only with `follow`. Raises
    OSError, without waiting, for anything else: a pipe or a device might never end."""
    no_link = 0 if follow else os.O_NOFOLLOW
    descriptor = os.open(path, os.O_RDONLY | no_link | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return open(descriptor, "rb")
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is not a file", str(path))


@contextmanager
def temporary_file(*, named: bool = False) -> Iterator[IO[bytes]]:
    """Opens a temporary file for the duration of the block; unless `named`, it vanishes even if the
    process is killed. Turns OSError inside the block, most often a full disk, into RunError.
    """
    try:
        with (
            tempfile.NamedTemporaryFile(prefix="w2v-")
            if named
            else tempfile.TemporaryFile() as file
        ):
            yield file
    except OSError as error:
        problem = f"a temporary file cannot be used: {error.strerror or error}"
        raise RunError(f"{problem}; point TMPDIR to a folder with more room") from error


@contextmanager
def atomic_file(path: str | os.PathLike[str], *, follow: bool = True) -> Iterator[IO[bytes]]:
    """Opens a binary file for writing that becomes `path` at the end of the block, or is removed if
    the block raises. Raises RunError if it cannot be written (full disk, missing permissions).

    A symbolic link is followed. A device, a pipe or an open file (/dev/stdout) is written to
    directly, since it cannot be replaced. With `follow=False`, the new file replaces any of these.
    """
    special = follow and is_special(path)  # asked first: the real path of a pipe is no path
    target = Path(os.path.realpath(path) if follow and not special else path)
    with _reported(target):
        if special:
            with open(target, "ab") as device:  # >> must not lose what the file holds
                yield device
            return
        descriptor, temporary = tempfile.mkstemp(".tmp", f".{target.name}.", target.parent)
        try:
            os.close(descriptor)
            with open(temporary, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, default_mode(0o666))
            os.replace(temporary, target)
        finally:  # after the rename it no longer exists
            with suppress(OSError):
                os.unlink(temporary)
        sync_directory(target.parent)


@contextmanager
def atomic_directory(path: str | os.PathLike[str], *, replace: bool = False) -> Iterator[Path]:
    """Makes a directory to fill that becomes `path` at the end of the block, or is removed if the
    block raises. Raises RunError if a file in it cannot be written (full disk, missing
    permissions).

    With `replace`, `path` may exist; it is replaced only after the new directory is complete.
    """
    target = Path(path)
    with _reported(target):
        temporary = Path(tempfile.mkdtemp(".tmp", f".{target.name}.", target.parent))
        retired: Path | None = None
        try:
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file():
                    sync_file(file)
            sync_directory(temporary)
            os.chmod(temporary, default_mode(0o777))
            if replace and os.path.lexists(target):
                retired = Path(tempfile.mkdtemp(".old", f".{target.name}.", target.parent))
                os.rename(target, retired / target.name)
            os.rename(temporary, target)
            sync_directory(target.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            if retired is not None:
                _put_back(retired, target)
                shutil.rmtree(retired, ignore_errors=True)


def _put_back(retired: Path, target: Path) -> None:
    if os.path.lexists(retired / target.name) and not os.path.lexists(target):
        os.rename(retired / target.name, target)


def clean_up(path: Path) -> None:
    """Removes the temporary files that a killed process left while writing `path`, and restores
    what it was about to replace. The caller must hold the lock of `path`."""
    pattern = re.compile(re.escape(f".{path.name}.") + r"[a-z0-9_]{8}\.(tmp|old)")
    try:
        leftovers = [entry for entry in path.parent.iterdir() if pattern.fullmatch(entry.name)]
    except OSError:
        return
    for entry in leftovers:
        try:
            if entry.is_symlink():  # not made by w2v: remove the link, but not its target
                entry.unlink()
                continue
            _put_back(entry, path)
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink()
        except OSError:
            continue  # no permission to remove it


def is_special(path: str | os.PathLike[str]) -> bool:
    """Returns whether `path`, a device, a FIFO, a socket or the name of an open file, cannot be
    replaced."""
    if _DESCRIPTOR.fullmatch(os.path.abspath(path)):
        return not os.path.isdir(path)
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def word_lines(path: str | os.PathLike[str], named: str) -> Iterator[tuple[int, str]]:
    """Yields the lines of a regular file of words and numbers, without their ends, numbered from 1.
    Raises InputError, with a message that begins with `named`, if the file cannot be read, is not
    UTF-8, or has lines that are too long for words."""
    try:
        with open_plain(path, follow=True) as file:
            read = 0
            for number in count(1):
                line = file.readline(MAX_LINE_BYTES + 1)
                if not line:
                    return
                start, read = read, read + len(line)
                mean = read > MANY_WORD_BYTES + (MEAN_WORD_BYTES + NUMBER_BYTES) * number
                if len(line) > MAX_LINE_BYTES or mean:
                    which = "its lines are" if mean else f"line {number} is"
                    problem = f"{which} too long for words; is it the right file?"
                    raise InputError(f"{named}: {problem}")
                text = line if number > 1 else without_mark(line, str(path))
                yield number, text.removesuffix(b"\n").removesuffix(b"\r").decode()
    except OSError as error:
        raise InputError(f"{named} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        position = start + len(line) - len(text) + error.start
        raise InputError(f"{named} cannot be read: not valid UTF-8 at byte {position}") from None


def check_writable(path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Checks, before a long computation, that an output can be written. Leaves nothing behind.
    Raises InputError if `path` exists and `overwrite` is off, or its folder is missing or not
    writable."""
    target = Path(path)
    if is_special(target):
        return
    parent, named = target.parent, f"`output` {target}"
    if os.path.lexists(target) and not overwrite:
        raise InputError(f"{named} exists already: choose another name, or add `overwrite`")
    if not os.path.isdir(parent):
        problem = "is not a folder" if os.path.lexists(parent) else "does not exist"
        raise InputError(f"{named}: the folder {parent} {problem}; create it first")
    try:
        probe = tempfile.mkdtemp(".tmp", f".{target.name}.", parent)
        with suppress(FileNotFoundError):  # the process that holds the lock may clean it up
            os.rmdir(probe)
    except OSError as error:
        why = f"{error.strerror or error}; choose another folder or name"
        raise InputError(f"{named} cannot be written: {why}") from None
