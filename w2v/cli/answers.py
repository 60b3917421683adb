"""Answers one question from the command line, or many from stdin, for verbs that query vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from w2v.cli.lines import batches_of_lines, checked_start, open_stdin
from w2v.cli.model import note_ngrams_used, open_model
from w2v.cli.output import Cell, flush, print_json, print_line, print_table, say
from w2v.errors import InputError
from w2v.system.limits import MAX_WORD_BYTES

if TYPE_CHECKING:
    from w2v.vectors import WordVectors


# the rows of a table, and the object that --json prints
Answer = tuple[list[tuple[Cell, ...]], dict[str, Any]]


class Questions(NamedTuple):
    """The kind of question that a verb answers."""

    verb: str
    noun: str  # what the verb asks for, in the plural
    headings: tuple[str, ...]  # of the answers; if empty, each row is a line of text
    missing: dict[str, Any]  # printed by --json for a question that cannot be answered
    answer: Callable[[WordVectors, list[str]], Iterable[Answer | InputError]]  # for many texts


def answer_each(
    questions: Questions,
    model: tuple[str, str],
    words: Sequence[str],
    texts: list[str],
    *,
    json: bool,
) -> int:
    """Answers `texts`, made from the `words` of the command line, or each line of stdin if `words`
    is -. Returns the exit code: 2 if a text, or all lines of stdin, could not be answered. `model`
    holds the MODEL argument and --encoding-errors."""
    streaming, batches = list(words) == ["-"], iter([texts])
    if streaming:
        use, remedy = f"- reads {questions.noun} from", "give words, or pipe them in"
        batches = _lines(open_stdin(use, remedy, typed=True).read1, model[1])
        if model[0] == "-":
            raise InputError("MODEL and WORD cannot both be -: there is only one stdin")
    vectors = open_model(model[0], encoding_errors=model[1])
    answered = failed = 0
    for batch in batches:
        for text, answer in zip(batch, questions.answer(vectors, batch), strict=True):
            if isinstance(answer, InputError):
                failed += 1
                say(f"{questions.verb}: {answer}")
                if json and streaming:  # print an object for every line of a stream
                    print_json({"query": text, **questions.missing, "error": str(answer)})
                continue
            answered += 1
            rows, value = answer
            if json:
                print_json(value)
            elif questions.headings:
                print_table(questions.headings, rows)
            else:
                for row in rows:
                    print_line(" ".join(map(str, row)))
        flush()
    note_ngrams_used(vectors)
    return 2 if failed and not (streaming and answered) else 0


def one_by_one(
    answer: Callable[[WordVectors, str], Answer],
) -> Callable[[WordVectors, list[str]], Iterator[Answer | InputError]]:
    """Returns a function that answers many texts one by one with `answer`."""

    def answers(vectors: WordVectors, texts: list[str]) -> Iterator[Answer | InputError]:
        from w2v.vectors.queries import QueryError

        for text in texts:
            try:
                yield answer(vectors, text)
            except QueryError as error:
                yield error

    return answers


def parts(text: str) -> list[str]:
    """Splits a text at tabs if it has any, else at spaces."""
    return [part for part in text.split("\t" if "\t" in text else " ") if part.strip(" ")]


def _lines(read: Callable[[int], bytes], errors: str) -> Iterator[list[str]]:
    """Yields the non-empty lines, in the batches of `batches_of_lines`."""
    first = True
    # as in arguments, an invalid byte becomes a surrogate, which no word contains
    handling = "surrogateescape" if errors == "strict" else "replace"
    for lines in batches_of_lines(read, MAX_WORD_BYTES):
        if first:
            lines[0], first = checked_start(lines, "standard input", errors), False
        # Other whitespace, such as U+00A0, may be part of a word.
        texts = (line.decode("utf-8", handling).strip(" \t\r") for line in lines)
        yield [text for text in texts if text]
