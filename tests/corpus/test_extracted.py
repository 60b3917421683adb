"""What WikiExtractor writes: <doc> tags are no text, and its files of JSON are tables."""

from __future__ import annotations

import bz2
import json

import pytest

from tests.corpus.conftest import lines_of

DOCUMENTS = [
    ("Anarchism", "Anarchism\n\nAnarchism is <doc a movement.\nIt is </doc> old."),
    ("A > b", "A > b\n\nx" + " y" * 40_000),
    ("Autism", "Autism\n\nNothing."),
]
PLAIN = "".join(f"{text}\n\n\n" for _, text in DOCUMENTS)
TAGGED = "".join(
    f'<doc id="{n}" url="https://x.org/wiki?curid={n}" title="{title}">\n{text}\n\n</doc>\n\n'
    for n, (title, text) in enumerate(DOCUMENTS)
)
TOLD = ("6 lines of <doc> tags left out",)


@pytest.mark.parametrize("name", ["wiki_00", "dump.txt", "wiki_07.bz2"])
def test_tags_are_left_out_and_counted(name, tmp_path, read):
    (tmp_path / "AA").mkdir()
    data = TAGGED.encode()
    (tmp_path / "AA" / name).write_bytes(bz2.compress(data) if name.endswith("bz2") else data)
    (tmp_path / "plain.txt").write_text(PLAIN)
    wanted = lines_of(read(tmp_path / "plain.txt"))
    for size in (50, 70_000, 2 << 20):
        store = read(tmp_path / "AA", chunk_bytes=size)
        assert lines_of(store) == wanted, size
        assert store.warnings == TOLD


def test_a_pipe_a_mark_and_windows_line_ends(tmp_path, read, stdin):
    stdin(b"\xef\xbb\xbf" + TAGGED.replace("\n", "\r\n").encode())
    (tmp_path / "plain.txt").write_text(PLAIN)
    store = read("-")
    assert lines_of(store) == lines_of(read(tmp_path / "plain.txt"))
    assert store.warnings == TOLD


def test_a_document_ends_a_paragraph(tmp_path, read):
    (tmp_path / "wiki_00").write_text('<doc id="1">\na b\nc\n</doc>\n<doc id="2">\nd\n</doc>')
    assert lines_of(read(tmp_path / "wiki_00", sentences="paragraph")) == [["a", "b", "c"], ["d"]]


def test_other_texts_keep_such_lines(tmp_path, read):
    (tmp_path / "a.txt").write_text('a\n<doc id="1">\nb\n</doc>\n')
    store = read(tmp_path / "a.txt")
    assert store.n_words == 5 and store.warnings == ()


def test_files_of_json(tmp_path, read):
    folder = tmp_path / "AB"
    folder.mkdir()
    for number in range(2):
        lines = [
            json.dumps({"id": str(n), "title": title, "text": text})
            for n, (title, text) in enumerate(DOCUMENTS)
        ]
        (folder / f"wiki_0{number}").write_text("\n".join(lines) + "\n")
    (tmp_path / "plain.txt").write_text("".join(f"{text}\n" for _, text in DOCUMENTS) * 2)
    wanted = lines_of(read(tmp_path / "plain.txt"))
    assert lines_of(read(tmp_path / "AB")) == wanted
    assert lines_of(read(tmp_path / "AB", column="text")) == wanted
    titles = read(tmp_path / "AB", column="title")
    assert lines_of(titles)[0] == ["Anarchism"]
