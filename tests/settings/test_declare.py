"""One value against one setting: conversion, ranges, messages."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2v.settings.declare import BadValue, nearest, setting, settings_of


@dataclass(frozen=True)
class Example:
    count: int = setting(3, "how many", low=1, high=9)
    rate: float = setting(0.5, "how fast", above=0)
    share: float | None = setting(None, "how much", low=0, high=1)
    kind: str = setting("small", "which", choices=("small", "large"))
    level: str = setting("auto", "level", choices=("auto",), or_number=True)
    lower: bool = setting(False, "lower case")
    name: str | None = setting(None, "name")
    files: tuple[str, ...] = setting((), "files", flag=False)
    not_a_setting: int = 7


SETTINGS = settings_of(Example)


def test_only_declared_fields_are_settings_in_order() -> None:
    assert list(SETTINGS) == ["count", "rate", "share", "kind", "level", "lower", "name", "files"]
    assert Example() == Example(3, 0.5, None, "small", "auto", False, None, (), 7)


def test_types_come_from_the_annotations() -> None:
    assert [(s.kind, s.optional) for s in SETTINGS.values()] == [
        ("int", False),
        ("float", False),
        ("float", True),
        ("str", False),
        ("str", False),
        ("bool", False),
        ("str", True),
        ("words", False),
    ]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("count", "1", 1),
        ("count", 9, 9),
        ("count", " 4 ", 4),
        ("rate", "1e-3", 0.001),
        ("rate", 2, 2.0),
        ("rate", "5e-324", 5e-324),
        ("share", None, None),
        ("share", "0", 0.0),
        ("share", 1, 1.0),
        ("kind", "large", "large"),
        ("level", "auto", "auto"),
        ("level", 0, "0"),
        ("level", "-1.5", "-1.5"),
        ("lower", "yes", True),
        ("lower", "OFF", False),
        ("lower", True, True),
        ("lower", 1, True),
        ("name", "x", "x"),
        ("name", 5, "5"),
        ("name", None, None),
        ("files", "a.txt", ("a.txt",)),
        ("files", ["a", "b"], ("a", "b")),
        ("files", ("-",), ("-",)),
    ],
)
def test_good_values(name: str, value: object, expected: object) -> None:
    converted = SETTINGS[name].convert(value, "here")
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("count", "0", "--count 0 is below 1: give a whole number, 1 to 9"),
        ("count", 10, "--count 10 is above 9: give a whole number, 1 to 9"),
        (
            "count",
            "9223372036854775808",
            "--count 9223372036854775808 exceeds 64 bits: give a whole number, 1 to 9",
        ),
        ("name", "a\0b", "--name 'a\\x00b' contains NUL or half a character: give another name"),
        (
            "files",
            ["\ud800"],
            "--files '\\ud800' contains NUL or half a character: give another name",
        ),
        ("count", "2.0", "--count 2.0 is not a whole number: give a whole number, 1 to 9"),
        ("count", 2.0, "--count 2.0 is not a whole number: give a whole number, 1 to 9"),
        ("count", True, "--count true is not a whole number: give a whole number, 1 to 9"),
        ("count", None, "--count has no value: give a whole number, 1 to 9"),
        ("count", "", "--count '' is not a whole number: give a whole number, 1 to 9"),
        ("count", [1], "--count [1] is not a whole number: give a whole number, 1 to 9"),
        ("rate", 0, "--rate 0 is not above 0: give a number, above 0"),
        ("rate", "nan", "--rate nan is not a finite number: give a number, above 0"),
        ("rate", "-inf", "--rate -inf is not a finite number: give a number, above 0"),
        ("rate", math.inf, "--rate inf is not a finite number: give a number, above 0"),
        ("rate", 10**400, "--rate"),
        ("rate", "fast", "--rate fast is not a number: give a number, above 0"),
        ("rate", True, "--rate true is not a number: give a number, above 0"),
        ("share", 1.5, "--share 1.5 is above 1: give a number, 0 to 1"),
        ("share", "-0.1", "--share -0.1 is below 0: give a number, 0 to 1"),
        ("kind", "larg", "--kind larg is not one of small, large (did you mean large?)"),
        ("kind", "xyz", "--kind xyz is not one of small, large"),
        ("level", "nan", "--level nan is not one of auto or a number"),
        ("level", False, "--level false is not a string: give auto or a number"),
        ("lower", "maybe", "--lower maybe is neither true nor false"),
        ("lower", 2, "--lower 2 is neither true nor false"),
        ("name", "", "--name is empty: give a string"),
        ("name", {"a": 1}, "--name {'a': 1} is not a string: give a string"),
        ("files", ["a", 3], "--files: 3 is not a name: give a string or a list of strings"),
        ("files", [""], "--files: '' is not a name: give a string or a list of strings"),
        ("files", 3, "--files 3 is not a string or a list of strings"),
    ],
)
def test_bad_values(name: str, value: object, message: str) -> None:
    with pytest.raises(BadValue) as caught:
        SETTINGS[name].convert(value, f"--{name}")
    assert str(caught.value).startswith(message)


def test_integers_too_long_to_print() -> None:
    with pytest.raises(
        BadValue, match=r"^--count above 10\^60 exceeds 64 bits: give a whole number, 1 to 9$"
    ):
        SETTINGS["count"].convert(10**5000, "--count")
    with pytest.raises(
        BadValue, match=r"^--rate below -10\^60 is not a number: give a number, above 0$"
    ):
        SETTINGS["rate"].convert(-(10**5000), "--rate")


@given(
    st.one_of(
        st.text(),
        st.integers(),
        st.floats(),
        st.booleans(),
        st.none(),
        st.lists(st.text()),
        st.binary(),
    )
)
def test_any_value_is_converted_or_refused_in_one_line(value: object) -> None:
    for known in SETTINGS.values():
        try:
            known.convert(value, "here")
        except BadValue as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 200


@given(st.integers(1, 9))
def test_integers_in_range_survive_as_text_and_as_number(number: int) -> None:
    assert (
        SETTINGS["count"].convert(str(number), "x")
        == SETTINGS["count"].convert(number, "x")
        == number
    )


@given(st.floats(min_value=0, exclude_min=True, allow_infinity=False))
def test_floats_survive_as_text(number: float) -> None:
    assert SETTINGS["rate"].convert(repr(number), "x") == number


def test_nearest() -> None:
    assert nearest("windw", ["window", "dim"]) == "window"
    assert nearest("zzz", ["window", "dim"]) is None


def test_option_names() -> None:
    @dataclass
    class Long:
        min_count: int = setting(5, "least count", low=1)

    known = settings_of(Long)["min_count"]
    assert known.option == "--min-count"
    assert known.range_text == "1 or more"
