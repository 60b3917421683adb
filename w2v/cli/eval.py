"""Evaluate word vectors, or a language model on a text.

SETS are files of questions (questions-words.txt) or of word pairs with scores (WordSim-353),
recognized by their content, possibly compressed; - is stdin, and a folder is one set (BATS). The
default is the two small sets of w2v's demo. Piped output has the columns set, section or measure,
value, correct, covered, total; --ci adds both ends of the 95 % interval of the value. With --with,
several models are compared: the columns are set, section or measure, and a value per model.

The separator of a set is detected in its first 1000 lines and holds for the whole file: tabs,
semicolons, commas, colons (not in questions) or spaces; fields may be quoted as in spreadsheets.
Similarities: the words are the first two columns of text, adjacent, not counting row numbers and
tags (N, V); the score is the first number after them, or the column whose heading is mean, average,
score or gold. More columns may follow. Lines without a pair are skipped and counted. Questions:
four words per line, with or without headings (a colon, a space, a name); a/b are two right answers.
In a file of lines with a word, a tab and its answers, every two lines make a question. Lines that
begin with # are comments. A set is rejected if fewer than half of its lines fit.

If the model has n-grams, these give vectors to unknown words in similarity sets, and a note says
how many pairs have such words; --no-oov leaves these pairs out, as for other models. (Questions are
scored only if all their words are known.)

With --text FILE, measure the perplexity of a language model: exp(nats / tokens) of the text read as
one stream, in which every token is scored once, given all before it. Each line end is a token,
<eos>, and counts; an <eos> precedes the first token. Words that the model does not know are scored
as <unk>; oov is their number (including any <unk> in the text). <unk> is often probable, so many
unknown words lower the perplexity: perplexity_without_oov is that of the other tokens. Bytes that
are invalid in the --encoding are replaced unless --encoding-errors strict is given. Perplexities of
models with different vocabularies cannot be compared. Piped output has a name and a value per line.

\b
  w2v eval vectors.bin
  w2v eval vectors.bin questions-words.txt wordsim353.tsv --json
  w2v eval wiki-lm --text wiki.test.txt
  w2v eval vectors.bin --ci
  w2v eval vectors.bin --with other.bin --with third.bin wordsim353.tsv
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from w2v.cli.lines import open_stdin
from w2v.cli.model import open_language_model, open_model
from w2v.cli.options import Device, EncodingErrors, Json, Model, Quiet, choice, whole
from w2v.cli.output import Cell, is_terminal, print_json, print_line, print_table, print_values, say
from w2v.cli.progress import ConsoleReporter, announcing_if_slow
from w2v.errors import InputError

if TYPE_CHECKING:
    from w2v.evaluation.analogies import AnalogyResult
    from w2v.evaluation.bootstrap import Interval
    from w2v.evaluation.similarity import SimilarityResult
    from w2v.lm.language_model import LanguageModel

Results = tuple[dict[str, "AnalogyResult"], dict[str, "SimilarityResult"]]

INTERVAL = "95 % interval"
PUBLIC_SETS = (
    "no SETS were given: these are the small sets of w2v's demo, about countries and the like;"
    " public sets are Google's questions-words.txt, BATS, WordSim-353, SimLex-999 and MEN"
)


def command(
    model: Model,
    sets: Annotated[list[str] | None, typer.Argument(metavar="SETS", hidden=True)] = None,
    method: Annotated[
        str, choice(("add", "mul"), "answer analogies by 3CosAdd or by 3CosMul")
    ] = "add",
    restrict_vocab: Annotated[
        int,
        whole(min=0, help="analogies: use only this many of the most frequent words; 0 for all"),
    ] = 30000,
    case: Annotated[str, choice(("fold", "exact"), "ignore the case of words, or not")] = "fold",
    others: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="MODEL", help="another model to compare; may be repeated"),
    ] = None,
    ci: Annotated[
        bool, typer.Option("--ci", help="add 95 % intervals, bootstrapped from questions or pairs")
    ] = False,
    oov: Annotated[
        bool,
        typer.Option(
            "--oov/--no-oov", help="score pairs with unknown words, too, by the model's n-grams"
        ),
    ] = True,
    text: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="a file, folder or glob to test a language model on; - is stdin"
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="the text column of .jsonl, .csv and .parquet files"),
    ] = None,
    device: Device = "auto",
    encoding: Annotated[str, typer.Option(metavar="NAME", help="encoding of the --text")] = "utf-8",
    encoding_errors: EncodingErrors = "",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    if text:
        if sets:
            raise InputError(
                "SETS are for word vectors and --text for language models: give one of them"
            )
        if others:
            raise InputError("--with is for word vectors and --text for one model: omit one")
        if ci:
            raise InputError(
                "--ci is for questions and pairs, but --text is one stream of tokens: omit it"
            )
        if "-" in text:
            open_stdin("--text - reads", "name a file, or pipe one in", typed=True)
        lm = open_language_model(model, device, quiet)
        score = _score(lm, text, (column, encoding, encoding_errors or "replace"), quiet)
        print_json(score) if json else print_values(score)
        return
    from w2v.api import is_language_model  # takes 50 ms
    from w2v.evaluation.sets import AnalogySet, SimilaritySet, load_sets

    named = load_sets(sets or ())
    if others and ci and not json:
        raise InputError("--ci does not fit in a table of several models: add --json, or omit it")
    for name, test in named.items():
        if isinstance(test, SimilaritySet) and (skipped := test.skipped - test.headed) > 0:
            lines, are, were = ("line", "is", "was") if skipped == 1 else ("lines", "are", "were")
            description = f"{skipped} {lines} of {name} {are} not a pair of words with a score"
            say(f"warning: {description} and {were} skipped")
    options: Any = {"method": method, "restrict_vocab": restrict_vocab, "case": case, "oov": oov}
    by_model: dict[str, Results] = {}
    for path in dict.fromkeys([model, *(others or ())]):
        vectors = open_model(path, encoding_errors=encoding_errors or "strict")
        analogies: dict[str, AnalogyResult] = {}
        similarity: dict[str, SimilarityResult] = {}
        for name, test in named.items():
            result: Any = vectors.evaluate(test, intervals=ci, **options)
            is_analogies = isinstance(test, AnalogySet)
            (analogies if is_analogies else similarity)[name] = result
            description = name if not others else f"{name}, asked of {path},"
            _warn(description, result, "question" if is_analogies else "pair")
            if not is_analogies and result.oov and not quiet:
                pairs = f"{result.oov:,} of {result.covered:,} pairs of {description}"
                say(f"note: {pairs} have a word known only by its n-grams; see --no-oov")
        by_model[path] = analogies, similarity
    if not sets and not quiet:
        say(PUBLIC_SETS)
    if not quiet and (lms := [path for path in by_model if is_language_model(Path(path))]):
        say(
            f"note: {' and '.join(lms)}: these are figures of the input word vectors of a language"
            " model; --text FILE measures its perplexity"
        )
    if json:
        values = {path: _values(results, ci) for path, results in by_model.items()}
        print_json({"models": values} if others else values[model])
    elif others:
        _print_side_by_side(by_model)
    else:
        analogies, similarity = by_model[model]
        for name, answers in analogies.items():
            _print_analogies(name, answers, ci)
        if similarity:
            _print_similarity(similarity, ci)


def _values(results: Results, ci: bool) -> dict[str, Any]:
    """Returns the results of a model for --json."""
    analogies, similarity = results
    return {
        "analogies": {name: result.as_dict(ci) for name, result in analogies.items()},
        "similarity": {name: result.as_dict(ci) for name, result in similarity.items()},
    }


def _print_side_by_side(by_model: dict[str, Results]) -> None:
    """Prints a line for each section and measure, with a column for each model."""
    columns: list[list[tuple[str, str, Cell]]] = []  # in one order; sections may share a name
    terminal = is_terminal(sys.stdout)
    for analogies, similarity in by_model.values():
        columns.append([])
        for name, result in analogies.items():
            for part, of_part in result.parts():
                share = of_part.accuracy
                columns[-1].append((name, part, _percent(share) if terminal else share))
        for name, measured in similarity.items():
            for measure in ("spearman", "pearson"):
                columns[-1].append((name, measure, getattr(measured, measure)))
    lines = zip(*columns, strict=True)
    rows = [(*line[0][:2], *(value for _, _, value in line)) for line in lines]
    print_table(["set", "section or measure", *by_model], rows)


def _warn(name: str, result: AnalogyResult | SimilarityResult, noun: str) -> None:
    """Warns if fewer than half of a set's questions or pairs are covered."""
    covered, total = result.covered, result.total
    if not covered:
        say(f"warning: no {noun} of {name} has vectors for all its words")
    elif 2 * covered < total:
        share = f"{covered:,} of {total:,} {noun}s ({100 * covered / total:.1f} %)"
        say(f"warning: only {share} of {name} have vectors for all their words")


def _score(
    model: LanguageModel, text: list[str], reading: tuple[str | None, str, str], quiet: bool
) -> dict[str, Any]:
    """Measures the perplexity on the concatenated texts. Returns it with other values by name.
    `reading` has the arguments of `corpus_settings`."""
    settings = model.corpus_settings(*reading)
    with (
        ConsoleReporter(quiet=quiet) as reporter,
        announcing_if_slow("reading and scoring", quiet=quiet or is_terminal(sys.stderr)),
        reporter.read(text, settings, use_cache=False) as store,
    ):

        def progress(done: int, total: int) -> None:
            reporter.working("scoring", done, total, "tokens")

        score = model.score_store(store, " ".join(text), progress=progress)
    names = ["perplexity", "bits_per_word", "tokens", "eos", "oov", "nats"]
    if score.oov:
        names += ["oov_share", "perplexity_without_oov"]
    if score.words != score.tokens:  # the tokens are parts of words
        names += ["words", "word_perplexity"]
    return {name: getattr(score, name) for name in names}


def _print_analogies(name: str, result: AnalogyResult, ci: bool) -> None:
    terminal = is_terminal(sys.stdout)
    rows: list[tuple[Cell, ...]] = []
    for part, of_part in result.parts():
        tally, ends = of_part.tally(), of_part.interval() if ci else None
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
