"""Declares settings: name, type, default, help and range of each are stored on a dataclass field.

The command line, the YAML files, the saved configuration and the help text are all derived from it:

    @dataclass(frozen=True)
    class TrainingSettings:
        epochs: int = setting(5, "passes over the corpus", low=1, metavar="N")

`settings_of(TrainingSettings)["epochs"].convert("3", "--epochs")` returns 3; an unusable value
raises `BadValue` with a phrase for the user. The caller collects these, to report them all at once.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from w2v.errors import represented
from w2v.settings.elsewhere import nearest
from w2v.settings.interval import PATTERNS

Value = int | float | bool | str | tuple[str, ...] | None

AUTO: Any = object()  # a default that depends on other settings, see `w2v.settings.resolve`

_KEY = "w2v.setting"
_SETTINGS: dict[type, dict[str, Setting]] = {}  # by class: a run asks some hundred times
_WORDS_FOR_BOOL = dict.fromkeys(("true", "yes", "on", "1"), True)
_WORDS_FOR_BOOL |= dict.fromkeys(("false", "no", "off", "0"), False)


class BadValue(ValueError):
    """Raised for a value that a setting does not accept; the message names both."""


@dataclass(frozen=True)
class Setting:
    """The declaration of one setting."""

    name: str
    kind: str  # "int" | "float" | "bool" | "str" | "words" (tuple[str, ...])
    optional: bool  # whether None may be given, which means not given
    default: Value  # None if it depends on other settings
    help: str
    lm: Value = None  # the default of language models, if different
    low: float | None = None  # smallest allowed value
    above: float | None = None  # exclusive lower bound
    high: float | None = None  # largest allowed value
    choices: tuple[str, ...] | None = None  # allowed strings
    or_number: bool = False  # whether a finite number is allowed besides `choices`
    # converts a string (kind "words": a tuple), or raises ValueError that says what it is not
    read: Callable[[Any], Any] | None = None
    or_file: str | None = None  # extension of files allowed besides `choices`
    path: str = ""  # "read" or "written", if the value names a file or a folder
    flag: bool = True  # whether it is a command-line option (the corpus is an argument)
    metavar: str | None = None
    default_text: str | None = None  # the default as shown in the help

    @property
    def pattern(self) -> str | None:
        """A regular expression of the strings that `read` takes."""
        return None if self.read is None else PATTERNS.get(self.read)

    @property
    def option(self) -> str:
        """The long command-line option, such as `--min-count`."""
        return "--" + self.name.replace("_", "-")

    @property
    def default_in_words(self) -> str:
        """The default in words, such as "5; lm 1" or "yes"; empty if there is none to show."""
        if self.default_text is not None or self.default in (None, ()) or self.default is False:
            return self.default_text or ""
        text = "yes" if self.default is True else str(self.default)
        return text if self.lm is None else f"{text}; lm {self.lm}"

    @property
    def range_text(self) -> str:
        """The allowed range in words: "1 or more", "above 0", "0 to 1"; "" if unlimited."""
        # the limit of 64-bit integers is not worth mentioning
        high = self.high if self.high is not None and self.high < 2**62 else None
        if self.low is not None and high is not None:
            return f"{_plain(self.low)} to {_plain(high)}"
        limits = ("above {}", self.above), ("{} or more", self.low), ("at most {}", high)
        return ", ".join(text.format(_plain(limit)) for text, limit in limits if limit is not None)

    @property
    def limits_text(self) -> str:
        """The allowed values, "line | paragraph", or their range; "" if unlimited."""
        others = ["a number"] * self.or_number + [f"a {self.or_file} file"] * bool(self.or_file)
        return " | ".join((*(self.choices or ()), *others)) or self.range_text

    @property
    def allowed(self) -> str:
        """A description of allowed values for an error message: "a whole number, 1 or more"."""
        if self.choices is not None:
            return ", ".join(self.choices) + self._others
        nouns = {"int": "a whole number", "float": "a number", "bool": "true or false"}
        words = "a string or a list of strings"
        noun = nouns.get(self.kind, "a string" if self.kind == "str" else words)
        return f"{noun}, {self.range_text}" if self.range_text else noun

    @property
    def _others(self) -> str:
        """What is allowed besides the choices, for an error message."""
        file = f" or a {self.or_file} file" if self.or_file else ""
        return " or a number" if self.or_number else file

    def is_path(self, value: object) -> bool:
        """Returns whether `value`, given for this setting, names a file or a folder."""
        could_be_file = self.or_file and isinstance(value, (str, os.PathLike))
        return bool(self.path or (could_be_file and str(value).endswith(str(self.or_file))))

    def convert(self, value: object, where: str) -> Value:
        """Converts a command-line string or a YAML value to the setting's type. `where` names the
        setting in messages as the user did: "--dim" or "dim in run.yaml". Raises BadValue for a
        value of the wrong type, out of range, not finite or not among the choices."""
        if value is None:
            if self.optional:
                return None
            raise BadValue(f"{where} has no value: give {self.allowed}")
        match self.kind:
            case "int" | "float":
                return self._to_number(value, where)
            case "bool":
                return _to_bool(value, where)
            case "words":
                words = _to_words(_split(value) if self.flag else value, where)
                return words if self.read is None else self._read(words, where)
        return self._to_text(value, where)

    def _read(self, value: Any, where: str) -> Any:
        assert self.read is not None
        try:
            return self.read(value)
        except ValueError as error:
            given = _shown(value) if isinstance(value, str) else f"{_shown(', '.join(value))},"
            raise BadValue(f"{where} {given} {error}") from None

    def _to_number(self, value: Any, where: str) -> int | float:
        """Converts a string, or any number but a bool: those of NumPy, fractions and decimals too.
        A whole number is not taken from 3.0."""
        whole = self.kind == "int"
        problem = f"is not a {'whole ' if whole else ''}number"
        # raised for what is not a number, or has more digits than Python converts
        with suppress(ValueError, OverflowError, TypeError, AttributeError):
            if isinstance(value, bool):
                raise TypeError
            if isinstance(value, str):
                number = (self.read or (int if whole else _to_float))(value)
            else:
                number = value.__index__() if whole else _to_float(value)
            if not (problem := self._out_of_range(number)):
                return number
        raise BadValue(f"{where} {_shown(value)} {problem}: give {self.allowed}")

    def _out_of_range(self, number: int | float) -> str:
        """Returns what is wrong with the number, "" if nothing is."""
        if isinstance(number, float) and not math.isfinite(number):
            return "is not a finite number"
        if isinstance(number, int) and not -(2**63) <= number < 2**63:
            return "exceeds 64 bits"
        if self.above is not None and number <= self.above:
            return f"is not above {_plain(self.above)}"
        if self.low is not None and number < self.low:
            return f"is below {_plain(self.low)}"
        if self.high is not None and number > self.high:
            return f"is above {_plain(self.high)}"
        return ""

    def _to_text(self, value: object, where: str) -> str:
        if (text := _text_of(value)) is None:
            if self.read is not None:
                self._read(_shown(value), where)  # says what it takes
            raise BadValue(f"{where} {_shown(value)} is not a string: give {self.allowed}")
        if self.choices is None:
            if not text:
                raise BadValue(f"{where} is empty: give {self.allowed}")
            return _checked_text(text if self.read is None else self._read(text, where), where)
        text = text.strip()
        if text in self.choices or (self.or_number and _is_finite(text)):
            return text
        if self.or_file and text.endswith(self.or_file):
            return _checked_text(text, where)
        guess = nearest(text, self.choices)
        hint = f" (did you mean {guess}?)" if guess else ""
        raise BadValue(f"{where} {_shown(text)} is not one of {self.allowed}{hint}")


def setting(default: Any, help: str, **facts: Any) -> Any:
    """Returns a dataclass field that declares a setting; `facts` are other fields of `Setting`."""
    return dataclasses.field(default=default, metadata={_KEY: {"help": help, **facts}})


def settings_of(cls: type) -> dict[str, Setting]:
    """Returns the settings of a dataclass by name, in order of declaration. Its module must import
    annotations from __future__, since kinds are parsed from the text of the annotations."""
    if cls in _SETTINGS:
        return _SETTINGS[cls]
    settings = _SETTINGS[cls] = dict[str, Setting]()
    for field in dataclasses.fields(cls):
        if _KEY in field.metadata:
            kind, *others = str(field.type).split(" | ")
            kind = "words" if kind.startswith("tuple") else kind
            depends, facts = field.default is AUTO, field.metadata[_KEY]
            default: Any = None if depends else field.default
            optional = depends or "None" in others
            settings[field.name] = Setting(field.name, kind, optional, default, **facts)
    return settings


def _plain(value: float | None) -> str:
    """Formats a number as people write it: 5, 0.001, not 5.0."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


def _shown(value: Any) -> str:
    """Formats a value for a message: on one line, at most 60 characters, "" as ''."""
    if _is_long(value):
        return "above 10^60" if value > 0 else "below -10^60"
    text = _text_of(value) or represented(value)
    if isinstance(value, bool):
        text = text.lower()
    text = " ".join(text.split()) if text.strip() else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _to_bool(value: object, where: str) -> bool:
    if isinstance(value, bool):
        return value
    word = (_text_of(value) or "").strip().lower()
    if not isinstance(value, float) and word in _WORDS_FOR_BOOL:
        return _WORDS_FOR_BOOL[word]
    raise BadValue(f"{where} {_shown(value)} is neither true nor false")


def _to_words(value: object, where: str) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)):
        raise BadValue(f"{where} {_shown(value)} is not a string or a list of strings")
    for item in items:
        if not isinstance(item, str) or not item:
            expected = "give a string or a list of strings"
            raise BadValue(f"{where}: {_shown(item)} is not a name: {expected}")
    return tuple(_checked_text(str.__str__(item), where) for item in items)


def _checked_text(text: str, where: str) -> str:
    """Returns `text`. Raises BadValue for NUL and surrogates, which no name of a file or a column
    can contain, and which would cause obscure errors later."""
    with suppress(UnicodeEncodeError):
        if "\0" not in text:
            os.fsencode(text)
            return text
    shown = _shown(repr(text))
    raise BadValue(f"{where} {shown} contains NUL or half a character: give another name")


def _split(value: object) -> object:
    """Splits a list, "2000,10000" on the command line or [2000, 10000] in YAML, into strings."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)):
        items = [items]
    texts = [None if isinstance(item, float) else _text_of(item) for item in items]
    return [item if text is None else text.strip() for item, text in zip(items, texts, strict=True)]


def _text_of(value: Any) -> str | None:
    """Returns the text of a string or a number; None for anything else, and for bools."""
    if isinstance(value, str):
        return str.__str__(value)  # str() of a member of an Enum is its name
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return str(value) if is_number and not _is_long(value) else None


def _is_long(value: object) -> bool:
    """Returns whether it is an integer of many digits; Python prints at most 4300."""
    return isinstance(value, int) and abs(value) >= 10**60


def _to_float(value: Any) -> float:
    """Converts a string or a number; -0 becomes 0. Raises an error if it is neither, or becomes 0
    only because it is too small for a float."""
    number = float(value) if isinstance(value, str) else value.__float__()
    if number == 0 and re.search("[1-9]", str(value).lower().partition("e")[0]):
        raise ValueError
    return number + 0.0


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(_to_float(text))
    except ValueError:
        return False
