"""Evaluate word vectors on analogy and similarity sets, or a language model's perplexity on a text.

SETS: files of questions (questions-words.txt) or of word pairs with scores (WordSim-353),
recognised by their content (- is stdin); without any, the sets that come with w2v. Piped output has
the columns set, section or measure, value, correct, covered, total; --ci adds the two ends of the
value's 95 % interval.

--text FILE: perplexity = exp(nats / tokens) of the text read as one stream, every token scored once
and given all before it. Each line end is a token, <eos>, and is counted; an <eos> stands before the
first token. A word that the model does not know is scored as <unk>; oov says how many those are
(and any <unk> written in the text). Perplexities of models with different vocabularies do not
compare. Piped output has a name and a value per line.

\b
  w2v eval vectors.bin
  w2v eval vectors.bin questions-words.txt wordsim353.tsv --json
  w2v eval wiki-lm --text wiki.test.txt
  w2v eval vectors.bin --ci
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from w2v.cli.model import open_language_model, open_model
from w2v.cli.options import Device, Json, Model, Quiet
from w2v.cli.output import Cell, is_terminal, print_json, print_line, print_table, print_values, say
from w2v.cli.progress import ConsoleReporter
from w2v.errors import InputError

if TYPE_CHECKING:
    from w2v.evaluation.analogies import AnalogyResult
    from w2v.evaluation.bootstrap import Interval
    from w2v.evaluation.evaluate import Result
    from w2v.evaluation.similarity import SimilarityResult

NAME = "eval"
INTERVAL = "95 % interval"


def command(
    model: Model,
    sets: Annotated[list[str] | None, typer.Argument(metavar="SETS", hidden=True)] = None,
    method: Annotated[
        str, typer.Option("--method", metavar="[add|mul]", help="analogies by 3CosAdd or 3CosMul")
    ] = "add",
    restrict_vocab: Annotated[
        int,
        typer.Option(
            "--restrict-vocab",
            min=0,
            metavar="INT",
            help="analogies: only this many of the most frequent words; 0 for all",
        ),
    ] = 30000,
    case: Annotated[
        str,
        typer.Option(
            "--case", metavar="[fold|exact]", help="compare words in capitals, or as they are"
        ),
    ] = "fold",
    ci: Annotated[
        bool,
        typer.Option(
            "--ci",
            help="95 % confidence intervals: bootstrap over questions or pairs; not for --text",
        ),
    ] = False,
    text: Annotated[
        list[str] | None,
        typer.Option(
            "--text",
            metavar="FILE",
            help="text for a language model: a file, folder or glob, - is stdin",
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(
            "--column", metavar="NAME", help="--text: the column of .jsonl, .csv and .parquet"
        ),
    ] = None,
    device: Device = "auto",
    encoding_errors: Annotated[
        str | None,
        typer.Option(
            "--encoding-errors",
            metavar="[strict|replace]",
            help="what happens to words that are not UTF-8 (strict; replace for --text)",
        ),
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    if text:
        if sets:
            raise InputError(
                "SETS are for word vectors and --text for language models: give one of them"
            )
        if ci:
            raise InputError(
                "--ci is for questions and pairs, and a --text is one stream of tokens: omit it"
            )
        _evaluate_text(model, text, column, encoding_errors or "replace", device, quiet, json)
        return
    from w2v.evaluation.sets import default_sets, load_set

    given = [load_set(path) for path in sets] if sets else default_sets()
    vectors = open_model(model, encoding_errors=encoding_errors or "strict")
    options = {"method": method, "restrict_vocab": restrict_vocab, "case": case, "intervals": ci}
    results: dict[str, Result] = {}
    for place, each in enumerate(given):
        taken = any(each.name == other.name for other in given[:place])
        name = sets[place] if sets and taken else each.name
        results[name] = vectors.evaluate(each, **options)
        if not quiet:
            _say_doubts(name, results[name])
    from w2v.evaluation.analogies import AnalogyResult

    analogies = {name: r for name, r in results.items() if isinstance(r, AnalogyResult)}
    similarity = {name: r for name, r in results.items() if not isinstance(r, AnalogyResult)}
    if json:
        found = {
            "analogies": {k: r.as_dict(ci) for k, r in analogies.items()},
            "similarity": {k: r.as_dict(ci) for k, r in similarity.items()},
        }
        print_json(found)
        return
    for name, answers in analogies.items():
        _print_analogies(name, answers, ci)
    if similarity:
        _print_similarity(similarity, ci)


def _say_doubts(name: str, result: Result) -> None:
    skipped = getattr(result, "skipped", 0)
    if skipped > 1:  # one may hold the columns' names
        what = "are no pair of words with a score and were skipped"
        say(f"warning: {skipped} lines of {name} {what}")
    if not result.covered:
        what = "pair" if hasattr(result, "skipped") else "question"
        say(f"warning: no {what} of {name} has all its words among the vectors")


def _evaluate_text(
    run: str,
    text: list[str],
    column: str | None,
    encoding_errors: str,
    device: str,
    quiet: bool,
    json: bool,
) -> None:
    """Prints the perplexity of the language model `run` on the texts, one after another."""
    if encoding_errors not in ("strict", "replace"):
        raise InputError(f"--encoding-errors {encoding_errors} is not one of strict, replace")
    if "-" in text and sys.stdin is None:
        raise InputError("--text - reads stdin, which is closed; name a file, or pipe one in")
    model = open_language_model(run, device)
    from w2v.corpus import read_corpus

    settings = model.corpus_settings(column, encoding_errors)
    with (
        ConsoleReporter(quiet=quiet) as reporter,
        read_corpus(text, settings, use_cache=False, progress=reporter.reading) as store,
    ):
        for warning in store.warnings:
            reporter.warn(warning)
        score = model.score_store(
            store,
            " ".join(text),
            progress=lambda done, total: reporter.working("scoring", done, total, "tokens"),
        )
    values: dict[str, Any] = {
        "perplexity": score.perplexity,
        "bits_per_word": score.bits_per_word,
        "tokens": score.tokens,
        "eos": score.eos,
        "oov": score.oov,
        "nats": score.nats,
    }
    if score.words != score.tokens:  # the tokens are parts of words
        values |= {"words": score.words, "word_perplexity": score.word_perplexity}
    if json:
        print_json(values)
    else:
        print_values(values)


def _print_analogies(name: str, result: AnalogyResult, ci: bool) -> None:
    terminal = is_terminal(sys.stdout)
    rows: list[tuple[Cell, ...]] = []
    for part, found in result.parts():
        tally, ends = found.tally(), found.interval() if ci else None
        counts = (tally.correct, tally.covered, tally.total)
        if terminal:
            rows.append((part, *(_percent(tally.accuracy), _percent(ends))[: 1 + ci], *counts))
        else:
            rows.append((name, part, tally.accuracy, *counts, *_ends(ends, ci)))
    headings = ["section", "accuracy", *[INTERVAL][:ci], "correct", "covered", "total"]
    print_table(headings, rows, title=f"analogies: {name}")
    if terminal:
        print_line("")


def _print_similarity(results: dict[str, SimilarityResult], ci: bool) -> None:
    rows: list[tuple[Cell, ...]] = []
    for name, r in results.items():
        both = (("spearman", r.spearman, r.spearman_ci), ("pearson", r.pearson, r.pearson_ci))
        if is_terminal(sys.stdout):
            cells = [cell for _, value, ends in both for cell in (value, _range(ends))[: 1 + ci]]
            rows.append((name, *cells, r.covered, r.total))
        else:
            for measure, value, ends in both:
                rows.append((name, measure, value, None, r.covered, r.total, *_ends(ends, ci)))
    more = [INTERVAL][:ci]
    headings = ["set", "Spearman", *more, "Pearson", *more, "covered", "total"]
    print_table(headings, rows, title="similarity")


def _ends(interval: Interval | None, ci: bool) -> tuple[Cell, ...]:
    return (interval or (None, None)) if ci else ()


def _percent(share: float | Interval | None) -> str | None:
    if isinstance(share, tuple):
        return f"{100 * share[0]:.1f} – {100 * share[1]:.1f} %"
    return None if share is None else f"{100 * share:.1f} %"


def _range(interval: Interval | None) -> str | None:
    return None if interval is None else f"{interval[0]:.4f} – {interval[1]:.4f}"
