"""Print the log-probability of each line under a language model.

Lines are read from stdin. Prints for each line log P(line), its number of tokens, and how many of
these are <unk>; with --tokens also every token with its log-probability. The tokens of a line are
its words and the <eos> at its end; words outside the vocabulary count as <unk>. Each line is scored
independently, as after an <eos>; --continuous reads all lines as one text, like w2v eval --text.
For a model trained with --sentences paragraph, each line must be a whole paragraph.
Logarithms are natural (nats) unless --base is given.

\b
  w2v score wiki-lm < lines.txt
  echo "the king of france" | w2v score wiki-lm --tokens --base 2
"""

from __future__ import annotations

import math
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from w2v.cli.lines import batches_of_text, open_stdin
from w2v.cli.model import open_language_model
from w2v.cli.options import Device, EncodingErrors, Json, Quiet, Run
from w2v.cli.output import flush, is_terminal, print_json, print_line, say
from w2v.cli.progress import ConsoleReporter, announcing_if_slow
from w2v.errors import InputError

if TYPE_CHECKING:
    from w2v.lm.language_model import LineScore


def command(
    run: Run,
    text: Annotated[str, Argument(metavar="[-]", hidden=True)] = "-",
    base: Annotated[str, Option(metavar="e|2|10|FLOAT", help="the base of the logarithms")] = "e",
    tokens: Annotated[
        bool, Option("--tokens", help="also print the log-probability of every token")
    ] = False,
    continuous: Annotated[
        bool,
        Option("--continuous", help="read all lines as one text, each given the lines before it"),
    ] = False,
    device: Device = "auto",
    encoding_errors: EncodingErrors = "strict",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    unit = _log_of(base)
    if text != "-":
        raise InputError(f"lines are read from stdin: w2v score {run} < {text}")
    stdin = open_stdin("the lines come from", "pipe them in", typed=True)
    model = open_language_model(run, device, quiet)
    import numpy as np

    from w2v.corpus.reading import Notices  # imports NumPy

    if is_terminal(sys.stdin) and not quiet:
        say("reading lines from the terminal; Ctrl-D at the start of a line ends it")
    stream = model.stream() if continuous else None
    notices, n_lines, totals = Notices(), 0, np.zeros(4)
    batches = batches_of_text(stdin.read1, "standard input", encoding_errors, notices)
    # On a terminal, the output itself shows the progress.
    with ConsoleReporter(quiet=quiet or is_terminal(sys.stdout)) as reporter:
        for lines in batches:
            with announcing_if_slow("scoring", quiet=quiet or n_lines > 0):
                scores = model.score(lines, stream=stream)
            for score in scores:
                _print_score(score, unit, tokens, json)
                totals += len(score.tokens), score.oov, score.log_prob, score.oov_log_prob
            flush()
            n_lines += len(lines)
            reporter.working("scoring", n_lines, None, "lines")
    for sentence in notices.sentences():
        say(f"warning: {sentence}")
    if not quiet:
        _note_unknown(*map(int, totals[:2]), *totals[2:].tolist())


def _log_of(base: str) -> float:
    """Returns the natural logarithm of the base."""
    number = math.nan
    with suppress(ValueError):
        number = math.e if base == "e" else float(base)
    if not 1 < number < math.inf:
        raise InputError(f"--base {base} is not e or a number above 1")
    return math.log(number)


def _print_score(score: LineScore, unit: float, tokens: bool, json: bool) -> None:
    log_probs = score.log_probs / unit
    total = float(log_probs.sum())
    pairs = list(zip(score.tokens, log_probs.tolist(), strict=True)) if tokens else []
    if json:
        values: dict[str, Any] = {"log_prob": total, "tokens": len(score.tokens), "oov": score.oov}
        if tokens:
            values["detail"] = [{"token": word, "log_prob": log_prob} for word, log_prob in pairs]
        print_json(values)
        return
    cells = [f"{total:.6f}", str(len(score.tokens)), str(score.oov)]
    for word, log_prob in pairs:
        cells += [word, f"{log_prob:.6f}"]
    print_line("\t".join(cells))


def _note_unknown(tokens: int, oov: int, log_prob: float, oov_log_prob: float) -> None:
    """Prints which share of the tokens is <unk>, if any, and the perplexity without them."""
    if not oov:
        return
    from w2v.lm.perplexity import TextScore

    score = TextScore(tokens, -log_prob, oov, eos=0, words=tokens, oov_nats=-oov_log_prob)
    share = f"{oov:,} of {tokens:,} tokens ({100 * score.oov_share:.1f} %) are <unk>"
    without = f"{score.perplexity_without_oov:.2f} without"
    say(f"note: {share}; the perplexity is {score.perplexity:.2f} with them and {without}")
