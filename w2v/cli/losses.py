"""List the output layers that --loss selects.

Which rows of the output matrix each one scores for a target word t, how, and its settings; with
LOSS also its formula and paper. Piped output has the columns loss, rows, link, probabilities,
settings.

\b
  w2v losses
  w2v losses nce
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from w2v.cli.options import Json
from w2v.cli.output import print_json, print_table, print_values
from w2v.errors import InputError
from w2v.losses.table import LOSSES, LossEntry
from w2v.settings.declare import nearest, settings_of

NAME = "losses"


def command(
    loss: Annotated[
        str | None, typer.Argument(metavar="[LOSS]", help="only this one, in full")
    ] = None,
    json: Json = False,
) -> None:
    if loss is not None and loss not in LOSSES:
        guess = nearest(loss, LOSSES)
        remedy = f"did you mean {guess}?" if guess else f"there are {', '.join(LOSSES)}"
        raise InputError(f"no loss {loss!r}: {remedy}")
    chosen = [LOSSES[loss]] if loss is not None else list(LOSSES.values())
    if json:
        for entry in chosen:
            print_json(_facts(entry))
    elif loss is not None:
        facts = _facts(LOSSES[loss])
        print_values(
            {
                key: ", ".join(value) if isinstance(value, list) else value
                for key, value in facts.items()
            }
        )
    else:
        print_table(
            ("loss", "rows scored for target t", "link", "probabilities", "settings"),
            [
                (e.name, e.about.rows, e.about.link, e.about.probabilities, " ".join(_options(e)))
                for e in chosen
            ],
        )


def _options(entry: LossEntry) -> list[str]:
    return [setting.option for setting in settings_of(entry.options).values()]


def _facts(entry: LossEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "rows": entry.about.rows,
        "link": entry.about.link,
        "formula": entry.about.formula,
        "probabilities": entry.about.probabilities,
        "settings": _options(entry),
        "engines": ["hogwild", "autograd"] if entry.fused else ["autograd"],
        "paper": entry.about.paper,
    }
