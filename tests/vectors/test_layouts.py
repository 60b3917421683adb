"""Tables of words and numbers, written in every layout that people use: read to the same words and
numbers, or refused; never anything else."""

import csv
import io
import re
import tempfile
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from w2v.errors import InputError
from w2v.system.fields import is_number
from w2v.vectors import WordVectors, load_vectors

BLANK = st.sampled_from([" ", "  ", "   ", " \t"])
PART = st.text("abcxyzäß日#-.'+0159\u00a0$/", min_size=1, max_size=6)
PUNCTUATED = st.text("ab,;:\"'1. ", min_size=1, max_size=6)


def load(data: bytes, name: str = "v.txt") -> WordVectors:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        return load_vectors(path)


@st.composite
def tables(draw, word=PART):
    words = draw(st.lists(word.map(str.strip).filter(bool), min_size=2, max_size=8, unique=True))
    dim = draw(st.integers(1, 6))
    form = draw(st.sampled_from(["%.4f", "%g", "%9.4f", "% .3e", "%.1f", "%d"]))
    number = st.integers(-3000, 3000).map(lambda n: form % (n / 1000 if form != "%d" else n % 9))
    rows = st.lists(number, min_size=dim, max_size=dim)
    return words, draw(st.lists(rows, min_size=len(words), max_size=len(words)))


def between_blanks(draw, words, rows):
    gap, lead = draw(BLANK), draw(st.sampled_from(["", "", " ", "\t", "  "]))
    width = draw(st.sampled_from([0, 0, 10]))
    tail = draw(st.sampled_from(["", " ", "\t"]))
    for word, row in zip(words, rows, strict=True):
        yield lead + word.ljust(width) + gap + gap.join(row) + tail


def behind_tabs(draw, words, rows):
    gap = draw(st.sampled_from(["\t", "\t", " ", "  "]))
    tail = draw(st.sampled_from(["", " ", "\t"]))
    for word, row in zip(words, rows, strict=True):
        yield word + "\t" + gap.join(row) + tail


def with_commas(draw, words, rows):
    mark = draw(st.sampled_from([",", ";", ", "]))
    tail = draw(st.sampled_from(["", ",", " "]))
    for word, row in zip(words, rows, strict=True):
        yield word + mark + mark.join(row) + tail.replace(",", mark[0])


def blank_then_commas(draw, words, rows):
    gap, mark = draw(st.sampled_from([" ", "\t", "  "])), draw(st.sampled_from([",", ", "]))
    for word, row in zip(words, rows, strict=True):
        yield word + gap + mark.join(row)


def by_a_spreadsheet(draw, words, rows):
    mark = draw(st.sampled_from([",", ";", "\t"]))
    style = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
    for word, row in zip(words, rows, strict=True):
        file = io.StringIO()
        csv.writer(file, delimiter=mark, quoting=style, lineterminator="").writerow([word, *row])
        yield file.getvalue()


def with_decimal_commas(draw, words, rows):
    mark = draw(st.sampled_from([" ", "\t", ";", ",", "  "]))
    for word, row in zip(words, rows, strict=True):
        yield word + mark + mark.join(number.replace(".", ",") for number in row)


def with_row_numbers(draw, words, rows):
    mark, start = draw(st.sampled_from([" ", "\t", ";", ","])), draw(st.integers(0, 1))
    for i, (word, row) in enumerate(zip(words, rows, strict=True), start):
        yield f"{i}{mark}{word}{mark}{mark.join(row)}"


LAYOUTS = [between_blanks, behind_tabs, with_commas, blank_then_commas, by_a_spreadsheet]


def text_of(draw, lines, words, rows):
    lines = list(lines)
    head = draw(st.sampled_from(["", "", f"{len(words)} {len(rows[0])}"]))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    text = end.join([*([head] if head else []), *lines]) + draw(st.sampled_from([end, end * 2]))
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.encode()


def same_or_refused(data, words, rows) -> bool:
    """Whether it is read; fails if other words or numbers are."""
    try:
        vectors = load(data)
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 600
        return False
    assert vectors.words == words, data
    np.testing.assert_array_equal(vectors.matrix, np.array(rows, float).astype(np.float32))
    return True


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda each: each.__name__)
@given(st.data())
@settings(max_examples=examples(50), deadline=None)
def test_ordinary_words_are_read_in_every_layout(layout, data):
    """Where the numbers are such as vectors hold: with a point, several a line."""
    words, rows = data.draw(tables(st.text("abcdexyzäß日", min_size=1, max_size=6)))
    rows = [["%.4f" % (float(number) + 0.5) for number in (*row, 1)] for row in rows]
    text = text_of(data.draw, layout(data.draw, words, rows), words, rows)
    assert same_or_refused(text, words, rows)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda each: each.__name__)
@given(st.data())
@settings(max_examples=examples(50), deadline=None)
def test_odd_words_are_read_or_refused(layout, data):
    words, rows = data.draw(tables(PART if layout is not by_a_spreadsheet else PUNCTUATED))
    same_or_refused(text_of(data.draw, layout(data.draw, words, rows), words, rows), words, rows)


@pytest.mark.parametrize("layout", [with_decimal_commas, with_row_numbers])
@given(st.data())
@settings(max_examples=examples(50), deadline=None)
def test_what_has_two_meanings_is_refused(layout, data):
    words, rows = data.draw(tables(st.text("abcdexyz", min_size=1, max_size=6)))
    rows = [["%.4f" % (float(number) + 0.0005) for number in row] for row in rows]
    text = text_of(data.draw, layout(data.draw, words, rows), words, rows)
    assert not same_or_refused(text, words, rows)


@settings(max_examples=examples(200), deadline=None)
@given(
    fields=st.lists(
        st.one_of(st.just("1.5"), st.text("0123,;+-.eE", min_size=1, max_size=4)),
        min_size=2,
        max_size=6,
    ).filter(lambda fields: len(fields) % 2 == 0)
)
def test_every_number_of_a_line_is_read_or_the_file_refused(fields: list[str]) -> None:
    pairs = [" ".join(pair) for pair in zip(fields[::2], fields[1::2], strict=True)]
    lines = "".join(f"w{i} {pair}\n" for i, pair in enumerate(pairs))
    try:
        matrix = load(f"{len(pairs)} 2\n{lines}".encode()).matrix
    except InputError:
        return
    numbers = (takewhile(is_number, re.split("[ ,;]+", pair.strip(" ,;"))[::-1]) for pair in pairs)
    expected = [[float(number) for number in row][::-1] for row in numbers]
    assert np.array_equal(matrix, np.array(expected, np.float32))


@pytest.mark.parametrize("number", ["1", "-2.5", "1e5", ".0", "nan"])
@pytest.mark.parametrize("gap", [" ", "  ", "\t"])
def test_only_before_a_tab_may_a_word_in_front_of_commas_end_in_a_number(
    number: str, gap: str
) -> None:
    text = f"b 0.5,.25\nc 0.5,.25\na {number}{gap}1 ,.5\nd 0.5,.25\n".encode()
    if gap == "\t":
        vectors = load(text)
        assert (vectors.words[2], vectors.matrix[2].tolist()) == (f"a {number}", [1.0, 0.5])
        return
    with pytest.raises(InputError, match="line 3"):
        load(text)


@pytest.mark.parametrize("line", ["a ;", "a ,", "a , ;", "a 1 , 2", "a 1,2 3\nb 4 ;"])
def test_marks_between_spaces_are_no_numbers(line: str) -> None:
    dim = len(line.split("\n")[0].split(" ")) - 1
    with pytest.raises(InputError):
        load(f"{line.count(chr(10)) + 1} {dim}\n{line}\n".encode())


@pytest.mark.parametrize("mark", [" ", "\t", ",", ";"])
@pytest.mark.parametrize("number", ["1.5f", "0x10", "1_000", "1d5", "-.5x", "\u0661", "--1", "+"])
def test_a_first_row_with_a_wrong_number_is_not_a_line_of_names(number: str, mark: str) -> None:
    rows = ["b|0.5", "c|1.5", "d|-2", "e|3"]
    with pytest.raises(InputError):
        load("\n".join([f"a|{number}", *rows, ""]).replace("|", mark).encode())
    named = "\n".join(["term|größe", *rows, ""]).replace("|", mark)
    assert load(named.encode()).words == ["b", "c", "d", "e"]


@pytest.mark.parametrize("mark", [",", ";"])
def test_two_separators_in_all_lines_are_refused(mark: str) -> None:
    rows = [f"w{i} 0.5{mark}{i}.25\n" for i in range(9)]
    spaced = [row.replace(mark, f"{mark} 1{mark}") for row in rows]
    for lines in (rows, spaced):
        try:
            vectors = load("".join(lines).encode())
        except InputError:
            continue
        assert mark == "," and vectors.dim == 2 + (lines is spaced)
    quoted = "".join(f'"{row}'.replace(mark, f'"{mark}', 1) for row in rows)
    assert load(quoted.encode()).words[3] == "w3 0.5"
