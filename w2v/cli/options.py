"""Turns settings (dataclass fields) into command-line options, and holds the options that several
verbs share.

The options of settings reach click as plain texts: w2v.settings converts and checks all of them at
once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from w2v.cli.wording import as_options
from w2v.settings.declare import Setting
from w2v.settings.groups import losses_with

METAVARS = {"int": "INT", "float": "FLOAT", "str": "TEXT", "words": "A,B,…"}

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="nothing on stderr but warnings and errors")
]
Output = Annotated[
    str | None, typer.Option("--output", "-o", metavar="FILE", help="where to write; - is stdout")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace an output that exists")]
EncodingErrors = Annotated[
    str,
    typer.Option(
        "--encoding-errors",
        metavar="[strict|replace]",
        help="what happens to words that are not UTF-8",
    ),
]
Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="a run directory or a vector file; - is stdin")
]

Run = Annotated[str, typer.Argument(metavar="RUN", help="the run directory of a language model")]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda[:N]",
        help="where it is computed; auto is the first GPU if any",
    ),
]


def setting_parameter(setting: Setting) -> inspect.Parameter:
    """A keyword parameter that typer makes the setting's option from; its value is None when not
    given."""
    names = [setting.option]
    kind: Any = str | None
    if setting.kind == "bool":
        names, kind = [f"{setting.option}/--no-{setting.option[2:]}"], bool | None
    option = typer.Option(
        *names, help=_help(setting), metavar=_metavar(setting), show_default=False
    )
    return inspect.Parameter(
        setting.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind, option],
    )


def with_settings(
    settings: Iterable[Setting],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: the function's `**given` becomes one option for each setting."""
    generated = [setting_parameter(setting) for setting in settings if setting.flag]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        own = inspect.signature(function, eval_str=True)
        fixed = [
            each
            for each in own.parameters.values()
            if each.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        function.__signature__ = own.replace(parameters=[*fixed, *generated])  # type: ignore[attr-defined]
        function.__annotations__ = {each.name: each.annotation for each in (*fixed, *generated)}
        return function

    return decorate


def _help(setting: Setting) -> str:
    losses = losses_with(setting.name)
    only = f"{', '.join(losses)}: " if losses else ""
    text = as_options(setting.help)
    facts = [*([setting.range_text] if setting.range_text else []), *_default(setting)]
    return f"{only}{text} [{'; '.join(facts)}]" if facts else f"{only}{text}"


def _metavar(setting: Setting) -> str | None:
    if setting.kind == "bool":
        return None
    if setting.choices is not None:
        return "[" + "|".join((*setting.choices, *(["FLOAT"] if setting.or_number else []))) + "]"
    return setting.metavar or METAVARS[setting.kind]


def _default(setting: Setting) -> list[str]:
    if setting.default_text is not None:
        return [f"default: {as_options(setting.default_text)}"]
    if setting.default in (None, ()) or isinstance(setting.default, bool):
        return []
    other = "" if setting.lm is None else f"; lm {setting.lm}"
    return [f"default: {setting.default}{other}"]
