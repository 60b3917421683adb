"""Checks the arguments of public functions, so that a wrong argument raises an InputError with its
name and value, rather than some error deep inside the library."""

from __future__ import annotations

import codecs
import errno
import inspect
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial, wraps
from types import FrameType
from typing import Any, TypeVar

from w2v.errors import InputError, shown

Check = Callable[[str, Any], Any]  # (name, value) -> the converted value; raises InputError
Function = TypeVar("Function", bound=Callable[..., Any])


def asks(**checks: Check) -> Callable[[Function], Function]:
    """Returns a decorator that applies these checks to the function's arguments, if given."""

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)

        @wraps(function)
        def checked(*args: Any, **named: Any) -> Any:
            try:
                bound = signature.bind(*args, **named)
            except TypeError:
                bound = None
            if bound is None:
                return function(*args, **named)  # raises Python's own error, with its name
            for name in checks.keys() & bound.arguments.keys():
                bound.arguments[name] = checks[name](name, bound.arguments[name])
            return function(*bound.args, **bound.kwargs)

        return checked  # type: ignore[return-value]

    return decorate


def warn(text: str) -> None:
    """Issues a UserWarning that names the line which called the package, however deep inside."""
    frame: FrameType | None = sys._getframe()
    level = 1
    ours = ("w2v", "functools")  # properties that are cached have a frame in functools
    while frame and str(frame.f_globals.get("__name__")).partition(".")[0] in ours:
        frame, level = frame.f_back, level + 1
    warnings.warn(text, UserWarning, stacklevel=level - 1 if frame is None else level)


def path(name: str, value: Any) -> str:
    """Returns a path, which need not exist, as a string. Raises InputError if it is not a path."""
    try:
        text = os.fsdecode(value)
        os.lstat(text)
    except OSError as error:
        if text and error.errno != errno.ENAMETOOLONG:
            return text
    except (TypeError, ValueError):  # not a path, or with NUL or surrogates
        pass
    else:
        return text
    remedy = "; pass settings as keyword arguments, **{…}" if isinstance(value, Mapping) else ""
    raise InputError(f"`{name}` {shown(value)} is not a path{remedy}") from None


def items(name: str, value: Any, expected: str = "list") -> list[Any]:
    """Returns an iterable other than a string as a list. Raises InputError, "is not a WANTED", for
    anything else."""
    try:
        if not isinstance(value, (str, bytes, bytearray)):
            return list(value)
    except TypeError:
        pass
    raise InputError(f"`{name}` {shown(value)} is not a {expected}") from None


def text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    raise InputError(f"`{name}` {shown(value)} is not a string")


def texts(name: str, value: Any) -> str | list[Any]:
    """Returns a string, or a list of strings and of lists of words."""
    return value if isinstance(value, str) else list(each_text(name, value))


def each_text(name: str, value: Any) -> Iterator[str | list[str]]:
    """Returns an iterator over texts, strings or lists of words, which checks each."""
    try:
        if not isinstance(value, (str, bytes, bytearray)):
            return map(partial(_text_or_words, name), iter(value))
    except TypeError:
        pass
    raise InputError(f"`{name}` {shown(value)} is not a list") from None


def _text_or_words(name: str, value: Any) -> str | list[str]:
    return value if isinstance(value, str) else [text(name, item) for item in items(name, value)]


def one_of(choices: Iterable[str]) -> Check:

    def check(name: str, value: Any) -> str:
        if isinstance(value, str) and value in choices:
            return value
        printed = shown(value).strip("'") or "''"
        raise InputError(f"`{name}` {printed} is unknown; use one of {', '.join(choices)}")

    return check


def kind(of: type | tuple[type, ...], noun: str) -> Check:
    """Returns a check for instances of a type, which the message calls `noun`."""

    def check(name: str, value: Any) -> Any:
        if isinstance(value, of):
            return value
        raise InputError(f"`{name}` {shown(value)} is not a {noun}")

    return check


def number(low: float, *, whole: bool = False, high: float = math.inf) -> Check:
    """Returns a check for a finite number from `low` to `high`."""
    limits = f"{low:g} or more" if high == math.inf else f"{low:g} to {high:g}"
    expected = f"{'whole ' if whole else ''}number of {limits}"

    def check(name: str, value: Any) -> int | float:
        try:
            result: int | float = value.__index__() if whole else float(value)
            if (
                not isinstance(value, (bool, str))
                and low <= result <= high
                and abs(result) < math.inf
            ):
                return result
        except (TypeError, ValueError, OverflowError, AttributeError):
            pass
        raise InputError(f"`{name}` {shown(value)} is not a {expected}") from None

    return check


def is_encoding(name: str) -> bool:
    """Returns whether Python has an incremental text encoding of this name."""
    try:
        decoder = codecs.getincrementaldecoder(name)
        return isinstance(decoder().decode(b"", True), str)
    except (LookupError, ValueError, TypeError, AttributeError):
        return False


def optional(check: Check) -> Check:
    return lambda name, value: None if value is None else check(name, value)
