"""One question on the command line, or many from stdin: what the verbs that answer them share."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

from w2v.cli.lines import batches_of_lines
from w2v.cli.model import open_model
from w2v.cli.output import Cell, print_json, print_table, say
from w2v.errors import InputError

if TYPE_CHECKING:
    from w2v.vectors import WordVectors


class Question(NamedTuple):
    """A verb's kind of question: its name for messages, the names of an answer's fields, what it
    asks for, and how a line of stdin is split into that."""

    verb: str
    fields: tuple[str, ...]
    wanted: str
    split: Callable[[str], list[str]]


def answer_each(
    question: Question,
    model: tuple[str, str],
    words: Sequence[str],
    answer: Callable[[WordVectors, list[str]], tuple[Cell, ...]],
    *,
    json: bool,
) -> int:
    """Prints the answer to the words, or with - to each line of stdin, and returns the exit code: 2
    if none could be answered. `model` is what the user named, and --encoding-errors."""
    streaming = list(words) == ["-"]
    if streaming and sys.stdin is None:
        raise InputError(f"- reads {question.wanted} from stdin, which is closed; pipe them in")
    if streaming and model[0] == "-":
        raise InputError("MODEL and WORD cannot both be -: there is only one stdin")
    vectors = open_model(model[0], encoding_errors=model[1])
    answered = failed = 0
    for lines in _lines() if streaming else [[list(words)]]:
        for line in lines:
            try:
                asked = question.split(line) if isinstance(line, str) else line
                cells = answer(vectors, asked)
            except InputError as error:
                failed += 1
                say(f"{question.verb}: {error}")
                continue
            answered += 1
            if json:
                print_json(dict(zip(question.fields, cells, strict=True)))
            else:
                print_table(question.fields, [cells])
        if sys.stdout is not None:
            sys.stdout.flush()
    return 2 if failed and not (streaming and answered) else 0


def _lines() -> Iterator[list[str]]:
    """Yields the lines of stdin that are not empty."""
    for lines in batches_of_lines(cast(io.BufferedReader, sys.stdin.buffer)):
        texts = (line.decode("utf-8", "replace").rstrip("\r") for line in lines)
        yield [text for text in texts if text.strip(" \t")]
