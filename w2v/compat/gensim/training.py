"""Trains gensim's model: counts the words of its text and passes the text to `w2v.train`."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from w2v.compat.gensim.files import MAX_WORDS, LineSentence
from w2v.corpus import read_corpus
from w2v.corpus.sources import TABLE_FORMATS
from w2v.corpus.store import TokenStore, id_parts
from w2v.settings.build import build_config

if TYPE_CHECKING:
    from w2v.compat.gensim.word2vec import Word2Vec
    from w2v.trained import Run
    from w2v.training.report import Event

logger = logging.getLogger(__name__)


class Watch:
    """Calls the model's callbacks during training, and adds up the loss."""

    def __init__(self, model: Word2Vec, callbacks: list[Any], epochs: int) -> None:
        self.model, self.callbacks, self.left = model, callbacks, epochs
        model.running_training_loss = 0.0
        self.tell("on_train_begin")
        self.tell("on_epoch_begin")

    def __call__(self, event: Event) -> None:
        if event.kind == "epoch" and event["predictions"]:
            self.model.running_training_loss += float(event["loss"] * event["predictions"])
            self.tell("on_epoch_end")
            self.left -= 1
            if self.left:
                self.tell("on_epoch_begin")

    def tell(self, moment: str) -> None:
        """Calls the method `moment` of every callback."""
        for callback in self.callbacks:
            getattr(callback, moment)(self.model)


def safe_name(word: str) -> str:
    """Returns the word, or a code for it if it is empty or has white space, which runs reject."""
    return word if word.split() == [word] else "\ue000" + word.encode().hex()


class Paths(list[str]):
    """Files that a run reads itself."""


def source_of(sentences: Any, corpus_file: str | None) -> Any:
    """Returns the text to train on: `Paths`, or an iterable of lists of words."""
    if (sentences is None) == (corpus_file is None):
        raise TypeError("give either sentences or corpus_file")
    if corpus_file is not None and not Path(corpus_file).is_file():
        raise TypeError(f"corpus_file={corpus_file!r} is not a file")
    sentences = sentences if corpus_file is None else LineSentence(corpus_file)
    files = sentences.read_whole() if isinstance(sentences, LineSentence) else []
    tables = any(not set(TABLE_FORMATS).isdisjoint(Path(each).suffixes) for each in files)
    return Paths(files) if files and not tables else sentences  # tables are read line by line


def count_words(
    source: Any, max_vocab_size: int | None, keeps: Callable[[str, int, int], bool]
) -> tuple[Mapping[str, int], int, int]:
    """Returns the counts of the words in the order of their first occurrence, the number of all
    words, and that of the sentences. With more than `max_vocab_size` words, leaves out those that
    `keeps` (word, count, least) rejects, for a rising least count."""
    if isinstance(source, Paths) and not max_vocab_size:
        with read_corpus(source, build_config({"corpus": tuple(source)}).corpus) as store:
            return _of_store(store)
    if isinstance(source, Paths):
        source = chain.from_iterable(map(LineSentence, source))
    counts, n_words, number, least = Counter[str](), 0, 0, 1
    for number, sentence in enumerate(source, 1):
        if number == 1 and isinstance(sentence, str):
            expected = "a list of words (usually unicode strings)"
            logger.warning("Each 'sentences' item should be %s.", expected)
        n_words += len(sentence)
        counts.update(sentence)
        if max_vocab_size and len(counts) > max_vocab_size:
            counts = Counter({word: n for word, n in counts.items() if keeps(word, n, least)})
            least += 1
    if any(not isinstance(word, str) for word in counts):
        raise TypeError("words must be strings: use [str(word) for word in sentence]")
    return counts, n_words, number


def _of_store(store: TokenStore) -> tuple[Mapping[str, int], int, int]:
    first = np.full(len(store.vocabulary), len(store.ids))
    start = cut = sentences = 0  # cut: words of a line that a part of the ids ends in
    for part in id_parts(store.ids):
        at, ends = np.flatnonzero(part >= 0), np.flatnonzero(part < 0)
        np.minimum.at(first, part[at], at + start)
        lengths = np.diff(ends, prepend=-1 - cut) - 1
        sentences += int((-(-lengths // MAX_WORDS)).sum())
        cut = len(part) - 1 - int(ends[-1]) if len(ends) else cut + len(part)
        start += len(part)
    words, counts = store.vocabulary.words, store.vocabulary.counts.tolist()
    return {words[i]: counts[i] for i in np.argsort(first)}, store.n_words, sentences


def train(
    source: Any, names: Mapping[str, str], start: Path, settings: Mapping[str, Any], watch: Watch
) -> Run | None:
    """Trains from the run directory `start`; returns None if there is nothing to learn. If
    subsampling would remove all of a small text, trains without it."""
    from w2v import api  # imported late: queries do not need it
    from w2v.words.task import NothingToLearnError

    for sample in {settings["sample"]: 1, 0: 1}:
        corpus: Any = ([names.get(word, word) for word in sentence] for sentence in source)
        if isinstance(source, Paths):
            corpus = [Path(each) for each in source]
        arguments: Any = {**settings, "sample": sample, "init": start}
        try:
            return api.train(corpus, callbacks=[watch], progress=False, **arguments)
        except NothingToLearnError:
            continue
    return None
