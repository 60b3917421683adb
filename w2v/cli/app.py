"""The `w2v` program: its verbs, and the translation of errors to a line on stderr and an exit code.

Exit codes: 0 success, 1 run-time failure, 2 wrong input by the user, 130 Ctrl-C, 143 SIGTERM.
"""

from __future__ import annotations

import errno
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, cast

import typer
import typer.main

from w2v import __version__
from w2v.cli.completion import VARIABLE
from w2v.cli.interrupt import Interrupted, leaving
from w2v.cli.model import VECTOR_FILES
from w2v.cli.options import Command, long_names
from w2v.cli.output import flush, print_line, say, set_up_streams, silence, takes
from w2v.errors import Elsewhere, W2VError
from w2v.settings.elsewhere import nearest as nearest_name
from w2v.system.files import WORKING_DIRECTORY_GONE
from w2v.system.memory import short_memory
from w2v.system.ranks import leave_ranks, rank_or_single

# typer has its own copy of click or uses the installed one; this is the UsageError of the copy in
# use.
UsageError = cast(type[Exception], typer.BadParameter.__mro__[1])

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Each verb is a module; the order is that of --help.
VERBS = ["train", "eval", "score", "generate", "compare", "nearest"]
VERBS += ["similarity", "odd-one-out", "vectors", "embed", "classes"]
VERBS += ["phrases", "vocab", "info", "export", "map", "report", "cache", "losses"]
VERBS += ["config", "completion"]
DISTRIBUTIONS = {"yaml": "pyyaml", "tokenizers": "'w2v[subwords]'", "matplotlib": "'w2v[plot]'"}
DISTRIBUTIONS |= {"datasets": "'w2v[hub]'"}
TAKE_WORDS = ("nearest", "similarity", "odd-one-out", "vectors", "generate")  # words as arguments

app = typer.Typer(
    name="w2v",
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in VERBS:
    module = import_module(f"w2v.cli.{verb.replace('-', '_')}")
    reads_vectors = module.command.__annotations__.get("model") == "Model"
    text = f"{module.__doc__}\n{VECTOR_FILES}" if reads_vectors else module.__doc__
    app.command(name=verb, help=text, cls=Command)(module.command)


def _show_version(requested: bool) -> None:
    if requested:
        print_line(f"w2v {__version__}")
        raise typer.Exit


_version = typer.Option(
    "--version", callback=_show_version, is_eager=True, help="show the version and exit"
)
Version = Annotated[bool, _version]


@app.callback(invoke_without_command=True)
def start(context: typer.Context, version: Version = False) -> None:
    """Train, evaluate and query word vectors and small language models.

    \b
      w2v train corpus.txt --output vectors.bin
      w2v eval vectors.bin
      w2v nearest vectors.bin king - man + woman

    Results go to stdout, as a table in a terminal, tab-separated in a pipe, or as JSON with --json;
    everything else goes to stderr. w2v VERB --help explains a verb.
    """
    if context.invoked_subcommand is None:
        say(context.get_help())
        raise typer.Exit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit code; reports a failure in a line on stderr."""
    set_up_streams()
    try:
        return _guarded(list(sys.argv[1:] if arguments is None else arguments))
    finally:
        if not takes(sys.stderr):  # otherwise the interpreter would change the exit status
            silence(2)


def _guarded(arguments: list[str]) -> int:
    rank, size, *_ = rank_or_single()
    name = f"[rank {rank}] {_name(arguments)}" if rank else _name(arguments)
    if size > 1 and arguments[:1] != ["train"]:
        if rank:
            return 0
        leave_ranks()
        say(f"note: {name} runs in one process, rank 0 of the {size}")
    if rank:  # --help too is written once
        silence(1)
    try:
        with leaving(), short_memory():
            status = _run(arguments)
            flush()
        return status
    except BrokenPipeError:
        silence(1)
        return 0
    except (KeyboardInterrupt, typer.Abort):
        say(f"{name}: interrupted")
        return 128 + signal.SIGINT
    except Elsewhere as error:
        return error.exit_status
    except (Interrupted, W2VError) as error:
        if not rank or not isinstance(error, Interrupted):  # all ranks receive the signal
            say(f"{name}: {error}")
        return error.exit_status
    except UsageError as error:
        if not rank:  # all ranks have the same command line
            say(f"{name}: {_usage_message(error, arguments)}")
        return 2
    except OSError as error:
        say(f"{name}: {_os_message(error)}")
        silence(1)
        return 1
    except ModuleNotFoundError as error:
        say(f"{name}: {not_installed(error)}")
        return 1
    except MemoryError:
        say(f"{name}: out of memory; reduce --dim or --max-vocab")
        return 1
    except Exception as error:
        if os.environ.get("W2V_TRACEBACK"):
            raise
        reason = f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"
        say(f"{name}: internal error: {reason} (set W2V_TRACEBACK=1 to see the traceback)")
        return 1


def _run(arguments: list[str]) -> int:
    """Runs a verb and returns its exit code. (click's own runner would catch exceptions.)"""
    program = typer.main.get_command(app)
    if os.environ.get(VARIABLE):  # the shell requests completions
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()
        program.main([], "w2v", VARIABLE)  # exits
    try:
        with program.make_context("w2v", list(arguments)) as context:
            status = program.invoke(context)
    except typer.Exit as end:
        status = end.exit_code
    return status if isinstance(status, int) else 0


def _name(arguments: Sequence[str]) -> str:
    """Returns the prefix of messages: "w2v train", or "w2v" if there is no verb."""
    return f"w2v {arguments[0]}" if arguments and arguments[0] in VERBS else "w2v"


def _usage_message(error: Any, arguments: Sequence[str]) -> str:
    """Returns a message of one line about a usage error, with the nearest valid name, if any."""
    remedy = f"see {_name(arguments)} --help"
    option = getattr(error, "option_name", None)
    if option is not None and hasattr(error, "possibilities"):
        guess = nearest_name(option, long_names(error.ctx.command.params))
        if not guess and arguments[0] in TAKE_WORDS:
            word = next((each for each in arguments if each.startswith(option)), option)
            remedy = f"put words that begin with - last, after --: … -- {shlex.quote(word)}"
        return f"no such option {option}; " + (f"did you mean {guess}?" if guess else remedy)
    message = " ".join(error.format_message().split()).rstrip(".")
    if message.startswith("No such command") and arguments:
        typed = next((word for word in arguments if not word.startswith("-")), arguments[0])
        guess = nearest_name(typed, VERBS)
        return f"no such command {typed!r}; " + (f"did you mean {guess}?" if guess else remedy)
    return f"{message[:1].lower()}{message[1:]}; {remedy}"


def not_installed(error: ModuleNotFoundError) -> str:
    """Returns a message that names the package to install."""
    module = (error.name or str(error)).partition(".")[0]
    package = DISTRIBUTIONS.get(module, module)
    return f"this needs {module}, which is not installed: pip install {package}"


def _os_message(error: OSError) -> str:
    problem = error.strerror or " ".join(str(error).split()) or type(error).__name__
    if isinstance(error.filename, (str, bytes)):
        return f"{os.fsdecode(error.filename)}: {problem}"
    if error.errno in FULL or not takes(sys.stdout):  # errors of other files have a name
        return f"cannot write to standard output: {problem}"
    try:
        os.getcwd()
    except OSError:
        return WORKING_DIRECTORY_GONE
    return problem
