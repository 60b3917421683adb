"""Train word vectors or a language model on text.

Prints the path of the output: a run directory, or a vector file if --output has the extension of
one; --output - writes vectors to stdout as text.

CORPUS is one or more files, folders, globs or data sets of the Hugging Face hub, named
hf://datasets/NAME[:CONFIG]/SPLIT#COLUMN; - is stdin. Words are separated by whitespace, with
--tokenizer words by Unicode's word boundaries, or by a tokenizer.json; sentences by line ends, or
with --sentences paragraph by blank lines. Files may be compressed (.gz .bz2 .xz .zst); --column
selects the column of tables (.jsonl .csv .tsv .parquet .arrow).

\b
  w2v train corpus.txt
  w2v train corpus.txt --loss hsigmoid --dim 200 --output vectors.bin
  zstd -dc corpus.zst | w2v train - --output vectors.txt
  w2v train corpus.txt --valid heldout.txt --patience 2 --epochs 20
  w2v train corpus.txt --model lm --valid heldout.txt
  w2v train --config recipe.yaml --epochs 10
  w2v train corpus.txt --output run --checkpoint-every 5m
  w2v train --resume run
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from w2v.cli.interrupt import Stop, stopping_softly
from w2v.cli.options import RUNS, Json, NoCache, Quiet, Recipe, with_settings
from w2v.cli.output import (
    binary_stdout,
    flush,
    human_bytes,
    human_seconds,
    is_terminal,
    print_json,
    print_line,
    print_values,
    say,
    silence,
)
from w2v.cli.progress import ConsoleReporter
from w2v.cli.summary import in_epochs, stopped, tell
from w2v.errors import InputError
from w2v.settings.build import build_config
from w2v.settings.config import Config
from w2v.settings.groups import OutputSettings, all_settings
from w2v.system.files import check_working_directory, named

if TYPE_CHECKING:
    from w2v.training.report import Plan, RunSummary
    from w2v.training.task import Context


@with_settings(all_settings().values())
def command(
    corpus: Annotated[list[str] | None, typer.Argument(metavar="CORPUS", hidden=True)] = None,
    no_cache: NoCache = False,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume",
            metavar="RUN",
            help="resume a run that was stopped or killed; --epochs may be increased",
            rich_help_panel=RUNS,
        ),
    ] = None,
    config: Recipe = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="read the corpus and estimate memory and time, without training"
        ),
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
    **given: str | bool | None,
) -> int:
    check_working_directory()
    given |= {"corpus": tuple(corpus) if corpus else None}  # type: ignore[dict-item]
    others = {"--config": config is not None, "--dry-run": dry_run}
    from w2v.training.world import World

    with World.join() as world:
        run_before, finished = None if resume is None else named(resume, "the run"), None
        first = world.rank == 0
        with world.step():
            if run_before is None:
                settings = build_config(given, config)
            else:
                settings = _settings_of(run_before, given, others)
                finished = _finished(run_before, settings) if first else None
            _check_stream(settings, json and not dry_run)
        if (finished := world.broadcast(finished)) is not None:
            if first:
                if not quiet:
                    epochs = in_epochs(settings.training.epochs)
                    say(f"{resume} is finished, after {epochs}; increase --epochs to go on")
                if sys.stdout is not None:
                    print_json(finished) if json else print_line(str(run_before))
            return 0
        from w2v import run  # imported late, so that the errors above are reported sooner
        from w2v.training.task import Context

        with ConsoleReporter(quiet=quiet or not first) as reporter:
            context = Context(settings, reporter, use_cache=not no_cache, resume=run_before)
            context = replace(context, world=world)
            if first:
                _tell_before(settings, reporter)
            if not dry_run:
                return _train(context, reporter, quiet=quiet, json=json)
            with _to_stdout(settings) as written:
                plan = run.plan(replace(context, config=written))
        if first:
            if written is not settings:
                plan = replace(plan, output="standard output")
            _print_plan(plan, json)
        return 0


def _train(context: Context, reporter: ConsoleReporter, *, quiet: bool, json: bool) -> int:
    """Trains, prints the result (only on the first rank), and returns the exit code."""
    from w2v import run

    settings, first = context.config, context.world.rank == 0
    streams, alone = settings.output.output == "-", context.world.size == 1
    with (
        stopping_softly(lambda: reporter.training_began, announce=alone) as stop,
        _to_stdout(settings) as settings,
    ):
        summary = run.run(replace(context, config=settings, stop=stop))
        reporter.close()
        if streams and first:
            with open(summary.output, "rb") as vectors:
                shutil.copyfileobj(vectors, binary_stdout())
            summary = replace(summary, output="standard output")
    if first:
        if not quiet:
            tell(summary, settings)
        _print_result(summary, json, stop, streams=streams)
        if stop.is_set():
            say(stopped(summary, stop))
    return 128 + stop.signal_number if stop.is_set() else 0


def _print_result(summary: RunSummary, json: bool, stop: Stop, *, streams: bool) -> None:
    try:
        if not streams and sys.stdout is not None:
            print_json(summary.as_dict()) if json else print_line(summary.output)
        flush()
    except OSError:  # the terminal was closed, or Ctrl-C also ended the reader of the pipe
        if not stop.is_set():
            raise
        silence(1)


def _tell_before(settings: Config, reporter: ConsoleReporter) -> None:
    """Prints notes about settings whose effect may surprise."""
    for note in settings.notes:
        reporter.note(note)
    if "-" in settings.corpus.corpus and is_terminal(sys.stdin):
        reporter.note("reading text from the terminal; Ctrl-D at the start of a line ends it")


def _finished(run: Path, settings: Config) -> dict[str, Any] | None:
    """Returns the summary of a run that is finished, else None."""
    from w2v.runs.output import claimed
    from w2v.runs.resume import finished

    # claimed: fails if the run is still training, and removes leftovers of a killed process
    with claimed(settings, run):
        return finished(run, settings)


def _settings_of(run: Path, given: dict[str, Any], others: dict[str, bool]) -> Config:
    """Returns the settings of a run to resume. `given` are settings, and `others` further options,
    that the user gave with --resume. Raises InputError for those that are not allowed."""
    from w2v.runs.resume import resumed_config

    for option in (option for option, present in others.items() if present):
        raise InputError(
            f"{option} cannot be combined with --resume, which uses the run's settings; omit it"
        )
    return resumed_config(run, given)


def _check_stream(settings: Config, json: bool) -> None:
    """Raises InputError for settings that `--output -` rules out."""
    if settings.output.output != "-":
        return
    if json:
        raise InputError("--output - and --json both write to stdout: omit one of them")
    if settings.checkpoints.checkpoint_every is not None:
        raise InputError(
            "--checkpoint-every needs a run directory, and --output - is a stream: omit one of them"
        )


@contextmanager
def _to_stdout(settings: Config) -> Iterator[Config]:
    """Yields the settings; for `--output -`, with an output in word2vec text format to a temporary
    file that exists for the duration of the block."""
    if settings.output.output != "-":
        yield settings
        return
    binary_stdout()
    with tempfile.TemporaryDirectory(prefix="w2v-") as folder:
        yield replace(
            settings, output=OutputSettings(output=f"{folder}/vectors.txt", overwrite=False)
        )


def _print_plan(plan: Plan, json: bool) -> None:
    values: dict[str, Any] = plan.as_dict()
    if json:
        print_json(values)
        return
    if not is_terminal(sys.stdout):
        print_values(values)
        return
    for name in ("memory_bytes", "memory_available_bytes", "output_bytes"):
        if values[name] is not None:
            values[name] = human_bytes(values[name])
    if values["training_seconds"] is not None:
        values["training_seconds"] = human_seconds(values["training_seconds"])
    print_values(
        values,
        {
            "memory_bytes": "memory needed",
            "memory_available_bytes": "memory available",
            "output_bytes": "output size",
            "training_seconds": "training time",
        },
    )
