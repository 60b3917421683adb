"""Text that is not UTF-8."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import w2v
from w2v.corpus import read_corpus, read_memory
from w2v.errors import InputError
from w2v.settings.build import build_config
from w2v.settings.groups import CorpusSettings

TEXT = "Der König und die Königin\nüber größere Brücken\n" * 400


def read(path: Path, cache: bool = False, **settings: Any) -> Any:
    found = CorpusSettings(corpus=(str(path),), **settings)
    return read_corpus([str(path)], found, use_cache=cache, chunk_bytes=1001)


@pytest.fixture
def expected(tmp_path: Path) -> Any:
    (tmp_path / "utf8.txt").write_text(TEXT, encoding="utf-8")
    return read(tmp_path / "utf8.txt")


def same(found: Any, expected: Any) -> None:
    assert list(found.vocabulary.words) == list(expected.vocabulary.words)
    assert np.array_equal(found.ids, expected.ids)
    assert found.warnings == ()


@pytest.mark.parametrize("name", ["latin-1", "cp1252", "UTF-16", "utf-16-le", "utf-32", "utf_7"])
def test_text_in_other_encodings_gives_the_same_ids(
    tmp_path: Path, expected: Any, name: str
) -> None:
    path = tmp_path / "x.txt"
    path.write_text(TEXT, encoding=name)
    same(read(path, encoding=name), expected)
    (tmp_path / "x.gz").write_bytes(gzip.compress(path.read_bytes()))
    same(read(tmp_path / "x.gz", encoding=name, encoding_errors="strict"), expected)


@pytest.mark.parametrize(("language", "name"), [("漢字 汉字", "gb18030"), ("한국 어", "euc-kr")])
def test_characters_that_lie_across_pieces(tmp_path: Path, language: str, name: str) -> None:
    (tmp_path / "x.txt").write_text(f"{language}\n" * 5001, encoding=name)
    found = read(tmp_path / "x.txt", encoding=name, encoding_errors="strict")
    assert dict(zip(found.vocabulary.words, found.vocabulary.counts, strict=True)) == (
        dict.fromkeys(language.split(), 5001)
    )


@pytest.mark.parametrize("name", ["latin-1", "utf-16"])
def test_tables_in_other_encodings(tmp_path: Path, expected: Any, name: str) -> None:
    lines = TEXT.splitlines()
    rows = [json.dumps({"text": line}, ensure_ascii=False) for line in lines]
    (tmp_path / "x.jsonl").write_text("\n".join(rows), encoding=name)
    (tmp_path / "x.csv").write_text("\n".join(["text", *lines]), encoding=name)
    for file in ("x.jsonl", "x.csv"):
        same(read(tmp_path / file, column="text", encoding=name), expected)


def test_what_is_not_in_the_encoding_is_replaced_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes("ab cd ".encode("cp1252") * 1000 + b"\x81 ef\n")
    found = read(path, encoding="cp1252")
    assert "\ufffd" in found.vocabulary
    assert len(found.warnings) == 1 and "1 character" in found.warnings[0]
    with pytest.raises(InputError, match=r"x\.txt is not valid cp1252 at byte 6000"):
        read(path, encoding="cp1252", encoding_errors="strict")


def test_the_cache_tells_encodings_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("W2V_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "x.txt").write_text("ü ü ä\n", encoding="cp1252")
    for _ in range(2):
        assert list(read(tmp_path / "x.txt", True, encoding="cp1252").vocabulary.words) == [
            "ü",
            "ä",
        ]
        assert list(read(tmp_path / "x.txt", True, encoding="cp850").vocabulary.words) != ["ü", "ä"]
    one, other = (read(tmp_path / "x.txt", encoding=name).key for name in ("latin-1", "ISO8859-1"))
    assert one == other


@pytest.mark.parametrize("name", ["klingon", "rot13", "hex", ""])
def test_a_name_of_no_encoding_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="`encoding`"):
        build_config({"corpus": ("x",), "encoding": name})


def test_a_run_remembers_its_encoding(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text(TEXT, encoding="latin-1")
    run = w2v.train(
        tmp_path / "x.txt",
        encoding="latin-1",
        epochs=1,
        dim=4,
        output=tmp_path / "run",
        progress=False,
    )
    assert "König" in run.vectors
    assert "encoding: latin-1" in (tmp_path / "run" / "config.yaml").read_text()


@pytest.mark.parametrize("name", ["latin-1", "utf-16"])
def test_lines_of_bytes_from_memory(name: str, expected: Any) -> None:
    lines = [line.encode(name) for line in TEXT.splitlines()]
    same(read_memory(iter(lines), CorpusSettings(encoding=name)), expected)
    mixed = [TEXT.splitlines()[0], *lines[1:]]  # what is text already is not read again
    same(read_memory(iter(mixed), CorpusSettings(encoding=name)), expected)
    column = pa.array(TEXT.splitlines())
    same(read_memory(column, CorpusSettings(encoding=name)), expected)
    with pytest.raises(InputError, match=r"line 2 of the corpus is not valid utf-16"):
        strict = CorpusSettings(encoding="utf-16", encoding_errors="strict")
        read_memory(["a b".encode("utf-16"), b"\xff\xfea"], strict)
