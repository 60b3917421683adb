"""Draw a map of the words as a web page.

FILE becomes a self-contained page: search it, click a word to see its true neighbours, ask
analogies, colour the words by class or frequency. A .parquet file of the same name has the columns
word, count, x, y for other programs. The layout is by t-SNE if openTSNE is installed (pip install
'w2v[map]'), else by two principal components, which keep few neighbours together. Prints the two
files, the number of words, the method, and the share of the 10 nearest words that are among the 10
nearest on the map.

\b
  w2v map wiki-skip-gram-neg -o map.html
  w2v map vectors.bin -o map.html --words 5000 --title "My corpus"
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from w2v.cli.model import open_model
from w2v.cli.options import EncodingErrors, Json, Model, Overwrite, Quiet, choice, whole
from w2v.cli.output import binary_pipe, file_to_write, is_terminal, print_json, print_values, say
from w2v.system.files import check_writable

METHODS = ("auto", "tsne", "pca")


def command(
    model: Model,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="the page; - is stdout")
    ],
    words: Annotated[int, whole(min=1, help="draw this many of the most frequent words")] = 20000,
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="the page's heading [default: MODEL's name]")
    ] = None,
    method: Annotated[
        str, choice(METHODS, "how words are laid out; auto is tsne if openTSNE is installed")
    ] = "auto",
    seed: Annotated[int, whole(min=0, help="the same seed draws the same map")] = 1,
    encoding_errors: EncodingErrors = "strict",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    from w2v.explorer.map import check_map, table_path

    chosen = check_map(output, words, seed, method)
    if (file := file_to_write(output, overwrite=overwrite)) is None:
        pipe = binary_pipe()
    else:
        table = str(table_path(file))
        check_writable(table, overwrite=overwrite)
    if method == "auto" and chosen == "pca" and not quiet:
        say("openTSNE is not installed: the map is drawn by PCA (pip install 'w2v[map]')")
    vectors = open_model(model, encoding_errors=encoding_errors)
    if is_terminal(sys.stderr) and not quiet:
        say(f"drawing {min(words, len(vectors)):,} words; 20,000 take about a minute")
    drawn = vectors.map(file, words, title=title, seed=seed, method=chosen)
    if file is None:
        pipe.write(drawn.html)
        return
    facts = {
        "output": file,
        "table": table,
        "words": len(drawn.words),
        "method": drawn.method,
        "neighbours_kept": round(drawn.kept, 4),
        "bytes": Path(file).stat().st_size,
    }
    if sys.stdout is not None:
        print_json(facts) if json else print_values(facts)
