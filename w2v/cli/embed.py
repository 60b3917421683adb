"""Turn lines of text into vectors, made of those of their words.

A line's words are found as in the text that a run was trained on, else between whitespace. Its
vector is the mean of theirs, or with --pooling sif the smooth inverse frequency (words of
probability p weigh a / (a + p), a = 1e-3, and what all lines have in common is taken away), which
needs counts: a run directory, or an .npy file. Unknown words take part if the model has n-grams,
which give them a vector. A line without any word that has one is a row of zeros, and a warning says
how many these are.

Without --output, or with -, a line of D values comes out for each line, with tabs between them, or
with --json an object with text and vector. The extension of a FILE names the format: .npy (the rows
alone), .parquet or .jsonl (text and vector).

\b
  w2v embed wiki-skip-gram-neg lines.txt -o lines.npy
  w2v embed wiki-skip-gram-neg lines.txt.gz -o lines.parquet --pooling sif
  echo "the king of france" | w2v embed vectors.bin --json
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Annotated

import typer

from w2v.cli.lines import batches_of_lines, open_stdin
from w2v.cli.model import open_model, say_made
from w2v.cli.options import EncodingErrors, Json, Model, Output, Overwrite, Quiet, choice
from w2v.cli.output import binary_stdout, file_to_write, print_written, say
from w2v.cli.progress import ConsoleReporter
from w2v.errors import InputError, shown
from w2v.system.fields import without_mark


def command(
    model: Model,
    text: Annotated[
        str, typer.Argument(metavar="[FILE|-]", help="the lines, perhaps compressed; - is stdin")
    ] = "-",
    output: Output = None,
    pooling: Annotated[
        str, choice(("mean", "sif"), "how the vectors of a line's words are joined")
    ] = "mean",
    encoding_errors: EncodingErrors = "strict",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    # Before NumPy is loaded: its products are small here, and on a busy machine their threads would
    # wait for each other four times as long as one takes.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from w2v.vectors.encoded import check_encoded, write_jsonl, write_tsv
    from w2v.vectors.encoding import encode_batches

    if text == "-" and model == "-":
        raise InputError("MODEL and FILE cannot both be -: there is only one stdin")
    if output not in (None, "-"):
        check_encoded(output)
    written = file_to_write(output, overwrite=overwrite)
    stdout = binary_stdout() if written is None else None
    with _opened(text) as read, ConsoleReporter(quiet=quiet or output is None) as reporter:
        vectors = open_model(model, encoding_errors=encoding_errors)
        batches = _lines(read, text, encoding_errors, reporter)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            if stdout is not None:
                write = write_jsonl if json else write_tsv
                for part in encode_batches(vectors, batches, pooling):
                    write(stdout, [part], vectors.dim)
                    stdout.flush()
            elif written is not None:
                n = vectors.embed(chain.from_iterable(batches), written, pooling)
    for each in told:
        say(f"warning: {each.message}")
    if not quiet:
        say_made(vectors)
    if written is not None:
        print_written(written, json, lines=n, dim=vectors.dim, pooling=pooling)


@contextmanager
def _opened(text: str) -> Iterator[Callable[[int], bytes]]:
    """Opens a file, or stdin, for `batches_of_lines`."""
    if text == "-":
        yield open_stdin("the lines come from", "name a file, or pipe them in").read1
        return
    from w2v.system.compression import Decompressed

    try:
        file = open(text, "rb")  # noqa: SIM115
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {shown(text)}: {why}; check the path") from None
    with file:
        yield Decompressed(file, text).read


def _lines(
    read: Callable[[int], bytes], name: str, errors: str, reporter: ConsoleReporter
) -> Iterator[list[str]]:
    """Yields the lines that are there, many at a time."""
    done = 0
    for raw in batches_of_lines(read):
        if not done:
            raw[0] = without_mark(raw[0], name)
        try:
            lines = [line.decode("utf-8", errors).removesuffix("\r") for line in raw]
        except UnicodeDecodeError:
            good = next(
                n for n, line in enumerate(raw) if line != line.decode("utf-8", "replace").encode()
            )
            problem = f"line {done + good + 1:,} of {'stdin' if name == '-' else name} is not UTF-8"
            raise InputError(f"{problem}; mend it, or take `encoding_errors` replace") from None
        done += len(lines)
        reporter.working("embedding", done, None, "lines")
        yield lines
