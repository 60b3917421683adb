"""Measures w2v against other systems on this machine; `make bench`, `make losses` and
`make recipes` run it.

training   w2v and its peers train word vectors on one corpus, in turns
losses     forward + backward of the output layers against torch, TensorFlow and Paddle, in turns
accuracy   what seconds buy: w2v's recipes and other systems on the same sets
recipes    every loss with both models on the demo corpus
results    puts saved results into the tables of results.md
picture    draws what `accuracy` has saved, a panel for each text
gpu        what a GPU does: tests, kernels, whole runs, language models; `make gpu`
gpu-table  the README's table of what `gpu` has saved

    python tests/bench/run.py training corpus.txt --peer word2vec.c=./word2vec --output wiki.json
    python tests/bench/run.py losses --only nce,hsigmoid --tensorflow venv/bin/python
    python tests/bench/run.py accuracy corpus.txt --set questions-words.txt --repeat 3
    python tests/bench/run.py recipes neg softmax --model skip-gram
    python tests/bench/run.py results wiki.json lm-compare/compare.json
    python tests/bench/run.py picture wiki.json other.json --output recipes.png
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from harness import accuracy, losses, options, picture, recipes, results
from harness.systems import Case, parse_peer, peers_here, python_with
from harness.tables import notes, plain_rows, table
from harness.training import Setup, TrainingBench

from w2v.cli.output import is_terminal, print_json, print_line, print_table, say
from w2v.comparison.plot import check_plot
from w2v.errors import InputError, W2VError
from w2v.evaluation.sets import AnalogySet, default_sets, load_set
from w2v.losses.table import LOSSES
from w2v.settings.build import build_config
from w2v.settings.config import Config
from w2v.settings.declare import nearest
from w2v.system.cores import available_cores
from w2v.system.files import atomic_file, check_writable


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one measurement and returns the exit code: 0, 1 for a failure, 2 for wrong input."""
    asked = parser().parse_args(arguments)
    try:
        status: int | None = asked.command(asked)
    except W2VError as error:
        say(f"bench: {error}")
        return error.exit_status
    except KeyboardInterrupt:
        say("bench: interrupted")
        return 130
    return status or 0


def parser() -> argparse.ArgumentParser:
    """Returns the parser of all commands."""
    found = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = found.add_subparsers(required=True, metavar="COMMAND")
    for name, describe, command in (
        ("training", options.training, measure_training),
        ("losses", options.losses, measure_losses),
        ("accuracy", options.accuracy, measure_accuracy),
        ("recipes", options.recipes, measure_recipes),
        ("results", options.results, write_results),
        ("picture", options.picture, draw_picture),
        ("gpu", options.gpu, measure_gpu),
        ("gpu-table", options.gpu_table, print_gpu_table),
    ):
        one = commands.add_parser(name)
        one.set_defaults(command=command)
        describe(one)
    return found


def measure_training(asked: argparse.Namespace) -> None:
    """Prints, and keeps, what training needs in every system, and how good the vectors are."""
    speak, cases = _speaker(asked.quiet), _cases(asked)
    questions = load_set(asked.questions) if asked.questions is not None else None
    if questions is not None and not isinstance(questions, AnalogySet):
        raise InputError(
            f"`questions` {asked.questions} holds similarities; give analogies, lines of four words"
        )
    peers = []
    if asked.peer is None:
        peers = peers_here()
        if not peers:
            speak("no other system is installed here: pip install gensim, or name one by `peer`")
    elif "none" not in asked.peer:
        peers = [parse_peer(text) for text in asked.peer]
    elif len(asked.peer) > 1:
        raise InputError("`peer` none leaves out all others: give it alone, or not at all")
    setup = Setup(
        tuple(asked.corpus),
        tuple(cases),
        tuple(peers),
        tuple(tuple(shlex.split(text)) for text in asked.variant),
        asked.repeat,
        not asked.no_cache,
        questions,
        asked.restrict_vocab,
    )
    _check_output(asked.output)
    _show(TrainingBench(setup, speak).measure(), asked)


def measure_losses(asked: argparse.Namespace) -> None:
    """Prints, and keeps, how long the losses take in every library."""
    chosen = losses.NAMES if asked.only is None else tuple(_listed("only", asked.only))
    for name in chosen:
        if name not in losses.NAMES:
            guess = nearest(name, losses.NAMES)
            remedy = f"did you mean {guess}?" if guess else f"there are {', '.join(losses.NAMES)}"
            raise InputError(f"`only` {name}: {remedy}")
    setup = losses.Setup(
        {},
        chosen,
        losses.Shape(asked.n, asked.dim, asked.vocabulary),
        asked.full,
        asked.memory,
        asked.samples,
        asked.cutoffs,
        asked.threads or available_cores(),
        asked.repeat,
        asked.seconds,
    )
    losses.check(setup)
    _check_output(asked.output)
    speak = _speaker(asked.quiet)
    given = {"tensorflow": asked.tensorflow, "paddle": asked.paddle}
    setup = replace(setup, pythons=_pythons(given, chosen, speak))
    _show(losses.measure(setup, speak), asked)


def measure_accuracy(asked: argparse.Namespace) -> None:
    """Prints, and keeps, what seconds buy."""
    sets = [load_set(each) for each in asked.sets] if asked.sets else default_sets()
    config = build_config({"corpus": tuple(asked.corpus)})
    earlier = [
        row for path in asked.earlier for row in accuracy.earlier_rows(path, asked.corpus, sets)
    ]
    setup = accuracy.Setup(
        tuple(asked.corpus),
        _case(config, config),
        tuple(sets),
        tuple(asked.recipes or accuracy.RECIPES),
        tuple(map(parse_peer, asked.peer)),
        tuple(map(accuracy.parse_command, asked.commands)),
        asked.repeat,
        asked.peer_repeat,
        tuple(earlier),
    )
    _check_output(asked.output)
    if asked.plot:
        check_plot(asked.plot)
    found = accuracy.measure(setup, _speaker(asked.quiet), lambda found: _keep(found, asked.output))
    if asked.plot:
        picture.draw([found], asked.plot)
    _show(found, asked)


def measure_recipes(asked: argparse.Namespace) -> int:
    """Prints the table of recipes; 1 if one answers too few questions."""
    if unknown := [name for name in asked.losses if name not in LOSSES]:
        raise InputError(f"no loss {unknown[0]!r}: there are {', '.join(LOSSES)}")
    if asked.write and (asked.losses or asked.model or asked.train):
        raise InputError("`write` is for the whole table: leave out LOSS, `model` and `train`")
    models = [asked.model] if asked.model else list(recipes.MODELS)
    try:
        found = recipes.measure(asked.losses or list(LOSSES), models, asked.train)
    except recipes.Failed as failed:
        return failed.status
    headings, rows = recipes.table(found, models)
    print_table(headings, rows)
    weak = [f"{run.loss} with {run.model}" for run in found if run.accuracy < asked.least / 100]
    if weak:
        say(f"below {asked.least:g} %: {', '.join(weak)}")
        return 1
    if asked.write:
        results.put(Path(asked.write), {"recipes": recipes.markdown(headings, rows)})
    return 0


def write_results(asked: argparse.Namespace) -> None:
    """Puts the tables of saved results where results.md has a place for them."""
    results.put(Path(asked.write), dict(map(results.read, map(Path, asked.saved))))


def draw_picture(asked: argparse.Namespace) -> None:
    """Draws what saved results of `accuracy` say."""
    check_plot(asked.output)
    picture.draw([accuracy.saved_results(path, "saved") for path in asked.saved], asked.output)


def measure_gpu(asked: argparse.Namespace) -> int:
    """Tests and measures on a GPU, or rehearses that; 1 if something failed."""
    from harness.gpu import session  # the other commands need no torch
    from harness.gpu.parts import Asked

    if not asked.rehearse:
        session.find_gpu()
    session.versions()
    _check_output(asked.output)
    corpus = asked.corpus and str(Path(asked.corpus).absolute())
    given = Asked(
        "cpu" if asked.rehearse else "cuda",
        asked.rehearse,
        corpus or "",
        tuple(str(Path(each).absolute()) for each in asked.sets or ()),
    )
    found = session.measure(given, Path(asked.output), _speaker(asked.quiet))
    for failure in session.failures(found):
        say(f"failed: {failure}")
    say(f"{len(found['figures'])} figures: {asked.output}")
    return int(bool(session.failures(found)))


def print_gpu_table(asked: argparse.Namespace) -> None:
    """Prints the README's table."""
    from harness.gpu.readme import table as gpu_table

    saved = json.loads(Path(asked.saved).read_text(encoding="utf-8")) if asked.saved else None
    print_line(gpu_table(saved).rstrip())


def _cases(asked: argparse.Namespace) -> list[Case]:
    """Every combination of the models, losses and numbers of threads, with all settings checked."""
    corpus = {"corpus": tuple(asked.corpus)}
    given = {name: getattr(asked, name) for name in options.SHARED}
    shared = build_config({**corpus, **given, "loss": "neg"})
    threads = [None] if asked.threads is None else _listed("threads", asked.threads)
    found = []
    for model, loss, number in product(
        _listed("model", asked.model), _listed("loss", asked.loss), threads
    ):
        config = build_config(
            {**corpus, "lr": asked.lr, "model": model, "loss": loss, "threads": number}
        )
        found.append(_case(config, shared))
    return found


def _case(config: Config, shared: Config) -> Case:
    """The case of a configuration; what `shared` says holds for all."""
    return Case(
        config.model.model,
        config.training.loss,
        config.training.threads,
        shared.model.dim,
        shared.model.window,
        shared.loss.negatives,
        shared.training.sample,
        shared.corpus.min_count,
        config.training.lr,
        shared.training.epochs,
    )


def _pythons(
    given: dict[str, str | None], chosen: Sequence[str], speak: Callable[[str], None]
) -> dict[str, str]:
    """The interpreter of each library that is there: torch here, the others here or where the user
    says."""
    contests = [contest for contest in losses.CONTESTS if contest.loss in chosen]
    wanted = {library for contest in contests for library, _ in contest.references}
    found = {"torch": sys.executable}
    for library, python in given.items():
        try:
            found[library] = python_with(library, python or "", f"`{library}` {python}")
        except InputError:
            if python is not None:
                raise
            if library in wanted:
                speak(
                    f"{library} is not here and is left out: name a Python that has it by"
                    f" `{library}`"
                )
    return found


def _show(found: dict[str, Any], asked: argparse.Namespace) -> None:
    """Prints results as the stream wants them, and keeps them in the file of --output too."""
    _keep(found, asked.output)
    if asked.json:
        print_json(found)
    elif is_terminal(sys.stdout):
        print_table(*table(found))
        for note in notes(found):
            print_line(note)
    else:
        print_table((), plain_rows(found))


def _keep(found: dict[str, Any], output: str | None) -> None:
    """Writes results to the file of --output, if there is one."""
    if output is not None:
        with atomic_file(output) as file:
            file.write((json.dumps(found, indent=1) + "\n").encode())


def _check_output(output: str | None) -> None:
    if output is not None:
        check_writable(output, overwrite=True)


def _speaker(quiet: bool) -> Callable[[str], None]:
    """Where lines for people go; with --quiet only warnings."""
    return (lambda text: say(text) if text.startswith("warning: ") else None) if quiet else say


def _listed(option: str, text: str) -> list[str]:
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        raise InputError(f"`{option}` {text!r} has an empty entry: separate names by commas")
    return list(dict.fromkeys(words))


if __name__ == "__main__":
    sys.exit(main())
