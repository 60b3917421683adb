"""How gensim's model is trained: its text is counted, and goes through the library's training."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from w2v.compat.gensim.files import LineSentence
from w2v.corpus import read_corpus
from w2v.errors import InputError
from w2v.settings.build import build_config

if TYPE_CHECKING:
    from w2v.compat.gensim.word2vec import Word2Vec

logger = logging.getLogger(__name__)


class Watch:
    """Tells the callbacks of a training what happens, and adds up its loss."""

    def __init__(self, model: Word2Vec, callbacks: list[Any]) -> None:
        self.model, self.callbacks = model, callbacks
        self.epoch = self.words = 0
        model.running_training_loss = 0.0
        self._tell("on_train_begin")

    def __call__(self, epoch: int, words: int, loss: float) -> None:
        """Epoch `epoch`, from 1, is under way; `loss` is the mean since the last call."""
        if np.isfinite(loss):
            self.model.running_training_loss += float(loss) * (words - self.words)
            self.words = words
        while self.epoch < epoch:
            if self.epoch:
                self._tell("on_epoch_end")
            self.epoch += 1
            self._tell("on_epoch_begin")

    def finish(self, epochs: int, summary: Mapping[str, Any]) -> None:
        self(epochs, summary["words"]["passed"], summary["final_loss"] or np.nan)
        self._tell("on_epoch_end")
        self._tell("on_train_end")

    def _tell(self, event: str) -> None:
        for each in self.callbacks:
            getattr(each, event)(self.model)


def safe_name(word: str) -> str:
    """The word as a run's text and files can hold it: not empty, and without white space."""
    return word if word.split() == [word] else "\ue000" + word.encode().hex()


class Paths(list[str]):
    """Files that a run reads by itself."""


def source_of(sentences: Any, corpus_file: str | None) -> Any:
    """What is trained on: `Paths`, or an iterable of lists of words."""
    if (sentences is None) == (corpus_file is None):
        raise TypeError("give either sentences or corpus_file")
    if corpus_file is not None:
        return Paths([str(corpus_file)])
    files = sentences.read_whole() if isinstance(sentences, LineSentence) else []
    return Paths(files) if files else sentences


def count_words(source: Any, max_vocab_size: int | None) -> tuple[Mapping[str, int], int, int]:
    """The words' counts, the number of all words and that of sentences."""
    if isinstance(source, Paths):
        with read_corpus(source, build_config({"corpus": tuple(source)}).corpus) as store:
            known = store.vocabulary
            counts = Counter(dict(zip(known.words, known.counts.tolist(), strict=True)))
            return counts, store.n_words, store.n_lines
    counts, n_words, number, least = Counter(), 0, 0, 1
    for number, sentence in enumerate(source, 1):
        if number == 1 and isinstance(sentence, str):
            logger.warning(
                "Each 'sentences' item should be a list of words (usually unicode strings)."
            )
        n_words += len(sentence)
        counts.update(sentence)
        if max_vocab_size and len(counts) > max_vocab_size:  # as gensim prunes
            counts = Counter({word: n for word, n in counts.items() if n >= least})
            least += 1
    if any(not isinstance(word, str) for word in counts):
        raise TypeError("words must be strings: use [str(word) for word in sentence]")
    return counts, n_words, number


def train(
    source: Any, names: Mapping[str, str], folder: Path, settings: dict[str, Any], watch: Watch
) -> tuple[Path, dict[str, Any]] | None:
    """Runs the library's training from folder/start; its directory and summary, or None where
    there is nothing to learn. A text so small that every word is subsampled is trained whole."""
    from threading import Event

    from w2v.run import run
    from w2v.training.report import Progress, SilentReporter

    class Reporter(SilentReporter):
        def training(self, progress: Progress) -> None:
            watch(progress.epoch, progress.words, progress.loss)

    paths = source
    if not isinstance(source, Paths):
        paths = [str(folder / "text")]
        with open(paths[0], "w", encoding="utf-8") as text:
            for sentence in source:
                text.write(" ".join([names.get(word, word) for word in sentence]) + "\n")
    given = {"corpus": tuple(paths), "init": str(folder / "start"), "checkpoint_every": "24h"}
    for sample in {settings["sample"]: 1, 0: 1}:
        output = folder / f"run-{sample}"
        more = {**settings, "sample": sample, "keep": 1, "output": output}
        config = build_config({**given, **{name: str(value) for name, value in more.items()}})
        try:
            cached = isinstance(source, Paths)
            summary = run(config, use_cache=cached, reporter=Reporter(), stop=Event())
            return output, summary.as_dict()
        except InputError as error:
            if "context word to learn from" not in str(error):
                raise
    return None
