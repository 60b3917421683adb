"""Log-probability of each line of stdin under a language model.

One line of output per line of input: log P(line), tokens, tokens that are <unk>; with --tokens each
token and its log-probability in further columns. A line's tokens are its words and the <eos> at its
end; words outside the vocabulary count as <unk>. Each line starts afresh, as after an <eos>;
--continuous reads the lines as one text, as w2v eval --text does. Logarithms are natural (nats)
unless --base says otherwise.

\b
  w2v score wiki-lm < lines.txt
  echo "the king of france" | w2v score wiki-lm --tokens --base 2
"""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, cast

import typer

from w2v.cli.lines import batches_of_lines
from w2v.cli.model import open_language_model
from w2v.cli.options import Device, Json, Quiet, Run
from w2v.cli.output import is_terminal, print_json, print_line, say
from w2v.cli.progress import ConsoleReporter
from w2v.errors import InputError, RunError

if TYPE_CHECKING:
    import numpy as np

    from w2v.lm.vocabulary import TokenVocabulary

NAME = "score"


def command(
    run: Run,
    text: Annotated[str, typer.Argument(metavar="[-]", hidden=True)] = "-",
    base: Annotated[
        str, typer.Option("--base", metavar="e|2|10|FLOAT", help="of the logarithms")
    ] = "e",
    tokens: Annotated[
        bool, typer.Option("--tokens", help="also each token's log-probability")
    ] = False,
    continuous: Annotated[
        bool,
        typer.Option("--continuous", help="carry the model's state on from line to line: one text"),
    ] = False,
    device: Device = "auto",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    unit = _log_of(base)
    if text != "-":
        raise InputError(f"the lines come from stdin: w2v score {run} < {text}")
    if sys.stdin is None:
        raise InputError("the lines come from stdin, which is closed; pipe them in")
    saved = open_language_model(run, device)
    from w2v.corpus.chunks import check_text
    from w2v.lm.perplexity import TokenStream, evaluating
    from w2v.lm.scoring import continue_lines, score_lines

    model, vocabulary = saved.model, saved.vocabulary
    if is_terminal(sys.stdin) and not quiet:
        say("reading lines from the terminal; Ctrl-D at the start of a line ends it")
    with evaluating(model):
        stream = TokenStream(model, vocabulary.eos)
    done = 0
    with ConsoleReporter(
        quiet=quiet or is_terminal(sys.stdout)
    ) as reporter:  # lines on a terminal show the progress
        for raw in batches_of_lines(cast(io.BufferedReader, sys.stdin.buffer)):
            if not done:
                check_text(b"\n".join(raw), "standard input", strict=False)
            lines = [vocabulary.encode(line.decode("utf-8", "replace")) for line in raw]
            if continuous:
                found = continue_lines(model, stream, lines, vocabulary.eos)
            else:
                found = score_lines(model, lines, vocabulary.eos)
            for ids, nll in zip(lines, found, strict=True):
                _print_score(vocabulary, [*ids.tolist(), vocabulary.eos], -nll / unit, tokens, json)
            sys.stdout.flush()
            done += len(lines)
            reporter.working("scoring", done, None, "lines")


def _log_of(base: str) -> float:
    """The natural logarithm of the base."""
    try:
        number = math.e if base == "e" else float(base)
    except ValueError:
        number = math.nan
    if not 1 < number < math.inf:
        raise InputError(f"--base {base} is not e or a number above 1")
    return math.log(number)


def _print_score(
    vocabulary: TokenVocabulary, ids: Sequence[int], log_prob: np.ndarray, tokens: bool, json: bool
) -> None:
    total = float(log_prob.sum())
    if not math.isfinite(total):
        raise RunError(
            f"a line's log-probability is {total}: the model's parameters are damaged; train it"
            " again"
        )
    oov = sum(token == vocabulary.unk for token in ids)
    words = [vocabulary.vocabulary.words[token] for token in ids] if tokens else []
    if json:
        detail = [
            {"token": word, "log_prob": float(each)}
            for word, each in zip(words, log_prob, strict=False)
        ]
        print_json(
            {
                "log_prob": total,
                "tokens": len(ids),
                "oov": oov,
                **({"detail": detail} if tokens else {}),
            }
        )
        return
    cells = [f"{total:.6f}", str(len(ids)), str(oov)]
    for word, each in zip(words, log_prob, strict=False):
        cells += [word, f"{each:.6f}"]
    print_line("\t".join(cells))
