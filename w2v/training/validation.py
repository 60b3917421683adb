"""Validation at every epoch's end: perplexity of another text, the best model kept, the end when nothing improves."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from w2v.corpus.store import TokenStore
from w2v.errors import InputError
from w2v.evaluation.perplexity import TextScore, has_known_word, score_ids
from w2v.models.vocabulary import TokenVocabulary
from w2v.training.handout import Rest
from w2v.training.lm import LanguageModelEngine
from w2v.training.report import Reporter
from w2v.training.schedule import Scheduled
from w2v.training.trainer import TrainingResult


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
                f"--valid {path}: none of its words is in the vocabulary of {len(vocabulary):,} tokens, so its"
                " perplexity would say nothing; give a text of the corpus's language"
            )
        return cls(path, ids, len(store.ids))


class Validation:
    """A watcher of the trainer: measures at every epoch's end, keeps the best parameters.

    best: the score of the best epoch so far and its number from 1; None before the first. seconds: spent measuring.
    """

    epoch_ends = True

    def __init__(
        self,
        engine: LanguageModelEngine,
        text: ValidationText,
        vocabulary: TokenVocabulary,
        schedule: Scheduled,
        patience: int,
        reporter: Reporter,
    ) -> None:
        self._engine, self._text, self._vocabulary = engine, text, vocabulary
        self._schedule, self._patience, self._reporter = schedule, patience, reporter
        self._kept: dict[str, torch.Tensor] = {}
        self._waited = 0
        self.best: tuple[TextScore, float] | None = None
        self.seconds = 0.0

    def due(self, words: int, seconds: float) -> bool:
        """Only epoch ends are of interest."""
        return False

    def rest(self, rest: Rest, result: TrainingResult) -> bool:
        """Measures if an epoch has ended; True when `patience` epochs in a row were not better."""
        if rest.epoch_ended is None:
            return False
        better = self.measure(rest.epoch_ended + 1, result)
        if not better:
            self._schedule.worse()
        self._waited = 0 if better else self._waited + 1
        stops = bool(self._patience) and self._waited >= self._patience
        if stops:
            epochs = "epoch was" if self._waited == 1 else f"{self._waited} epochs were"
            self._reporter.milestone(f"stopping: the last {epochs} not better (--patience {self._patience})")
        return stops

    def measure(self, epoch: float, result: TrainingResult) -> bool:
        """Measures now, after `epoch` epochs; whether it is the best so far."""
        began = time.perf_counter()
        score = score_ids(
            self._engine.model, self._text.ids, self._vocabulary.eos, self._vocabulary.unk, words=self._text.words
        )
        seconds = time.perf_counter() - began
        self.seconds += seconds
        better = self.best is None or score.nats < self.best[0].nats
        if better:
            self.best = score, epoch
            self._kept = {name: part.detach().clone() for name, part in self._engine.model.named_parameters()}
        result.metrics.append(
            {
                "epoch": epoch, "validation_perplexity": score.perplexity, "validation_tokens": score.tokens,
                "validation_nats_per_token": score.nats / score.tokens, "validation_seconds": round(seconds, 3),
            }
        )  # fmt: skip
        self._reporter.milestone(
            f"after epoch {epoch:.3g}: validation perplexity {score.perplexity:.2f}"
            f" ({score.nats / score.tokens:.4f} nats per token){', the best so far' if better and epoch > 1 else ''}"
        )
        return better

    @torch.no_grad()
    def restore_best(self) -> None:
        """Gives the engine's model the parameters of the best epoch."""
        for name, parameter in self._engine.model.named_parameters():
            if name in self._kept:
                parameter.copy_(self._kept[name])

    def summary(self) -> dict[str, Any] | None:
        """What summary.json says of the best measurement; None before the first."""
        if self.best is None:
            return None
        score, epoch = self.best
        return {
            "file": self._text.path, "epoch": epoch, "perplexity": score.perplexity,
            "bits_per_word": score.nats / score.words / math.log(2), "tokens": score.tokens, "oov": score.oov,
            "eos": score.eos, "seconds": self.seconds,
        }  # fmt: skip
