"""Measure training against other systems on a corpus: speed, whole time, memory, analogies; every
system in turns.

Peers: gensim and fasttext as this Python, or the one after =, has them; word2vec.c and pword2vec by
their program's path. Without --peer those of gensim and fasttext that are installed; --peer none
for w2v alone. --model, --loss and --threads take several values, separated by commas. w2v bench
losses measures the output layers instead; a corpus of that name is ./losses.

Piped output has the columns system, model, loss, threads, then median, low and high each of
words/s, words/s per thread, seconds, memory in MB, accuracy, w2v's speed / its speed, its time /
w2v's time, share of the matrix rate.

\b
  w2v bench corpus.txt
  w2v bench corpus.txt.zst --epochs 1 --peer gensim=venv/bin/python --peer word2vec.c=./word2vec
  w2v bench losses
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from w2v.cli.bench_output import Results, check_output, listed, show, speaker
from w2v.cli.options import Json, Quiet, with_settings
from w2v.errors import InputError
from w2v.settings.build import build_config
from w2v.settings.groups import all_settings

if TYPE_CHECKING:
    from w2v.bench.systems import Case

NAME = "bench"
SHARED = ("dim", "window", "negatives", "sample", "min_count", "lr", "epochs")


class BenchCommand(typer.core.TyperCommand):
    """`w2v bench CORPUS`, which hands `w2v bench losses` on to the command of its own that it
    is."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        if args[:1] == ["losses"]:
            from w2v.cli.bench_losses import losses_command

            return losses_command().make_context(
                f"{info_name} losses", args[1:], parent=parent, **extra
            )
        return super().make_context(info_name, args, parent=parent, **extra)


CLASS = BenchCommand


@with_settings(all_settings()[name] for name in SHARED)
def command(
    corpus: Annotated[list[str], typer.Argument(metavar="CORPUS", hidden=True)],
    model: Annotated[
        str, typer.Option("--model", metavar="skip-gram|cbow", help="one or several")
    ] = "skip-gram",
    loss: Annotated[
        str, typer.Option("--loss", metavar="A,B,…", help="one or several; w2v losses lists them")
    ] = "neg",
    threads: Annotated[
        str | None,
        typer.Option(
            "--threads", metavar="A,B,…", help="one or several numbers [default: all cores]"
        ),
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option("--peer", metavar="NAME[=PATH]", help="another system; may be repeated"),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            "--variant", metavar="OPTIONS", help="w2v once more with these options of w2v train"
        ),
    ] = None,
    repeat: Annotated[int, typer.Option("--repeat", min=1, metavar="INT", help="rounds")] = 3,
    questions: Annotated[
        str | None,
        typer.Option(
            "--questions",
            metavar="FILE",
            help="analogy questions [default: the demo set if it fits]",
        ),
    ] = None,
    restrict_vocab: Annotated[
        int,
        typer.Option(
            "--restrict-vocab",
            min=0,
            metavar="INT",
            help="analogies: the most frequent words; 0 for all",
        ),
    ] = 30000,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="w2v reads the text anew in every run")
    ] = False,
    output: Results = None,
    quiet: Quiet = False,
    json: Json = False,
    **given: str | bool | None,
) -> None:
    speak = speaker(quiet)
    cases = _cases(corpus, model, loss, threads, given)
    check_output(output)
    from w2v.bench.systems import parse_peer, peers_here
    from w2v.bench.training import Setup, TrainingBench
    from w2v.evaluation.sets import AnalogySet, load_set

    loaded = load_set(questions) if questions is not None else None
    if loaded is not None and not isinstance(loaded, AnalogySet):
        raise InputError(
            f"--questions {questions} holds similarities; give analogies, lines of four words"
        )
    if peer and "none" in peer:
        if len(peer) > 1:
            raise InputError("--peer none leaves all others out; give it alone, or not at all")
        peers = []
    else:
        peers = [parse_peer(text) for text in peer] if peer else peers_here()
        if not peers:
            speak("no other system is installed here: pip install gensim, or name one with --peer")
    variants = tuple(tuple(shlex.split(text)) for text in variant or ())
    setup = Setup(
        tuple(corpus),
        tuple(cases),
        tuple(peers),
        variants,
        repeat,
        not no_cache,
        loaded,
        restrict_vocab,
    )
    show(TrainingBench(setup, speak).measure(), output, json)


def _cases(
    corpus: Sequence[str],
    model: str,
    loss: str,
    threads: str | None,
    given: dict[str, str | bool | None],
) -> list[Case]:
    """Every combination of the models, losses and numbers of threads, with all settings checked."""
    from w2v.bench.systems import Case

    shared = build_config({"corpus": tuple(corpus), **given, "loss": "neg"})
    numbers = [None] if threads is None else listed("--threads", threads)
    found = []
    for chosen in product(listed("--model", model), listed("--loss", loss), numbers):
        named = dict(zip(("model", "loss", "threads"), chosen, strict=True))
        config = build_config({"corpus": tuple(corpus), "lr": given["lr"], **named})
        found.append(
            Case(
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
        )
    return found
