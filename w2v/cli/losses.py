"""List the output layers that can be selected with --loss.

Prints for each which rows of the output matrix it scores for a target word t, how, and its
settings; with LOSS also its formula and paper. Piped output has the columns loss, rows, link,
probabilities, settings.

\b
  w2v losses
  w2v losses nce
"""

from __future__ import annotations

from typing import Annotated, Any

from typer import Argument

from w2v.cli.options import Json
from w2v.cli.output import print_json, print_table, print_values
from w2v.errors import InputError
from w2v.losses.table import LOSSES, LossEntry
from w2v.settings.declare import settings_of
from w2v.settings.elsewhere import nearest
from w2v.settings.groups import FUSED


def command(
    loss: Annotated[
        str | None,
        Argument(
            metavar="[LOSS]",
            help="describe only this one, in full",
            autocompletion=lambda: [*LOSSES],
        ),
    ] = None,
    json: Json = False,
) -> None:
    if loss is not None and loss not in LOSSES:
        guess = nearest(loss, LOSSES)
        remedy = f"did you mean {guess}?" if guess else f"use one of {', '.join(LOSSES)}"
        raise InputError(f"no loss {loss!r}: {remedy}")
    facts = [_facts(entry) for entry in LOSSES.values() if loss in (None, entry.name)]
    if json:
        for entry in facts:
            print_json(entry)
    elif loss is not None:
        listed = {key: ", ".join(facts[0][key]) for key in ("settings", "engines")}
        print_values(facts[0] | listed)
    else:
        headings = ("loss", "rows scored for target t", "link", "probabilities", "settings")
        keys = ("name", "rows", "link", "probabilities")
        rows = [(*map(entry.get, keys), "\n".join(entry["settings"])) for entry in facts]
        print_table(headings, rows)


def _facts(entry: LossEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        **vars(entry.about),
        "settings": [setting.option for setting in settings_of(entry.options).values()],
        "engines": [*(FUSED if entry.fused else ()), "autograd"],
    }
