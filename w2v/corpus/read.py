"""Builds a TokenStore from files (or from the cache, if they have been read before) or from memory.

The calling thread reads and decompresses, a thread pool splits, encodes and counts the chunks, and
the results are added in corpus order, so that they do not depend on the number of threads. Sources
that cannot be read twice (standard input, FIFOs, generators) need no copy of their text: all later
passes use the ids.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import IO, TYPE_CHECKING

from w2v.corpus.cache import CacheUnavailable, entry_key, load_entry, new_entry, size_cap
from w2v.corpus.chunks import read_chunks
from w2v.corpus.memory import Encode, encoders
from w2v.corpus.reading import Notices, Reading, counted, no_word
from w2v.corpus.shards import Ranks, frugal_arrow, read_together, reporting_full_disk
from w2v.corpus.sources import Advance, Source, resolve_sources
from w2v.corpus.store import SpoolError, TokenStore, TokenStoreBuilder
from w2v.errors import InputError
from w2v.system.cores import available_cores

if TYPE_CHECKING:
    from w2v.corpus.tokenizer import EncodedChunk
    from w2v.settings.groups import CorpusSettings

Progress = Callable[[int, int | None], None]

# Measured: 2 to 4 MiB are fastest (a chunk's dictionary fits the CPU cache); each chunk in flight
# takes about 15 MB.
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
        use_cache: whether to look the corpus up in the cache and to store it there; if not, the ids
            are kept in an unnamed temporary file.
        progress: called with the bytes read so far and the total (None if a source is a pipe).
        threads: number of threads that split text; None: as many as this process may use.
        chunk_bytes: size of the pieces of text that a thread works on.
        ranks: the processes that read the corpus together, if there are several.

    Raises:
        InputError: the corpus has no words, or a file is unreadable, damaged or not text.
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
        store = read_together(reader, cached, ranks)
    else:
        store = reader.read_alone(cached)
    described = ((source.path or source.name, source.size, source.mtime_ns) for source in sources)
    warned = (*warnings, *store.warnings)  # the cache keeps only warnings about the text itself
    store = replace(store, key=key, sources=tuple(described), warnings=warned)
    with nullcontext() if ranks is None else ranks.step():
        return with_phrases(_with_share_of_unknown(store, reading), settings)


def read_cached(key: str, settings: CorpusSettings) -> TokenStore | None:
    """Returns the text cached under `key`, with phrases joined as the settings say, or None."""
    store = load_entry(key)
    return None if store is None else with_phrases(store, settings)


def with_phrases(store: TokenStore, settings: CorpusSettings) -> TokenStore:
    """Returns the text with the phrases of `settings.phrases`, if any, joined. Raises InputError if
    that is not a phrase file, RunError if the disk for temporary files is full."""
    if settings.phrases is None:
        return store
    from w2v.corpus.joining import joined  # only needed here
    from w2v.corpus.phrase_file import Phrases

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
    """Reads a corpus from memory, once and without the cache. Returns what `read_corpus` would for
    a file with the same lines.

    Args:
        corpus: an iterable, such as a generator, of lines of text (a string with line breaks is
            several lines), of lists of tokens (used unchanged, except for `lowercase`) or of lists
            of integers (which become the words of their digits); or a column of such values from
            pandas, Polars, Arrow or `datasets`, whose missing values are skipped; or a table.
        column: the column of a table to read; None: the one in the settings, else "text".
    """
    column = settings.column if column is None else column
    reading, advance = Reading.of(settings), _counting(progress, None)

    def work(sources: Sequence[Source], notices: Notices) -> Iterator[Encode]:
        return encoders(corpus, column, reading, chunk_bytes, advance, notices)

    store = Reader(work, reading, threads or available_cores()).read_alone(None)
    name = f"{type(corpus).__name__} of {counted(store.n_lines, 'line')}"
    store = replace(store, sources=((name, None, None),))
    return with_phrases(_with_share_of_unknown(store, reading), settings)


def _with_share_of_unknown(store: TokenStore, reading: Reading) -> TokenStore:
    """Adds a warning if a tokenizer file has replaced parts of the text by its unknown token."""
    if reading.cutter is None or (unknown := reading.cutter.unknown) is None:
        return store
    if (index := store.vocabulary.index(unknown)) is None:
        return store
    count = int(store.vocabulary.counts[index])
    share = (
        f"{100 * count / store.n_words:.2g} % of the text, {count:,} of {store.n_words:,} tokens"
    )
    why = f"are {unknown}, which stands for what `tokenizer` {reading.cutter.path} does not know"
    meaning = "to language models it is <unk>, otherwise a word"
    return replace(store, warnings=(*store.warnings, f"{share}, {why}; {meaning}"))


def _counting(progress: Progress | None, total: int | None) -> Advance:
    """Returns a function that adds up the bytes read and reports the sum to `progress`."""
    n_read = 0

    def advance(size: int) -> None:
        nonlocal n_read
        n_read += size
        if progress is not None:
            progress(n_read, total)

    return advance


@dataclass
class Reader:
    """Reads a corpus into a file of ids: in the cache or, if it fails there, a temporary file."""

    # yields for each chunk of the given sources a function that encodes it
    encoders: Callable[[Sequence[Source], Notices], Iterator[Encode]]
    reading: Reading
    threads: int
    sources: Sequence[Source] = ()  # empty for text from memory
    warnings: list[str] = field(default_factory=list)

    def read_alone(self, key: str | None) -> TokenStore:
        """Reads the corpus in one process; with a `key`, from the cache, or adding it there."""
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
        # The store's memory map keeps the file open; without a name it cannot be left behind.
        with reporting_full_disk(), tempfile.TemporaryFile() as file:
            return self.read(file, tempfile.gettempdir())

    @frugal_arrow()
    def read(self, file: IO[bytes], folder: str) -> TokenStore:
        """Reads the corpus into `file`, an empty file in `folder`, and returns the store."""
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
        """Adds the text of the sources to `builder`, and what was skipped or replaced in it to
        `notices`."""

        def add(chunk: EncodedChunk) -> None:
            builder.add(chunk)
            notices.invalid += chunk.invalid
            notices.nul += chunk.nul

        waiting: deque[Future[EncodedChunk]] = deque()
        with ThreadPoolExecutor(self.threads) as pool:
            try:
                for encode in self.encoders(sources, notices):
                    waiting.append(pool.submit(encode))
                    # One more chunk than threads: no thread idles, and memory stays bounded.
                    while len(waiting) > self.threads + 1:
                        add(waiting.popleft().result())
                while waiting:
                    add(waiting.popleft().result())
            finally:
                pool.shutdown(cancel_futures=True)
