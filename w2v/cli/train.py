"""Train word vectors or a language model on text.

Prints the path of what was written: a run directory, or a file of vectors if --output ends in one
of their extensions; --output - writes vectors to stdout as text.

CORPUS is one or more files, folders, globs or data sets of the Hugging Face hub, named
hf://datasets/NAME[:CONFIG]/SPLIT#COLUMN; - is stdin. Words are separated by whitespace, with
--tokenizer words by Unicode's word boundaries, or by a tokenizer.json; sentences by line ends, or
with --sentences paragraph by blank lines. Files may be compressed (.gz .bz2 .xz .zst), and tables
(.jsonl .csv .tsv .parquet .arrow) are read with --column.

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

import os
import shutil
import signal
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
    human_bytes,
    human_count,
    human_seconds,
    is_terminal,
    print_json,
    print_line,
    print_values,
    say,
    silence,
)
from w2v.cli.progress import ConsoleReporter
from w2v.errors import InputError
from w2v.settings.build import build_config
from w2v.settings.config import Config
from w2v.settings.groups import OutputSettings, all_settings

if TYPE_CHECKING:
    from w2v.training.report import Plan, RunSummary


@with_settings(all_settings().values())
def command(
    corpus: Annotated[list[str] | None, typer.Argument(metavar="CORPUS", hidden=True)] = None,
    no_cache: NoCache = False,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume",
            metavar="RUN",
            help="go on with a run that was stopped or killed; only --epochs may grow",
            rich_help_panel=RUNS,
        ),
    ] = None,
    config: Recipe = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="read the corpus, estimate memory and time, and train nothing"
        ),
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
    **given: str | bool | None,
) -> int:
    # fails at once if the working directory was removed: Numba and PyTorch cannot do without one
    os.getcwd()
    given |= {"corpus": tuple(corpus) if corpus else None}  # type: ignore[dict-item]
    run_before = None if resume is None else Path(resume)
    if run_before is None:
        settings = build_config(given, config)
    else:
        from w2v.runs.output import claimed
        from w2v.runs.resume import finished

        settings = _settings_of(
            run_before, given, {"--config": config is not None, "--dry-run": dry_run}
        )
        # not while it is at work; and what a kill has left behind goes
        with claimed(settings, run_before):
            done = finished(run_before, settings)
        if done is not None:
            if not quiet:
                say(
                    f"{resume} is finished, after {settings.training.epochs} epochs; --epochs may"
                    " grow"
                )
            print_json(done) if json else print_line(str(run_before))
            return 0
    with ConsoleReporter(quiet=quiet) as reporter:
        for note in settings.notes:
            reporter.note(note)
        from w2v import run
        from w2v.training.task import Context
        from w2v.vectors import FORMATS, named_format

        output = settings.output.output or ""
        suffix = Path(output).suffix[1:]
        if 0 < len(suffix) <= 6 and suffix.isalpha() and named_format(output) is None:
            reporter.note(
                f"{settings.output.output} becomes a run directory; vector files end in"
                f" {' '.join(FORMATS)}"
            )
        if dry_run:
            plan = run.plan(Context(settings, reporter, use_cache=not no_cache))
            reporter.close()
            _print_plan(plan, json)
            return 0
        if "-" in settings.corpus.corpus and is_terminal(sys.stdin):
            reporter.note("reading text from the terminal; Ctrl-D at the start of a line ends it")
        with (
            stopping_softly(lambda: reporter.training_began) as stop,
            _to_stdout(settings, json) as settings,
        ):
            summary = run.run(Context(settings, reporter, stop, not no_cache, run_before))
            if given.get("output") == "-":
                reporter.close()
                with open(summary.output, "rb") as vectors:
                    shutil.copyfileobj(vectors, binary_stdout())
                summary = replace(summary, output="standard output")
    if not quiet:
        _tell(summary, settings.corpus.max_vocab)
    try:
        if summary.output != "standard output":
            print_json(summary.as_dict()) if json else print_line(summary.output)
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:  # the terminal was closed, or Ctrl-C has ended the pipe's other end too
        if not stop.is_set():
            raise
        silence(1)
    if not stop.is_set():
        return 0
    say(_stopped(summary, stop))
    return 128 + stop.signal_number


def _settings_of(run: Path, given: dict[str, Any], others: dict[str, bool]) -> Config:
    """Returns the settings of a run to go on with. Beside --resume the user gave `given`, which are
    settings, and `others`, which are further options.

    Raises:
        InputError: there is no such run, or something was given that would make another run of it.
    """
    from w2v.runs.resume import resumed_config

    for option in (option for option, present in others.items() if present):
        raise InputError(
            f"{option} beside --resume says nothing: the settings are those of the run; omit it"
        )
    return resumed_config(run, given)


@contextmanager
def _to_stdout(settings: Config, json: bool) -> Iterator[Config]:
    """Gives the settings; with `--output -` those that write word2vec text to a temporary file,
    which exists while the block runs."""
    if settings.output.output != "-":
        yield settings
        return
    if json:
        raise InputError(
            "--output - writes vectors to stdout, where --json puts its object; choose one of them"
        )
    if sys.stdout is None:
        raise InputError(
            "--output - writes vectors to stdout, which is closed; name a file, or pipe them on"
        )
    if settings.checkpoints.checkpoint_every is not None:
        raise InputError(
            "--checkpoint-every needs a run directory, and --output - is a stream: omit one of them"
        )
    with tempfile.TemporaryDirectory(prefix="w2v-") as folder:
        yield replace(
            settings, output=OutputSettings(output=f"{folder}/vectors.txt", overwrite=False)
        )


def _stopped(summary: RunSummary, stop: Stop) -> str:
    share = 100 * summary.epochs_done / summary.epochs
    epoch = min(summary.epochs, int(summary.epochs_done) + 1)
    how = (
        "Ctrl-C" if stop.signal_number == signal.SIGINT else signal.Signals(stop.signal_number).name
    )
    if not summary.interrupted:
        return f"w2v train: stopped by {how} when training had ended; {summary.output} is whole"
    what, units = ("model", "tokens") if summary.model == "lm" else ("vectors", "words")
    learnt = f"the {what} learnt so far {'is' if what == 'model' else 'are'} in {summary.output}"
    where = f"epoch {epoch} of {summary.epochs}, after {share:.1f} % of the {units}"
    go_on = f"; go on with: w2v train --resume {summary.output}" if summary.checkpoint else ""
    return f"w2v train: stopped by {how} in {where}; {learnt}{go_on}"


def _tell(summary: RunSummary, max_vocab: int) -> None:
    words = summary.words
    times = (
        f"{human_seconds(summary.seconds.training)} training,"
        f" {human_seconds(summary.seconds.total)} in all"
    )
    if summary.model == "lm":
        _tell_language_model(summary, times)
        return
    left_out = "below --min-count or beyond --max-vocab" if max_vocab else "below --min-count"
    say(
        f"{words.passed:,} words in {summary.epochs_done:.3g} epochs = {words.trained:,} trained"
        f" + {words.passed_left_out:,} {left_out} + {words.subsampled:,} subsampled"
    )
    loss = "n/a" if summary.final_loss is None else f"{summary.final_loss:.4f}"
    say(
        f"{summary.vocabulary:,} words x {summary.dim}, {summary.loss}: loss {loss} nats per"
        f" prediction in the last epoch, {human_count(summary.words_per_second)} words/s, {times}"
    )
    if summary.validation is not None:
        found = summary.validation
        say(
            f"{found['file']}: loss {found['loss']:.4f} nats per prediction after epoch"
            f" {found['epoch']:.3g} ({found['predictions']:,} predictions; {found['oov']:,} of"
            f" {found['words']:,} words unknown)"
        )


def _tell_language_model(summary: RunSummary, times: str) -> None:
    from w2v.losses.table import training_figure

    words = summary.words
    beyond = f", all but the last {words.remainder:,}" if words.remainder else ""
    say(
        f"{words.passed:,} tokens in {summary.epochs_done:.3g} epochs{beyond}, line ends among"
        f" them; {words.left_out:,} of {words.read:,} tokens of the corpus are <unk>"
    )
    loss = "n/a" if summary.final_loss is None else f"{summary.final_loss:.4f}"
    say(
        f"{summary.vocabulary:,} tokens x {summary.dim}, {summary.loss}:"
        f" {training_figure(summary.loss)} {loss} per token in the last epoch,"
        f" {human_count(summary.words_per_second)} tokens/s, {times}"
    )
    if summary.validation is not None:
        best = summary.validation
        say(
            f"{_as_seen_from_here(best['file'])}: perplexity {best['perplexity']:.2f}"
            f" ({best['bits_per_word']:.3f} bits per word) over {best['tokens']:,} tokens,"
            f" {best['oov']:,} of them <unk>, after epoch {best['epoch']:.3g}"
        )


def _as_seen_from_here(path: str) -> str:
    """Returns a file's path, relative if it is below the working directory."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative


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
