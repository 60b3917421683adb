"""Detects the layout of a text file of vectors, whose lines are a word followed by numbers.

The whole file has one layout, the one that fits most of its first lines:

    word 0.1 0.2     one or several spaces or tabs; those around the word are not part of it
    word 0.1,0.2     a space or a tab, then numbers separated by commas
    word,0.1,0.2     commas or semicolons; "quoted" fields as spreadsheets write them

A first line `V D` (number of words, dimension) or of column names is optional. Every other line has
the same number of numbers. A word that ends at a space may contain spaces (GloVe has `. . .`), but
must not end in a number, and not all words may contain spaces. Before a tab or a comma, the word is
the whole first field. A file that does not fit is rejected, and so is one that is ambiguous:
decimal commas, a column before the words, a matrix without words.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import NamedTuple

from w2v.system.fields import BLANKS, is_number, quotes, split

DECIDING_LINES = 200


class Layout(NamedTuple):
    """The layout of the lines of a file."""

    dim: int  # how many numbers a line has
    mark: str = " "  # the separator of the numbers
    word_end: str = " "  # what ends the word: a space, a tab, or the mark
    quoted: bool = False  # whether fields may be quoted


# (mark, word_end); if two fit equally well, the earlier one is chosen.
FORMS = [(" ", "\t"), (" ", " "), (",", ","), (";", ";"), (",", " ")]


def first_lines(sample: bytes, complete: bool) -> list[str]:
    """Returns the first complete lines of the file that are not blank, decoded as Latin-1."""
    lines = sample.split(b"\n", DECIDING_LINES)
    if not complete or len(lines) > DECIDING_LINES:
        lines.pop()
    return [line.decode("latin-1") for raw in lines if (line := raw.rstrip(b" \t\r"))]


def cut(line: str, layout: Layout) -> tuple[str, list[str]] | None:
    """Splits a line by a layout. Returns the word and the numbers, however many, or None if the
    line does not fit. If spaces separate, all numbers at the end of the line are returned."""
    _, mark, word_end, quoted = layout
    if mark == word_end == " ":
        fields = split(line, mark)
        start = len(fields)
        while start > 1 and is_number(fields[start - 1]):
            start -= 1
        return " ".join(fields[:start]), fields[start:]
    if mark == " " and not quoted:
        word, _, rest = line.strip(BLANKS).partition("\t")
        numbers = split(rest, " ")
    elif mark == word_end or quoted:
        try:
            word, *numbers = split(line.rstrip(BLANKS + mark), word_end, quoted)
        except ValueError:
            return None
    else:
        first, *numbers = split(line.rstrip(BLANKS + mark), mark)
        word, number = word_and_number(first)
        numbers = [number, *numbers] if numbers and number else []
    return (word, numbers) if all(map(is_number, numbers)) else None


def word_and_number(field: str) -> tuple[str, str]:
    """Splits what is before the first comma of a line whose word ends at a space or a tab. Both are
    empty if there is no space or tab, or if a word that ends at a space would end in a number."""
    field = field.strip(BLANKS)
    number = field.replace("\t", " ").rpartition(" ")[2]
    before = field[: len(field) - len(number)]
    word = before.rstrip(BLANKS)
    *others, last = split(word, " ") or [""]
    if not word or (others and is_number(last) and "\t" not in before[len(word) :]):
        return "", ""
    return word.replace("\t", " "), number


def decide(lines: Sequence[str], dim: int | None = None) -> tuple[Layout | None, int]:
    """Returns the layout that fits most lines, and how many it fits; None if no layout fits half of
    them. `dim` is the number of numbers per line, if known."""
    best, most = None, (False, 0, 0)
    for mark, word_end in FORMS:
        if not any((word_end if mark == " " else mark) in line for line in lines):
            continue
        quoted = word_end != " " and quotes(lines, word_end)
        form = Layout(0, mark, word_end, quoted)
        rows = [fields[1] for line in lines if (fields := cut(line, form)) and fields[1]]
        positive = list(map(len, rows))
        most_common = dim or max(positive, key=lambda n: (positive.count(n), n), default=0)
        fits = positive.count(most_common)
        # words may end in a whole number before a comma, but not most of them in 0.5
        fractions = sum(not numbers[0].isdigit() for numbers in rows)
        surely = mark != word_end == " " and 2 * fractions > len(lines)
        if (surely, fits, most_common) > most:
            best, most = form._replace(dim=most_common), (surely, fits, most_common)
    return (best, most[1]) if 2 * most[1] >= len(lines) else (None, most[1])


def names_columns(line: str, layout: Layout) -> bool:
    """Returns whether a first line has the names of the columns, or their positions."""
    if layout.mark == layout.word_end or layout.quoted:
        try:
            fields = split(line, layout.word_end, layout.quoted)
        except ValueError:
            return False
    else:
        fields = split(line.replace(layout.mark, " "), " ")
    names = fields[-layout.dim :]
    counted = [str(i) for i in range(layout.dim)], [str(i + 1) for i in range(layout.dim)]
    if fields[0].lower() in ("", "word", "words", "token", "term") and names in counted:
        return len(fields) == layout.dim + 1
    parts = (part for name in names for part in re.split("[,;]", name))
    return layout.dim <= len(fields) <= layout.dim + 1 and all(map(_is_name, parts))


def _is_name(field: str) -> bool:
    """Returns whether a field may be a column's name: it does not even begin like a number."""
    begun = field.encode("latin-1").decode("utf-8", "replace").lstrip("+-.")[:1]
    return begun != "" and not begun.isdigit() and not is_number(field)


def doubt(lines: Sequence[str], layout: Layout, headed: bool) -> str | None:
    """Returns why the layout is probably wrong, with a remedy; None if it is plausible."""
    fitting = [fields for line in lines if (fields := cut(line, layout))]
    rows = [fields for fields in fitting if len(fields[1]) == layout.dim]
    words, half = [word for word, _ in rows], len(rows) / 2
    if _are_decimals(rows, layout):
        return "may have decimal commas, or whole numbers: write 0.5, not 0,5"
    ends = [split(word, " ")[1:][-1:] for word in words]
    numbered = [word for word, end in zip(words, ends, strict=True) if is_number("".join(end))]
    if layout.mark == layout.word_end and not layout.quoted and len(numbered) > half:
        advice = "use one separator, or put words in quotation marks"
        return f"has numbers at the ends of its words ({numbered[0][:40]!r}): {advice}"
    counted = [re.match(r"([0-9]+)[ \t;,]", word) for word in words]
    if len(words) > 1 and all(counted):
        numbers = [int(fields[1]) for fields in counted if fields]
        if numbers[0] in (0, 1) and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            return "has row numbers before its words: remove the first column"
    if layout.word_end == " " and not headed and len(words) > 1:
        phrases = sum(" " in word for word in words)
        if phrases == len(words) or (layout.dim == 1 and phrases > half):
            advice = "two words and a number are a set of similarities, for w2v eval MODEL SET"
            return f"has spaces in its words ({words[0][:40]!r}): {advice}"
    if (
        layout.word_end == " "
        and len(words) > 1
        and all(re.search("[,;:]$", word) for word in words)
    ):
        return f"has a {words[0][-1]!r} after every word: use one separator"
    if not headed and half < sum(is_number(word) and not word.isdigit() for word in words):
        return "is a matrix of numbers without words: put a word before each line"
    return None


def _are_decimals(rows: Sequence[tuple[str, list[str]]], layout: Layout) -> bool:
    """Returns whether the comma-separated numbers are all integers that are probably the halves of
    numbers with decimal commas: most words end in a number, or the second, fourth … numbers look
    like decimals."""
    numbers = [number for _, row in rows for number in row]
    if layout.mark != "," or not all(number.lstrip("+-").isdigit() for number in numbers):
        return False
    if len(rows) < 2 * sum(bool(re.search(r"[ \t;][+-]?[0-9]+$", word)) for word, _ in rows):
        return True
    before = {number.lstrip("+-") for _, row in rows for number in row[0::2]}
    behind = {number for _, row in rows for number in row[1::2]}
    if layout.dim % 2 or not all(map(str.isdigit, behind)):
        return False
    if layout.dim == 2 and layout.word_end == " ":
        return True
    small = before <= {"0", "1"} and not behind <= {"0", "1"}
    return small or any(len(row) > 2 or re.match("0.", row) for row in behind)


def misfit(lines: Sequence[str]) -> str:
    """Returns what is wrong with lines that fit no layout, with a remedy."""
    if decide([re.sub(r"([0-9]),([0-9])", r"\1.\2", line) for line in lines])[0]:
        return "has decimal commas: write 0.5, not 0,5"
    if decide([re.sub(r"^[^\t,; ]*[\t,; ]", "", line) for line in lines])[0]:
        return (
            "is not a file of word vectors, or has a column before its words: remove that (two"
            " words and a score are a set, for w2v eval MODEL SET)"
        )
    if lines and all(re.search(r"[ \t,][A-Za-z0-9+/]{11,}={0,2}$", line) for line in lines):
        return "has vectors in base64: write them as numbers"
    return (
        "is not a file of word vectors: its first line is neither word2vec's header (number of"
        " words, dimension) nor a word followed by numbers"
    )


def remarks(words: Sequence[str], dim: int, headed: bool) -> list[str]:
    """Returns warnings about content that may have been misread."""
    doubts = []
    first = words[:DECIDING_LINES]
    if not headed and all(word.isdigit() for word in first):
        doubts.append("all its words are numbers: are these the first values of its rows?")
    if not headed and dim == 1:
        doubts.append("it has one number for each word: is it a list of counts or scores?")
    if len(first) > 4 and all(map(_in_base64, first)):
        doubts.append(f"its words are in base64 ({first[0][:20]!r}) and are kept so: decode them")
    return doubts


def _in_base64(word: str) -> bool:
    if len(word) < 4 or len(word) % 4 or not word.isascii():
        return False
    try:
        return base64.b64decode(word, validate=True).decode("utf-8").isprintable()
    except ValueError:
        return False
