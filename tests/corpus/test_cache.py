"""The cache: hits and misses, damage, eviction, two processes at once, directories that cannot be
written."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from w2v.corpus import cache
from w2v.corpus.read import Reader
from w2v.corpus.store import SpoolError

TEXT = "a b a\n\nc Grüße a b\n" * 20


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def readings(monkeypatch):
    """One element per time that a corpus was truly read."""
    times = []
    real = Reader.read

    def counted(self, file, folder):
        times.append(folder)
        return real(self, file, folder)

    monkeypatch.setattr(Reader, "read", counted)
    return times


def the_entry(own_folders):
    (directory,) = (own_folders.cache / "corpora").iterdir()
    return directory


def test_the_second_time_is_from_the_cache(corpus, read, check, readings):
    for _ in range(3):
        store = read(corpus, use_cache=True)
        check(store, TEXT)
        assert isinstance(store.ids, np.memmap)
    assert len(readings) == 1


def test_without_the_cache_nothing_is_kept(corpus, read, own_folders, readings):
    read(corpus)
    read(corpus)
    assert len(readings) == 2
    assert not own_folders.cache.exists()


def test_the_key_holds_files_and_settings(corpus, tmp_path, read, readings):
    def readings_of(*names, **options):
        before = len(readings)
        read(*names, use_cache=True, **options)
        return len(readings) - before

    assert readings_of(corpus) == 1
    assert readings_of(corpus, lowercase=True) == 1
    assert readings_of(corpus, encoding_errors="strict") == 1
    other = tmp_path / "other.txt"
    other.write_text(TEXT)
    assert readings_of(other) == 1
    assert readings_of(corpus, other) == 1
    assert readings_of(other, corpus) == 1
    assert readings_of(corpus) == readings_of(tmp_path / "." / "corpus.txt") == 0
    corpus.write_text(TEXT + "more")
    assert readings_of(corpus) == 1
    os.utime(corpus, ns=(1, 1))
    assert readings_of(corpus) == 1
    assert readings_of(corpus) == 0


def test_warnings_come_again(tmp_path, read):
    (tmp_path / "a").write_bytes(b"caf\xe9 au lait")
    first = read(tmp_path / "a", use_cache=True)
    assert first.warnings == read(tmp_path / "a", use_cache=True).warnings
    assert len(first.warnings) == 1


# The content of the ids, gigabytes perhaps, is not checked: only their size.
@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (name, damage)
        for name in ("ids.i32", "counts.i64", "words.txt", "manifest.json")
        for damage in ("gone", "cut", "empty")
    ]
    + [(name, "flipped") for name in ("counts.i64", "words.txt", "manifest.json")],
)
def test_a_damaged_entry_is_made_anew(name, damage, corpus, read, check, own_folders, readings):
    read(corpus, use_cache=True)
    path = the_entry(own_folders) / name
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "flipped":
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    else:
        path.write_bytes(data[: -len(data) // 2] if damage == "cut" else b"")
    check(read(corpus, use_cache=True), TEXT)
    assert len(readings) == 2
    check(read(corpus, use_cache=True), TEXT)
    assert len(readings) == 2


def test_an_entry_of_another_format_is_not_read(corpus, read, own_folders, readings, monkeypatch):
    read(corpus, use_cache=True)
    path = the_entry(own_folders) / cache.MANIFEST
    path.write_text(path.read_text().replace(f'"format": {cache.FORMAT_VERSION}', '"format": 0'))
    read(corpus, use_cache=True)
    assert len(readings) == 2
    monkeypatch.setattr(cache, "FORMAT_VERSION", cache.FORMAT_VERSION + 1)
    read(corpus, use_cache=True)
    assert len(readings) == 3


def test_listed_and_cleared(corpus, tmp_path, read, own_folders):
    assert cache.list_entries() == []
    assert cache.clear() == 0
    first = read(corpus, use_cache=True)
    os.utime(the_entry(own_folders) / cache.MANIFEST, (1000, 1000))
    (tmp_path / "other.txt").write_text("x y")
    read(tmp_path / "other.txt", corpus, use_cache=True)
    newer, older = cache.list_entries()
    assert newer.sources == (str(tmp_path / "other.txt"), str(corpus))
    assert older.sources == (str(corpus),)
    assert older.words == first.n_words == 140
    assert older.last_used == 1000
    assert older.bytes == sum(
        path.stat().st_size for path in (own_folders.cache / "corpora" / older.name).iterdir()
    )
    read(corpus, use_cache=True)
    assert cache.list_entries()[0].name == older.name
    assert cache.clear() == older.bytes + newer.bytes
    assert cache.list_entries() == []
    assert first.ids[0] == 0  # a store in use outlives its entry
    assert list((own_folders.cache / "corpora").iterdir()) == []


def test_the_directory(monkeypatch, tmp_path):
    assert cache.cache_directory().name == "cache"
    monkeypatch.delenv("W2V_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_directory() == tmp_path / "w2v"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_directory() == tmp_path / ".cache" / "w2v"


def test_a_cache_that_cannot_be_made(corpus, tmp_path, read, check, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("W2V_CACHE_DIR", str(tmp_path / "file"))
    for _ in range(2):
        store = read(corpus, use_cache=True)
        check(store, TEXT)
        assert len(store.warnings) == 1
        assert store.warnings[0].startswith(
            f"the corpus is not cached: the cache {tmp_path}/file/corpora cannot be written"
        )
    assert cache.list_entries() == []
    assert cache.clear() == 0


def test_a_cache_that_is_full_while_reading(corpus, read, check, own_folders, monkeypatch):
    real = Reader.read

    def full(self, file, folder):
        if str(own_folders.cache) in folder:
            raise SpoolError(folder, OSError(28, "No space left on device"))
        return real(self, file, folder)

    monkeypatch.setattr(Reader, "read", full)
    store = read(corpus, use_cache=True)
    check(store, TEXT)
    assert "not cached" in store.warnings[0] and "No space left" in store.warnings[0]
    assert list((own_folders.cache / "corpora").iterdir()) == []


def test_a_cache_that_is_full_at_the_end(corpus, read, check, own_folders, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "sync_file", full)
    store = read(corpus, use_cache=True)
    check(store, TEXT)
    assert "No space left" in store.warnings[0]
    assert list((own_folders.cache / "corpora").iterdir()) == []


def test_two_processes_that_make_the_same_entry(
    corpus, read, check, own_folders, readings, monkeypatch
):
    """The second one starts while the first is not finished, and finishes first."""
    real = cache.NewEntry.commit
    inner = []

    def commit(self, store, sources):
        if not inner:
            inner.append(None)
            inner.append(read(corpus, use_cache=True))
        real(self, store, sources)

    monkeypatch.setattr(cache.NewEntry, "commit", commit)
    outer = read(corpus, use_cache=True)
    assert len(readings) == 2
    check(outer, TEXT)
    check(inner[1], TEXT)
    assert outer.warnings == ()
    check(read(corpus, use_cache=True), TEXT)
    assert len(readings) == 2
    assert len(list((own_folders.cache / "corpora").iterdir())) == 1


def test_an_interrupted_reading_leaves_nothing(corpus, read, own_folders):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read(corpus, use_cache=True, progress=interrupt)
    assert list((own_folders.cache / "corpora").iterdir()) == []


def test_what_a_killed_process_left_is_removed_once_it_is_old(corpus, read, own_folders):
    read(corpus, use_cache=True)
    corpora = own_folders.cache / "corpora"
    for name, age in (("old", 2 * cache.STALE_SECONDS), ("young", 0)):
        directory = corpora / f"{cache.TEMPORARY_PREFIX}{name}"
        directory.mkdir()
        (directory / cache.IDS).write_bytes(b"1234")
        then = time.time() - age
        os.utime(directory / cache.IDS, (then, then))
        os.utime(directory, (then, then))
    cache.clear()
    assert [path.name for path in corpora.iterdir()] == [f"{cache.TEMPORARY_PREFIX}young"]


def test_a_cache_that_may_only_be_read(corpus, read, check, own_folders, readings, monkeypatch):
    read(corpus, use_cache=True)

    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(cache.os, "utime", refuse)
    check(read(corpus, use_cache=True), TEXT)
    assert len(readings) == 1
    monkeypatch.setattr(cache.os, "rename", refuse)
    assert cache.clear() == 0
    monkeypatch.setattr(cache.tempfile, "mkdtemp", refuse)
    assert cache.clear() == 0
    assert the_entry(own_folders).is_dir()
    (the_entry(own_folders) / cache.IDS).write_bytes(b"")
    store = read(corpus, use_cache=True)
    check(store, TEXT)
    assert "cannot be written: Permission denied" in store.warnings[0]


def test_foreign_things_in_the_cache_are_left_alone(corpus, read, own_folders):
    read(corpus, use_cache=True)
    corpora = own_folders.cache / "corpora"
    (corpora / f"{cache.TEMPORARY_PREFIX}file").write_text("x")
    (corpora / "a-folder").mkdir()
    (corpora / "a-folder" / "link").symlink_to("nowhere")
    assert [entry.name for entry in cache.list_entries()] == [
        path.name for path in corpora.iterdir() if len(path.name) == 32
    ]
    assert cache.clear() > 0
    assert [path.name for path in corpora.iterdir()] == [f"{cache.TEMPORARY_PREFIX}file"]


def test_what_a_killed_process_left_goes_when_an_entry_is_made(corpus, read, own_folders):
    left = own_folders.cache / "corpora" / f"{cache.TEMPORARY_PREFIX}old"
    left.mkdir(parents=True)
    os.utime(left, (0, 0))
    read(corpus, use_cache=True)
    assert not left.exists()
    assert the_entry(own_folders).is_dir()
