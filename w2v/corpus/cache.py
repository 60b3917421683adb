"""The cache of token stores, so that a corpus is split and counted only once.

    $W2V_CACHE_DIR, else $XDG_CACHE_HOME/w2v, else ~/.cache/w2v
      corpora/KEY/manifest.json   sources, sizes, checksum; its mtime is the time of the last use
                  ids.i32 counts.i64 words.txt

KEY is a hash of each file's absolute path, inode, size and times, of the reading options and of
the format version. Entries are written under a temporary name, synced and renamed, so that
concurrent processes see only complete entries. A cache failure never fails a run: it becomes a
warning, and the ids go into a temporary file instead.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import numpy as np

from w2v.corpus.reading import Reading
from w2v.corpus.sources import Source
from w2v.corpus.store import ID_TYPE, TokenStore, ids_checksum, map_ids
from w2v.corpus.vocabulary import PackedWords, Vocabulary
from w2v.errors import InputError, RunError, shown
from w2v.system.compiled import kernel_note
from w2v.system.files import sync_directory, sync_file, user_caches
from w2v.system.json import read_object, whole_number

# Increase this whenever the tokenizer or an entry's file format changes: old entries then age out.
FORMAT_VERSION = 3
DEFAULT_SIZE_CAP = 20 << 30
TEMPORARY_PREFIX = ".building-"
STALE_SECONDS = 3600.0  # a temporary directory unmodified for this long was left by a dead process
COUNT_BYTES = 8
MANIFEST, IDS, COUNTS, WORDS = "manifest.json", "ids.i32", "counts.i64", "words.txt"


class CacheUnavailable(RunError):
    """Raised, with the reason, when a cache entry cannot be created."""


@dataclass(frozen=True)
class CacheEntry:
    """One cached corpus of `words` running words; `last_used` is in seconds since the epoch."""

    name: str
    sources: tuple[str, ...]
    words: int
    bytes: int
    last_used: float


@dataclass(frozen=True)
class _Manifest:
    format: int
    sources: list[str]
    n_words: int
    n_lines: int
    distinct: int
    checksum: int
    warnings: list[str]


def cache_directory() -> Path:
    """Returns the cache directory, which need not exist. Raises CacheUnavailable without a home."""
    named = os.path.expanduser(os.environ.get("W2V_CACHE_DIR", ""))
    directory = Path(named) if named.strip() else user_caches()
    if directory is None or named.startswith("~"):
        problem = f"W2V_CACHE_DIR={shown(named)} names" if named.startswith("~") else "there is"
        remedy = "name a folder for the cache in W2V_CACHE_DIR"
        raise CacheUnavailable(f"{problem} no home directory; {remedy}")
    return directory


def size_cap() -> int:
    """Returns the maximum size of the cache in bytes: $W2V_CACHE_SIZE, in bytes or like "500M",
    "5G", "1.5T" (powers of 1024). Raises InputError if the variable is not such a size."""
    text = os.environ.get("W2V_CACHE_SIZE", "").strip()
    if not text:
        return DEFAULT_SIZE_CAP
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text, re.IGNORECASE)
    if match is None or len(match[1]) > 18:
        remedy = 'give bytes, or a number with a unit like "5G"'
        raise InputError(f"W2V_CACHE_SIZE={text[:60]} is not a size: {remedy}")
    return int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))


def entry_key(sources: Sequence[Source], reading: Reading) -> str:
    """Returns the name of the cache entry for these sources, read with these options."""
    files = [(s.path, s.format, s.size, s.mtime_ns, *s.stamp) for s in sources]
    described = json.dumps([FORMAT_VERSION, files, reading.described()])
    return hashlib.sha256(described.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def load_entry(key: str) -> TokenStore | None:
    """Returns the cached store, or None if there is none or it is damaged; a damaged entry is
    removed. A key that `entry_key` cannot have made (it could be a path out of the cache) gives
    None."""
    try:
        directory = _corpora() / key
    except CacheUnavailable:
        return None
    if not re.fullmatch(r"[0-9a-f]{32}", key) or not os.path.isdir(directory):
        return None
    try:
        store = _load(directory)
    except (OSError, ValueError):
        _remove(directory)
        return None
    # utime's own clock ticks only every few milliseconds; an explicit time keeps two uses in a row
    # in order. A read-only cache can still be read, so failure to set the time is ignored.
    now = time.time_ns()
    with suppress(OSError):
        os.utime(directory / MANIFEST, ns=(now, now))
    return store


def _load(directory: Path) -> TokenStore:
    """Raises OSError or ValueError for a damaged entry. File sizes are checked against the manifest
    before any memory is allocated."""
    manifest = _read_manifest(directory)
    files = [directory / name for name in (IDS, COUNTS, WORDS)]
    if not all(file.is_file() for file in files):
        raise ValueError("a file is missing")
    n_ids, distinct = manifest.n_words + manifest.n_lines, manifest.distinct
    ids_size, counts_size, text_size = (file.stat().st_size for file in files)
    if not (0 < ids_size == n_ids * ID_TYPE.itemsize and 0 < counts_size == distinct * COUNT_BYTES):
        raise ValueError("a file's size differs from the manifest")
    if text_size < 2 * distinct:
        raise ValueError("there are fewer words than the manifest says")
    text = (directory / WORDS).read_bytes()
    counts = np.fromfile(directory / COUNTS, dtype=np.int64)
    with open(directory / IDS, "rb") as file:
        ids = map_ids(file, n_ids)
    vocabulary, warnings = Vocabulary(PackedWords(text), counts), tuple(manifest.warnings)
    store = TokenStore(ids, vocabulary, manifest.n_words, manifest.n_lines, warnings)
    shown_to_user = [manifest.sources, manifest.warnings]
    sound = text[-1:] == b"\n" and counts.sum() == manifest.n_words
    if not sound or _checksum(store, text, shown_to_user) != manifest.checksum:
        raise ValueError("the content does not match the manifest's checksum")
    return store


@dataclass(frozen=True)
class NewEntry:
    """A cache entry being built: the ids are written to `file`, which is in `directory`."""

    key: str
    directory: Path
    file: IO[bytes]

    def commit(self, store: TokenStore, sources: Sequence[Source]) -> str | None:
        """Publishes the entry for `store`, whose ids are in `file`, unless another process has
        published it meanwhile, and removes the least recently used entries until the cache is
        within its size limit. Returns the reason if the entry cannot be published, else None."""
        text = store.vocabulary.packed.text
        names = [source.path or source.name for source in sources]
        sizes = (store.n_words, store.n_lines, len(store.vocabulary))
        warnings = list(store.warnings)
        checksum = _checksum(store, text, [names, warnings])
        manifest = _Manifest(FORMAT_VERSION, names, *sizes, checksum, warnings)
        size = store.ids.nbytes + len(text) + store.vocabulary.counts.nbytes
        if size > size_cap():
            return f"its {size:,} bytes exceed the size limit of the cache (W2V_CACHE_SIZE)"
        try:
            (self.directory / WORDS).write_bytes(text)
            store.vocabulary.counts.tofile(self.directory / COUNTS)
            (self.directory / MANIFEST).write_text(json.dumps(asdict(manifest)), encoding="ascii")
            for name in (IDS, WORDS, COUNTS, MANIFEST):
                sync_file(self.directory / name)
            sync_directory(self.directory)
        except OSError as error:
            return _unwritable(error)
        with suppress(OSError):  # another process was first; its entry is as good
            os.rename(self.directory, _corpora() / self.key)
            sync_directory(_corpora())
            _shrink(keep=self.key)
        return None


@contextmanager
def new_entry(key: str) -> Iterator[NewEntry]:
    """Opens a new entry to be filled; unless it is committed, all its files are removed. Raises
    CacheUnavailable when the cache directory cannot be written."""
    try:
        _corpora().mkdir(parents=True, exist_ok=True)
        directory = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=_corpora()))
        file = open(directory / IDS, "w+b")  # noqa: SIM115
    except OSError as error:
        raise CacheUnavailable(_unwritable(error)) from None
    try:
        with file:
            yield NewEntry(key, directory, file)
    finally:
        shutil.rmtree(directory, ignore_errors=True)  # a committed entry has been renamed


def list_entries() -> list[CacheEntry]:
    """Returns the cached corpora, most recently used first."""
    entries = []
    for directory in _entry_directories():
        with suppress(OSError, ValueError):
            manifest = _read_manifest(directory)
            used, size = (directory / MANIFEST).stat().st_mtime, _size_of(directory)
            sources = tuple(manifest.sources)
            entries.append(CacheEntry(directory.name, sources, manifest.n_words, size, used))
    return sorted(entries, key=lambda entry: (-entry.last_used, entry.name))


def clear() -> int:
    """Removes all entries and the leftovers of killed processes, and returns the bytes freed.
    Running processes keep their ids: an open file survives its removal."""
    return sum(_remove(directory) for directory in [*_entry_directories(), *_stale_directories()])


def _unwritable(error: OSError) -> str:
    kernels = kernel_note()  # appended here so that all cache problems make one line
    more = f"; {kernels}" if kernels else ""
    return f"the cache {_corpora()} cannot be written: {error.strerror}{more}"


def _corpora() -> Path:
    return cache_directory() / "corpora"


def _entry_directories() -> list[Path]:
    return sorted(path for path in _corpora().glob("[!.]*") if os.path.isdir(path))


def _stale_directories() -> list[Path]:
    stale = []
    for directory in _corpora().glob(f"{TEMPORARY_PREFIX}*"):
        with suppress(OSError):
            newest = max(path.stat().st_mtime for path in [directory, *directory.iterdir()])
            if time.time() - newest > STALE_SECONDS:
                stale.append(directory)
    return stale


def _size_of(directory: Path) -> int:
    size = 0
    for path in directory.glob("*"):
        with suppress(OSError):  # removed meanwhile
            size += path.stat().st_size
    return size


def _remove(directory: Path) -> int:
    """Removes an entry, atomically for other processes (by a rename); returns the bytes freed."""
    size = 0
    with suppress(OSError):  # no permission to remove it, or it was removed meanwhile
        trash = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=directory.parent))
        try:
            freed = _size_of(directory)
            os.rename(directory, trash / directory.name)
            size = freed
        finally:
            shutil.rmtree(trash, ignore_errors=True)
    return size


def _shrink(keep: str) -> None:
    for directory in _stale_directories():
        _remove(directory)
    entries = list_entries()
    total = sum(entry.bytes for entry in entries)
    for entry in reversed(entries):
        if total > size_cap() and entry.name != keep:
            _remove(_corpora() / entry.name)
            total -= entry.bytes


def _read_manifest(directory: Path) -> _Manifest:
    """Raises OSError or ValueError if the manifest is missing or not of this format."""
    fields = read_object(directory / MANIFEST)
    if fields.keys() != _Manifest.__dataclass_fields__.keys():
        raise ValueError("a manifest of another format")
    manifest = _Manifest(**fields)
    for number in (manifest.n_words, manifest.n_lines, manifest.distinct, manifest.checksum):
        whole_number(number)
    for texts in (manifest.sources, manifest.warnings):
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ValueError("sources and warnings must be lists of strings")
    if manifest.format != FORMAT_VERSION:
        raise ValueError(f"format {shown(manifest.format)}")
    return manifest


def _checksum(store: TokenStore, text: bytes, shown_to_user: list[list[str]]) -> int:
    """Returns the CRC-32 of words, counts and ids, and of the manifest's sources and warnings."""
    counts = np.ascontiguousarray(store.vocabulary.counts)
    start = zlib.crc32(json.dumps(shown_to_user).encode("ascii"), zlib.crc32(text))
    return ids_checksum(store.ids, zlib.crc32(counts.data, start))
