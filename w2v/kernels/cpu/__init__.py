"""The CPU kernel, in Numba, so that users need no compiler."""
