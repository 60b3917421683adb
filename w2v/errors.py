"""The ways a command can fail.

The message is all that the user sees: one or two sentences with the value and the remedy.
"""


class W2VError(Exception):
    """Base class; `exit_status` is the process's exit code."""

    exit_status = 1


class RunError(W2VError, RuntimeError):
    """Something failed at run time although the input was fine: a full disk, a diverged run, a
    vanished file."""

    exit_status = 1


class InputError(W2VError, ValueError):
    """What the user gave cannot be used: an option, a path, a file's content."""

    exit_status = 2


class Elsewhere(W2VError):
    """Something failed that another process of the same run tells."""

    def __init__(self, exit_status: int) -> None:
        super().__init__("another rank says what failed")
        self.exit_status = exit_status


def shown(text: object, limit: int = 60) -> str:
    """`repr` of what a file or the user said, for a message: whatever its length, on one line of
    `limit` characters."""
    cut = text[: limit + 1] if isinstance(text, (str, bytes)) else text
    quoted = repr(cut) if isinstance(cut, (str, bytes)) else " ".join(repr(cut).split())
    return quoted if len(quoted) <= limit + 2 else f"{quoted[: limit - 1]}…"
