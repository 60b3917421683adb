"""Validation of word vectors: the training loss over another text, in nats per prediction.

The loss is the one that the run reports for its own text, with margins and smoothing, over the
windows of the words that subsampling leaves. Windows, subsampling and noise words are drawn from a
fixed seed that is independent of `seed`, so they are equal at every measurement, and the losses of
one run, or of runs with the same settings and engine, are comparable. For exact losses it is the
mean -log P(target | hidden).

The result of the run is its final vectors or, with `patience`, those of the best epoch.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

from w2v.corpus import TokenStore, Vocabulary
from w2v.corpus.renumber import renumbered
from w2v.errors import InputError, RunError
from w2v.settings.config import Config
from w2v.training.engine import Tally, WordEngine, read_only
from w2v.training.report import Reporter
from w2v.training.schedule import Block, cut_blocks, sentence_limit
from w2v.training.validation import Validation

BLOCK_WORDS = 32768  # stream positions that one thread measures at a time, roughly


def validation_text(
    config: Config, store: TokenStore, vocabulary: Vocabulary, reporter: Reporter
) -> TokenStore:
    """Returns the text `valid` with the ids of the run's vocabulary; closes `store`."""
    text, path = renumbered(store, vocabulary), config.validation.valid
    unknown = text.n_words - (text.known_words or 0)
    if unknown == text.n_words:
        text.close()
        message = f"none of its words is in the vocabulary of {len(vocabulary):,} words"
        why = "so its loss would mean nothing; give a text in the language of the corpus"
        raise InputError(f"`valid` {path}: {message}, {why}")
    if unknown:
        message = f"{unknown:,} of the {text.n_words:,} words of `valid` {path}"
        reporter.note(f"{message} are not in the vocabulary and are left out")
    return text


class WordValidation(Validation[Tally]):
    """Measures the engine's loss on `text` (see `validation_text`). Raises InputError if no word of
    it has a context word."""

    def __init__(
        self, config: Config, engine: WordEngine, text: TokenStore, reporter: Reporter
    ) -> None:
        patience, path = config.validation.patience, str(config.validation.valid)
        super().__init__(path, text.ids, patience, bool(patience), reporter)
        self._engine, self._text, self._ids = engine, text, read_only(text.ids)
        limit = sentence_limit(config.corpus.max_sentence)
        pairs = pairwise(cut_blocks(self._ids, BLOCK_WORDS, limit).tolist())
        self._blocks = [Block(0, index, *pair, 0.0) for index, pair in enumerate(pairs)]
        if not any(self._measure_block(block, 0).predictions for block in self._blocks):
            raise InputError(
                f"`valid` {path}: no word of it has a context word, after `min_count`, `max_vocab`"
                " and `sample` no line has two words left; give a longer text"
            )

    def score(self) -> Tally:
        threads = min(self._engine.threads, len(self._blocks))
        tallies = [Tally()] * len(self._blocks)

        def work(thread: int) -> None:
            for block in self._blocks[thread::threads]:
                tallies[block.index] = self._measure_block(block, thread)

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(threads)))
        total = Tally()
        for tally in tallies:  # in block order, so that the sum does not depend on the threads
            total.add(tally)
        if not math.isfinite(total.loss):
            raise RunError(f"the loss became {total.loss}; try a smaller `lr`")
        return total

    def loss(self, score: Tally) -> float:
        return score.mean_loss

    def score_of(self, values: dict[str, Any]) -> Tally:
        return Tally.from_state(values)

    def sentence(self, score: Tally) -> str:
        return f"loss {score.mean_loss:.4f} nats per prediction"

    def metrics(self, score: Tally) -> dict[str, Any]:
        return {"validation_loss": score.mean_loss, "validation_predictions": score.predictions}

    def figures(self, score: Tally) -> dict[str, Any]:
        return {
            "loss": score.mean_loss,
            "predictions": score.predictions,
            "words": score.read,
            "oov": score.rare,
            "subsampled": score.dropped,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        return self._engine.learnt()

    def _measure_block(self, block: Block, thread: int) -> Tally:
        tally = self._engine.measure(self._ids, block, thread)
        self._text.release(block.start, block.stop)
        return tally
