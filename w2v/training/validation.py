"""Validation at every epoch's end: perplexity of another text, the best model kept, the end when nothing improves."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
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

    name = "validation"
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
        self._measured_at = 0.0  # epochs
        self._at_stop: tuple[TextScore, float] | None = None
        self.best: tuple[TextScore, float] | None = None
        self.seconds = 0.0

    def due(self, words: int, seconds: float) -> bool:
        """Only epoch ends are of interest."""
        return False

    def rest(self, rest: Rest, result: TrainingResult) -> bool:
        """Measures if an epoch has ended; True when `patience` epochs in a row were not better."""
        if rest.epoch_ended is None:
            return False
        epoch, score = rest.epoch_ended + 1, self._measure(rest.epoch_ended + 1, result)
        better = self.best is None or score.nats < self.best[0].nats
        if better:
            self.best, self._kept = (score, epoch), self._parameters(copy=True)
        else:
            self._schedule.worse()
        self._waited = 0 if better else self._waited + 1
        stops = bool(self._patience) and self._waited >= self._patience
        if stops:
            epochs = "epoch was" if self._waited == 1 else f"{self._waited} epochs were"
            self._reporter.milestone(f"stopping: the last {epochs} not better (--patience {self._patience})")
        return stops

    def finish(self, epochs: float, result: TrainingResult) -> None:
        """Training has ended after so many epochs. Measures, if that was not at an epoch's end; what comes out is part
        of the result only, not of the state from which a run goes on."""
        if self._measured_at != epochs:
            self._reporter.stage("measuring the perplexity of what was learnt so far")
            score = self._measure(epochs, result)
            if self.best is None or score.nats < self.best[0].nats:
                self._at_stop = score, epochs

    def learnt(self) -> dict[str, torch.Tensor]:
        """The parameters of the best model that was measured, by name."""
        return self._kept if self._at_stop is None else self._parameters()

    def summary(self) -> dict[str, Any] | None:
        """What summary.json says of the best measurement; None before the first."""
        if (best := self._at_stop or self.best) is None:
            return None
        score, epoch = best
        return {
            "file": self._text.path, "epoch": epoch, "perplexity": score.perplexity,
            "bits_per_word": score.bits_per_word, "tokens": score.tokens, "oov": score.oov,
            "eos": score.eos, "seconds": self.seconds,
        }  # fmt: skip

    def state(self) -> dict[str, Any]:
        """How long nothing was better, the best measurement and its parameters."""
        best = None if self.best is None else [asdict(self.best[0]), self.best[1]]
        kept = {f"kept.{name}": part.cpu().numpy() for name, part in self._kept.items()}
        plain = {"waited": self._waited, "measured_at": self._measured_at, "seconds": self.seconds, "best": best}
        return plain | kept

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Goes on from what `state` returned."""
        self._waited, self.seconds = int(state["waited"]), float(state["seconds"])
        self._measured_at = float(state["measured_at"])
        self.best = None if state["best"] is None else (TextScore(**state["best"][0]), state["best"][1])
        self._kept = {
            name.removeprefix("kept."): torch.from_numpy(np.array(value))
            for name, value in state.items()
            if name.startswith("kept.")
        }

    def _measure(self, epoch: float, result: TrainingResult) -> TextScore:
        began = time.perf_counter()
        score = score_ids(
            self._engine.model, self._text.ids, self._vocabulary.eos, self._vocabulary.unk, words=self._text.words
        )
        seconds = time.perf_counter() - began
        self.seconds += seconds
        self._measured_at = epoch
        result.metrics.append(
            {
                "epoch": epoch, "validation_perplexity": score.perplexity, "validation_tokens": score.tokens,
                "validation_nats_per_token": score.nats / score.tokens, "validation_seconds": round(seconds, 3),
            }
        )  # fmt: skip
        self._reporter.milestone(
            f"after epoch {epoch:.3g}: validation perplexity {score.perplexity:.2f}"
            f" ({score.nats / score.tokens:.4f} nats per token)"
        )
        return score

    def _parameters(self, copy: bool = False) -> dict[str, torch.Tensor]:
        named = self._engine.model.named_parameters()
        return {name: part.detach().clone() if copy else part.detach() for name, part in named}
