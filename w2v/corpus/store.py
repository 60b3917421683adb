"""The token store: a corpus as word ids in a memory-mapped file, and its vocabulary.

While the text is read, the words of each chunk are encoded with the chunk's own dictionary, and the
codes are written out at once. Pending dictionaries are merged when together they are as large as
the merged one, so that merging costs amortized constant time per entry, and memory is bounded by
the number of distinct words. At the end, when the order by count is known, the codes on disk are
replaced by ids in place, chunk by chunk.
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
from w2v.system.limits import MANY_WORD_BYTES, MEAN_WORD_BYTES
from w2v.system.memory import check_free

if TYPE_CHECKING:
    import pyarrow as pa

    from w2v.corpus.tokenizer import EncodedChunk

ID_TYPE = np.dtype(np.int32)
LINE_END_ID = -1
PART_IDS = 1 << 22  # ids processed, and held in memory, at a time
MAPPED_AROUND = 2 << 20  # bytes that reading a single id may map
# Dictionary entries gathered before they are merged: about 20 MB, if the words are short.
MERGE_ENTRIES = 1 << 20
MERGE_BYTES = 64 << 20
# Each chunk counts as this many more entries: the little that is kept of a chunk prevents the rest
# of its memory from being freed.
CHUNK_ENTRIES = 1 << 14
# Memory per distinct word while dictionaries are merged and sorted (measured).
ENTRY_BYTES = 140


@dataclass(eq=False)
class TokenStore:
    """A corpus as `ids`, int32 [n_words + n_lines], memory-mapped: indices into its vocabulary,
    and -1 at every line end (including those of empty lines and a missing final one)."""

    ids: np.ndarray
    vocabulary: Vocabulary  # every word, by count descending, ties by UTF-8 bytes
    n_words: int  # ids >= 0
    n_lines: int  # line ends
    warnings: tuple[str, ...] = ()  # what the user should know about the corpus
    # (path or name, bytes, mtime in ns) of each source when it was read; None for pipes and memory
    sources: tuple[tuple[str, int | None, int | None], ...] = ()
    known_words: int | None = None  # how many of the n_words are in the vocabulary; None: all
    key: str | None = None  # the name of its cache entry; None if it cannot be cached

    def release(self, start: int, stop: int) -> None:
        """Declares that ids start … stop - 1 are not needed soon, see `release_pages`."""
        release_pages(self.ids, start, stop)

    def close(self) -> None:
        """Drops the ids; a temporary file of ids vanishes with the last view of them."""
        self.ids = np.empty(0, dtype=ID_TYPE)

    def __enter__(self) -> TokenStore:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def release_pages(ids: np.ndarray, start: int, stop: int) -> None:
    """Releases the pages of memory-mapped ids, or rows, start … stop - 1, so that they no longer
    count as this process's memory.

    Reading one id may map all cached pages around it, up to 2 MiB. The pages before `start`, which
    may have been mapped again after their release, are therefore released as well. Pages that are
    still needed are mapped again from the page cache, without reading the disk.
    """
    mapping = getattr(ids, "_mmap", None)
    if mapping is None or not hasattr(mmap, "MADV_DONTNEED"):
        return
    item_bytes = ids[:1].nbytes
    first = max(0, start * item_bytes - MAPPED_AROUND) // mmap.PAGESIZE * mmap.PAGESIZE
    last = min(stop * item_bytes, len(mapping))
    if last > first:
        mapping.madvise(mmap.MADV_DONTNEED, first, last - first)


def id_parts(ids: np.ndarray) -> Iterator[np.ndarray]:
    """Yields all ids, PART_IDS at a time, and releases the pages of each part after its use."""
    for start in range(0, len(ids), PART_IDS):
        part = np.ascontiguousarray(ids[start : start + PART_IDS])
        yield part
        release_pages(ids, start, start + len(part))


def ids_checksum(ids: np.ndarray, start: int = 0) -> int:
    """Returns the CRC-32 of the ids; `start` is the CRC-32 of the data before them. It detects
    accidental damage, not an attack."""
    for part in id_parts(ids):
        start = zlib.crc32(part.data, start)
    return start


class SpoolError(Exception):
    """Raised when the ids cannot be written to `folder`. The reader then tries another folder."""

    def __init__(self, folder: str, error: OSError) -> None:
        super().__init__(f"cannot write the word ids to {folder}: {error.strerror or error}")


class TokenStoreBuilder:
    """Builds a TokenStore from encoded chunks, added in corpus order. `file`, in `folder`, must be
    empty and open for reading and writing. With `paragraphs`, only a blank line ends a sentence."""

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
        """Appends the chunk's words to the corpus. Raises SpoolError if the disk is full, and
        InputError if the words are so many and so long that the text cannot be plain text."""
        codes, counts = chunk.codes, chunk.counts
        if not len(chunk.words):  # only punctuation; Arrow would drop the empty dictionary
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
        """Returns the chunk's codes and counts after dropping all line ends except the second one
        after a word, which ends a paragraph."""
        import pyarrow.compute as pc

        from w2v.corpus.tokenizer import LINE_END

        code = pc.index(chunk.words, LINE_END).as_py()
        if code < 0 or not len(chunk.codes):
            self._ends = 0 if len(chunk.codes) else self._ends
            return chunk.codes, chunk.counts
        is_end, positions = chunk.codes == code, np.arange(len(chunk.codes))
        word_before = np.maximum.accumulate(np.where(is_end, -1 - self._ends, positions))
        since = positions - word_before
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
        """Adds the pending dictionaries to the merged one, whose codes do not change, and writes
        the mappings from their codes to those of the merged one to the file of mappings."""
        import pyarrow as pa

        entries, remedy = len(self._counts) + self._pending_entries, "remove what are not words"
        task = f"reading up to {entries:,} distinct words so far"
        check_free(task, entries * ENTRY_BYTES, f"read less text at once, or {remedy}")
        # 64-bit offsets: the distinct words may exceed 2 GiB.
        earlier = [] if self._words is None else [self._words]
        chunks = earlier + [words.cast(pa.large_string()) for words, _ in self._pending]
        merged = pa.chunked_array(chunks, type=pa.large_string()).dictionary_encode()
        self._words = merged.chunk(merged.num_chunks - 1).dictionary
        counts = np.zeros(len(self._words), dtype=np.int64)
        counts[: len(self._counts)] = self._counts
        added = merged.chunks[len(earlier) :]
        for encoded, (_, additional) in zip(added, self._pending, strict=True):
            mapping = encoded.indices.to_numpy()
            np.add.at(counts, mapping, additional)
            self._write(self._mappings, mapping)
            self._mapping_sizes.append(len(mapping))
        self._counts = counts
        self._pending = []
        self._pending_entries = self._pending_bytes = 0
        size, distinct = self._words.nbytes, len(self._words)
        if size > MANY_WORD_BYTES and size > MEAN_WORD_BYTES * distinct:
            many = f"{distinct:,} distinct words of {size // distinct:,} bytes on average so far"
            remedy = "is it plain text? Words are separated by whitespace"
            raise InputError(f"the corpus has {many}: {remedy}")

    def merged(self) -> tuple[pa.Array, np.ndarray]:
        """Returns the distinct elements of all chunks, including the line end, and their counts; 0
        for elements that do not occur. Raises SpoolError if the disk is full."""
        import pyarrow as pa

        if self._pending:
            self._merge()
        words, self._words = self._words, None
        return pa.array([], pa.large_string()) if words is None else words, self._counts

    def finish(self, threads: int, warnings: Iterable[str] = ()) -> TokenStore | None:
        """Returns the finished store over the file, or None if there were no words. Raises
        SpoolError if the disk is full."""
        vocabulary, ids_of, n_lines = ranked(*self.merged())
        n_words = int(vocabulary.counts.sum())
        if n_words == 0:
            return None
        self.renumber(ids_of, threads)
        ids = map_ids(self._file, n_words + n_lines)
        return TokenStore(ids, vocabulary, n_words, n_lines, (*warnings,))

    def renumber(self, ids_of: np.ndarray, threads: int) -> None:
        """Replaces codes by ids in place: ids = ids_of[mapping of the chunk][codes]. Raises
        SpoolError if the disk is full."""
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
        raise OSError("the file of ids was truncated by another process")
    return np.frombuffer(data, ID_TYPE)


def _overwrite(file: IO[bytes], start: int, values: np.ndarray) -> None:
    view = values.data.cast("B")
    offset = int(start) * ID_TYPE.itemsize
    while len(view):
        size = os.pwrite(file.fileno(), view, offset)
        view, offset = view[size:], offset + size


def ranked(words: pa.Array, counts: np.ndarray) -> tuple[Vocabulary, np.ndarray, int]:
    """Sorts words by count. Returns the vocabulary, the id of every code (int32, -1 for the line
    end), and the number of lines."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from w2v.corpus.tokenizer import LINE_END

    # Arrow compares strings by their bytes.
    table = pa.table({"word": words, "count": counts})
    keys = [("count", "descending"), ("word", "ascending")]
    order = pc.sort_indices(table, sort_keys=keys).to_numpy()
    line_end = pc.index(words, LINE_END).as_py()
    n_lines = int(counts[line_end]) if line_end >= 0 else 0
    # Keep only words: neither the line end nor elements that do not occur, such as "".
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
