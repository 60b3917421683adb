"""One declaration per setting: name, type, default, help and range live on a dataclass field.

The command line, the YAML files, the saved configuration and the help text are all derived from it:

    @dataclass(frozen=True)
    class TrainingSettings:
        epochs: int = setting(5, "passes over the corpus", low=1, metavar="N")

`settings_of(TrainingSettings)["epochs"].convert("3", "--epochs")` gives 3; a value that cannot be
used raises `BadValue` with one phrase for the user. The caller collects these, so that everything
wrong is told at once.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from w2v.settings.elsewhere import nearest

Value = int | float | bool | str | tuple[str, ...] | None

AUTO: Any = object()  # the default of a setting that others decide, see `w2v.settings.resolve`

_KEY = "w2v.setting"
_WORDS_FOR_BOOL = dict.fromkeys(("true", "yes", "on", "1"), True)
_WORDS_FOR_BOOL |= dict.fromkeys(("false", "no", "off", "0"), False)


class BadValue(ValueError):
    """A value that a setting refuses; the message is a phrase that names the place and the
    value."""


@dataclass(frozen=True)
class Setting:
    """What is known about one setting."""

    name: str
    kind: str  # "int" | "float" | "bool" | "str" | "words" (tuple[str, ...])
    optional: bool  # None may be given: as if nothing were
    default: Value  # None where it depends on other settings
    help: str
    lm: Value = None  # the default of language models, where it is another one
    low: float | None = None  # the least permitted value
    above: float | None = None  # the largest number that is too small
    high: float | None = None  # the largest permitted value
    choices: tuple[str, ...] | None = None  # the permitted texts
    or_number: bool = False  # a text that is one of `choices` or a finite number
    read: Callable[[str], Any] | None = None  # makes the value of a text, or raises a ValueError
    or_file: str | None = None  # a text that is one of `choices` or the path of such a file
    path: str = ""  # "read" or "written", if it names a file or a folder
    flag: bool = True  # has an option on the command line (the corpus is an argument)
    metavar: str | None = None
    default_text: str | None = None  # how the help names the default

    @property
    def option(self) -> str:
        """The long option of the command line, `--min-count`."""
        return "--" + self.name.replace("_", "-")

    @property
    def told_default(self) -> str:
        """The default in words: "5; lm 1", "yes"; empty when there is nothing to say."""
        if self.default_text is not None or self.default in (None, ()) or self.default is False:
            return self.default_text or ""
        text = "yes" if self.default is True else str(self.default)
        return text if self.lm is None else f"{text}; lm {self.lm}"

    @property
    def range_text(self) -> str:
        """The permitted range in words: "1 or more", "above 0", "0 to 1"; empty when everything is
        permitted."""
        # what an integer of 64 bits holds is no news for people
        high = self.high if self.high is not None and self.high < 2**62 else None
        if self.low is not None and high is not None:
            return f"{_plain(self.low)} to {_plain(high)}"
        limits = ("above {}", self.above), ("{} or more", self.low), ("at most {}", high)
        return ", ".join(text.format(_plain(limit)) for text, limit in limits if limit is not None)

    @property
    def wanted(self) -> str:
        """What a permitted value is, for an error message: "a whole number, 1 or more"."""
        if self.choices is not None:
            return ", ".join(self.choices) + self._others
        nouns = {"int": "a whole number", "float": "a number", "bool": "true or false"}
        noun = nouns.get(self.kind, "a text" if self.kind == "str" else "a text or a list of texts")
        return f"{noun}, {self.range_text}" if self.range_text else noun

    @property
    def _others(self) -> str:
        """What may be given beside the choices, for an error message."""
        file = f" or a {self.or_file} file" if self.or_file else ""
        return " or a number" if self.or_number else file

    def is_path(self, value: object) -> bool:
        """Returns whether this value of the setting names a file or a folder."""
        return bool(self.path or (self.or_file and str(value).endswith(self.or_file)))

    def convert(self, value: object, where: str) -> Value:
        """Returns the value in the setting's type, from a command-line text or a YAML value.
        `where`: how the user named the setting, for the message: "--dim" or "dim in run.yaml".
        Raises BadValue: wrong type, out of range, not finite, not among the choices."""
        if value is None:
            if self.optional:
                return None
            raise BadValue(f"{where} has no value: give {self.wanted}")
        match self.kind:
            case "int" | "float":
                return self._to_number(value, where)
            case "bool":
                return _to_bool(value, where)
            case "words":
                return _to_words(_split(value) if self.flag else value, where)
        return self._to_text(value, where)

    def _to_number(self, value: object, where: str) -> int | float:
        whole = self.kind == "int"
        problem = f"is not a {'whole ' if whole else ''}number"
        if isinstance(value, (int, str) if whole else (int, float, str)) and not isinstance(
            value, bool
        ):
            # errors: no number, or more digits than Python converts
            with suppress(ValueError, OverflowError):
                if self.read is not None and isinstance(value, str):
                    number: int | float = self.read(value)
                else:
                    number = int(value) if whole else float(value)
                if not (problem := self._out_of_range(number)):
                    return number
        raise BadValue(f"{where} {_shown(value)} {problem}: give {self.wanted}")

    def _out_of_range(self, number: int | float) -> str:
        """Returns what is wrong with the number, "" if nothing is."""
        if isinstance(number, float) and not math.isfinite(number):
            return "is not a finite number"
        if isinstance(number, int) and not -(2**63) <= number < 2**63:
            return "is beyond 64 bits"
        if self.above is not None and number <= self.above:
            return f"is not above {_plain(self.above)}"
        if self.low is not None and number < self.low:
            return f"is below {_plain(self.low)}"
        if self.high is not None and number > self.high:
            return f"is above {_plain(self.high)}"
        return ""

    def _to_text(self, value: object, where: str) -> str:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise BadValue(f"{where} {_shown(value)} is not a text: put it in quotes")
        text = value.strip() if isinstance(value, str) and self.choices is not None else str(value)
        if self.choices is None:
            if not text:
                raise BadValue(f"{where} is empty: give {self.wanted}")
            try:
                return _checked_text(text if self.read is None else self.read(text), where)
            except BadValue:
                raise
            except ValueError as error:
                raise BadValue(f"{where} {error}") from None
        if text in self.choices or (self.or_number and _is_finite(text)):
            return text
        if self.or_file and text.endswith(self.or_file):
            return _checked_text(text, where)
        guess = nearest(text, self.choices)
        hint = f" (did you mean {guess}?)" if guess else ""
        raise BadValue(f"{where} {_shown(text)} is not one of {self.wanted}{hint}")


def setting(default: Any, help: str, **facts: Any) -> Any:
    """Returns a dataclass field that carries everything the command line, YAML and the help need
    to know about a setting; `facts` are further fields of `Setting`."""
    return dataclasses.field(default=default, metadata={_KEY: {"help": help, **facts}})


def settings_of(cls: type) -> dict[str, Setting]:
    """Returns the settings of a dataclass by field name, in order of declaration. Its module must
    not evaluate annotations: kinds are read from their text."""
    found = {}
    for field in dataclasses.fields(cls):
        if _KEY in field.metadata:
            kind, *others = str(field.type).split(" | ")
            kind = "words" if kind.startswith("tuple") else kind
            depends, facts = field.default is AUTO, field.metadata[_KEY]
            default: Any = None if depends else field.default
            optional = depends or "None" in others
            found[field.name] = Setting(field.name, kind, optional, default, **facts)
    return found


def _plain(value: float | None) -> str:
    """A number as people write it: 5, 0.001, not 5.0."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


def _shown(value: object) -> str:
    """A value inside a message: short, on one line, empty text visible."""
    if isinstance(value, int) and abs(value) >= 10**60:  # Python refuses to write very long ones
        return "beyond 10^60" if value > 0 else "below -10^60"
    text = str(value) if isinstance(value, (str, int, float)) and value != "" else repr(value)
    if isinstance(value, bool):
        text = text.lower()
    text = " ".join(text.split()) if text.strip() else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _to_bool(value: object, where: str) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if isinstance(value, (str, int)) and word in _WORDS_FOR_BOOL:
        return _WORDS_FOR_BOOL[word]
    raise BadValue(f"{where} {_shown(value)} is neither true nor false")


def _to_words(value: object, where: str) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)):
        raise BadValue(f"{where} {_shown(value)} is not a text or a list of texts")
    for item in items:
        if not isinstance(item, str) or not item:
            raise BadValue(f"{where}: {_shown(item)} is not a name: give a text or a list of texts")
        _checked_text(item, where)
    return tuple(items)


def _checked_text(text: str, where: str) -> str:
    """Refuses what no file and no column can be called, and the system would refuse with less
    grace."""
    with suppress(UnicodeEncodeError):
        if "\0" not in text:
            os.fsencode(text)
            return text
    shown = _shown(repr(text))
    raise BadValue(f"{where} {shown} holds a NUL or half a character: give another name")


def _split(value: object) -> object:
    """A list given as "2000,10000" on the command line, or as [2000, 10000] in YAML, as texts."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)):
        items = [items]
    return [str(item).strip() if isinstance(item, (str, int)) else item for item in items]


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
