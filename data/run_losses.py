"""`make losses`: trains every loss with both models on the demo corpus, evaluates, and makes the
README's table.

Each is a real `w2v train` with its defaults, or with configs/LOSS.yaml where there is one (and
configs/LOSS-cbow.yaml for --model cbow), then `w2v eval` on the demo questions. Ends with 1 when
one answers too few of them.

    python data/run_losses.py --write                     all of them, half an hour; into the README
    python data/run_losses.py neg softmax --model skip-gram    some
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from w2v.cli.output import Cell, print_table
from w2v.losses.table import LOSSES

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
MODELS = ("skip-gram", "cbow")
BEGIN, END = "<!-- losses -->", "<!-- /losses -->"
COLUMNS = ("--loss", "engine", "CPU seconds", "training loss")


@dataclass(frozen=True)
class Measured:
    """One run: CPU seconds of the whole process, all threads together (other work on the machine
    hardly changes them), loss in nats, accuracy a share."""

    loss: str
    model: str
    engine: str
    cpu_seconds: float
    training_loss: float
    accuracy: float


class Failed(Exception):
    """A command ended with this exit status; it has said on stderr why."""

    def __init__(self, status: int) -> None:
        self.status = status if status > 0 else 128 - status


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    losses, models = (
        options.losses or list(LOSSES),
        ([options.model] if options.model else list(MODELS)),
    )
    found: list[Measured] = []
    try:
        with tempfile.TemporaryDirectory(prefix="w2v-losses-") as folder:
            for number, (loss, model) in enumerate(
                [(loss, model) for loss in losses for model in models], 1
            ):
                say(f"[{number} of {len(losses) * len(models)}] {loss}, {model}")
                found.append(measured(loss, model, Path(folder) / "run", options.train))
                say(f"{100 * found[-1].accuracy:.1f} % of the demo questions\n")
    except Failed as failed:
        return failed.status
    except KeyboardInterrupt:
        return 130
    headings, rows = (*COLUMNS, *models), list(table(found, models))
    if options.markdown:
        print(markdown(headings, rows))
    else:
        print_table(headings, rows)
    weak = [f"{run.loss} with {run.model}" for run in found if run.accuracy < options.least / 100]
    if weak:
        say(
            f"below {options.least:g} %: {', '.join(weak)}"
            + ("; README.md is left as it was" * options.write)
        )
        return 1
    if options.write:
        README.write_text(
            with_table(README.read_text(encoding="utf-8"), markdown(headings, rows)),
            encoding="utf-8",
        )
        say(f"the table is in {README}")
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    summary, _, epilog = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("losses", nargs="*", metavar="LOSS", help="default: all")
    parser.add_argument("--model", choices=MODELS, help="default: both")
    parser.add_argument(
        "--least", type=float, default=70, metavar="PERCENT", help="accuracy asked for (default 70)"
    )
    parser.add_argument(
        "--train",
        type=shlex.split,
        default=[],
        metavar="OPTIONS",
        help="more options for every w2v train, such as '--seed 2'",
    )
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--write", action="store_true", help="put it into README.md too")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.losses if name not in LOSSES]:
        parser.error(f"no loss {unknown[0]!r}: there are {', '.join(LOSSES)}")
    if options.write and (options.losses or options.model or options.train):
        parser.error("--write is for the whole table: leave out LOSS, --model and --train")
    return options


def measured(loss: str, model: str, output: Path, more: Sequence[str] = ()) -> Measured:
    """Trains and evaluates.

    Raises:
        Failed: one of the two did not succeed.
    """
    recipe = recipe_of(loss, model)
    settings = [] if recipe is None else ["--config", str(recipe.relative_to(ROOT))]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    trained = w2v(
        "train",
        "data/demo.txt.xz",
        *settings,
        "--loss",
        loss,
        "--model",
        model,
        *more,
        "--output",
        str(output),
        "--overwrite",
        "--json",
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    evaluated = w2v("eval", str(output), "--json")
    return Measured(
        loss,
        model,
        trained["engine"],
        (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime),
        trained["final_loss"],
        evaluated["analogies"]["demo-analogies"]["accuracy"],
    )


def recipe_of(loss: str, model: str) -> Path | None:
    """The YAML file with the settings for this loss, if there is one."""
    names = [f"{loss}.yaml"] if model == MODELS[0] else [f"{loss}-{model}.yaml", f"{loss}.yaml"]
    return next(
        (ROOT / "configs" / name for name in names if (ROOT / "configs" / name).is_file()), None
    )


def w2v(*arguments: str) -> dict[str, Any]:
    """Shows and runs one command; the JSON it prints."""
    say(f"$ w2v {shlex.join(arguments)}")
    done = subprocess.run(
        [sys.executable, "-m", "w2v", *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    if done.returncode:
        raise Failed(done.returncode)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def table(found: Sequence[Measured], models: Sequence[str]) -> Iterator[list[Cell]]:
    """A row per loss: how the first model was trained, then every model's accuracy."""
    for run in found:
        if run.model != models[0]:
            continue
        accuracy = {
            other.model: f"{100 * other.accuracy:.1f} %"
            for other in found
            if other.loss == run.loss
        }
        yield [
            run.loss,
            run.engine,
            f"{run.cpu_seconds:.1f}",
            f"{run.training_loss:.2f}",
            *(accuracy[model] for model in models),
        ]


def markdown(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """The table for the README."""
    lines = [
        f"| `{headings[0]}` | {' | '.join(headings[1:])} |",
        "|---" * 2 + "|---:" * (len(headings) - 2) + "|",
    ]
    lines += [f"| `{row[0]}` | {' | '.join(map(str, row[1:]))} |" for row in rows]
    return "\n".join(lines)


def with_table(text: str, table: str) -> str:
    """The README's text with this table between the markers.

    Raises:
        ValueError: the markers are not there exactly once.
    """
    found = re.findall(f"{re.escape(BEGIN)}\n.*?{re.escape(END)}", text, re.DOTALL)
    if len(found) != 1 or text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"README.md must have the markers {BEGIN} and {END} once, in this order")
    return text.replace(found[0], f"{BEGIN}\n{table}\n{END}")


def say(text: str) -> None:
    """A line of progress, for people."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
