"""A corpus from memory gives the store that a file with the same lines gives."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2v.corpus import is_in_memory, read_memory
from w2v.corpus.identity import changed_files, describe, memory_text
from w2v.errors import InputError
from w2v.settings.groups import CorpusSettings

from .conftest import lines_of
from .test_read import PROPERTY, TEXTS

NUMBERS = [
    [random.Random(line).randrange(30) for _ in range(random.Random(line).randrange(12))]
    for line in range(100)
]
LINES = [" ".join(map(str, numbers)) for numbers in NUMBERS]
TOKENS = [line.split() for line in LINES]


def memory(corpus, column=None, lowercase=False, encoding_errors="replace", **options):
    settings = CorpusSettings(lowercase=lowercase, encoding_errors=encoding_errors)
    return read_memory(corpus, settings, column=column, **options)


def pandas(values, kind="Series", **options):
    module = pytest.importorskip("pandas")
    return module.Series(values, **options) if kind == "Series" else module.DataFrame(values)


def polars(values, kind="Series", **options):
    module = pytest.importorskip("polars")
    return module.Series(values, **options) if kind == "Series" else module.DataFrame(values)


def dataset(values):
    return pytest.importorskip("datasets").Dataset.from_dict(values)


KINDS = {
    "lines": lambda: LINES,
    "lines with breaks": lambda: [line + "\n" for line in LINES],
    "lines in one string": lambda: ["\n".join(LINES)],
    "bytes": lambda: [line.encode() for line in LINES],
    "generator of lines": lambda: (line for line in LINES),
    "tokens": lambda: TOKENS,
    "tuples": lambda: tuple(map(tuple, TOKENS)),
    "generator of tokens": lambda: (iter(tokens) for tokens in TOKENS),
    "integers": lambda: NUMBERS,
    "arrays": lambda: (np.array(numbers, np.int32) for numbers in NUMBERS),
    "array of lines": lambda: np.array(LINES),
    "pandas": lambda: pandas(LINES, index=range(7, 107)),
    "pandas, objects": lambda: pandas(LINES, dtype=object),
    "pandas, categories": lambda: pandas(LINES, dtype="category"),
    "pandas, tokens": lambda: pandas(TOKENS),
    "pandas, integers": lambda: pandas([np.array(numbers) for numbers in NUMBERS]),
    "polars": lambda: polars(LINES),
    "polars, tokens": lambda: polars(TOKENS),
    "polars, integers": lambda: polars(NUMBERS),
    "arrow": lambda: pa.array(LINES),
    "arrow, chunked": lambda: pa.chunked_array([LINES[:30], LINES[30:]]),
    "arrow, dictionary": lambda: pa.array(LINES).dictionary_encode(),
    "arrow, views": lambda: pa.array(LINES, pa.string_view()),
    "arrow, tokens": lambda: pa.chunked_array([TOKENS[:30], TOKENS[30:]]),
    "arrow, integers": lambda: pa.array(NUMBERS, pa.large_list(pa.int64())),
    "dataset's column": lambda: dataset({"text": LINES})["text"],
}
TABLES = {
    "pandas": lambda values: pandas(values, "DataFrame"),
    "polars": lambda values: polars(values, "DataFrame"),
    "arrow": pa.table,
    "batch": pa.RecordBatch.from_pydict,
    "dataset": dataset,
    "iterable dataset": lambda values: dataset(values).to_iterable_dataset(),
}


@pytest.fixture
def same(tmp_path, read):
    """Checks that a store is bit for bit that of the file with these lines."""

    def check(store, lines=LINES, missing=0, **options):
        path = tmp_path / "same.txt"
        path.write_bytes("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass"))
        expected = read(path, **options)
        assert np.array_equal(store.ids, expected.ids) and store.ids.dtype == expected.ids.dtype
        assert store.vocabulary.words == expected.vocabulary.words
        assert np.array_equal(store.vocabulary.counts, expected.vocabulary.counts)
        assert (store.n_words, store.n_lines) == (expected.n_words, expected.n_lines)
        told = (f"{missing} rows without a text (null) left out",) if missing else ()
        assert store.warnings == told + expected.warnings

    return check


@pytest.mark.parametrize("chunk_bytes", [1, 100, 1 << 20])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_sentences(kind, chunk_bytes, same):
    corpus = KINDS[kind]()
    assert is_in_memory(corpus)
    same(memory(corpus, chunk_bytes=chunk_bytes, threads=2))


@pytest.mark.parametrize("values", [LINES, TOKENS, NUMBERS])
@pytest.mark.parametrize("kind", TABLES)
def test_columns_of_tables(kind, values, same):
    table = TABLES[kind]({"number": list(range(100)), "walks": values, "text": values})
    assert is_in_memory(table)
    same(memory(table))
    same(memory(table, "walks"))
    with pytest.raises(InputError, match=r"no column 'other'.*number, walks, text"):
        memory(table, "other")
    with pytest.raises(InputError, match=r"line 1 of the corpus is|holds int64, not text"):
        memory(table, "number")


@pytest.mark.parametrize("make", [pandas, polars, pa.array])
@pytest.mark.parametrize("values", [LINES, TOKENS])
def test_missing_values_are_skipped(make, values, same):
    same(memory(make([None, *values[:50], None, *values[50:], None])), missing=3)


def test_pandas_nan_is_missing(same):
    same(memory(pandas([float("nan"), *LINES, float("nan")], dtype=object)), missing=2)


@PROPERTY
@given(lines=st.lists(TEXTS, min_size=1, max_size=6), chunk_bytes=st.integers(1, 40))
def test_any_lines(lines, chunk_bytes, check):
    lines = ["some words", *lines]
    store = memory((line for line in lines), chunk_bytes=chunk_bytes)
    check(store, "".join(line if line.endswith("\n") else f"{line}\n" for line in lines))


@PROPERTY
@given(
    lists=st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\t\n"), min_size=1)),
        min_size=1,
    ),
    chunk_bytes=st.integers(1, 40),
)
def test_any_tokens(lists, chunk_bytes):
    lists = [["a b", "c"], *lists]
    assert lines_of(memory(lists, chunk_bytes=chunk_bytes)) == lists
    lowered = [[token.lower() for token in tokens] for tokens in lists]
    assert lines_of(memory(lists, lowercase=True)) == lowered


def test_long_rows_are_taken_in_parts(same):
    words = [str(number) for number in range(20_000)]
    for corpus in ([" ".join(words)], [words], [np.arange(20_000)], [iter(range(20_000))]):
        same(memory(corpus, chunk_bytes=1000), [" ".join(words)])


def test_a_generator_is_read_once_and_not_held(same):
    held = most = 0

    class Line(list):
        def __del__(self):
            nonlocal held
            held -= 1

    def lines():
        nonlocal held, most
        for _ in range(20_000):
            held += 1
            most = max(most, held)
            yield Line(["a", "b"])

    same(memory(lines(), chunk_bytes=1000), ["a b"] * 20_000)
    assert most < 100


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ([["a", "b"], ["c", ""]], "token 2 of line 2 is ''"),
        ([["a"], ["b", 5]], "token 2 of line 2 is 5"),
        ([["a"], ["b", None]], "token 2 of line 2 is None"),
        ([["a"] * 5000 + ["a\nb"]], "token 5001 of line 1"),
        ([[1, 2], [3, True]], "token 2 of line 2 is True"),
        ([[1.5]], "token 1 of line 1 is 1.5"),
        ([b"a b", ["c"]], "line 2 of the corpus is"),
        ([["a"], "b c"], "line 2 of the corpus is 'b c'"),
        (["a b", None], "line 2 of the corpus is None"),
        ([None, "a b"], "line 1 of the corpus is None"),
        ([1, 2, 3], "line 1 of the corpus is 1"),
        ([Path("a.txt"), "b"][:1] and iter([Path("a.txt")]), "line 1 of the corpus is PosixPath"),
        ({"text": ["a b"]}, "is of type dict"),
        (5, "is of type int"),
        (b"a b", "is of type bytes"),
        (pa.array([1, 2]), "holds int64, not text"),
        ([], "contains no words: it is empty"),
        ([" ", ""], "contains no words: it is empty"),
        ([[], []], "contains no words: it is empty"),
        (iter(()), "contains no words: it is empty"),
    ],
)
def test_what_is_no_corpus(corpus, message):
    with pytest.raises(InputError, match=message) as caught:
        memory(corpus)
    assert "\n" not in str(caught.value)


def test_a_column_needs_a_table():
    with pytest.raises(InputError, match="`column` text needs a table, and the corpus is a list"):
        memory(LINES, "text")


def test_unpaired_surrogates():
    store = memory(["a \ud800", "a"])
    assert list(store.vocabulary.words) == ["a", "\ufffd\ufffd\ufffd"] and store.warnings
    store = memory([["a", "\ud800"], ["a"]])
    assert list(store.vocabulary.words) == ["a", "\ufffd\ufffd\ufffd"] and store.warnings
    for corpus in (["a \ud800"], [["a", "\ud800"]]):
        with pytest.raises(InputError, match="not valid"):
            memory(corpus, encoding_errors="strict")


def test_a_byte_order_mark_is_dropped_as_from_a_file(same):
    same(memory(["\ufeffa b", "a"]), ["\ufeffa b", "a"])


def test_an_error_of_the_generator_is_the_users(own_folders):
    def lines():
        yield "a b"
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        memory(lines())


def test_a_checkpoint_describes_it(tmp_path, read):
    store = memory((line for line in LINES), progress=lambda done, total: None)
    description = describe(store, store.vocabulary)
    assert description["key"] is None and memory_text(description) == "generator of 100 lines"
    assert changed_files(description) == []
    (tmp_path / "corpus.txt").write_text("a b")
    files = read(tmp_path / "corpus.txt")
    assert memory_text(describe(files, files.vocabulary)) is None


def test_progress_counts_bytes():
    for corpus in (LINES, TOKENS):
        calls = []
        memory(
            corpus, chunk_bytes=100, progress=lambda done, total, c=calls: c.append((done, total))
        )
        assert len(calls) > 5 and calls == sorted(calls, key=lambda call: call[0])
        assert all(total is None for _, total in calls)


def test_names_of_files_and_lines_of_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("a b")
    (tmp_path / "folder").mkdir()
    for names in ("a.txt", "missing", "-", Path("missing"), ["a.txt"], ("a.txt", "folder", "-")):
        assert not is_in_memory(names)
    for names in ([Path("missing")], ["missing", Path("a.txt")], ["*.txt"], []):
        assert not is_in_memory(names)
    for text in (["a.txt is a file", "b.txt"], ["the", "cat"], [["a.txt"]], iter(["a.txt"])):
        assert is_in_memory(text)
    unclear_lists = (["a.txt", "missing.txt"], ["missing.jsonl.gz"], ["folder/missing", "the"])
    for unclear in (*unclear_lists, ["a.txt", "missing"]):
        with pytest.raises(InputError, match=r"no such file: '.*missing.*pass pathlib\.Path"):
            is_in_memory(unclear)
