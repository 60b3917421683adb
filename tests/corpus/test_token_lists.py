"""Columns of token lists, Arrow files, and folders that `datasets` saved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import forks
from w2v.corpus import read_corpus
from w2v.errors import InputError
from w2v.settings.groups import CorpusSettings

TEXTS = [" ".join(f"wörd{(i * j) % 41}" for j in range(i % 9)) for i in range(3000)]
LISTS = [text.split() for text in TEXTS]
SETTINGS = CorpusSettings(corpus=("x",), column="words")


def stream(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=700)


def file(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as out, pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=700)


def jsonl(path: Path, table: pa.Table) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))


WRITERS: dict[str, Callable[[Path, pa.Table], Any]] = {
    "stream.arrow": stream,
    "file.arrow": file,
    "x.parquet": lambda path, table: pq.write_table(table, path, row_group_size=700),
    "x.jsonl": jsonl,
}
KINDS: dict[str, Callable[[], pa.Array]] = {
    "texts": lambda: pa.array(TEXTS),
    "large texts": lambda: pa.array(TEXTS, pa.large_string()),
    "repeated texts": lambda: pa.array(TEXTS).dictionary_encode(),
    "lists": lambda: pa.array(LISTS),
    "large lists": lambda: pa.array(LISTS, pa.large_list(pa.large_string())),
}


@pytest.fixture
def expected(tmp_path: Path) -> Any:
    (tmp_path / "expected.txt").write_text("\n".join(TEXTS) + "\n")
    return read_corpus([str(tmp_path / "expected.txt")], CorpusSettings(), use_cache=False)


def same(found: Any, expected: Any) -> None:
    assert list(found.vocabulary.words) == list(expected.vocabulary.words)
    assert np.array_equal(found.ids, expected.ids)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", WRITERS)
def test_every_table_gives_the_ids_of_the_text(
    tmp_path: Path, expected: Any, name: str, kind: str
) -> None:
    WRITERS[name](tmp_path / name, pa.table({"other": range(3000), "words": KINDS[kind]()}))
    same(read_corpus([str(tmp_path / name)], SETTINGS, use_cache=False), expected)


@pytest.mark.parametrize("name", WRITERS)
def test_lists_of_integers(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name, pa.table({"words": pa.array([[3, 1], [], [3, -2]])}))
    found = read_corpus([str(tmp_path / name)], SETTINGS, use_cache=False)
    assert (found.n_words, found.n_lines) == (4, 3)
    assert set(found.vocabulary.words) == {"3", "1", "-2"}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    "lists", [[["a", "b c"]], [["a", ""]], [["a", " "], ["b"]], [["a\n"]], [["a", None]]]
)
def test_lists_that_are_no_words_are_refused(
    tmp_path: Path, name: str, lists: list[list[Any]]
) -> None:
    WRITERS[name](tmp_path / name, pa.table({"words": pa.array(lists)}))
    with pytest.raises(InputError, match=r"words.*list"):
        read_corpus([str(tmp_path / name)], SETTINGS, use_cache=False)


def test_words_of_lists_are_not_cut_again(tmp_path: Path) -> None:
    jsonl(tmp_path / "x.jsonl", pa.table({"words": pa.array([["e.g."]])}))
    settings = CorpusSettings(corpus=("x",), column="words", tokenizer="words")
    with pytest.raises(InputError, match="`tokenizer`"):
        read_corpus([str(tmp_path / "x.jsonl")], settings, use_cache=False)


@pytest.mark.parametrize("name", ["stream.arrow", "file.arrow"])
@pytest.mark.parametrize("cut", [3, 300, -100])
def test_damaged_arrow_files_are_refused(tmp_path: Path, name: str, cut: int) -> None:
    WRITERS[name](tmp_path / name, pa.table({"words": TEXTS}))
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[:cut] if cut != 300 else data[:300] + data[500:])
    with pytest.raises(InputError, match=name):
        read_corpus([str(tmp_path / name)], SETTINGS, use_cache=False)


@pytest.mark.parametrize("name", ["stream.arrow", "file.arrow"])
def test_batches_that_claim_to_be_huge_are_refused_unread(tmp_path: Path, name: str) -> None:
    long = pa.DictionaryArray.from_arrays([0] * 70, ["a " * (1 << 19)]).cast(pa.string())
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    kind = pa.ipc.new_stream if name.startswith("stream") else pa.ipc.new_file
    table = pa.table({"text": long})
    with kind(tmp_path / name, table.schema, options=options) as writer:
        writer.write_table(table)
    settings = CorpusSettings(column="text")
    with pytest.raises(InputError, match=r"claims to hold 73,.* bytes of a batch in"):
        read_corpus([str(tmp_path / name)], settings, use_cache=False)
    table = pa.table({"text": ["a b"] * 9, "other": ["c"] * 9})
    with kind(tmp_path / name, table.schema, options=options) as writer:
        writer.write_table(table)
    assert read_corpus([str(tmp_path / name)], settings, use_cache=False).n_words == 18


def test_a_column_that_is_missing_or_no_text(tmp_path: Path) -> None:
    stream(tmp_path / "x.arrow", pa.table({"n": [0.5], "lists": [[0.5]], "deep": [[["a"]]]}))
    for column, told in (("words", "n, lists, deep"), ("n", "double"), ("lists", "double")):
        with pytest.raises(InputError, match=told):
            settings = CorpusSettings(corpus=("x",), column=column)
            read_corpus([str(tmp_path / "x.arrow")], settings, use_cache=False)


def saved(folder: Path, names: list[str]) -> None:
    """What `save_to_disk` of `datasets` writes, and the file of a cached `map` beside it."""
    folder.mkdir(parents=True)
    half = len(TEXTS) // 2
    for name, part in zip(names, (TEXTS[:half], TEXTS[half:]), strict=True):
        stream(folder / name, pa.table({"text": part}))
    stream(folder / "cache-1.arrow", pa.table({"text": ["not this"]}))
    files = {"_data_files": [{"filename": name} for name in names]}
    (folder / "state.json").write_text(json.dumps(files))
    (folder / "dataset_info.json").write_text("{}")


def test_folders_that_datasets_saved(tmp_path: Path, expected: Any) -> None:
    saved(tmp_path / "saved" / "train", ["b.arrow", "a.arrow"])
    found = read_corpus([str(tmp_path / "saved" / "train")], CorpusSettings(), use_cache=False)
    same(found, expected)
    (tmp_path / "saved" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    with pytest.raises(InputError, match="saved/train"):
        read_corpus([str(tmp_path / "saved")], CorpusSettings(), use_cache=False)
    (tmp_path / "saved" / "train" / "state.json").write_text("{}")
    with pytest.raises(InputError, match=r"state\.json"):
        read_corpus([str(tmp_path / "saved" / "train")], CorpusSettings(), use_cache=False)


def test_what_datasets_itself_saves(tmp_path: Path, expected: Any) -> None:
    datasets = pytest.importorskip("datasets")
    made = datasets.Dataset.from_dict({"text": TEXTS, "words": LISTS})
    made.save_to_disk(tmp_path / "saved", num_shards=3)
    same(read_corpus([str(tmp_path / "saved")], CorpusSettings(), use_cache=False), expected)
    same(read_corpus([str(tmp_path / "saved")], SETTINGS, use_cache=False), expected)


@pytest.mark.parametrize("name", ["stream.arrow", "file.arrow"])
def test_arrow_through_a_pipe(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name, pa.table({"words": LISTS}))
    command = ["vocab", "-", "--column", "words", "--min-count", "1"]
    with open(tmp_path / name, "rb") as file:
        streams = (file.fileno(), None, None)
        done = forks.run(*command, folder=tmp_path, streams=streams)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 41)
