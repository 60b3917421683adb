"""Turn lines of text into vectors, computed from the vectors of their words.

A line is split into words as the run's training text was, or at whitespace if MODEL is not a run.
Its vector is the mean of their vectors, or with --pooling sif, smooth inverse frequency, the mean
with weights a / (a + p) for words of probability p, a = 1e-3, minus the component that all lines
share. sif needs counts: a run directory, or an .npy file. Unknown words are left out, unless the
model has n-grams, which give them vectors. A line without any known word becomes a row of zeros,
and a warning states how many these are.

Without --output, or with -, prints for each line D tab-separated values, or with --json an object
with text and vector. The extension of FILE names the format: .npy (only the vectors), .parquet or
.jsonl (text and vector).

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

from w2v.cli.lines import batches_of_text, open_stdin
from w2v.cli.model import note_ngrams_used, open_model
from w2v.cli.options import EncodingErrors, Json, Model, Output, Overwrite, Quiet, choice
from w2v.cli.output import binary_stdout, file_to_write, print_written, say
from w2v.cli.progress import ConsoleReporter
from w2v.errors import InputError, shown


def command(
    model: Model,
    text: Annotated[
        str, typer.Argument(metavar="[FILE|-]", help="lines of text, may be compressed; - is stdin")
    ] = "-",
    output: Output = None,
    pooling: Annotated[
        str, choice(("mean", "sif"), "how the vectors of a line's words are combined")
    ] = "mean",
    encoding_errors: EncodingErrors = "strict",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    # Must precede the import of NumPy. Its products are small here; on a busy machine, waiting for
    # several threads would take four times as long as using one.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from w2v.corpus.reading import Notices
    from w2v.vectors.encoded import check_encoded, write_jsonl, write_tsv
    from w2v.vectors.encoding import encode_batches

    if text == "-" and model == "-":
        raise InputError("MODEL and FILE cannot both be -: there is only one stdin")
    if output not in (None, "-"):
        check_encoded(output)
    notices = Notices()
    written = file_to_write(output, overwrite=overwrite)
    stdout = binary_stdout() if written is None else None
    with _opened(text) as read, ConsoleReporter(quiet=quiet or output is None) as reporter:
        vectors = open_model(model, encoding_errors=encoding_errors)
        name = "standard input" if text == "-" else text
        lines = batches_of_text(read, name, encoding_errors, notices)
        batches = _reported(lines, reporter)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if stdout is not None:
                write = write_jsonl if json else write_tsv
                for part in encode_batches(vectors, batches, pooling):
                    write(stdout, [part], vectors.dim)
                    stdout.flush()
            elif written is not None:
                n = vectors.embed(chain.from_iterable(batches), written, pooling)
    for sentence in (*notices.sentences(), *(warning.message for warning in caught)):
        say(f"warning: {sentence}")
    if not quiet:
        note_ngrams_used(vectors)
    if written is not None:
        print_written(written, json, lines=n, dim=vectors.dim, pooling=pooling)


@contextmanager
def _opened(text: str) -> Iterator[Callable[[int], bytes]]:
    """Opens a file or stdin; yields its read function for `batches_of_text`."""
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


def _reported(batches: Iterator[list[str]], reporter: ConsoleReporter) -> Iterator[list[str]]:
    """Yields the batches of lines, and reports the progress."""
    past = 0
    for lines in batches:
        past += len(lines)
        reporter.working("embedding", past, None, "lines")
        yield lines
