"""Evaluate word vectors, or a language model on a text.

SETS are files of questions (questions-words.txt) or of word pairs with scores (WordSim-353),
recognised by their content, also compressed; - is stdin, and a folder is one set (BATS). Without
any, the two small sets of w2v's demo are used. Piped output has the columns set, section or
measure, value, correct, covered, total; --ci adds the two ends of the value's 95 % interval. With
--with several models are compared: the columns are set, section or measure, a value per model.

What separates the columns of a set is decided by its first 1000 lines and holds for the whole file:
tabs, semicolons, commas, colons (not of questions) or blanks; quotes are those of spreadsheets.
Similarities: two words, side by side, are the first two columns of text, but row numbers and tags
(N, V) are none; the score is the first number behind them, or the column that a heading calls mean,
average, score or gold. More columns may follow. Lines without a pair are skipped and counted.
Questions: four words a line, under headings (a colon, a blank, a name) or without; a/b are two
right answers. Lines of a word, a tab and its answers are asked two by two. A line that begins with
# is a remark. A set that less than half of the lines fit is refused.

If the model has n-grams, they give unknown words of similarities a vector, and a note says how many
pairs that concerns; --no-oov leaves these out, as they are of other models. (Questions are asked of
known words only.)

With --text FILE the perplexity of a language model is measured: exp(nats / tokens) of the text read
as one stream, every token scored once and given all before it. Each line end is a token, <eos>, and
is counted; an <eos> stands before the first token. A word that the model does not know is scored as
<unk>; oov says how many those are (and any <unk> written in the text). Bytes that are not in its
--encoding are replaced unless --encoding-errors strict is given. Perplexities of models with
different vocabularies cannot be compared. Piped output has a name and a value per line.

\b
  w2v eval vectors.bin
  w2v eval vectors.bin questions-words.txt wordsim353.tsv --json
  w2v eval wiki-lm --text wiki.test.txt
  w2v eval vectors.bin --ci
  w2v eval vectors.bin --with other.bin --with third.bin wordsim353.tsv
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from w2v.cli.lines import open_stdin
from w2v.cli.model import open_language_model, open_model
from w2v.cli.options import Device, EncodingErrors, Json, Model, Quiet, choice, whole
from w2v.cli.output import Cell, is_terminal, print_json, print_line, print_table, print_values, say
from w2v.cli.progress import ConsoleReporter, told_if_slow
from w2v.errors import InputError

if TYPE_CHECKING:
    from w2v.evaluation.analogies import AnalogyResult
    from w2v.evaluation.bootstrap import Interval
    from w2v.evaluation.similarity import SimilarityResult
    from w2v.lm.language_model import LanguageModel

Results = tuple[dict[str, "AnalogyResult"], dict[str, "SimilarityResult"]]

INTERVAL = "95 % interval"
PUBLIC_SETS = (
    "no SETS were given, so these are the small ones of w2v's demo, on countries and the like;"
    " public ones are Google's questions-words.txt, BATS, WordSim-353, SimLex-999 and MEN"
)


def command(
    model: Model,
    sets: Annotated[list[str] | None, typer.Argument(metavar="SETS", hidden=True)] = None,
    method: Annotated[
        str, choice(("add", "mul"), "answer analogies by 3CosAdd or by 3CosMul")
    ] = "add",
    restrict_vocab: Annotated[
        int,
        whole(
            min=0, help="answer analogies with only this many of the most frequent words; 0 for all"
        ),
    ] = 30000,
    case: Annotated[str, choice(("fold", "exact"), "ignore the case of words, or not")] = "fold",
    others: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="MODEL", help="show this one beside it; may be repeated"),
    ] = None,
    ci: Annotated[
        bool, typer.Option("--ci", help="add 95 % intervals, bootstrapped from questions or pairs")
    ] = False,
    oov: Annotated[
        bool,
        typer.Option(
            "--oov/--no-oov", help="score pairs with unknown words too, by the model's n-grams"
        ),
    ] = True,
    text: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="measure a language model on a file, folder or glob; - is stdin"
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="the column with the text of .jsonl, .csv and .parquet"),
    ] = None,
    device: Device = "auto",
    encoding: Annotated[
        str, typer.Option(metavar="NAME", help="what the --text is written in")
    ] = "utf-8",
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
            raise InputError("--with is for word vectors, and --text for one model: omit one")
        if ci:
            raise InputError(
                "--ci is for questions and pairs, and a --text is one stream of tokens: omit it"
            )
        if "-" in text:
            open_stdin("--text - reads", "name a file, or pipe one in", typed=True)
        lm = open_language_model(model, device, quiet)
        score = _score(lm, text, (column, encoding, encoding_errors or "replace"), quiet)
        print_json(score) if json else print_values(score)
        return
    from w2v.evaluation.sets import AnalogySet, SimilaritySet, default_sets, load_set

    given = [load_set(path) for path in sets] if sets else default_sets()
    if others and ci and not json:
        raise InputError("--ci does not fit in a table of several models: add --json, or omit it")
    named: dict[str, Any] = {}
    for place, each in enumerate(given):
        taken = any(each.name == other.name for other in given[:place])
        name = sets[place] if sets and taken else each.name
        named[name] = each
        if isinstance(each, SimilaritySet) and (skipped := each.skipped - each.headed) > 0:
            lines, are, were = ("line", "is", "was") if skipped == 1 else ("lines", "are", "were")
            what = f"{skipped} {lines} of {name} {are} no pair of words with a score"
            say(f"warning: {what} and {were} skipped")
    options: Any = {"method": method, "restrict_vocab": restrict_vocab, "case": case, "oov": oov}
    found: dict[str, Results] = {}
    for path in dict.fromkeys([model, *(others or ())]):
        vectors = open_model(path, encoding_errors=encoding_errors or "strict")
        analogies: dict[str, AnalogyResult] = {}
        similarity: dict[str, SimilarityResult] = {}
        for name, each in named.items():
            result: Any = vectors.evaluate(each, intervals=ci, **options)
            is_analogies = isinstance(each, AnalogySet)
            (analogies if is_analogies else similarity)[name] = result
            what = name if not others else f"{name}, asked of {path},"
            _warn(what, result, "question" if is_analogies else "pair")
            if not is_analogies and result.oov and not quiet:
                pairs = f"{result.oov:,} of {result.covered:,} pairs of {what}"
                say(f"note: {pairs} hold a word of which only n-grams are known; see --no-oov")
        found[path] = analogies, similarity
    if not sets and not quiet:
        say(PUBLIC_SETS)
    if json:
        values = {path: _values(results, ci) for path, results in found.items()}
        print_json({"models": values} if others else values[model])
    elif others:
        _print_side_by_side(found)
    else:
        analogies, similarity = found[model]
        for name, answers in analogies.items():
            _print_analogies(name, answers, ci)
        if similarity:
            _print_similarity(similarity, ci)


def _values(results: Results, ci: bool) -> dict[str, Any]:
    """Returns what --json prints of a model."""
    analogies, similarity = results
    return {
        "analogies": {name: result.as_dict(ci) for name, result in analogies.items()},
        "similarity": {name: result.as_dict(ci) for name, result in similarity.items()},
    }


def _print_side_by_side(found: dict[str, Results]) -> None:
    """A line for each section and measure, with a column for each model."""
    rows: dict[tuple[str, str], list[Cell]] = {}
    terminal = is_terminal(sys.stdout)
    for analogies, similarity in found.values():
        for name, result in analogies.items():
            for part, of_part in result.parts():
                share = of_part.accuracy
                cell = _percent(share) if terminal else share
                rows.setdefault((name, part), []).append(cell)
        for name, measured in similarity.items():
            for measure in ("spearman", "pearson"):
                rows.setdefault((name, measure), []).append(getattr(measured, measure))
    headings = ["set", "section or measure", *found]
    print_table(headings, [(*key, *cells) for key, cells in rows.items()])


def _warn(name: str, result: AnalogyResult | SimilarityResult, what: str) -> None:
    """Says that few questions or pairs of a set are covered."""
    covered, total = result.covered, result.total
    if not covered:
        say(f"warning: no {what} of {name} has all its words among the vectors")
    elif 2 * covered < total:
        share = f"{covered:,} of {total:,} {what}s ({100 * covered / total:.1f} %)"
        say(f"warning: only {share} of {name} have all their words among the vectors")


def _score(
    model: LanguageModel, text: list[str], how: tuple[str | None, str, str], quiet: bool
) -> dict[str, Any]:
    """The perplexity on the texts, one after another, and its parts; `how` they are read are the
    arguments of `corpus_settings`."""
    settings = model.corpus_settings(*how)
    with (
        ConsoleReporter(quiet=quiet) as reporter,
        told_if_slow("reading and scoring", quiet=quiet or is_terminal(sys.stderr)),
        reporter.read(text, settings, use_cache=False) as store,
    ):

        def progress(done: int, total: int) -> None:
            reporter.working("scoring", done, total, "tokens")

        score = model.score_store(store, " ".join(text), progress=progress)
    names = ["perplexity", "bits_per_word", "tokens", "eos", "oov", "nats"]
    if score.words != score.tokens:  # the tokens are parts of words
        names += ["words", "word_perplexity"]
    return {name: getattr(score, name) for name in names}


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
