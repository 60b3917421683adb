"""How the parts of a kernel are compiled: only kernels call them, so that nothing is compiled for
calls from Python, which would take a fifth of the time. Such a call would end the process; what is
called from both (`random`) has no part in this."""

from __future__ import annotations

from typing import Any

from numba import njit

_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "boundscheck": False,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
part = njit(**_OPTIONS)
inlined = njit(forceinline=True, **_OPTIONS)
