"""The two ways a command can fail.

The message is all that the user sees: one or two sentences with the value and the remedy.
"""


class W2VError(Exception):
    """Base class; `exit_status` is the process's exit code."""

    exit_status = 1


class RunError(W2VError):
    """Something failed at run time although the input was fine: a full disk, a diverged run, a vanished file."""

    exit_status = 1


class InputError(W2VError):
    """What the user gave cannot be used: an option, a path, a file's content."""

    exit_status = 2
