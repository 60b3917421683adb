"""Turns settings (dataclass fields) into command-line options, which --help shows in sections, and
defines the options that several verbs share.

click treats the values of settings as plain strings; w2v.settings converts and checks all of them
at once.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import takewhile
from typing import Annotated, Any

import typer
import typer.core

from w2v.cli.output import as_options
from w2v.errors import InputError
from w2v.settings.declare import Setting, settings_of
from w2v.settings.elsewhere import renamed
from w2v.settings.groups import GROUPS, LANGUAGE_MODEL, losses_with
from w2v.settings.phrases import PhraseSettings

whole, real = partial(typer.Option, metavar="INT"), partial(typer.Option, metavar="FLOAT")

METAVARS = {"int": "INT", "float": "FLOAT", "str": "TEXT", "words": "A,B,…"}
WANTED = {"FILE": "file", "DIR": "folder"}
LONGEST_METAVAR = 60  # longer lists of choices are shown in the help text, where they are wrapped

# The sections of --help by group of settings. The sections of settings of particular losses are
# derived from the table of losses; options without a section are listed last.
RUNS = "Runs"
SECTIONS = {
    "corpus": "Input",
    "model": "Model",
    "training": "Training",
    "lm": f"Only with --model {LANGUAGE_MODEL}",
    "validation": "Validation",
    "start": "Start",
    "checkpoints": RUNS,
    "output": RUNS,
}

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="print only warnings and errors on stderr")
]
Output = Annotated[
    str | None, typer.Option("--output", "-o", metavar="FILE", help="where to write; - is stdout")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace an existing output")]
NoCache = Annotated[
    bool,
    typer.Option(
        "--no-cache",
        help="do not use the cache of tokenized corpora",
        rich_help_panel=SECTIONS["corpus"],
    ),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        "--config", metavar="FILE", help="read settings from a YAML file; options override it"
    ),
]


def choice(names: Sequence[str], help: str, *flags: str) -> Any:
    """Returns an option whose value must be one of these names."""

    def check(option: typer.CallbackParam, value: str | None) -> str | None:
        if value not in names and value != option.default:
            raise InputError(f"{option.opts[0]} {value} is not one of {', '.join(names)}")
        return value

    metavar = f"[{'|'.join(names)}]"
    more: Any = {"callback": check, "autocompletion": lambda: [*names]}
    return typer.Option(*flags, metavar=metavar, help=help, **more)


EncodingErrors = Annotated[
    str,
    choice(
        ("strict", "replace"), "reject words that are not valid UTF-8, or replace the invalid bytes"
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
        help="where to compute; auto is the first GPU, if any",
    ),
]


class Command(typer.core.TyperCommand):
    """A click command whose help lists options in sections."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        known = long_names(self.params)
        words = list(takewhile(lambda argument: argument != "--", args))
        # of other options the last one counts, as elsewhere; but files of settings might be merged
        if sum(word.split("=")[0] == "--config" for word in words) > 1:
            raise InputError("--config is given twice: put the settings into one file")
        for word in words:
            # word2vec.c's options have one hyphen; click would read -output as -o utput
            if re.fullmatch("-[a-zA-Z][a-zA-Z_-]+", word) and (guess := renamed(word, known)):
                raise InputError(f"no such option {word}; did you mean {guess}?")
        remaining: list[str] = super().parse_args(ctx, args)
        for param in self.params:
            # those that stand for settings say it themselves
            if "" in _texts(ctx.params.get(param.name)) and param.metavar in WANTED:
                raise InputError(f"{param.opts[0]} is empty: name a {WANTED[param.metavar]}")
        return remaining

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        others: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            heading = getattr(parameter, "rich_help_panel", None)
            if parameter.param_type_name == "argument":
                heading = "Arguments"
            record = parameter.get_help_record(ctx)
            if record is not None:
                (sections.setdefault(heading, []) if heading else others).append(record)
        sections["Other" if sections.keys() - {"Arguments"} else "Options"] = others
        for heading, records in sections.items():
            with formatter.section(heading):
                # padded, so that the help texts of all sections are aligned
                formatter.write_dl([(name.ljust(30), text) for name, text in records])


def _texts(value: Any) -> Sequence[str]:
    return value if isinstance(value, (list, tuple)) else [value]


def long_names(parameters: Iterable[Any]) -> list[str]:
    """Returns the long options of a verb, and the names of its arguments in the help."""
    names = [
        name for param in parameters for name in (*param.opts, *param.secondary_opts, param.metavar)
    ]
    return [name for name in names if name and (name.startswith("--") or name.isupper())]


def setting_parameter(setting: Setting) -> inspect.Parameter:
    """Returns the keyword parameter from which Typer makes the option of a setting. Its value is
    None if the option is not given."""
    choices = setting.choices
    names = [setting.option, *(["-o"] if setting.name == "output" else [])]
    kind: Any = str | None
    if setting.kind == "bool":
        names, kind = [f"{setting.option}/--no-{setting.option[2:]}"], bool | None
    option = typer.Option(
        *names,
        help=_help(setting),
        metavar=_metavar(setting),
        show_default=False,
        rich_help_panel=_section(setting),
        # None: the shell completes file names
        autocompletion=(lambda: [*choices]) if choices is not None else None,
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
    """Returns a decorator that replaces the function's `**given` by one option per setting. In
    --help, the function's own options come after these, except for options in other sections, which
    come first."""
    generated = [setting_parameter(setting) for setting in settings if setting.flag]
    panels = {_panel(param) for param in generated} | {None}

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(function, eval_str=True)
        declared = [
            param.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for param in signature.parameters.values()
            if param.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        first = [param for param in declared if _panel(param) not in panels]
        last = [param for param in declared if _panel(param) in panels]
        parameters = [*first, *generated, *last]
        function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        function.__annotations__ = {param.name: param.annotation for param in parameters}
        return function

    return decorate


def _panel(parameter: inspect.Parameter) -> str | None:
    """Returns the section of --help of the parameter's option, if it has one."""
    (option,) = parameter.annotation.__metadata__
    section: str | None = option.rich_help_panel
    return section


def _section(setting: Setting) -> str:
    losses = losses_with(setting.name)
    if losses:
        return f"Only with --loss {', '.join(losses)}"
    if setting.name in settings_of(PhraseSettings):
        return "Phrases"
    return next(
        SECTIONS[name] for name, group in GROUPS.items() if setting.name in settings_of(group)
    )


def _help(setting: Setting) -> str:
    text = as_options(setting.help)
    if setting.choices is not None and _metavar(setting) == METAVARS["str"]:
        text += f": {', '.join(setting.choices)}"
    default = f"default: {as_options(setting.default_in_words)}" if setting.default_in_words else ""
    facts = "; ".join(filter(None, (setting.range_text, default)))
    return f"{text} [{facts}]" if facts else text


def _metavar(setting: Setting) -> str | None:
    if setting.kind == "bool":
        return None
    if setting.choices is not None:
        others = ["FLOAT"] * setting.or_number + [f"FILE{setting.or_file}"] * bool(setting.or_file)
        choices = "|".join((*setting.choices, *others))
        return f"[{choices}]" if len(choices) <= LONGEST_METAVAR else METAVARS["str"]
    return setting.metavar or METAVARS[setting.kind]
