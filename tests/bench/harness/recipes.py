"""Every loss trained with its recipe on the demo corpus, and what it answers of the demo questions.

Each is a real `w2v train` with its defaults, or with configs/LOSS.yaml where there is one (and
configs/LOSS-cbow.yaml for --model cbow), then `w2v eval`.
"""

from __future__ import annotations

import json
import os
import resource
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from harness.process import own_environment
from w2v.cli.output import Cell, say

ROOT = Path(__file__).resolve().parents[3]
MODELS = ("skip-gram", "cbow")
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


def measure(losses: Sequence[str], models: Sequence[str], more: Sequence[str]) -> list[Measured]:
    """Trains and evaluates all losses with all models; `more` are options for every w2v train.

    Raises:
        Failed: a command did not succeed.
    """
    found: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="w2v-losses-") as folder:
        for number, (loss, model) in enumerate(product(losses, models), 1):
            say(f"[{number} of {len(losses) * len(models)}] {loss}, {model}")
            found.append(measured(loss, model, Path(folder) / "run", more))
            say(f"{100 * found[-1].accuracy:.1f} % of the demo questions\n")
    return found


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
        [sys.executable, "-m", "w2v", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **own_environment()},
    )
    if done.returncode:
        raise Failed(done.returncode)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def table(
    found: Sequence[Measured], models: Sequence[str]
) -> tuple[tuple[str, ...], list[list[Cell]]]:
    """Headings, and a row per loss: how the first model was trained, then every model's
    accuracy."""
    rows: list[list[Cell]] = []
    for run in found:
        if run.model == models[0]:
            figures = [run.engine, f"{run.cpu_seconds:.1f}", f"{run.training_loss:.2f}"]
            answers = [each.accuracy for each in found if each.loss == run.loss]
            rows.append([run.loss, *figures, *(f"{100 * share:.1f} %" for share in answers)])
    return (*COLUMNS, *models), rows


def markdown(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """The table in Markdown."""
    lines = [
        f"| `{headings[0]}` | {' | '.join(headings[1:])} |",
        "|---" * 2 + "|---:" * (len(headings) - 2) + "|",
    ]
    lines += [f"| `{row[0]}` | {' | '.join(map(str, row[1:]))} |" for row in rows]
    return "\n".join(lines)
