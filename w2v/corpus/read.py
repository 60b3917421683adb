"""Makes a TokenStore of a corpus: of files, from the cache or by reading them once, or from memory.

The calling thread reads and decompresses, a pool of threads splits, encodes and counts the chunks,
and the results are added in corpus order; so the outcome does not depend on the number of threads.
What cannot be read twice (standard input, FIFOs, generators) needs no copy of its text either: the
ids are that copy.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import IO, TYPE_CHECKING

from w2v.corpus.cache import CacheUnavailable, entry_key, load_entry, new_entry, size_cap
from w2v.corpus.chunks import read_chunks
from w2v.corpus.memory import Encode, encoders
from w2v.corpus.reading import Notices, Reading, counted, no_word
from w2v.corpus.shards import Ranks, read_together, told_when_full
from w2v.corpus.sources import Advance, Source, resolve_sources
from w2v.corpus.store import SpoolError, TokenStore, TokenStoreBuilder
from w2v.errors import InputError
from w2v.system.cores import available_cores

if TYPE_CHECKING:
    from w2v.corpus.tokenizer import EncodedChunk
    from w2v.settings.groups import CorpusSettings

Progress = Callable[[int, int | None], None]

# Measured: 2 to 4 MiB are quickest (a chunk's dictionary stays in the cache); each one in flight
# takes some 15 MB.
CHUNK_BYTES = 2 << 20


def read_corpus(
    corpus: Sequence[str],
    settings: CorpusSettings,
    *,
    use_cache: bool = True,
    progress: Progress | None = None,
    threads: int | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    ranks: Ranks | None = None,
) -> TokenStore:
    """Returns the ids, vocabulary and counts of a corpus of files.

    Args:
        corpus: files, folders, globs and `-`, see `resolve_sources`.
        use_cache: whether the cache is looked into and keeps the corpus; else the ids live in a
            nameless temporary file.
        progress: called with the bytes read so far and in all (None when a pipe is among the
            sources).
        threads: threads that split text; None: as many as this process may use.
        chunk_bytes: text worked on at a time, per thread.
        ranks: the processes that read it together, if there are several.

    Raises:
        InputError: nothing can be read, or a file is unreadable, no text or damaged.
        RunError: a file changed while it was read, a device failed, or the temporary disk is full.
    """
    with nullcontext() if ranks is None else ranks.step():
        sources, warnings = resolve_sources(corpus, settings.column)
        reading = Reading.of(settings)
    lasting = all(source.lasting for source in sources)
    sizes = [source.size for source in sources]
    total = None if None in sizes else sum(filter(None, sizes))

    advance = _counting(progress, total)

    def encoders(sources: Sequence[Source], notices: Notices) -> Iterator[Encode]:
        from w2v.corpus.tokenizer import encode_chunk  # imports pyarrow

        for chunk in read_chunks(sources, reading, chunk_bytes, advance, notices):
            yield partial(encode_chunk, chunk, reading)

    reader = Reader(encoders, reading, threads or available_cores(), sources)
    key = entry_key(sources, reading) if lasting else None
    cached = key if use_cache and size_cap() > 0 else None
    if ranks is not None:
        with _frugal_arrow():
            store = read_together(reader, cached, ranks)
    else:
        store = reader.read_alone(cached)
    described = ((source.path or source.name, source.size, source.mtime_ns) for source in sources)
    told = (*warnings, *store.warnings)  # the cache holds only those about the text
    store = replace(store, key=key, sources=tuple(described), warnings=told)
    with nullcontext() if ranks is None else ranks.step():
        return with_phrases(store, settings)


def read_cached(key: str, settings: CorpusSettings) -> TokenStore | None:
    """Returns the text that the cache holds under `key`, or None."""
    store = load_entry(key)
    return None if store is None else with_phrases(store, settings)


def with_phrases(store: TokenStore, settings: CorpusSettings) -> TokenStore:
    """Returns the text with the phrases of a file joined, if the settings name one. Raises
    InputError if it is no such file, RunError if the disk for temporary files is full."""
    if settings.phrases is None:
        return store
    from w2v.corpus.joining import joined  # only needed here
    from w2v.corpus.phrases import Phrases

    for mapping in Phrases.load(settings.phrases).passes:
        store = joined(store, mapping)
    return store


def read_memory(
    corpus: object,
    settings: CorpusSettings,
    *,
    column: str | None = None,
    progress: Progress | None = None,
    threads: int | None = None,
    chunk_bytes: int = CHUNK_BYTES,
) -> TokenStore:
    """Returns what `read_corpus` would for a file with the same lines, of a corpus from memory,
    which is read once and not cached.

    Args:
        corpus: an iterable, such as a generator, of lines of text (a string with line breaks is
            several lines), of lists of tokens (taken as they are, but for `lowercase`) or of lists
            of integers (their words are their digits); or a column of pandas, Polars, Arrow or
            `datasets` of such values, whose missing values are skipped; or a table of one of these.
        column: which column of a table; None: that of the settings, else "text".
    """
    column = settings.column if column is None else column
    reading, advance = Reading.of(settings), _counting(progress, None)

    def work(sources: Sequence[Source], notices: Notices) -> Iterator[Encode]:
        return encoders(corpus, column, reading, chunk_bytes, advance, notices)

    store = Reader(work, reading, threads or available_cores()).read_alone(None)
    name = f"{type(corpus).__name__} of {counted(store.n_lines, 'line')}"
    return with_phrases(replace(store, sources=((name, None, None),)), settings)


def _counting(progress: Progress | None, total: int | None) -> Advance:
    """Returns a function that adds up the bytes that were read and reports them."""
    done = 0

    def advance(size: int) -> None:
        nonlocal done
        done += size
        if progress is not None:
            progress(done, total)

    return advance


@contextmanager
def _frugal_arrow() -> Iterator[None]:
    """Takes Arrow's memory from the system. Its own pool keeps what was freed, 50 to 100 MB."""
    import pyarrow

    usual, frugal = pyarrow.default_memory_pool(), pyarrow.system_memory_pool()
    pyarrow.set_memory_pool(frugal)
    try:
        yield
    finally:
        pyarrow.set_memory_pool(usual)


@dataclass
class Reader:
    """Reads a corpus into a file of ids, and files again when the first place was too small."""

    # what remains to be done of some sources, a chunk at a time
    encoders: Callable[[Sequence[Source], Notices], Iterator[Encode]]
    reading: Reading
    threads: int
    sources: Sequence[Source] = ()  # files; none for text from memory
    warnings: list[str] = field(default_factory=list)

    def read_alone(self, key: str | None) -> TokenStore:
        """Returns the store, with a key from the cache or so that the cache keeps it."""
        if key is not None:
            if (store := load_entry(key)) is not None:
                return store
            try:
                with new_entry(key) as entry:
                    store = self.read(entry.file, str(entry.directory))
                    if problem := entry.commit(store, self.sources):
                        warnings = (*store.warnings, f"the corpus is not cached: {problem}")
                        return replace(store, warnings=warnings)
                    return store
            except (CacheUnavailable, SpoolError) as error:
                self.warnings.append(f"the corpus is not cached: {error}")
        # the store's memory map holds it open; without a name nobody can leave it behind
        with told_when_full(), tempfile.TemporaryFile() as file:
            return self.read(file, tempfile.gettempdir())

    @_frugal_arrow()
    def read(self, file: IO[bytes], folder: str) -> TokenStore:
        """Returns the store over `file`, an empty file in `folder`."""
        notices = Notices()
        builder = TokenStoreBuilder(file, folder, paragraphs=self.reading.paragraphs)
        self.encode(builder, self.sources, notices)
        for source in self.sources:
            source.check_unchanged()
        store = builder.finish(self.threads, [*self.warnings, *notices.sentences()])
        if store is None:
            raise InputError(no_word([source.name for source in self.sources], notices))
        return store

    def encode(
        self, builder: TokenStoreBuilder, sources: Sequence[Source], notices: Notices
    ) -> None:
        """Adds the text of the sources to `builder`, and what is met in it to `notices`."""

        def add(chunk: EncodedChunk) -> None:
            builder.add(chunk)
            notices.invalid += chunk.invalid
            notices.nul += chunk.nul

        waiting: deque[Future[EncodedChunk]] = deque()
        with ThreadPoolExecutor(self.threads) as pool:
            try:
                for encode in self.encoders(sources, notices):
                    waiting.append(pool.submit(encode))
                    # One chunk waits beside those worked on: no thread idles, and memory stays
                    # bounded.
                    while len(waiting) > self.threads + 1:
                        add(waiting.popleft().result())
                while waiting:
                    add(waiting.popleft().result())
            finally:
                pool.shutdown(cancel_futures=True)
