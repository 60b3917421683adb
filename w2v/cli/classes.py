"""Group the words into classes of similar ones, by k-means on vectors of length 1.

Printed are a word and the number of its class, most frequent words first; class 0 is the largest.
It needs scikit-learn: pip install 'w2v[map]'.

\b
  w2v classes vectors.bin -k 500 -o classes.tsv
  w2v classes vectors.bin -k 50 | sort -n -k 2
"""

from __future__ import annotations

from typing import Annotated

import typer

from w2v.cli.model import VECTOR_FILES, open_model
from w2v.cli.options import EncodingErrors, Json, Model, Output, Overwrite, Quiet
from w2v.cli.output import print_json, print_line, print_table
from w2v.cli.progress import told_if_slow


def command(
    model: Model,
    k: Annotated[
        int, typer.Option("--k", "-k", min=1, metavar="INT", help="how many classes")
    ] = 500,
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=2**32 - 1, metavar="INT", help="the same seed makes the same classes"
        ),
    ] = 1,
    output: Output = None,
    encoding_errors: EncodingErrors = "strict",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    from w2v.system.files import atomic_file, check_writable

    if output not in (None, "-"):
        check_writable(output, overwrite=overwrite)
    vectors = open_model(model, encoding_errors=encoding_errors)
    with told_if_slow(f"grouping {len(vectors):,} words", quiet=quiet):
        found = zip(vectors.words, vectors.classes(k, seed).tolist(), strict=True)
    if output is not None and output != "-":
        with atomic_file(output) as file:
            file.writelines(f"{word}\t{number}\n".encode() for word, number in found)
        facts = {"output": output, "words": len(vectors), "classes": k}
        print_json(facts) if json else print_line(output)
    elif json:
        for word, number in found:
            print_json({"word": word, "class": number})
    else:
        print_table(("word", "class"), found)


__doc__ = f"{__doc__}\n{VECTOR_FILES}"  # what --help shows
