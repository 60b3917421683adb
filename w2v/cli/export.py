"""Write vectors in another format.

The extension of FILE names the format:

\b
  .txt .vec         word2vec text: a line `V D`, then a word and its values per line
  .bin              word2vec binary
  .glove            GloVe text: as .txt without the first line
  .npy              NumPy matrix; the words go to NAME.vocab.tsv next to it
  .parquet          table: word, count, vector (a list); .arrow .feather are Arrow's file format
  .safetensors      vectors, words (UTF-8, one per line), counts

The first three formats may be followed by .gz, .bz2, .xz or .zst. Others need --format. fasttext is
the .bin of fastText, which keeps n-grams: in fastText and gensim, unknown words get the same
vectors as here; all other formats have only the vocabulary. Two formats are folders: projector, for
TensorBoard's embedding projector, and sentence-transformers, for this library, model2vec and the
Hugging Face hub, with a model card of the run's settings and scores.

--dtype float16 halves the size of tables, safetensors, .npy and sentence-transformers; int8, with a
scale for each word, quarters that of tables and safetensors.

Words that the format cannot represent are left out with a warning: in text formats, empty ones and
those with tabs, line ends or spaces.

\b
  w2v export wiki-skip-gram-neg -o vectors.bin
  w2v export wiki-skip-gram-neg -o wiki.parquet --dtype float16
  w2v export wiki-skip-gram-neg -o wiki-vectors --format sentence-transformers
  w2v export wiki-subwords -o wiki.bin --format fasttext
  w2v export vectors.bin -o - --format text | head
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from w2v.cli.model import open_model
from w2v.cli.options import EncodingErrors, Json, Model, Overwrite, choice, whole
from w2v.cli.output import binary_stdout, is_terminal, print_written, say
from w2v.errors import InputError
from w2v.system.files import check_writable

FORMATS = (
    *("text", "binary", "glove", "npy", "parquet", "arrow", "safetensors", "fasttext"),
    *("projector", "sentence-transformers"),
)


def command(
    model: Model,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="where to write; - is stdout")
    ],
    format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help=f"{', '.join(FORMATS)}: if the extension of FILE does not name it",
            autocompletion=lambda: [*FORMATS],
        ),
    ] = None,
    dtype: Annotated[
        str, choice(("float32", "float16", "int8"), "number type of the vectors")
    ] = "float32",
    limit: Annotated[
        int | None, whole(min=1, help="write only the first (most frequent) words")
    ] = None,
    encoding_errors: EncodingErrors = "strict",
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    from w2v.vectors import KINDS, check_format, check_output, save_vectors, write_vectors

    if format not in (None, *KINDS):
        raise InputError(f"--format {format} is not one of {', '.join(KINDS)}")
    if output == "-":
        kind = format or "text"
        if kind != "text" and is_terminal(sys.stdout):
            raise InputError(
                f"--format {kind} cannot go to a terminal; name a file with -o, or pipe the output"
            )
        stdout = binary_stdout()
    else:
        kind = format or check_format(output)
        check_writable(output, overwrite=overwrite)
        check_output(output, kind, dtype)
        if kind == "npy":
            check_writable(Path(output).with_suffix(".vocab.tsv"), overwrite=overwrite)
    vectors = open_model(model, limit=limit, encoding_errors=encoding_errors)
    words, rows, counts = vectors.words, vectors.matrix, vectors.counts
    if output == "-":
        written = write_vectors(stdout, words, rows, kind, counts, dtype, vectors)
    else:
        written = save_vectors(output, words, rows, counts, kind, dtype, vectors)
    for warning in written.warnings:
        say(f"warning: {warning}")
    if output != "-":
        facts = {"vectors": len(written.words), "dim": vectors.dim, "dtype": dtype}
        print_written(output, json, format=kind, **facts)
