"""The exceptions that w2v raises.

The message is all that the user sees: one or two sentences that name the value and the remedy.
"""


class W2VError(Exception):
    """Base class of all; `exit_status` is the exit code of the command."""

    exit_status = 1


class RunError(W2VError, RuntimeError):
    """A failure at run time with valid input: a full disk, a diverged run, a vanished file."""

    exit_status = 1


class InputError(W2VError, ValueError):
    """Input that cannot be used: an option, a path or the content of a file."""

    exit_status = 2


class Elsewhere(W2VError):
    """A failure that another rank of the same run reports."""

    def __init__(self, exit_status: int) -> None:
        super().__init__("another rank reports the failure")
        self.exit_status = exit_status


def shown(text: object, limit: int = 60) -> str:
    """Returns `repr(text)` for a message, on one line and cut to about `limit` characters; `text`
    comes from a file or the user."""
    cut = text[: limit + 1] if isinstance(text, (str, bytes)) else text
    quoted = repr(cut) if isinstance(cut, (str, bytes)) else " ".join(represented(cut).split())
    return quoted if len(quoted) <= limit + 2 else f"{quoted[: limit - 1]}…"


def represented(value: object) -> str:
    """Returns `repr(value)`, or the name of its type if that fails, as for very long integers."""
    try:
        return repr(value)
    except Exception:
        return f"<{type(value).__name__}>"
