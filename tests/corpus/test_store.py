"""The token store's own troubles: disks, other processes, memory."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest

from w2v.corpus import store as store_module
from w2v.corpus.store import SpoolError, TokenStore, TokenStoreBuilder
from w2v.corpus.tokenizer import EncodedChunk
from w2v.corpus.vocabulary import Vocabulary
from w2v.errors import RunError
from w2v.system import memory


def chunk() -> EncodedChunk:
    counts = np.array([2, 1, 1], np.int64)
    return EncodedChunk(np.array([0, 1, 0, 2], np.int32), pa.array(["a", "b", "\n"]), counts, 0, 0)


def test_a_folder_that_is_not_there(tmp_path):
    with (
        open(tmp_path / "ids", "w+b") as file,
        pytest.raises(SpoolError, match="gone: No such file"),
    ):
        TokenStoreBuilder(file, str(tmp_path / "gone"))


def test_a_full_disk(tmp_path):
    with (
        open("/dev/full", "r+b", buffering=0) as file,
        pytest.raises(SpoolError, match="No space left"),
    ):
        TokenStoreBuilder(file, str(tmp_path)).add(chunk())


def test_ids_cut_short_by_another_process(tmp_path):
    with open(tmp_path / "ids", "w+b") as file:
        builder = TokenStoreBuilder(file, str(tmp_path))
        builder.add(chunk())
        file.truncate(4)
        with pytest.raises(SpoolError, match="truncated by another process"):
            builder.finish(1)


def test_no_word_at_all(tmp_path):
    with open(tmp_path / "ids", "w+b") as file:
        assert TokenStoreBuilder(file, str(tmp_path)).finish(1) is None
        builder = TokenStoreBuilder(file, str(tmp_path))
        builder.add(
            EncodedChunk(np.zeros(3, np.int32), pa.array(["\n"]), np.array([3], np.int64), 0, 0)
        )
        assert builder.finish(1) is None


def test_releasing_what_is_not_mapped(tmp_path):
    with TokenStore(np.arange(5, dtype=np.int32), Vocabulary(["a"], np.array([5])), 5, 0) as store:
        store.release(0, 5)
        assert store.ids.tolist() == [0, 1, 2, 3, 4]


def test_more_distinct_words_than_the_memory_holds(tmp_path, read, monkeypatch, own_folders):
    (tmp_path / "corpus.txt").write_text(" ".join(f"w{i}" for i in range(2000)))
    monkeypatch.setattr(memory, "CHECKED_BYTES", 1)
    for free in (None, 10**9):
        monkeypatch.setattr(memory, "available_memory", lambda free=free: free)
        assert len(read(tmp_path / "corpus.txt").vocabulary) == 2000
    monkeypatch.setattr(memory, "available_memory", lambda: 100_000)
    expected = (
        "reading up to 2,001 distinct words so far needs 0.0 GB more memory, 0.0 GB are free;"
        " read less text"
    )
    for use_cache in (False, True):
        with pytest.raises(RunError, match=re.escape(expected)):
            read(tmp_path / "corpus.txt", use_cache=use_cache)
    assert not [path for path in own_folders.cache.rglob("*") if path.is_file()]


def test_dictionaries_of_long_words_are_merged_early(tmp_path, monkeypatch):
    """Or the same megabytes of words would wait once for every chunk."""
    monkeypatch.setattr(store_module, "MERGE_BYTES", 1000)
    with open(tmp_path / "ids", "w+b") as file:
        builder = TokenStoreBuilder(file, str(tmp_path))
        waiting = []
        for number in range(20):
            words = pa.array(["x" * 300, f"y{number}"])
            builder.add(EncodedChunk(np.array([0, 1], np.int32), words, np.ones(2, np.int64), 0, 0))
            waiting.append(len(builder._pending))
        store = builder.finish(1)
    assert max(waiting) <= 5
    assert store.vocabulary.counts.tolist() == [20] + [1] * 20
    assert store.ids.tolist()[::2] == [0] * 20
    store.close()
