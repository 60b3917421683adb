"""Paragraphs: lines go on until one without words, in files, tables and memory."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.corpus.conftest import lines_of
from tests.examples import examples
from w2v.corpus import read_memory
from w2v.settings.groups import CorpusSettings

TEXT = "\n\na hard\nwrapped line\n \t \n\nand\r\nanother\r\n\r\n\u3000\nlast\n"
PARAGRAPHS = [["a", "hard", "wrapped", "line"], ["and", "another"], ["last"]]


def paragraphs(text: str) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for line in text.split("\n"):
        if words := line.replace("\0", " ").split():
            found[-1] += words
        elif found[-1]:
            found.append([])
    return [each for each in found if each]


@settings(
    max_examples=examples(50),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(texts=st.lists(st.text("ab \n\r\u3000", min_size=1), min_size=1), size=st.integers(1, 40))
def test_paragraphs_of_files(texts, size, tmp_path, read):
    texts[0] = f"word {texts[0]}"
    paths = [tmp_path / f"{number}.txt" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode())
    store = read(*paths, sentences="paragraph", chunk_bytes=size)
    assert lines_of(store) == [each for text in texts for each in paragraphs(text)]


@pytest.mark.parametrize("chunk_bytes", [1, 7, 1 << 20])
def test_every_document_of_a_table_ends_a_paragraph(chunk_bytes, tmp_path, read):
    rows = [TEXT, "one\ntwo", "three\n"]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
    expected = [*PARAGRAPHS, ["one", "two"], ["three"]]
    options = {"sentences": "paragraph", "chunk_bytes": chunk_bytes}
    assert lines_of(read(tmp_path / "a.jsonl", **options)) == expected
    by_paragraph = CorpusSettings(sentences="paragraph")
    for corpus in (pa.array(rows), pa.table({"text": rows})):
        assert lines_of(read_memory(corpus, by_paragraph, chunk_bytes=chunk_bytes)) == expected


def test_lines_from_memory_are_those_of_a_file():
    by_paragraph = CorpusSettings(sentences="paragraph")
    assert lines_of(read_memory(TEXT.splitlines(), by_paragraph)) == PARAGRAPHS
    assert lines_of(read_memory([["a", "b"], [], ["c"]], by_paragraph)) == [["a", "b"], ["c"]]


def test_a_line_of_punctuation_ends_a_paragraph_of_words(tmp_path, read):
    pytest.importorskip("regex")
    (tmp_path / "a.txt").write_text("one\ntwo.\n* * *\nthree\n")
    store = read(tmp_path / "a.txt", sentences="paragraph", tokenizer="words")
    assert lines_of(store) == [["one", "two"], ["three"]]
