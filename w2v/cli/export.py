"""Write vectors in another format.

The extension of FILE names the format:

\b
  .txt .vec  word2vec text: a line `V D`, then a word and its values per line
  .bin       word2vec binary
  .glove     GloVe text: as .txt without the first line
  .npy       NumPy matrix; the words go to NAME.vocab.tsv beside it

Words that the format cannot hold are left out, and a warning says how many: empty ones, and those
with tabs, line ends or, but in .npy, blanks.

\b
  w2v export wiki-skip-gram-neg -o vectors.bin
  w2v export vectors.bin -o - --format text | head
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from w2v.cli.model import VECTOR_FILES, open_model
from w2v.cli.options import EncodingErrors, Json, Model, Overwrite
from w2v.cli.output import binary_stdout, is_terminal, print_json, print_line, say
from w2v.errors import InputError


def command(
    model: Model,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="where to write; - is stdout")
    ],
    format: Annotated[
        str | None,
        typer.Option(
            metavar="[text|binary|glove|npy]",
            help="the format, if the extension of FILE does not name it",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="INT", help="write only the first (most frequent) words"),
    ] = None,
    encoding_errors: EncodingErrors = "strict",
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    from w2v.system.files import check_writable
    from w2v.vectors import FORMATS, check_format, save_vectors, write_vectors

    kinds = sorted(set(FORMATS.values()))
    if format is not None and format not in kinds:
        raise InputError(f"--format {format} is not one of {', '.join(kinds)}")
    if output == "-":
        kind = format or "text"
        if kind != "text" and is_terminal(sys.stdout):
            raise InputError(
                f"--format {kind} is not for a terminal; name a file with -o, or pipe the output"
            )
        if sys.stdout is None:
            raise InputError(
                "-o - writes to stdout, which is closed; name a file, or pipe the vectors on"
            )
        vectors = open_model(model, limit=limit, encoding_errors=encoding_errors)
        written = write_vectors(binary_stdout(), vectors.words, vectors.matrix, kind)
        _warn(written.warnings)
        return
    kind = format or check_format(output)
    if kind == "npy" and Path(output).suffix.lower() != ".npy":
        raise InputError(f"--format npy needs a file name that ends in .npy, not {output}")
    check_writable(output, overwrite=overwrite)
    if kind == "npy":
        check_writable(Path(output).with_suffix(".vocab.tsv"), overwrite=overwrite)
    vectors = open_model(model, limit=limit, encoding_errors=encoding_errors)
    written = save_vectors(output, vectors.words, vectors.matrix, vectors.counts, kind)
    _warn(written.warnings)
    if json:
        n_words = len(written.words)
        print_json({"output": output, "format": kind, "vectors": n_words, "dim": vectors.dim})
    else:
        print_line(output)


def _warn(warnings: list[str]) -> None:
    for warning in warnings:
        say(f"warning: {warning}")


__doc__ = f"{__doc__}\n{VECTOR_FILES}"  # what --help shows
