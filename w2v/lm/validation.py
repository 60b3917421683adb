"""Validation of language models: the perplexity of another text."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True)
class ValidationText:
    """A text to validate on: its tokens [n], and how many of its words and line ends there are."""

    path: str
    ids: np.ndarray
    words: int

    @classmethod
    def of_store(cls, path: str, store: TokenStore, vocabulary: TokenVocabulary) -> ValidationText:
        """The tokens of a text.

        Raises:
            InputError: none of its words is in the vocabulary.
        """
        ids = vocabulary.encode_store(store)
        if not has_known_word(ids, vocabulary.eos, vocabulary.unk):
            raise InputError(
                f"`valid` {path}: none of its words is in the vocabulary of {len(vocabulary):,}"
                " tokens, so its perplexity would say nothing; give a text of the corpus's"
                " language"
            )
        return cls(path, ids, len(store.ids))


class LanguageModelValidation(Validation[TextScore]):
    """Keeps the best model, always; a learning rate with plateaus falls after an epoch that was not
    better."""

    def __init__(
        self,
        engine: LanguageModelEngine,
        text: ValidationText,
        vocabulary: TokenVocabulary,
        schedule: Schedule,
        patience: int,
        reporter: Reporter,
    ) -> None:
        super().__init__(text.path, text.ids, patience, True, reporter)
        self._engine, self._text, self._vocabulary, self._schedule = (
            engine,
            text,
            vocabulary,
            schedule,
        )

    def score(self) -> TextScore:
        vocabulary = self._vocabulary
        return score_ids(
            self._engine.model,
            self._text.ids,
            vocabulary.eos,
            vocabulary.unk,
            words=self._text.words,
        )

    def loss(self, score: TextScore) -> float:
        """Nats, summed over the same tokens every time."""
        return score.nats

    def score_of(self, values: dict[str, Any]) -> TextScore:
        counts = {name: whole_number(values[name]) for name in ("tokens", "oov", "eos", "words")}
        if not counts["tokens"] or not counts["words"]:
            raise ValueError("a measurement is of no tokens")
        return TextScore(nats=real_number(values["nats"]), **counts)

    def sentence(self, score: TextScore) -> str:
        return f"perplexity {score.perplexity:.2f} ({score.nats / score.tokens:.4f} nats per token)"

    def metrics(self, score: TextScore) -> dict[str, Any]:
        return {
            "validation_perplexity": score.perplexity,
            "validation_tokens": score.tokens,
            "validation_nats_per_token": score.nats / score.tokens,
        }

    def figures(self, score: TextScore) -> dict[str, Any]:
        return {
            "perplexity": score.perplexity,
            "bits_per_word": score.bits_per_word,
            "tokens": score.tokens,
            "oov": score.oov,
            "eos": score.eos,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """The model's parameters by name."""
        named = self._engine.model.named_parameters()
        return {name: parameter.detach().cpu().numpy() for name, parameter in named}

    def got_worse(self) -> None:
        self._schedule.worse()
