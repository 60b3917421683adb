"""One question on the command line, or many from stdin: what the verbs that answer them share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from w2v.cli.lines import batches_of_lines, open_stdin
from w2v.cli.model import open_model, say_made
from w2v.cli.output import Cell, flush, print_json, print_line, print_table, say
from w2v.errors import InputError
from w2v.system.fields import BYTE_ORDER_MARK
from w2v.system.limits import MAX_WORD_BYTES

if TYPE_CHECKING:
    from w2v.vectors import WordVectors


# the rows of a table, and what --json prints
Answer = tuple[list[tuple[Cell, ...]], dict[str, Any]]


class Questions(NamedTuple):
    """A verb's kind of question: the verb's name and what it asks for, in the plural; the answers'
    headings (without any, each row is one line of text); what --json has beside the query and the
    error where there is no answer; and what answers many texts, each with an error if need be."""

    verb: str
    wanted: str
    headings: tuple[str, ...]
    missing: dict[str, Any]
    answer: Callable[[WordVectors, list[str]], Iterable[Answer | InputError]]


def answer_each(
    questions: Questions,
    model: tuple[str, str],
    words: Sequence[str],
    texts: list[str],
    *,
    json: bool,
) -> int:
    """Prints the answers to the texts that the command line's `words` make, or with - to each line
    of stdin, and returns the exit code: 2 if a word of the command line, or all of stdin, could not
    be answered. `model` is what the user named, and --encoding-errors."""
    streaming, batches = list(words) == ["-"], iter([texts])
    if streaming:
        use, remedy = f"- reads {questions.wanted} from", "name words, or pipe them in"
        batches = _lines(open_stdin(use, remedy, typed=True).read1)
        if model[0] == "-":
            raise InputError("MODEL and WORD cannot both be -: there is only one stdin")
    vectors = open_model(model[0], encoding_errors=model[1])
    answered = failed = 0
    for batch in batches:
        for text, answer in zip(batch, questions.answer(vectors, batch), strict=True):
            if isinstance(answer, InputError):
                failed += 1
                say(f"{questions.verb}: {answer}")
                if json and streaming:  # every line of a stream has its own
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
    say_made(vectors)
    return 2 if failed and not (streaming and answered) else 0


def each_alone(
    answer: Callable[[WordVectors, str], Answer],
) -> Callable[[WordVectors, list[str]], Iterator[Answer | InputError]]:
    """Returns what answers many texts one after the other."""

    def answers(vectors: WordVectors, texts: list[str]) -> Iterator[Answer | InputError]:
        from w2v.vectors.queries import QueryError

        for text in texts:
            try:
                yield answer(vectors, text)
            except QueryError as error:
                yield error

    return answers


def parts(text: str) -> list[str]:
    """Returns what stands between tabs, if there are any, else between blanks."""
    return [part for part in text.split("\t" if "\t" in text else " ") if part.strip(" ")]


def _lines(read: Callable[[int], bytes]) -> Iterator[list[str]]:
    """Yields the lines that are not empty, see `batches_of_lines`."""
    first = True
    for lines in batches_of_lines(read, MAX_WORD_BYTES):
        if first:
            lines[0], first = lines[0].removeprefix(BYTE_ORDER_MARK), False
        # Other blanks, such as U+00A0, may be part of a word.
        texts = (line.decode("utf-8", "replace").strip(" \t\r") for line in lines)
        yield [text for text in texts if text]
