"""The CPU kernel, in Numba: no compiler is needed on the user's machine."""
