"""How large the cache may be, and what goes first."""

from __future__ import annotations

import os
import re

import pytest

from tests.corpus.test_cache import TEXT, corpus  # noqa: F401  # a fixture
from w2v.corpus import cache
from w2v.errors import InputError


def test_the_least_recently_used_entries_go_first(tmp_path, read, monkeypatch):
    paths = []
    for number in range(4):
        paths.append(tmp_path / f"{number}.txt")
        paths[-1].write_text(f"w{number} " * 1000)
    for number, path in enumerate(paths[:3]):
        read(path, use_cache=True)
        (entry,) = (entry for entry in cache.list_entries() if entry.sources == (str(path),))
        os.utime(
            cache.cache_directory() / "corpora" / entry.name / cache.MANIFEST, (number, number)
        )
    size = cache.list_entries()[0].bytes
    read(paths[0], use_cache=True)
    monkeypatch.setenv("W2V_CACHE_SIZE", str(3 * size + size // 2))
    read(paths[3], use_cache=True)
    kept = {entry.sources[0] for entry in cache.list_entries()}
    assert kept == {str(paths[0]), str(paths[2]), str(paths[3])}


def test_a_corpus_larger_than_the_cache_is_read_all_the_same(
    corpus,  # noqa: F811
    read,
    check,
    own_folders,
    monkeypatch,
):
    monkeypatch.setenv("W2V_CACHE_SIZE", "100")
    store = read(corpus, use_cache=True)
    check(store, TEXT)
    assert len(store.warnings) == 1
    assert "not cached" in store.warnings[0] and "W2V_CACHE_SIZE" in store.warnings[0]
    assert list((own_folders.cache / "corpora").iterdir()) == []
    monkeypatch.setenv("W2V_CACHE_SIZE", "0")
    assert read(corpus, use_cache=True).warnings == ()


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", 20 << 30),
        ("1000", 1000),
        ("5G", 5 << 30),
        ("1.5k", 1536),
        ("2 MiB", 2 << 20),
        ("1TB", 1 << 40),
    ],
)
def test_size_cap(text, size, monkeypatch):
    monkeypatch.setenv("W2V_CACHE_SIZE", text)
    assert cache.size_cap() == size


@pytest.mark.parametrize("text", ["big", "-1", "5X", "1e9", "9" * 19, "1." + "0" * 400])
def test_a_wrong_size_cap(text, monkeypatch, corpus, read):  # noqa: F811
    monkeypatch.setenv("W2V_CACHE_SIZE", text)
    with pytest.raises(InputError, match=f"W2V_CACHE_SIZE={re.escape(text[:60])} is not a size"):
        read(corpus, use_cache=True)
