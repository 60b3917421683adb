"""The texts of a run: the corpus and the validation text."""

from __future__ import annotations

from dataclasses import replace

from w2v.corpus import TokenStore, Vocabulary, read_corpus
from w2v.corpus.hub import pinned
from w2v.corpus.read import read_memory
from w2v.corpus.renumber import renumbered
from w2v.corpus.selection import listed_vocabulary, lost_text, select_vocabulary
from w2v.errors import InputError
from w2v.settings.config import IN_MEMORY, Config
from w2v.training.task import Context


def pinned_config(config: Config) -> Config:
    """Returns the configuration with the current commit added to texts on the hub. Raises
    InputError if a text does not exist, RunError if the hub cannot be reached."""
    entries, valid = config.corpus.corpus, config.validation.valid
    corpus = replace(config.corpus, corpus=tuple(map(pinned, entries)))
    validation = replace(config.validation, valid=None if valid is None else pinned(valid))
    return replace(config, corpus=corpus, validation=validation)


def read_text(context: Context) -> TokenStore:
    """Returns the corpus that the context names or contains."""
    settings, progress, cached = context.config.corpus, context.reporter.reading, context.use_cache
    if context.store is not None:
        store = context.store
    elif context.lines is not None:
        store = read_memory(context.lines, settings, column=settings.column, progress=progress)
    elif IN_MEMORY in settings.corpus:
        raise InputError(f"the corpus {IN_MEMORY} came from a program: pass it again as `corpus`")
    else:
        store = read_corpus(settings.corpus, settings, use_cache=cached, progress=progress)
    for warning in store.warnings:
        context.reporter.warn(warning)
    return store


def read_together(context: Context) -> TokenStore | None:
    """Returns the corpus, which all ranks read together, or None for a single rank or a text in
    memory. Collective: all ranks must call it."""
    settings, world, lines = context.config.corpus, context.world, context.lines
    if world.size == 1 or lines is not None or IN_MEMORY in settings.corpus:
        return None
    cached, progress, names = context.use_cache, context.reporter.reading, settings.corpus
    return read_corpus(names, settings, use_cache=cached, progress=progress, ranks=world)


def words_to_train(context: Context, store: TokenStore) -> tuple[TokenStore, Vocabulary]:
    """Returns the text, and the words that `min_count` and `max_vocab` leave or `vocab` lists.
    Warns if much of the text is lost; closes the store if too few words are left."""
    try:
        return _words_to_train(context, store)
    except InputError:
        store.close()
        raise


def keeping_all_words(context: Context) -> Context:
    """Returns the context with settings that leave out no word, for runs whose vocabulary does not
    depend on them."""
    corpus = replace(context.config.corpus, min_count=1, max_vocab=0)
    return replace(context, config=replace(context.config, corpus=corpus))


def _words_to_train(context: Context, store: TokenStore) -> tuple[TokenStore, Vocabulary]:
    full, settings = store.vocabulary, context.config.corpus
    if settings.vocab is not None:
        listed, note = listed_vocabulary(settings.vocab, full)
        if len(listed) < 2:
            raise InputError(f"`vocab` {settings.vocab} leaves one word: training needs two")
        if note:
            context.reporter.note(note)
        return renumbered(store, listed), listed
    for warning in lost_text(full, settings):
        context.reporter.warn(warning)
    vocabulary = select_vocabulary(full, settings)
    if len(vocabulary) >= 2:
        return store, vocabulary
    word = repr(full.words[0])
    if len(full) == 1:
        raise InputError(f"the corpus repeats a single word, {word}: there is nothing to predict")
    if settings.max_vocab == 1:
        raise InputError("`max_vocab` 1 leaves one word: training needs at least two")
    problem = f"only one word, {word}, reaches `min_count` {settings.min_count}"
    raise InputError(f"{problem}, and training needs two; try `min_count` {full.counts[1]}")


def read_validation(context: Context) -> TokenStore | None:
    """Returns the text named by `valid`, read with the settings of the corpus, or None."""
    path = context.config.validation.valid
    if path is None:
        return None
    if path == "-":
        problem = "the validation text cannot come from stdin"
        raise InputError(f"`valid` - is not possible: {problem}; name a file")
    settings, progress = context.config.corpus, context.reporter.reading
    try:
        store = read_corpus((path,), settings, use_cache=context.use_cache, progress=progress)
    except InputError as error:
        raise InputError(f"`valid`: {error}") from error
    for warning in store.warnings:
        context.reporter.warn(f"`valid`: {warning}")
    return store
