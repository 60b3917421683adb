"""A language model as a training task: reads the text, makes the engine, returns the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from w2v.corpus import TokenStore, Vocabulary
from w2v.corpus.selection import listed_vocabulary
from w2v.lm.start import Embeddings, read_embeddings
from w2v.lm.vocabulary import EOS, TokenVocabulary
from w2v.losses.table import LOSSES, cheaper_losses
from w2v.runs.checkpoint import UNSOUND, Checkpoint, all_finite
from w2v.runs.resume import read_again
from w2v.system.memory import Demand, available_memory, return_freed_memory
from w2v.system.ranks import rank_or_single
from w2v.training.engine import Tally, blind_loss
from w2v.training.report import Words
from w2v.training.result import Diverged
from w2v.training.schedule import Blocks, Schedule
from w2v.training.task import BASE_BYTES, Job, Result, Task, Text, Together, report_if_slow
from w2v.training.text import keeping_all_words, read_text, read_validation, words_to_train


@dataclass
class TokenText(Text):
    """The texts of a run. tokens: the vocabulary; ids [n]: tokens of `tokens` if it has subwords,
    otherwise words of the store. start: starting embeddings from `init`, if given."""

    tokens: TokenVocabulary
    ids: np.ndarray
    start: Embeddings | None = None


class LanguageModelTask(Task):
    """Trains a language model. With a validation text the result is the model of the best epoch,
    otherwise the final one."""

    unit = "tokens"
    engine_name = "w2v.lm.engine:LanguageModelEngine"

    def read(self, earlier: Checkpoint | None) -> TokenText:
        valid = read_validation(self.context)
        if earlier is not None:
            store, _ = read_again(self.context, earlier, self._resumed_vocabulary)
        else:
            store = read_text(self.context)
            if (path := self.config.corpus.vocab) is None:
                has_words = not self.config.model.pieces
                context = self.context if has_words else keeping_all_words(self.context)
                words_to_train(context, store)
            elif note := listed_vocabulary(path, store.vocabulary)[1]:
                self.reporter.note(note)
            if (literal := store.vocabulary.index(EOS)) is not None:
                self.reporter.warn(
                    f"{EOS} occurs in the text {int(store.vocabulary.counts[literal]):,} times and"
                    f" is counted with its {store.n_lines:,} line ends; if it does not mean a line"
                    " end, write it differently"
                )
        if self.config.model.pieces:
            self.reporter.stage(f"training {self.config.model.pieces:,} subwords")
        tokens = TokenVocabulary.of_corpus(store, self.config)
        negatives = LOSSES[self.config.training.loss].negatives(self.config.loss)
        if negatives >= len(tokens):
            self.reporter.note(
                f"`negatives` is {len(tokens) - 1:,}, because there are only {len(tokens):,} tokens"
            )
        ids = store.ids if tokens.subwords is None else tokens.encode_store(store)
        start = None
        if self.config.start.init is not None and earlier is None:
            start = read_embeddings(self.config, tokens.vocabulary.words, self.reporter)
        return TokenText(store, tokens.vocabulary, valid, tokens, ids, start)

    def _resumed_vocabulary(self, store: TokenStore) -> tuple[TokenStore, Vocabulary]:
        return store, TokenVocabulary.of_corpus(store, self.config).vocabulary

    def rows_of_rank(self, name: str, shape: Sequence[int]) -> slice:
        # imports PyTorch
        from w2v.lm.dealing import shards_output_rows
        from w2v.lm.engine import OUTPUT_ROWS
        from w2v.losses.sharded import Shard

        world = self.context.world
        of_output = name.removeprefix("optimizer.").startswith(OUTPUT_ROWS)
        if not shape or not of_output or not shards_output_rows(self.config, shape[0], world.size):
            return slice(None)
        shard = Shard.of(world, shape[0])
        return slice(shard.low, shard.high)

    def demands(self, vocabulary: int) -> list[Demand]:
        from w2v.lm import cost  # imports PyTorch
        from w2v.training.device import find_device, free_memory

        device, available = find_device(self.config.training.device), available_memory()
        if available is not None:  # each rank on this machine gets an equal part
            available //= rank_or_single().local_size
        needed = cost.memory_bytes(self.config, vocabulary)
        if device.type == "cpu":
            return [Demand("memory", BASE_BYTES + needed, available)]
        on_host = BASE_BYTES + cost.host_bytes(self.config, vocabulary)
        on_device = Demand(f"memory on {device}", needed, free_memory(device))
        return [Demand("memory", on_host, available), on_device]

    def remedy(self, where: int) -> str:
        return "lower `dim`, `hidden` or `batch_size`, raise `min_count`, or set `max_vocab`"

    def job(self, text: Text) -> Job:
        from w2v.lm.columns import Source  # imports PyTorch
        from w2v.lm.dealing import replicates_rows
        from w2v.lm.engine import LanguageModelEngine
        from w2v.lm.validation import LanguageModelValidation

        assert isinstance(text, TokenText)
        config, tokens, store = self.config, text.tokens, text.store
        if tokens.subwords is None:
            source = Source(text.ids, tokens.table(store), tokens.eos, store.release)
        else:
            source = Source(text.ids, None, tokens.eos)
        world = self.context.world
        engine = LanguageModelEngine(config, source, tokens.counts, world)
        if text.start is not None:
            engine.start_embeddings(text.start.known, text.start.rows)
            text.start = None  # frees its memory
        if replicates_rows(config, len(tokens), world.size):
            kind = "`tied` ones" if config.lm.tied else f"those of `loss` {config.training.loss}"
            reason = f"each of the {world.size} ranks holds all {len(tokens):,} output rows"
            self.reporter.note(f"{reason}: {kind} cannot be sharded; those of softmax could")
        schedule = Schedule(config.training.lr, config.lm.schedule, config.lm.warmup)
        validation = None
        if text.valid is not None:
            validation = LanguageModelValidation(
                engine, text.valid, tokens, schedule, self.reporter
            )
        for vocabulary in (tokens.vocabulary, store.vocabulary):
            vocabulary.forget()
        return_freed_memory()
        self.reporter.stage(
            f"training {config.lm.arch}, {len(tokens):,} tokens x {config.model.dim}, loss"
            f" {config.training.loss}, {engine.description}, {config.training.optimizer},"
            f" learning rate {config.training.lr:g} {config.lm.schedule}"
        )
        with report_if_slow(self.reporter, "compiling (once for this kind of model)"):
            engine.warm_up()
        blocks = Blocks(engine.bounds(), config.training.epochs)
        blind = blind_loss(config, len(tokens))
        together = None if world.size == 1 else Together(world, engine.collect)
        return Job(engine, blocks, schedule, validation, blind=blind, exchange=together)

    def faster(self, text: Text, job: Job, seconds: float) -> str | None:
        """Names the losses that do not score all V rows, with their measured speed-up factors."""
        from w2v.lm.cost import seconds_per_token, with_loss  # imports PyTorch

        assert isinstance(text, TokenText)
        counts, loss = text.tokens.counts, self.config.training.loss
        demand = self.demands(len(counts))[-1]  # on the device that trains
        if not LOSSES[loss].scores_all or not demand._replace(needed=2 * demand.needed).fits:
            return None
        usual = seconds_per_token(self.config, counts)
        factors = {
            name: usual / seconds_per_token(with_loss(self.config, name), counts)
            for name in cheaper_losses()
        }
        alternatives = [
            f"{name} ({factor:.1f} times)"
            for name, factor in sorted(factors.items(), key=lambda pair: -pair[1])
            if factor > 1.2
        ]
        reason = f"`loss` {loss} scores all {len(counts):,} tokens at every position"
        return f"{reason}; faster: {', '.join(alternatives)}" if alternatives else None

    def result(self, text: Text, job: Job) -> Result:
        from w2v.lm.engine import LanguageModelEngine  # imports PyTorch
        from w2v.lm.saved import model_files

        assert isinstance(text, TokenText)
        assert isinstance(job.engine, LanguageModelEngine)
        learnt = job.engine.arrays if job.validation is None else job.validation.learnt
        arrays = learnt()
        if bad := next((name for name, array in arrays.items() if not all_finite(array)), None):
            raise Diverged(f"{bad} holds {UNSOUND}: training has diverged; try a smaller `lr`")
        return Result(arrays["input.weight"], model_files(arrays, text.tokens))

    def counts(self, text: Text, total: Tally) -> Words:
        assert isinstance(text, TokenText)
        read, unknown = len(text.ids), text.tokens.unknown
        return Words(
            read=read,
            in_vocabulary=read - unknown,
            left_out=unknown,
            passed=total.read,
            trained=total.trained,
            subsampled=total.dropped,
            passed_left_out=total.rare,
            remainder=read % self.config.training.batch_size,
        )

    def output_bytes(self, vocabulary: int) -> int:
        from w2v.lm.cost import parameter_count  # imports PyTorch

        dim = self.config.model.dim
        return 4 * (parameter_count(self.config, vocabulary) + vocabulary * dim)
