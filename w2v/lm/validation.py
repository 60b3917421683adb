"""Validation of language models by the perplexity of another text."""

from __future__ import annotations

from typing import Any

import numpy as np

from w2v.corpus.store import TokenStore
from w2v.errors import InputError
from w2v.lm.engine import LanguageModelEngine
from w2v.lm.perplexity import TextScore, has_known_word, score_ids
from w2v.lm.vocabulary import TokenVocabulary
from w2v.system.json import real_number, whole_number
from w2v.training.report import Reporter
from w2v.training.schedule import Schedule
from w2v.training.validation import Validation


class LanguageModelValidation(Validation[TextScore]):
    """Always keeps the best model; with a plateau schedule, the learning rate falls after an epoch
    without improvement. Raises InputError if no word of the text is in the vocabulary."""

    def __init__(
        self,
        engine: LanguageModelEngine,
        store: TokenStore,
        vocabulary: TokenVocabulary,
        schedule: Schedule,
        reporter: Reporter,
    ) -> None:
        settings = engine.config.validation
        path, ids = str(settings.valid), vocabulary.encode_store(store)
        if not has_known_word(ids, vocabulary.eos, vocabulary.unk):
            problem = f"none of its words is in the vocabulary of {len(vocabulary):,} tokens"
            why = "so its perplexity would mean nothing; give a text in the language of the corpus"
            raise InputError(f"`valid` {path}: {problem}, {why}")
        super().__init__(path, ids, settings.patience, True, reporter)
        self._engine, self._vocabulary, self._schedule = engine, vocabulary, schedule
        self._ids, self._words = ids, len(store.ids)

    def score(self) -> TextScore:
        eos, unk = self._vocabulary.eos, self._vocabulary.unk
        with self._engine.isolated(), self._engine.full_model() as model:
            return score_ids(model, self._ids, eos, unk, words=self._words)

    def loss(self, score: TextScore) -> float:
        return score.nats  # comparable, because it is summed over the same tokens every time

    def score_of(self, values: dict[str, Any]) -> TextScore:
        counts = {name: whole_number(values[name]) for name in ("tokens", "oov", "eos", "words")}
        if not counts["tokens"] or not counts["words"]:
            raise ValueError("a measurement has 0 tokens")
        of_unknown = values.get("oov_nats")  # absent from checkpoints of earlier versions
        oov_nats = None if of_unknown is None else real_number(of_unknown)
        return TextScore(nats=real_number(values["nats"]), oov_nats=oov_nats, **counts)

    def sentence(self, score: TextScore) -> str:
        return f"perplexity {score.perplexity:.2f} ({score.nats / score.tokens:.4f} nats per token)"

    def metrics(self, score: TextScore) -> dict[str, Any]:
        return {
            "validation_perplexity": score.perplexity,
            "validation_tokens": score.tokens,
            "validation_nats_per_token": score.nats / score.tokens,
        }

    def figures(self, score: TextScore) -> dict[str, Any]:
        names = ["perplexity", "bits_per_word", "tokens", "oov", "eos"]
        names += ["perplexity_without_oov"] if score.oov else []
        return {name: getattr(score, name) for name in names}

    def arrays(self) -> dict[str, np.ndarray]:
        return self._engine.arrays()

    def got_worse(self) -> None:
        self._schedule.worse()
