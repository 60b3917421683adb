"""Measure forward + backward of the output layers against torch, TensorFlow and Paddle, in turns.

TensorFlow and Paddle are measured where this Python, or the one that the option names, has them.
softmax-memory is the growth of the peak memory in the full softmax.

Piped output has the columns loss, library, function, N, D, V, then median, low and high each of the
milliseconds and of its time / w2v's; softmax-memory has the growth and the size of the [N, V]
logits, in bytes.

\b
  w2v bench losses
  w2v bench losses --only nce,hsigmoid --tensorflow venv/bin/python
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer
import typer.main

from w2v.cli.bench_output import Results, check_output, listed, show, speaker
from w2v.cli.options import Json, Quiet
from w2v.errors import InputError
from w2v.settings.declare import nearest


def command(
    n: Annotated[
        int, typer.Option("--n", min=1, metavar="INT", help="rows of hidden vectors")
    ] = 1024,
    dim: Annotated[int, typer.Option("--dim", min=1, metavar="INT", help="their length")] = 100,
    vocabulary: Annotated[
        int, typer.Option("--vocabulary", min=4, metavar="INT", help="classes")
    ] = 50_000,
    samples: Annotated[
        int, typer.Option("--samples", min=1, metavar="INT", help="noise words")
    ] = 64,
    cutoffs: Annotated[
        str, typer.Option("--cutoffs", metavar="A,B,…", help="of adaptive-softmax")
    ] = "2000,10000",
    full: Annotated[
        str, typer.Option("--full", metavar="N,D,V", help="losses that score all rows")
    ] = "700,200,33278",
    memory: Annotated[
        str, typer.Option("--memory", metavar="N,D,V", help="softmax-memory")
    ] = "4096,256,250000",
    only: Annotated[
        str | None, typer.Option("--only", metavar="A,B,…", help="these losses")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads",
            min=1,
            max=1024,
            metavar="INT",
            help="of every library [default: all cores]",
        ),
    ] = None,
    repeat: Annotated[int, typer.Option("--repeat", min=1, metavar="INT", help="rounds")] = 7,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0, metavar="FLOAT", help="length of a turn")
    ] = 0.5,
    tensorflow: Annotated[
        str | None,
        typer.Option("--tensorflow", metavar="PYTHON", help="a Python that has TensorFlow"),
    ] = None,
    paddle: Annotated[
        str | None, typer.Option("--paddle", metavar="PYTHON", help="a Python that has Paddle")
    ] = None,
    output: Results = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    from w2v.bench.losses import NAMES, Setup, Shape, check, measure
    from w2v.system.cores import available_cores

    chosen = tuple(listed("--only", only)) if only is not None else NAMES
    for name in chosen:
        if name not in NAMES:
            guess = nearest(name, NAMES)
            raise InputError(
                f"--only {name}: "
                + (f"did you mean {guess}?" if guess else f"there are {', '.join(NAMES)}")
            )
    check_output(output)
    setup = Setup(
        {},
        chosen,
        Shape(n, dim, vocabulary),
        Shape(*_shape("--full", full)),
        Shape(*_shape("--memory", memory)),
        samples,
        tuple(_numbers("--cutoffs", cutoffs)),
        threads or available_cores(),
        repeat,
        seconds,
    )
    check(setup)
    speak = speaker(quiet)
    setup = replace(
        setup, pythons=_pythons({"tensorflow": tensorflow, "paddle": paddle}, chosen, speak)
    )
    show(measure(setup, speak), output, json)


def losses_command() -> Any:
    """The click command of `w2v bench losses`."""
    app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    app.command(
        name="losses", help=__doc__, context_settings={"help_option_names": ["-h", "--help"]}
    )(command)
    return typer.main.get_command(app)


def _pythons(
    given: dict[str, str | None], chosen: Sequence[str], speak: Callable[[str], None]
) -> dict[str, str]:
    """The interpreter of each library that is there: torch here, the others here or where the user
    says."""
    from w2v.bench.losses import CONTESTS
    from w2v.bench.systems import python_with

    wanted = {
        library
        for contest in CONTESTS
        if contest.loss in chosen
        for library, _ in contest.references
    }

    found = {"torch": sys.executable}
    for library, python in given.items():
        try:
            found[library] = python_with(
                library, python or "", f"--{library} {python}", f"--{library} PYTHON"
            )
        except InputError:
            if python is not None:
                raise
            if library in wanted:
                speak(
                    f"{library} is not here and is left out; name a Python that has it with"
                    f" --{library} PYTHON"
                )
    return found


def _numbers(option: str, text: str) -> Iterable[int]:
    for word in text.split(","):
        try:
            number = int(word)
        except ValueError:
            number = 0
        if number < 1:
            raise InputError(
                f"{option} {text}: {word!r} is not a whole number, 1 or more; separate them by"
                " commas"
            )
        yield number


def _shape(option: str, text: str) -> tuple[int, int, int]:
    numbers = list(_numbers(option, text))
    if len(numbers) != 3:
        raise InputError(f"{option} {text} has {len(numbers)} numbers; give three: N,D,V")
    return numbers[0], numbers[1], numbers[2]
