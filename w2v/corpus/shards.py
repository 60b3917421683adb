"""Reads a corpus jointly in several ranks (processes that train one model).

The text is cut into pieces: several small files, a part of a large plain-text file that ends at a
line end, or a whole file of any other kind (compressed files, tables, other encodings, text read in
paragraphs). Rank (i mod N) gets piece i. Each rank splits and counts its pieces as a single process
would. Then the dictionaries are merged: one rank adds up the counts of each word, and all ranks
receive the sums. The vocabulary and the ids are therefore byte for byte those of a single process,
and the ids are one file that all ranks map into memory.

If the ranks share no directory, one process per machine reads the whole corpus.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np

from w2v.corpus.cache import IDS, CacheUnavailable, NewEntry, load_entry, new_entry
from w2v.corpus.pieces import cut_pieces
from w2v.corpus.reading import Notices, no_word
from w2v.corpus.store import ID_TYPE, SpoolError, TokenStore, TokenStoreBuilder, map_ids, ranked
from w2v.errors import InputError, RunError

if TYPE_CHECKING:
    import pyarrow as pa

    from w2v.corpus.read import Reader

COPIED_IDS = 1 << 22


class Ranks(Protocol):
    """The communication that reading needs between the processes of a run, see
    `w2v.training.world`. All methods except `step` are collective operations."""

    rank: int
    size: int

    def broadcast(self, value: Any) -> Any:
        """Broadcasts: returns rank 0's value on every rank."""

    def gather(self, array: np.ndarray) -> list[np.ndarray]:
        """All-gathers: returns the arrays of all ranks, in order."""

    def deal(self, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
        """All-to-all: sends part r to rank r, and returns the parts that this rank received."""

    def step(self) -> AbstractContextManager[None]:
        """A block that either all ranks complete, or that raises on all if it raises on one."""


def read_together(reader: Reader, key: str | None, ranks: Ranks) -> TokenStore:
    """Returns the same store on all ranks. With a `key`, it comes from the cache or is added to it.

    Raises:
        InputError: the ranks see different files, or for the reasons that `read_corpus` names.
        RunError: for the reasons that `read_corpus` names.
    """
    _check_sources(reader, ranks)
    cached = None if key is None else load_entry(key)
    if all(bool(each) for each in ranks.gather(np.array([cached is not None], np.int64))):
        assert cached is not None
        return cached
    hosts = [each.tobytes() for each in ranks.gather(_bytes(socket.gethostname().encode()))]
    host = hosts[ranks.rank]
    reader.threads = max(1, reader.threads // hosts.count(host))
    with _shared_folder(key, ranks) as shared:
        if shared is not None:
            with frugal_arrow():
                return _Shards(reader, ranks, shared).read()
    store: TokenStore | None = None
    for first in (True, False):  # the other ranks of a machine then find it in the cache
        with ranks.step():
            if first == (hosts.index(host) == ranks.rank):
                store = reader.read_alone(key)
    assert store is not None
    return store


def _check_sources(reader: Reader, ranks: Ranks) -> None:
    with ranks.step():
        if passing := next((s for s in reader.sources if not s.lasting), None):
            problem = f"{passing.name} can be read by one process only, and there are {ranks.size}"
            raise InputError(f"{problem}: give regular files instead")
    sizes = [(s.format, s.size) for s in reader.sources]
    described = zlib.crc32(json.dumps([sizes, asdict(reader.reading)]).encode())
    numbers = [len(sizes), sum(s.size or 0 for s in reader.sources), described]
    every = [row.tolist() for row in ranks.gather(np.array(numbers, np.int64))]
    with ranks.step():
        for rank, seen in enumerate(every):
            if seen != every[0]:
                other, first = (f"{n[0]} files, {n[1]} bytes" for n in (seen, every[0]))
                problem = f"rank {rank} sees a different corpus from rank 0 ({other}; {first})"
                raise InputError(f"{problem}: give all ranks the same files")


@dataclass(frozen=True)
class _Folder:
    """A directory that all ranks see; `entry` is the cache entry being built, on rank 0 only."""

    path: Path
    entry: NewEntry | None
    warnings: Sequence[str] = ()


def _make_folder(key: str | None, stack: ExitStack) -> _Folder:
    """Makes a folder in the cache or a temporary one; it is removed when `stack` exits."""
    warnings = []
    if key is not None:
        try:
            entry = stack.enter_context(new_entry(key))
            return _Folder(Path(entry.directory), entry)
        except CacheUnavailable as error:
            warnings = [f"the corpus is not cached: {error}"]
    with reporting_full_disk():
        path = tempfile.mkdtemp(prefix="w2v-")
    stack.callback(shutil.rmtree, path, ignore_errors=True)
    return _Folder(Path(path), None, warnings)


@contextmanager
def _shared_folder(key: str | None, ranks: Ranks) -> Iterator[_Folder | None]:
    """Provides a folder made by rank 0 for the duration of the block, or None if some rank cannot
    see it."""
    with ExitStack() as stack:
        folder, token = None, secrets.token_hex()
        with ranks.step():
            if ranks.rank == 0:
                folder = _make_folder(key, stack)
                for name in (token, IDS):
                    (folder.path / name).touch()
        location = ranks.broadcast(None if folder is None else [str(folder.path), token])
        sees = os.path.exists(os.path.join(*location))
        every = ranks.gather(np.array([sees], np.int64))
        if folder is not None:
            (folder.path / token).unlink()
        yield (folder or _Folder(Path(location[0]), None)) if all(map(bool, every)) else None


class _Shards:
    """One rank's part of reading the corpus."""

    def __init__(self, reader: Reader, ranks: Ranks, folder: _Folder) -> None:
        self._reader, self._ranks, self._folder = reader, ranks, folder
        with ranks.step():
            self._pieces = cut_pieces(reader.sources, reader.reading, ranks.size)
        self._own_pieces = self._pieces[ranks.rank :: ranks.size]
        self._sizes: list[int] = []  # number of ids of each of this rank's pieces
        self._notices: list[Notices] = []

    def read(self) -> TokenStore:
        ranks, reader = self._ranks, self._reader
        with ExitStack() as stack:
            with ranks.step(), reporting_full_disk():
                file = stack.enter_context(tempfile.TemporaryFile())
                folder = tempfile.gettempdir()
                builder = TokenStoreBuilder(file, folder, paragraphs=reader.reading.paragraphs)
                self._encode(builder)
                words, counts = builder.merged()
            all_words, all_counts = _summed(words, counts, ranks)
            notices = self._all_notices()
            with ranks.step(), reporting_full_disk():
                vocabulary, ids_of, n_lines = ranked(all_words, all_counts)
                if not len(vocabulary):
                    names = [source.name for source in reader.sources]
                    raise InputError(no_word(names, notices))
                builder.renumber(_ids(words, all_words, ids_of), reader.threads)
            ids = self._assembled(file, int(all_counts.sum()))
        n_words = int(vocabulary.counts.sum())
        warnings = (*self._folder.warnings, *notices.sentences())
        store = TokenStore(ids, vocabulary, n_words, n_lines, warnings)
        with ranks.step():  # the other ranks have the file open, so that it may be renamed
            entry = self._folder.entry
            if entry is not None and (problem := entry.commit(store, reader.sources)):
                more = f"the corpus is not cached: {problem}"
                store = replace(store, warnings=(*warnings, more))
        return store

    def _encode(self, builder: TokenStoreBuilder) -> None:
        for piece in self._own_pieces:
            self._notices.append(Notices())
            chunks = len(builder.sizes)
            self._reader.encode(builder, piece, self._notices[-1])
            self._sizes.append(sum(builder.sizes[chunks:]))
            for source in piece:
                source.check_unchanged()

    def _all_notices(self) -> Notices:
        """Returns the notices of all ranks, in the order of the text."""
        encoded = json.dumps([asdict(each) for each in self._notices]).encode()
        every = [json.loads(each.tobytes()) for each in self._ranks.gather(_bytes(encoded))]
        notices = Notices()
        for i in range(len(self._pieces)):
            notices.add(Notices(**every[i % len(every)][i // len(every)]))
        return notices

    def _assembled(self, file: IO[bytes], length: int) -> np.ndarray:
        """Returns the ids of the whole text, from one file into which every rank writes its own."""
        ranks, path = self._ranks, self._folder.path / IDS
        every = ranks.gather(np.array(self._sizes, np.int64))
        sizes = [every[i % len(every)][i // len(every)] for i in range(len(self._pieces))]
        starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        with ranks.step(), reporting_full_disk(), open(path, "r+b") as target:
            file.seek(0)
            for start, size in zip(starts[ranks.rank :: ranks.size], self._sizes, strict=False):
                target.seek(int(start) * ID_TYPE.itemsize)
                for first in range(0, size, COPIED_IDS):
                    part = min(COPIED_IDS, size - first) * ID_TYPE.itemsize
                    target.write(file.read(part))
        with ranks.step(), open(path, "rb") as target:
            return map_ids(target, length)


@contextmanager
def frugal_arrow() -> Iterator[None]:
    """Makes Arrow use the system allocator: Arrow's own pool keeps 50 to 100 MB of freed memory."""
    import pyarrow  # takes 30 MB, which a cached text does not need

    usual, frugal = pyarrow.default_memory_pool(), pyarrow.system_memory_pool()
    pyarrow.set_memory_pool(frugal)
    try:
        yield
    finally:
        pyarrow.set_memory_pool(usual)


@contextmanager
def reporting_full_disk() -> Iterator[None]:
    """Turns a failure to write the ids into a RunError, where there is no other place to try."""
    try:
        yield
    except (SpoolError, OSError) as error:
        problem = error if isinstance(error, SpoolError) else f"writing the ids failed: {error}"
        remedy = "point TMPDIR or W2V_CACHE_DIR to a disk with more room"
        raise RunError(f"{problem}; {remedy}") from error


def _bytes(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


def _summed(words: pa.Array, counts: np.ndarray, ranks: Ranks) -> tuple[pa.Array, np.ndarray]:
    """Returns the distinct words [d] of all ranks and the sums [d] of their counts. The counts of a
    word are added up by rank (sum of its bytes mod N)."""
    import pyarrow as pa

    present = np.flatnonzero(counts)
    words, counts = words.take(pa.array(present)), counts[present]
    data, lengths = _unpacked(words)
    # reduceat needs non-empty words, which all of them are
    starts = np.cumsum(lengths) - lengths
    owner = np.add.reduceat(data, starts, dtype=np.uint32) % ranks.size if len(words) else starts
    parts = [np.flatnonzero(owner == rank) for rank in range(ranks.size)]
    texts = [_unpacked(words.take(pa.array(part))) for part in parts]
    received = _packed(
        ranks.deal([text for text, _ in texts]), ranks.deal([lengths for _, lengths in texts])
    )
    encoded = received.dictionary_encode()
    sums = np.zeros(len(encoded.dictionary), np.int64)
    addends = np.concatenate(ranks.deal([counts[part] for part in parts]))
    np.add.at(sums, encoded.indices.to_numpy(), addends)
    data, lengths = _unpacked(encoded.dictionary)
    every = _packed(ranks.gather(data), ranks.gather(lengths))
    return every, np.concatenate(ranks.gather(sums))


def _unpacked(words: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Returns the concatenated bytes of the words, and the length of each word."""
    _, offsets, data = words.buffers()
    ends = np.frombuffer(offsets, np.int64)[words.offset : words.offset + len(words) + 1]
    text = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return text[ends[0] : ends[-1]], np.diff(ends)


def _packed(texts: Sequence[np.ndarray], lengths: Sequence[np.ndarray]) -> pa.Array:
    """Returns the words of several results of `_unpacked`, in order."""
    import pyarrow as pa

    ends = np.concatenate([[0], *lengths]).cumsum(dtype=np.int64)
    text = np.concatenate(texts)
    return pa.LargeStringArray.from_buffers(len(ends) - 1, pa.py_buffer(ends), pa.py_buffer(text))


def _ids(words: pa.Array, all_words: pa.Array, ids_of: np.ndarray) -> np.ndarray:
    """Returns the ids of `words`, given the ids `ids_of` of `all_words`. A word that does not occur
    gets an arbitrary id."""
    import pyarrow.compute as pc

    positions = pc.fill_null(pc.index_in(words, value_set=all_words), 0).to_numpy()
    return np.asarray(ids_of[positions])
