"""A language model as the task of a run: which tokens, which engine, what comes out."""

from __future__ import annotations

from dataclasses import dataclass

from w2v.corpus import TokenStore, Vocabulary
from w2v.lm.vocabulary import EOS, TokenVocabulary
from w2v.losses.table import LOSSES
from w2v.runs.checkpoint import Checkpoint
from w2v.runs.resume import read_again
from w2v.system.memory import Demand, available_memory
from w2v.training.engine import Tally
from w2v.training.report import Words
from w2v.training.schedule import Blocks, Schedule
from w2v.training.task import BASE_BYTES, Job, Result, Task, Text, told_if_slow
from w2v.training.text import read_text, read_validation, words_to_train


@dataclass
class TokenText(Text):
    """tokens: what the text is read as."""

    tokens: TokenVocabulary


class LanguageModelTask(Task):
    """Trains a language model; the result is the best of the epochs if there is a validation
    text."""

    unit = "tokens"
    engine_name = "w2v.lm.engine:LanguageModelEngine"

    def read(self, earlier: Checkpoint | None) -> TokenText:
        valid = read_validation(self.context)
        if earlier is not None:
            store, _ = read_again(self.context, earlier, self._vocabulary_again)
        else:
            store = read_text(self.context)
            words_to_train(self.context, store)
            if (literal := store.vocabulary.index(EOS)) is not None:
                self.reporter.warn(
                    f"{EOS} stands in the text {int(store.vocabulary.counts[literal]):,} times, and"
                    f" counts with its {store.n_lines:,} line ends; write it otherwise where it is"
                    " none"
                )
        if self.config.lm.subwords:
            self.reporter.stage(f"training {self.config.lm.subwords:,} subwords")
        tokens = TokenVocabulary.of_corpus(store, self.config)
        negatives = LOSSES[self.config.training.loss].negatives(self.config.loss)
        if negatives >= len(tokens):
            self.reporter.note(
                f"`negatives` is {len(tokens) - 1:,}, for there are only {len(tokens):,} tokens"
            )
        return TokenText(store, tokens.vocabulary, valid, tokens)

    def _vocabulary_again(self, store: TokenStore) -> tuple[TokenStore, Vocabulary]:
        return store, TokenVocabulary.of_corpus(store, self.config).vocabulary

    def demands(self, vocabulary: int) -> list[Demand]:
        from w2v.lm.cost import memory_bytes  # imports PyTorch

        needed = BASE_BYTES + memory_bytes(self.config, vocabulary)
        return [Demand("memory", needed, available_memory())]

    def remedy(self, where: int) -> str:
        return "lower `dim`, `hidden` or `batch_size`, raise `min_count`, or set `max_vocab`"

    def job(self, text: Text) -> Job:
        from w2v.lm.columns import Source  # imports PyTorch
        from w2v.lm.engine import LanguageModelEngine
        from w2v.lm.validation import LanguageModelValidation

        assert isinstance(text, TokenText)
        config, tokens, store = self.config, text.tokens, text.store
        if tokens.subwords is None:
            source = Source(store.ids, tokens.table(store), tokens.eos, store.release)
        else:
            source = Source(tokens.encode_store(store), None, tokens.eos)
        engine = LanguageModelEngine(config, source, tokens.counts)
        schedule = Schedule(config.training.lr, config.lm.schedule, config.lm.warmup)
        validation = None
        if text.valid is not None:
            validation = LanguageModelValidation(
                engine, text.valid, tokens, schedule, self.reporter
            )
        self.reporter.stage(
            f"training {config.lm.arch}, {len(tokens):,} tokens x {config.model.dim}, loss"
            f" {config.training.loss}, {engine.where}, {config.training.optimizer}, learning rate"
            f" {config.training.lr:g} {config.lm.schedule}"
        )
        with told_if_slow(self.reporter, "compiling (once for this kind of model)"):
            engine.warm_up()
        return Job(engine, Blocks(engine.bounds(), config.training.epochs), schedule, validation)

    def result(self, text: Text, job: Job) -> Result:
        from w2v.lm.engine import LanguageModelEngine  # imports PyTorch
        from w2v.lm.saved import model_arrays, model_files

        assert isinstance(text, TokenText)
        assert isinstance(job.engine, LanguageModelEngine)
        if job.validation is None:
            arrays = model_arrays(job.engine.model)
        else:
            arrays = job.validation.learnt()
        return Result(arrays["input.weight"], model_files(arrays, text.tokens))

    def counts(self, text: Text, total: Tally) -> Words:
        """Of the corpus as tokens; where a word is several, of its words and line ends."""
        assert isinstance(text, TokenText)
        store, tokens = text.store, text.tokens
        read = store.n_words + store.n_lines
        unknown = 0 if tokens.subwords else int(tokens.counts[tokens.unk])
        unknown = min(unknown, read - int(tokens.counts.sum() - tokens.counts[tokens.unk]))
        return Words(
            read=read,
            in_vocabulary=read - unknown,
            left_out=unknown,
            passed=total.trained,
            trained=total.trained,
            subsampled=0,
            passed_left_out=0,
        )

    def output_bytes(self, vocabulary: int) -> int:
        from w2v.lm.cost import parameter_count  # imports PyTorch

        dim = self.config.model.dim
        return 4 * (parameter_count(self.config, vocabulary) + vocabulary * dim)
