"""Detects which columns of a table of word pairs hold the two words and the score.

The whole file has one separator (tabs, semicolons, commas, colons or spaces) and the same columns:
those that fit most of its first lines. The words are the first two columns of text, which must be
adjacent; row numbers, and repeated tags (parts of speech, relations), do not count. The score is
the first column of numbers after them, or the one whose heading contains mean, average, score or
gold; if there is none after them, the only one before. Further columns may be empty, but a single
line with more columns than all others is not a row of the table. Decimal commas are read if commas
do not separate columns, or in quotes. Ambiguous tables are rejected.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from w2v.errors import InputError
from w2v.system.fields import DECIMAL_COMMA, is_number, quotes, split

DECIDING_LINES = 1000
MARKS = "\t;,: "
FEW_ROWS = 3  # too few to recognize a row with too many columns
MAX_COLUMNS = 100  # only these are searched for words and scores
# A column of tags has at most TAGS distinct values of TAG_LETTERS in TAG_LINES lines or more.
TAG_LETTERS, TAGS, TAG_LINES = 4, 8, 20
PROSE_BLANKS = 3  # a column whose cells have more spaces contains sentences
MEAN = re.compile(r"\b(mean|average|avg|score|gold)\b", re.IGNORECASE)

Pair = tuple[str, str, float]


class Columns(NamedTuple):
    """The layout of a table of word pairs."""

    mark: str  # the separator
    quoted: bool  # whether fields may be quoted
    words: tuple[int, int]  # columns of the words
    score: int  # column of the score
    comma: bool  # whether scores have a decimal comma
    width: int  # number of columns

    def pair(self, line: str) -> Pair | None:
        """Returns the pair in a line, or None if it has none, as a line of column names."""
        row = _cells(line, self.mark, self.quoted)
        if len(row) <= max(*self.words, self.score) or any(row[self.width :]):
            return None
        first, second = (row[column] for column in self.words)
        score = _score(row[self.score], self.comma)
        return (first, second, score) if first and second and score is not None else None

    def are_named(self, line: str) -> bool:
        """Returns whether a line may hold the column names: that of the score is a word."""
        name = "".join(_cells(line, self.mark, self.quoted)[self.score :][:1])
        return any(map(str.isalpha, name)) and not is_number(name)


def find_columns(lines: Sequence[str], source: str) -> Columns | None:
    """Returns the columns for the separator that fits most lines; None if that is less than half of
    them. Raises InputError if the table is ambiguous; `source` names it in the message."""
    best, most, unclear = None, 0, False
    for mark in MARKS:
        quoted = mark not in " :" and quotes(lines, mark)
        rows = [row for line in lines if len(row := _cells(line, mark, quoted)) > 2]
        if 2 * len(rows) < len(lines) or not rows:
            continue
        comma = any(DECIMAL_COMMA.fullmatch(cell) for row in rows for cell in row)
        guess = _guess_columns(rows, comma)
        unclear = unclear or (guess is not None and len(guess[0]) != 2)
        if guess is None or len(guess[0]) != 2:
            continue
        words = (guess[0][0], guess[0][1])
        width = sorted(map(len, rows))[-2 if len(rows) > FEW_ROWS else -1]
        columns = Columns(mark, quoted, words, guess[1], comma, width)
        fits = sum(columns.pair(line) is not None for line in lines)
        if fits > most:
            best, most = columns, fits
    if unclear and 2 * most < len(lines):
        problem = "it is unclear which of its columns of words are the pairs"
        raise InputError(f"{source}: {problem}; keep two words and a score in each line")
    if best is None or 2 * most < len(lines):
        return None
    scores = [_cells(line, best.mark, best.quoted)[best.score :] for line in lines]
    if best.mark == "," and all(
        len(row) == 2 and row[0].lstrip("+-").isdigit() and row[1].isdigit() for row in scores
    ):
        problem = "its scores have decimal commas, or there are two columns of numbers"
        raise InputError(f"{source}: {problem}; write 2.5, not 2,5")
    return best


def _cells(line: str, mark: str, quoted: bool) -> list[str]:
    try:
        return split(line, mark, quoted)
    except ValueError:
        return []


def _score(cell: str, comma: bool) -> float | None:
    if comma and DECIMAL_COMMA.fullmatch(cell):
        cell = cell.replace(",", ".")
    return float(cell) if is_number(cell) and math.isfinite(float(cell)) else None


def _guess_columns(rows: Sequence[Sequence[str]], comma: bool) -> tuple[list[int], int] | None:
    """Returns the columns of words (two, unless it is unclear which) and the column of the score;
    None if they are not found."""
    words, numbers, tags = [], [], set()
    for column in range(min(MAX_COLUMNS, max(map(len, rows)))):
        cells = [row[column] for row in rows if len(row) > column and row[column]]
        if 2 * len(cells) < len(rows):
            continue
        are_numbers = [_score(cell, comma) is not None for cell in cells]
        # without the first cell, which may be the column's name, or with it
        if any(2 * sum(flags) > len(flags) for flags in (are_numbers[1:], are_numbers)):
            numbers.append(column)
        elif 2 * sum(cell.count(" ") > PROSE_BLANKS for cell in cells) <= len(cells):
            words.append(column)
            if _are_tags(cells[1:] or cells):
                tags.add(column)
    behind = [column for column in numbers if len(words) > 1 and column > words[1]]
    if behind:
        words = [column for column in words if column < behind[0]]
        names = rows[0]
        named = [column for column in behind if len(names) > column and MEAN.search(names[column])]
        score = named[0] if named else behind[0]
    else:
        counted = [[str(start + i) for i in range(len(rows))] for start in (0, 1)]
        if len(numbers) != 1 or [row[numbers[0]] for row in rows] in counted:
            return None
        score = numbers[0]
    if len(words) > 2:
        words = [column for column in words if column not in tags]
    if len(words) != 2:
        return (words, score) if behind else None
    inside = any(words[0] < column < words[1] for column in numbers)
    return None if inside else (words, score)


def _are_tags(cells: Sequence[str]) -> bool:
    """Returns whether these are tags, such as parts of speech: single letters, or few distinct
    short strings."""
    few = len(cells) >= TAG_LINES and len(set(cells)) <= TAGS
    return max(map(len, cells)) <= (TAG_LETTERS if few else 1)
