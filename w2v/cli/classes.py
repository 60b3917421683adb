"""Group the words into classes of similar words, by k-means on unit vectors.

Prints each word with the number of its class, most frequent words first; class 0 is the largest.
Needs scikit-learn: pip install 'w2v[map]'.

\b
  w2v classes vectors.bin -k 500 -o classes.tsv
  w2v classes vectors.bin -k 50 | sort -n -k 2
"""

from __future__ import annotations

from typing import Annotated

from w2v.cli.model import open_model
from w2v.cli.options import EncodingErrors, Json, Model, Output, Overwrite, Quiet, whole
from w2v.cli.output import file_to_write, print_json, print_table, print_written
from w2v.cli.progress import announcing_if_slow
from w2v.system.files import atomic_file


def command(
    model: Model,
    k: Annotated[int, whole("--k", "-k", min=1, help="number of classes")] = 500,
    seed: Annotated[
        int, whole(min=0, max=2**32 - 1, help="the same seed gives the same classes")
    ] = 1,
    output: Output = None,
    encoding_errors: EncodingErrors = "strict",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    file = file_to_write(output, overwrite=overwrite)
    vectors = open_model(model, encoding_errors=encoding_errors)
    with announcing_if_slow(f"grouping {len(vectors):,} words", quiet=quiet):
        rows = zip(vectors.words, vectors.classes(k, seed).tolist(), strict=True)
    if file is not None:
        with atomic_file(file) as lines:
            lines.writelines(f"{word}\t{number}\n".encode() for word, number in rows)
        print_written(file, json, words=len(vectors), classes=k)
    elif json:
        for word, number in rows:
            print_json({"word": word, "class": number})
    else:
        print_table(("word", "class"), rows)
