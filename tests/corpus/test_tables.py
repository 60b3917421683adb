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

from tests.several import several
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
    with pytest.raises(InputError, match="contains no words"):
        read(tmp_path / name)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_progress_ends_at_the_size(kind, tmp_path, read):
    path = tmp_path / f"a.{kind}"
    path.write_bytes(encoded(kind))
    calls = []
    read(path, progress=lambda done, total: calls.append((done, total)), chunk_bytes=8)
    size = path.stat().st_size
    assert calls[-1] == (size, size)
    assert len(calls) > 1


LATIN_1 = {
    "csv": b'n,text\n1,the caf\xe9\n2,"a, caf\xe9"\n',
    "tsv": b"n\ttext\n1\tthe caf\xe9\n2\ta, caf\xe9\n",
    "jsonl": b'{"text": "the caf\xe9"}\n{"text": "a, caf\xe9"}\n',
    "json": b'[{"text": "the caf\xe9"},\n {"text": "a, caf\xe9"}]',
}


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("kind", LATIN_1)
def test_bytes_that_are_not_utf8(kind, suffix, tmp_path, read, check):
    path = tmp_path / f"a.{kind}{suffix}"
    path.write_bytes(COMPRESS[suffix](LATIN_1[kind]))
    store = read(path)
    check(store, "the caf\ufffd\na, caf\ufffd\n")
    assert [each[:1] for each in store.warnings] == ["2"]
    place = LATIN_1[kind].index(b"\xe9")
    with pytest.raises(InputError, match=rf"not valid UTF-8 at byte {place} .*encoding_errors"):
        read(path, encoding_errors="strict")


def test_invalid_utf8_in_parquet(tmp_path, read, check):
    values = pa.array([b"caf\xe9 x"]).cast(pa.binary())
    text = pa.StringArray.from_buffers(1, values.buffers()[1], values.buffers()[2])
    parquet.write_table(pa.table({"text": text}), tmp_path / "a.parquet")
    store = read(tmp_path / "a.parquet")
    check(store, "caf\ufffd x\n")
    assert store.warnings[0].startswith("1 invalid")
    with pytest.raises(InputError, match="not valid UTF-8"):
        read(tmp_path / "a.parquet", encoding_errors="strict")


@pytest.mark.parametrize("errors", ["replace", "strict"])
def test_half_a_character_spelt_in_json(errors, tmp_path, read):
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{"text": "b \\ud800"}\n')
    if errors == "strict":
        with pytest.raises(InputError, match="line 2 is not valid UTF-8"):
            read(tmp_path / "a.jsonl", encoding_errors=errors)
    else:
        assert read(tmp_path / "a.jsonl").n_words == 3


BROKEN = {
    "a.jsonl": ('{"text": "a"}\n{"text": "b"}\n{"text": "c}\n{"text": "d"}\n', 3),
    "b.jsonl": ('{"text": "a"}\n\n{"text": \n', 3),
    "c.jsonl": ('{"text": "a"}\n7\n', 2),
    "d.jsonl": ('{"text": "a"}\n{"text": ["b"]}\n', 2),
    "e.json": ('[{"text": "a"},\n{"text": "b"},\n{"text" "c"}]', 3),
    "f.jsonl": ('{"text": "a"}\n{"x": ' + "[" * 100_000 + "\n", 2),
    "g.jsonl": ('{"text": "a"}\n{"x": ' + "9" * 5000 + "}\n", 2),
    "a.csv": ("n,text\n1,a\n2,b,c\n", 3),
    "b.csv": ('n,text\n1,a\n2,"b\n', 3),
    "c.csv": ('n,text\n1,a\n2,"b"c\n', 3),
    "a.tsv": ("n\ttext\n1\ta\n2\tb\tc\n", 3),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_bad_line_is_named(name, tmp_path, read):
    text, line = BROKEN[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=rf"{name}.* line {line}\b") as caught:
        read(tmp_path / name)
    assert "\n" not in str(caught.value)


MISSING = {
    "a.jsonl": '{"text": null}\n{"text": "a b"}\n{"x": 1}\n{"text": "c"}\n',
    "a.csv": "n,text\n1\n2,a b\n3,c\n4\n",
    "a.tsv": "n\ttext\n1\n2\ta b\n3\tc\n4\n",
}


@pytest.mark.parametrize("name", MISSING)
def test_missing_texts_are_counted(name, tmp_path, read, check):
    (tmp_path / name).write_text(MISSING[name])
    store = read(tmp_path / name)
    check(store, "a b\nc\n")
    assert store.warnings == ("2 rows without a text (null) left out",)


@pytest.mark.parametrize("dictionary", [True, False])
def test_missing_texts_of_parquet_are_counted(dictionary, tmp_path, read, check):
    values = [None, "a b", "", None, "a b"] * 3000
    path = tmp_path / "a.parquet"
    parquet.write_table(
        pa.table({"text": values}), path, use_dictionary=dictionary, row_group_size=4000
    )
    store = read(path)
    check(store, "a b\n\na b\n" * 3000)
    assert store.warnings == ("6,000 rows without a text (null) left out",)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json"])
def test_a_byte_order_mark_before_a_table(kind, tmp_path, read, check):
    (tmp_path / f"a.{kind}").write_bytes(b"\xef\xbb\xbf" + encoded(kind))
    check(read(tmp_path / f"a.{kind}"), TEXT)


def test_compressed_parquet_and_parquet_by_a_pipe(tmp_path, read, check, stdin):
    (tmp_path / "a.parquet.gz").write_bytes(gzip.compress(encoded("parquet")))
    check(read(tmp_path / "a.parquet.gz"), TEXT)
    stdin(gzip.compress(encoded("parquet")))
    check(read("-", column="text"), TEXT)


WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, *rest):
        if name.partition(".")[0] in ("datasets", "pandas", "torch"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
"""


def test_tables_need_neither_datasets_nor_pandas(tmp_path):
    names = [f"a.{kind}" for kind in ("jsonl", "csv", "tsv", "parquet")]
    for name in names:
        (tmp_path / name).write_bytes(encoded(name.removeprefix("a.")))
    commands = [["vocab", name, "--no-cache", "-q", "--min-count", "1"] for name in names]
    for done in several(WITHOUT, commands, tmp_path):
        assert (done.returncode, done.stderr) == (0, "")
        assert "two\t1" in done.stdout
