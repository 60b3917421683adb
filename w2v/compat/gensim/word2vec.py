"""gensim's Word2Vec."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from w2v.compat.gensim.files import MAX_WORDS, read_archive, write_archive
from w2v.compat.gensim.keyed_vectors import KeyedVectors
from w2v.compat.gensim.training import Watch, count_words, safe_name, source_of, train
from w2v.corpus import Vocabulary
from w2v.runs.checkpoint import FOLDER, Checkpoint, newest_checkpoint, save_checkpoint
from w2v.settings.build import build_config
from w2v.training.engine import fill_starting_rows

logger = logging.getLogger(__name__)
RULE_DEFAULT, RULE_DISCARD, RULE_KEEP = 0, 1, 2  # what a `trim_rule` returns
Rule = Callable[[str, int, int], int]
NO_SETTINGS = ("self", "sentences", "corpus_file", "hashfxn", "trim_rule", "callbacks")


class CallbackAny2Vec:
    """Base class of gensim's callbacks; `model.wv` is up to date only in `on_train_end`."""

    def on_train_begin(self, model: Word2Vec) -> None:
        """Does nothing, like the other methods."""

    on_epoch_begin = on_epoch_end = on_train_end = on_train_begin


class Word2Vec:
    """gensim's model with its parameters and attributes; `wv` holds the vectors.

    The learning rate falls linearly from `alpha` to 0; if `min_alpha` is more than a hundredth of
    `alpha`, it starts at their sum, so that its mean is gensim's. `workers` are threads, at most
    one for each `batch_words` words; one worker makes runs repeatable. `hashfxn` has no effect.
    """

    def __init__(
        self,
        sentences: Any = None,
        corpus_file: str | None = None,
        vector_size: int = 100,
        alpha: float = 0.025,
        window: int = 5,
        min_count: int = 5,
        max_vocab_size: int | None = None,
        sample: float = 1e-3,
        seed: int | None = 1,
        workers: int = 3,
        min_alpha: float = 0.0001,
        sg: int = 0,
        hs: int = 0,
        negative: int = 5,
        ns_exponent: float = 0.75,
        cbow_mean: int = 1,
        hashfxn: Any = None,
        epochs: int = 5,
        null_word: int = 0,
        trim_rule: Rule | None = None,
        sorted_vocab: int = 1,
        batch_words: int = 10000,
        compute_loss: bool = False,
        callbacks: Iterable[Any] = (),
        comment: str | None = None,
        max_final_vocab: int | None = None,
        shrink_windows: bool = True,
    ) -> None:
        arguments = {k: v.item() if isinstance(v, np.generic) else v for k, v in locals().items()}
        for name, only in (("null_word", 0), ("sorted_vocab", 1), ("shrink_windows", 1)):
            if arguments[name] != only:
                raise TypeError(f"{name}={arguments[name]!r} is not supported: it is always {only}")
        for name in ("vector_size", "window", "workers", "epochs", "batch_words"):
            value, least = arguments[name], int(name != "workers")
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{name}={value!r} is not a whole number of {least} or more")
        self.__dict__.update({k: v for k, v in arguments.items() if k not in NO_SETTINGS})
        self.seed = np.random.default_rng().integers(2**31).item() if seed is None else seed
        self.corpus_count = self.corpus_total_words = 0
        self.effective_min_count = min_count
        self.running_training_loss = 0.0
        self.min_alpha_yet_reached = float(alpha)
        self.wv = KeyedVectors(vector_size)
        self._output: dict[str, np.ndarray] = {}
        self.load = _loaded_by_the_class  # type: ignore[method-assign]
        if sentences is not None or corpus_file is not None:
            if isinstance(sentences, Iterator):
                raise TypeError("sentences are read twice, an iterator only once: give a list")
            self.build_vocab(sentences, corpus_file, trim_rule=trim_rule)
            count = self.corpus_count
            self.train(sentences, corpus_file, count, epochs=epochs, callbacks=callbacks)

    def __getattr__(self, name: str) -> Any:  # tells type checkers that there are more attributes
        raise AttributeError(f"Word2Vec has no attribute {name!r}")

    def __str__(self) -> str:
        shape = f"vocab={len(self.wv)}, vector_size={self.vector_size}"
        return f"Word2Vec<{shape}, alpha={self.alpha}>"

    def build_vocab(
        self,
        corpus_iterable: Any = None,
        corpus_file: str | None = None,
        update: bool = False,
        progress_per: int = 10000,
        keep_raw_vocab: bool = False,
        trim_rule: Rule | None = None,
    ) -> None:
        source = source_of(corpus_iterable, corpus_file)
        counted = count_words(source, self.max_vocab_size, partial(_keeps, trim_rule))
        counts, self.corpus_total_words, self.corpus_count = counted
        self._take(counts, update, trim_rule)

    def build_vocab_from_freq(
        self,
        word_freq: Mapping[str, int],
        keep_raw_vocab: bool = False,
        corpus_count: int | None = None,
        trim_rule: Rule | None = None,
        update: bool = False,
    ) -> None:
        self.corpus_count, self.corpus_total_words = corpus_count or 0, sum(word_freq.values())
        self._take(word_freq, update, trim_rule)

    def _take(self, counts: Mapping[str, int], update: bool, rule: Rule | None) -> None:
        least = self.min_count
        if (most := self.max_final_vocab) is not None:
            highest = sorted(counts.values(), reverse=True)
            least = max(least, highest[most] + 1 if len(highest) > most else 1)
        self.effective_min_count = least
        old, merged = self.wv, Counter(self._counts() if update else {})
        if update and not merged:
            raise RuntimeError("there are no words to update: first build a vocabulary")
        for word, count in counts.items():
            if word in merged or _keeps(rule, word, count, least):
                merged[word] += count
        self._allocate(merged)
        if update:
            self.wv.vectors[: len(old)] = old.vectors
        else:
            self.wv.sort_by_descending_frequency()
        earlier, self._output = self._output, {}
        for name, rows in earlier.items():
            if update and len(rows) == len(old):  # rows of the tree's nodes cannot be kept
                self._output[name] = np.zeros_like(self.wv.vectors)
                self._output[name][: len(old)] = rows

    def _counts(self) -> dict[str, int]:
        if len(self.wv) and "count" not in self.wv.expandos:
            raise RuntimeError("these vectors came without the vocabulary of a model")
        counts = self.wv.expandos.get("count", np.zeros(0, np.int64)).tolist()
        return dict(zip(self.wv.index_to_key, counts, strict=True))

    def _allocate(self, counts: Mapping[str, int]) -> None:
        start = np.empty((len(counts), self.vector_size), np.float32)
        fill_starting_rows(start, self.seed)
        self.wv = KeyedVectors(self.vector_size)
        self.wv.add_vectors([*counts], start, {"count": np.array([*counts.values()], np.int64)})

    def reset_from(self, other_model: Word2Vec) -> None:
        self._allocate(other_model._counts())
        self._output, self.corpus_count = {}, other_model.corpus_count

    def init_sims(self, replace: bool = False) -> None:
        self.wv.init_sims(replace)

    def train(
        self,
        corpus_iterable: Any = None,
        corpus_file: str | None = None,
        total_examples: int | None = None,
        total_words: int | None = None,
        epochs: int | None = None,
        start_alpha: float | None = None,
        end_alpha: float | None = None,
        word_count: int = 0,
        queue_factor: int = 2,
        report_delay: float = 1.0,
        compute_loss: bool = False,
        callbacks: Iterable[Any] = (),
    ) -> tuple[int, int]:
        """Continues from the current vectors; returns the words trained and the words read. The
        parameters from `word_count` to `compute_loss` have no effect."""
        if epochs is None or (total_examples is None and total_words is None):
            raise ValueError("train() needs epochs=, and total_examples= or total_words=")
        if epochs < 1:
            raise ValueError(f"epochs={epochs!r} is not a whole number of 1 or more")
        if not self._counts():
            raise RuntimeError("you must first build the vocabulary before training the model")
        alpha, end = start_alpha or self.alpha, end_alpha or self.min_alpha
        vars(self).update(alpha=alpha, min_alpha=end, epochs=epochs)
        if alpha > self.min_alpha_yet_reached:
            logger.warning("Effective 'alpha' higher than previous training cycles")
        self.min_alpha_yet_reached = end
        settings = {**self._settings(), "epochs": epochs}
        settings["lr"] = alpha + end if end > alpha / 100 else alpha
        watch = Watch(self, list(callbacks), epochs)
        source = source_of(corpus_iterable, corpus_file)
        names = {word: safe_name(word) for word in self.wv.index_to_key if word != safe_name(word)}
        with tempfile.TemporaryDirectory(prefix="w2v-") as folder:
            self._write_start(Path(folder), settings)
            run = train(source, names, Path(folder), settings, watch)
        if run is None:
            logger.warning("no line has two words of the vocabulary: nothing was learnt")
            return 0, 0
        checkpoint, _ = newest_checkpoint(run.path)
        assert checkpoint is not None  # `w2v.train` always saves the last state
        self._output = self._reordered(checkpoint.tensors, np.argsort(self._by_count()))
        self.wv.vectors, self.wv.norms = self._output.pop("input"), None
        watch.tell("on_train_end")
        return run.summary["words"]["trained"], run.summary["words"]["passed"]

    def _settings(self) -> dict[str, Any]:
        if not self.hs and self.negative <= 0:
            raise ValueError("there is nothing to learn from: set hs=1 or negative above 0")
        settings = dict(model="skip-gram" if self.sg else "cbow", dim=self.vector_size, min_count=1)
        settings |= dict(window=self.window, sample=self.sample or 0, seed=self.seed)
        jobs = -(-self.corpus_total_words // self.batch_words)  # gensim's jobs for its workers
        settings["threads"] = max(1, min(self.workers, jobs))
        settings |= dict(max_sentence=MAX_WORDS, loss="hsigmoid")
        if not self.sg:
            settings["cbow_hidden"] = "mean" if self.cbow_mean else "sum"
        if self.negative > 0:
            settings |= dict(negatives=self.negative, noise_power=self.ns_exponent, loss="neg")
        if self.hs and self.negative > 0:
            logger.warning("Both hierarchical softmax and negative sampling are activated.")
            settings["loss"] = "hsigmoid+neg"
        return settings

    def _write_start(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Writes a run directory to start from: the model's words, vectors and output layer."""
        (folder / FOLDER).mkdir()
        config = build_config({"corpus": ("text",), **settings})
        (folder / "config.yaml").write_text(config.to_yaml())
        order = self._by_count()
        words = [safe_name(self.wv.index_to_key[row]) for row in order]
        Vocabulary(words, self.wv.expandos["count"][order]).save(folder / "vocab.tsv")
        tensors = {"input": np.asarray(self.wv.vectors, np.float32), **self._output}
        tensors = self._reordered(tensors, order)
        save_checkpoint(folder / FOLDER, Checkpoint(0, tensors, np.array([0, 1]), {}))

    def _by_count(self) -> np.ndarray:
        """Returns the rows of the words from the most frequent on, the order of runs."""
        return np.argsort(-self.wv.expandos["count"], kind="stable")

    def _reordered(self, tensors: Mapping[str, np.ndarray], order: np.ndarray) -> dict[str, Any]:
        """Returns the tensors with the rows of words in this order, others as they are."""
        of_words = {name: len(rows) == len(order) for name, rows in tensors.items()}
        return {k: np.array(v[order] if of_words[k] else v) for k, v in tensors.items()}

    def get_latest_training_loss(self) -> float:
        return self.running_training_loss

    @property
    def syn1neg(self) -> np.ndarray:
        """The output rows of negative sampling [V, D]."""
        return self._rows("output.noise.weight" if self.hs else "output.weight", self.negative > 0)

    @property
    def syn1(self) -> np.ndarray:
        """The output rows of the tree's V - 1 nodes, then a row of zeros."""
        return self._rows("output.path.weight" if self.negative > 0 else "output.weight", self.hs)

    def _rows(self, name: str, used: bool) -> np.ndarray:
        if not used:
            raise AttributeError("the model has no such output layer")
        rows = np.zeros((len(self.wv), self.vector_size), np.float32)
        if name in self._output:
            rows[: len(self._output[name])] = self._output[name]
        return rows

    def predict_output_word(self, context_words_list: Sequence[Any], topn: int = 10) -> Any:
        if self.negative <= 0 or not self._counts():
            raise RuntimeError("predicting words needs a model trained with negative sampling")
        context = [word for word in context_words_list if word in self.wv]
        if not context:
            logger.warning("no word of the context is in the vocabulary")
            return None
        hidden = self.wv[context].sum(axis=0) / (len(context) if self.cbow_mean else 1)
        scores = self.syn1neg @ hidden
        shares = np.exp(scores - scores.max())
        best = np.argsort(-shares, kind="stable")[: topn if topn is None else max(0, topn)]
        return [(self.wv.index_to_key[i], float(shares[i] / shares.sum())) for i in best]

    def save(self, fname: Any, **options: Any) -> None:
        """Writes one archive of arrays; gensim's options for pickles are ignored."""
        plain = (int, float, str, type(None))
        facts = {name: value for name, value in vars(self).items() if isinstance(value, plain)}
        facts["kind"] = "Word2Vec"
        write_archive(fname, facts, {**self.wv.arrays(), **self._output})

    @classmethod
    def load(cls, fname: Any, mmap: str | None = None) -> Word2Vec:
        """Loads a model saved by `save`; its training can be continued."""
        facts, arrays = read_archive(fname, "Word2Vec")
        model = cls()
        model.__dict__.update(facts)
        model.wv = KeyedVectors.of_arrays(arrays)
        model._output = {name: rows for name, rows in arrays.items() if name.startswith("output.")}
        return model


def _keeps(rule: Rule | None, word: str, count: int, least: int) -> bool:
    verdict = rule(word, count, least) if rule else RULE_DEFAULT
    return verdict == RULE_KEEP or (verdict != RULE_DISCARD and count >= least)


def _loaded_by_the_class(*arguments: Any, **options: Any) -> NoReturn:
    raise AttributeError("load returns another model: call Word2Vec.load, not load of a model")
