"""The token store: a corpus as word ids in a memory-mapped file, and its vocabulary.

While the text is read, each chunk's words get the codes of the chunk's own dictionary, which are
written out at once. The dictionaries are merged when they have grown as large as the merged one: so
merging costs a constant per word of a chunk's dictionary, and memory is bounded by the distinct
words of the corpus. At the end, when the order by count is known, the codes on disk are replaced by
ids in place, chunk by chunk.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import numpy as np

from w2v.corpus.vocabulary import PackedWords, Vocabulary
from w2v.errors import InputError
from w2v.system.memory import check_free

if TYPE_CHECKING:
    import pyarrow as pa

    from w2v.corpus.tokenizer import EncodedChunk

ID_TYPE = np.dtype(np.int32)
LINE_END_ID = -1
PART_IDS = 1 << 22  # looked at, and held in memory, at a time
MAPPED_AROUND = 2 << 20  # bytes that reading a single id may map
# Dictionary entries gathered before they are merged: some 20 MB, if the words are short.
MERGE_ENTRIES = 1 << 20
MERGE_BYTES = 64 << 20
# Each chunk counts as so many more: what little is kept of it hinders the rest from being freed.
CHUNK_ENTRIES = 1 << 14
# Distinct words that are longer than this on average, and more bytes in all, are no words.
LONG_BYTES, LONG_ON_AVERAGE = 64 << 20, 256
# What a distinct word takes while dictionaries are merged and sorted (measured).
ENTRY_BYTES = 140


@dataclass(eq=False)
class TokenStore:
    """A corpus as `ids`, int32 [n_words + n_lines], memory-mapped: places in the full vocabulary,
    and -1 at every line end (empty lines keep theirs, a missing final newline counts as one)."""

    ids: np.ndarray
    vocabulary: Vocabulary  # every word, by count descending, ties by UTF-8 bytes
    n_words: int  # ids >= 0
    n_lines: int  # line ends
    warnings: tuple[str, ...] = ()  # what the user should know about the corpus
    # (path or name, bytes, time in ns) of what was read, as it was; None where it does not last
    sources: tuple[tuple[str, int | None, int | None], ...] = ()
    known_words: int | None = None  # of the n_words: in the vocabulary; None: all of them
    key: str | None = None  # its name in the cache; None for what does not last

    def release(self, start: int, stop: int) -> None:
        """Says that ids start … stop - 1 are not needed soon, see `release_pages`."""
        release_pages(self.ids, start, stop)

    def close(self) -> None:
        """Lets go of the ids. Their file, where it is a temporary one, is gone with the last view
        of them."""
        self.ids = np.empty(0, dtype=ID_TYPE)

    def __enter__(self) -> TokenStore:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def release_pages(ids: np.ndarray, start: int, stop: int) -> None:
    """Makes pages of memory-mapped ids, or rows, start … stop - 1 stop counting as this process's
    memory.

    Reading one id maps all pages around it that the system has at hand, up to 2 MiB: those before
    `start`, mapped again after they had been given back, go as well. Who still needs them gets them
    back without reading the disk.
    """
    mapping = getattr(ids, "_mmap", None)
    if mapping is None or not hasattr(mmap, "MADV_DONTNEED"):
        return
    each = ids[:1].nbytes
    first = max(0, start * each - MAPPED_AROUND) // mmap.PAGESIZE * mmap.PAGESIZE
    last = min(stop * each, len(mapping))
    if last > first:
        mapping.madvise(mmap.MADV_DONTNEED, first, last - first)


def id_parts(ids: np.ndarray) -> Iterator[np.ndarray]:
    """Yields all of the ids, some millions at a time, and gives back the pages of those passed."""
    for start in range(0, len(ids), PART_IDS):
        part = np.ascontiguousarray(ids[start : start + PART_IDS])
        yield part
        release_pages(ids, start, start + len(part))


def ids_checksum(ids: np.ndarray, start: int = 0) -> int:
    """Returns the CRC-32 of the ids, `start` being that of what comes before them. It finds what a
    disk or another program damaged, not an attack."""
    for part in id_parts(ids):
        start = zlib.crc32(part.data, start)
    return start


class SpoolError(Exception):
    """Says that the ids could not be written to `folder`, and why. `read_corpus` catches it, which
    knows another place."""

    def __init__(self, folder: str, error: OSError) -> None:
        super().__init__(f"cannot write the corpus' ids to {folder}: {error.strerror or error}")


class TokenStoreBuilder:
    """Gathers encoded chunks in corpus order into `file`, which is empty, open for reading and
    writing, and lies in `folder`, and turns them into a TokenStore. With `paragraphs` only lines
    without words end what is before them."""

    def __init__(
        self,
        file: IO[bytes],
        folder: str,
        merge_entries: int = MERGE_ENTRIES,
        *,
        paragraphs: bool = False,
    ) -> None:
        self._file, self._folder, self._merge_entries = file, folder, merge_entries
        self._paragraphs = paragraphs
        self._ends = 2  # line ends since the last word
        try:
            self._mappings = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        except OSError as error:
            raise SpoolError(folder, error) from error
        self.sizes: list[int] = []  # codes of each chunk
        self._mapping_sizes: list[int] = []
        self._words: pa.Array | None = None
        self._counts = np.zeros(0, dtype=np.int64)
        self._pending: list[tuple[pa.Array, np.ndarray]] = []
        self._pending_entries = self._pending_bytes = 0

    def add(self, chunk: EncodedChunk) -> None:
        """Appends the chunk's words to the corpus. Raises SpoolError when the disk is full, and
        InputError when the words are so many and so long that they can be none."""
        codes, counts = chunk.codes, chunk.counts
        if not len(chunk.words):  # nothing but punctuation; Arrow would lose the empty dictionary
            return
        if self._paragraphs:
            codes, counts = self._joined(chunk)
        self._write(self._file, codes)
        self.sizes.append(len(codes))
        self._pending.append((chunk.words, counts))
        self._pending_entries += len(chunk.words)
        self._pending_bytes += chunk.words.nbytes
        merged_bytes = 0 if self._words is None else self._words.nbytes
        many = self._pending_entries + CHUNK_ENTRIES * len(self._pending)
        if many >= max(self._merge_entries, len(self._counts)) or self._pending_bytes >= max(
            MERGE_BYTES, merged_bytes
        ):
            self._merge()

    def _joined(self, chunk: EncodedChunk) -> tuple[np.ndarray, np.ndarray]:
        """Returns the chunk's codes, of whose line ends only every second one behind a word stays,
        and their counts."""
        import pyarrow.compute as pc

        from w2v.corpus.tokenizer import LINE_END

        code = pc.index(chunk.words, LINE_END).as_py()
        if code < 0 or not len(chunk.codes):
            self._ends = 0 if len(chunk.codes) else self._ends
            return chunk.codes, chunk.counts
        is_end, places = chunk.codes == code, np.arange(len(chunk.codes))
        word_before = np.maximum.accumulate(np.where(is_end, -1 - self._ends, places))
        since = places - word_before
        self._ends = min(3, int(since[-1]))
        codes, counts = chunk.codes[~is_end | (since == 2)], chunk.counts.copy()
        counts[code] = np.count_nonzero(is_end & (since == 2))
        return codes, counts

    def _write(self, file: IO[bytes], values: np.ndarray) -> None:
        try:
            file.write(np.ascontiguousarray(values, dtype=ID_TYPE).data)
        except OSError as error:
            raise SpoolError(self._folder, error) from error

    def _merge(self) -> None:
        """Adds the pending dictionaries to the merged one, whose codes stay, and writes their
        mappings into it."""
        import pyarrow as pa

        entries, remedy = len(self._counts) + self._pending_entries, "clean it of what are no words"
        told = f"reading up to {entries:,} distinct words so far"
        check_free(told, entries * ENTRY_BYTES, f"read less text at once, or {remedy}")
        # 64-bit offsets: the distinct words may exceed 2 GiB.
        known = [] if self._words is None else [self._words]
        chunks = known + [words.cast(pa.large_string()) for words, _ in self._pending]
        merged = pa.chunked_array(chunks, type=pa.large_string()).dictionary_encode()
        self._words = merged.chunk(merged.num_chunks - 1).dictionary
        counts = np.zeros(len(self._words), dtype=np.int64)
        counts[: len(self._counts)] = self._counts
        added = merged.chunks[len(known) :]
        for encoded, (_, additional) in zip(added, self._pending, strict=True):
            mapping = encoded.indices.to_numpy()
            np.add.at(counts, mapping, additional)
            self._write(self._mappings, mapping)
            self._mapping_sizes.append(len(mapping))
        self._counts = counts
        self._pending = []
        self._pending_entries = self._pending_bytes = 0
        size, distinct = self._words.nbytes, len(self._words)
        if size > LONG_BYTES and size > LONG_ON_AVERAGE * distinct:
            many = f"{distinct:,} distinct words of {size // distinct:,} bytes on average so far"
            remedy = "is it plain text? Words stand between whitespace"
            raise InputError(f"the corpus has {many}: {remedy}")

    def merged(self) -> tuple[pa.Array, np.ndarray]:
        """Returns the distinct words of all chunks, the line end among them, and their counts, 0
        for what is no word. Raises SpoolError when the disk is full."""
        import pyarrow as pa

        if self._pending:
            self._merge()
        words, self._words = self._words, None
        return pa.array([], pa.large_string()) if words is None else words, self._counts

    def finish(self, threads: int, warnings: Iterable[str] = ()) -> TokenStore | None:
        """Returns the finished store over the file, or None when there was no word. Raises
        SpoolError when the disk is full."""
        vocabulary, ids_of, n_lines = ranked(*self.merged())
        n_words = int(vocabulary.counts.sum())
        if n_words == 0:
            return None
        self.renumber(ids_of, threads)
        ids = map_ids(self._file, n_words + n_lines)
        return TokenStore(ids, vocabulary, n_words, n_lines, (*warnings,))

    def renumber(self, ids_of: np.ndarray, threads: int) -> None:
        """Replaces codes by ids in place: ids = ids_of[mapping of the chunk][codes]. Raises
        SpoolError when the disk is full."""
        try:
            self._renumber(ids_of, threads)
        except OSError as error:
            raise SpoolError(self._folder, error) from error
        finally:
            self._mappings.close()

    def _renumber(self, ids_of: np.ndarray, threads: int) -> None:
        self._file.flush()
        self._mappings.flush()
        code_starts = np.concatenate([[0], np.cumsum(self.sizes, dtype=np.int64)])
        mapping_starts = np.concatenate([[0], np.cumsum(self._mapping_sizes, dtype=np.int64)])

        def renumber(chunk: int) -> None:
            mapping = _read(self._mappings, mapping_starts[chunk], mapping_starts[chunk + 1])
            codes = _read(self._file, code_starts[chunk], code_starts[chunk + 1])
            _overwrite(self._file, code_starts[chunk], ids_of[mapping][codes])

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(renumber, range(len(self.sizes))))


def _read(file: IO[bytes], start: int, stop: int) -> np.ndarray:
    size = int(stop - start) * ID_TYPE.itemsize
    data = os.pread(file.fileno(), size, int(start) * ID_TYPE.itemsize)
    if len(data) < size:
        raise OSError("the file of ids was cut short by another process")
    return np.frombuffer(data, ID_TYPE)


def _overwrite(file: IO[bytes], start: int, values: np.ndarray) -> None:
    view = values.data.cast("B")
    place = int(start) * ID_TYPE.itemsize
    while len(view):
        size = os.pwrite(file.fileno(), view, place)
        view, place = view[size:], place + size


def ranked(words: pa.Array, counts: np.ndarray) -> tuple[Vocabulary, np.ndarray, int]:
    """Returns the vocabulary, the id of every code (int32, -1 for the line end), and the number of
    lines."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from w2v.corpus.tokenizer import LINE_END

    # Arrow compares strings by their bytes.
    table = pa.table({"word": words, "count": counts})
    keys = [("count", "descending"), ("word", "ascending")]
    order = pc.sort_indices(table, sort_keys=keys).to_numpy()
    line_end = pc.index(words, LINE_END).as_py()
    n_lines = int(counts[line_end]) if line_end >= 0 else 0
    # Left over are the words: not the line end, nor "", which no code stands for.
    order = order[(order != line_end) & (counts[order] > 0)]
    ranks = np.full(len(words), LINE_END_ID, dtype=ID_TYPE)
    ranks[order] = np.arange(len(order), dtype=ID_TYPE)
    sorted_words = words.take(pa.array(order))
    return Vocabulary(_packed(sorted_words), counts[order]), ranks, n_lines


def _packed(words: pa.Array) -> PackedWords:
    import pyarrow as pa
    import pyarrow.compute as pc

    newline = pa.scalar("\n", pa.large_string())
    ended = pc.binary_join_element_wise(words, pa.scalar("", pa.large_string()), newline)
    offsets = np.frombuffer(ended.buffers()[1], dtype=np.int64)[: len(ended) + 1]
    text = ended.buffers()[2].slice(0, int(offsets[-1])).to_pybytes() if len(ended) else b""
    return PackedWords(text, offsets.copy())


def map_ids(file: IO[bytes], size: int) -> np.ndarray:
    """Returns the file's first `size` ids, memory-mapped for reading."""
    return np.memmap(file, dtype=ID_TYPE, mode="r", shape=(size,))
