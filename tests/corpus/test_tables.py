"""Text columns: every format and compression, documents and lines, what is no text and no table."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import socket
import threading

import pyarrow as pa
import pytest
import zstandard
from pyarrow import parquet

from w2v.errors import InputError

# Quotes, separators, words that pandas takes for missing values, numbers, an empty document, lines
# of its own.
DOCUMENTS = ['one two\nthree, "four"', "NA", "007", "nul null nan", "", "fünf\n\nsechs\n", "a\tb"]
# Every document ends its last line, whether it has a newline there or not.
TEXT = "".join(document if document.endswith("\n") else document + "\n" for document in DOCUMENTS)
COMPRESS = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}


def as_csv(column: str, separator: str) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow(["n", column])
    writer.writerows((number, document) for number, document in enumerate(DOCUMENTS))
    return text.getvalue().encode()


def encoded(kind: str, column: str = "text") -> bytes:
    """DOCUMENTS as a table of the kind, with another column beside them."""
    rows = [{"n": number, column: document} for number, document in enumerate(DOCUMENTS)]
    if kind == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in rows).encode()
    if kind == "json":
        return json.dumps(rows).encode()
    if kind == "parquet":
        buffer = io.BytesIO()
        parquet.write_table(pa.Table.from_pylist(rows), buffer)
        return buffer.getvalue()
    return as_csv(column, "\t" if kind == "tsv" else ",")


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "tsv", "parquet"])
@pytest.mark.parametrize("column", [None, "body"])
def test_formats(kind, column, tmp_path, read, check):
    path = tmp_path / f"a [1]*.{kind}"  # characters that are a pattern to datasets
    path.write_bytes(encoded(kind, column or "text"))
    for chunk_bytes in (8, 1 << 20):
        check(read(path, column=column, chunk_bytes=chunk_bytes), TEXT)


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_compressed(kind, suffix, tmp_path, read, check):
    path = tmp_path / f"a.{kind}{suffix}"
    path.write_bytes(COMPRESS[suffix](encoded(kind)))
    check(read(path), TEXT)


def test_tables_and_text_in_one_corpus_with_the_cache(tmp_path, read, check):
    (tmp_path / "a.txt").write_text("plain text")
    (tmp_path / "b.jsonl").write_bytes(encoded("jsonl", "body"))
    for _ in range(2):
        check(read(tmp_path, column="body", use_cache=True), "plain text\n" + TEXT)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv", "parquet"])
def test_a_column_from_standard_input(kind, read, check, stdin):
    stdin(encoded(kind, "body"))
    check(read("-", column="body"), TEXT)


def test_a_table_in_a_fifo(tmp_path, read, check):
    os.mkfifo(tmp_path / "a.jsonl")
    writer = threading.Thread(target=(tmp_path / "a.jsonl").write_bytes, args=(encoded("jsonl"),))
    writer.start()
    check(read(tmp_path / "a.jsonl"), TEXT)
    writer.join()


def test_nothing_is_asked_of_the_network(tmp_path, read, monkeypatch):
    asked = []
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *arguments, **options: asked.append(arguments) or []
    )
    (tmp_path / "a.jsonl").write_bytes(encoded("jsonl"))
    read(tmp_path / "a.jsonl")
    assert asked == []


def test_missing_values_are_no_documents(tmp_path, read, check):
    (tmp_path / "a.jsonl").write_text(
        '{"text": "a b"}\n{"text": null}\n{"other": 1}\n{"text": "c"}\n'
    )
    check(read(tmp_path / "a.jsonl"), "a b\nc\n")


@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv", "parquet"])
def test_a_missing_column_names_those_there_are(kind, tmp_path, read, capfd):
    (tmp_path / f"a.{kind}").write_bytes(encoded(kind, "body"))
    with pytest.raises(
        InputError, match=rf"a\.{kind} has no column 'text'; choose one with `column`: n, body"
    ):
        read(tmp_path / f"a.{kind}")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_column_without_text(kind, tmp_path, read):
    (tmp_path / f"a.{kind}").write_bytes(encoded(kind))
    with pytest.raises(InputError, match=rf"column 'n' of .*a\.{kind}.* holds \w+, not text"):
        read(tmp_path / f"a.{kind}", column="n")


def test_a_column_of_numbers_in_csv_is_read_as_written(tmp_path, read, check):
    (tmp_path / "a.csv").write_text("text,n\n007,1\n1.50,2\n")
    check(read(tmp_path / "a.csv"), "007\n1.50\n")


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet", "a.jsonl.gz", "a.jsonl.zst"])
def test_no_such_table(name, tmp_path, read, capfd):
    (tmp_path / name).write_text("this is\nno table\n")
    with pytest.raises(InputError, match=r"a\.[a-z.]+ cannot be read as (json|parquet): "):
        read(tmp_path / name)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_an_empty_table_has_no_words(name, tmp_path, read):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match="holds no word"):
        read(tmp_path / name)


def test_progress_ends_at_the_size(tmp_path, read):
    (tmp_path / "a.jsonl").write_bytes(encoded("jsonl"))
    calls = []
    read(
        tmp_path / "a.jsonl",
        progress=lambda done, total: calls.append((done, total)),
        chunk_bytes=8,
    )
    size = (tmp_path / "a.jsonl").stat().st_size
    assert calls[-1] == (size, size)
    assert len(calls) > 1
