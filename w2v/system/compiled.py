"""A decorator for Numba functions that caches their machine code on disk.

Numba's own cache raises an error if no folder is writable, a cache file is damaged or the disk is
full; this one then compiles again. Each entry is a file, named by a hash of all that the machine
code depends on, that begins with the checksum of the rest. Entries are written to the first of
these folders that is writable, and read from all:

    $NUMBA_CACHE_DIR, else __pycache__ of the package and $XDG_CACHE_HOME/w2v or ~/.cache/w2v
    w2v-USER in the folder for temporary files, if only this user can write there
"""

from __future__ import annotations

import hashlib
import os
import pickle
import stat
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from w2v.errors import RunError
from w2v.system.files import atomic_file, read_plain, user_caches

SUFFIX = ".kernel"
DIGEST_BYTES = 32
KEPT = 300  # entries in a folder; the oldest are removed
_unsaved: list[str] = []  # reasons why entries could not be written


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Returns a decorator like `numba.njit` with these options. The closure of the function may
    contain only plain values, since they are part of the cache key."""
    from numba import njit  # takes a second to import

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        dispatcher: Any = njit(**options)(function)
        dispatcher._cache = KernelCache(function, options)
        kernel: Callable[..., Any] = dispatcher
        return kernel

    return decorate


def kernel_note() -> str | None:
    """Returns a note for the user if compiled functions are not cached, or in an unusual place."""
    if _unsaved:
        return f"the compiled kernel is not kept: {_unsaved[0]}"
    _, target, elsewhere = _folders()
    if target is None:
        return "compiled kernels cannot be kept: every run compiles them again"
    return f"compiled kernels are kept in {target}" if elsewhere else None


class KernelCache:
    """The cache of one function, with the interface that Numba's dispatchers expect."""

    def __init__(self, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
        self._function, self._options = function, repr(sorted(options.items()))

    @property
    def cache_path(self) -> str | None:
        """The folder where new entries are written, for Numba's statistics."""
        return None if (folder := _folders()[1]) is None else str(folder)

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Returns the cached machine code for a signature, or None if there is no valid entry."""
        from numba.core import compiler

        rebuild: Any = compiler.CompileResult._rebuild

        target.refresh()
        name = self._name(signature, target.codegen())
        for folder in _folders()[0]:
            with suppress(Exception):  # the entry is missing, damaged or invalid
                content = read_plain(folder / name)
                if hashlib.sha256(content[DIGEST_BYTES:]).digest() == content[:DIGEST_BYTES]:
                    values = pickle.loads(content[DIGEST_BYTES:])
                    return rebuild(target, *values)
        return None

    def save_overload(self, signature: Any, result: Any) -> None:
        """Writes an entry, if possible."""
        from numba.core import serialize

        folder = _folders()[1]
        if folder is None or result.library.has_dynamic_globals or result.lifted:
            return
        dumps: Any = serialize.dumps
        content = dumps(result._reduce())
        path = folder / self._name(signature, result.library.codegen)
        try:
            with atomic_file(path, follow=False) as file:
                file.write(hashlib.sha256(content).digest() + content)
            entries = sorted(folder.glob(f"*{SUFFIX}"), key=os.path.getmtime)
            for entry in entries[:-KEPT]:
                entry.unlink()
        except RunError as error:
            _unsaved.append(str(error))
        except OSError:
            return  # another process is removing old entries, too

    def _name(self, signature: Any, codegen: Any) -> str:
        import llvmlite
        import numba

        function = self._function
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        source = _source_digest(Path(function.__code__.co_filename).parent)
        versions = sys.implementation.cache_tag, numba.__version__, llvmlite.__version__
        key = (str(signature), codegen.magic_tuple(), function.__code__.co_code, cells)
        digest = hashlib.sha256(repr((*key, self._options, source, versions)).encode())
        name = f"{function.__module__}.{function.__name__}".removeprefix("w2v.")
        return f"{name}-{digest.hexdigest()[:32]}{SUFFIX}"


@cache
def _source_digest(folder: Path) -> str:
    """Returns a digest of the source files of a folder, whose functions call each other, and of
    plan.py in its parent folder, whose constants they use."""
    files = sorted([*folder.glob("*.py"), *folder.parent.glob("plan.py")])
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


@cache
def _folders() -> tuple[list[Path], Path | None, bool]:
    """Returns the folders to read from, the one to write to (None: nowhere), and whether that is
    only the last resort."""
    named = os.environ.get("NUMBA_CACHE_DIR", "").strip()
    usual = [Path(named)] if named else [Path(__file__).parents[1] / "__pycache__"]
    if not named and (of_user := user_caches()) is not None:
        usual.append(of_user)
    writable = next((folder for folder in usual if _takes_files(folder)), None)
    if writable is not None:
        return usual, writable, False
    last = own_temporary_folder()
    return [*usual, last] if last else usual, last, True


def _takes_files(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def own_temporary_folder() -> Path | None:
    """Returns this user's folder for cached code in the folder for temporary files, or None. It
    must belong to the user and be closed to others, because loading machine code executes it."""
    with suppress(OSError):
        user = os.getuid()
        folder = Path(tempfile.gettempdir()) / f"w2v-{user}"
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        status = folder.lstat()
        is_own = stat.S_ISDIR(status.st_mode) and status.st_uid == user
        if is_own and not status.st_mode & 0o077 and _takes_files(folder):
            return folder
    return None
