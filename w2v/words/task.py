"""Word vectors as a training task: reads the text, makes the engine, returns the vectors."""

from __future__ import annotations

from dataclasses import dataclass

from w2v.corpus import TokenStore, Vocabulary
from w2v.corpus.selection import select_vocabulary
from w2v.errors import InputError
from w2v.kernels.cpu.merge import merge_ranks
from w2v.losses.table import LOSSES
from w2v.runs.checkpoint import Checkpoint
from w2v.runs.resume import read_again
from w2v.settings.groups import HOGWILD, TRITON, WITHOUT_GPU
from w2v.system.memory import Demand, return_freed_memory
from w2v.system.ranks import rank_or_single
from w2v.training.engine import Tally, WordEngine, blind_loss
from w2v.training.exchange import Exchange
from w2v.training.report import Words
from w2v.training.schedule import Blocks, Schedule
from w2v.training.task import (
    BASE_BYTES,
    Exchanging,
    Files,
    Job,
    Result,
    Task,
    Text,
    Together,
    report_if_slow,
)
from w2v.training.text import read_text, read_validation, words_to_train
from w2v.vectors.loading import NGRAMS as NGRAM_ROWS
from w2v.words.inputs import NGRAMS, Inputs, make_inputs, most_ngrams
from w2v.words.outcome import final_vectors
from w2v.words.shared import exchange_bytes
from w2v.words.start import Start, run_vocabulary, start_from
from w2v.words.validation import WordValidation, validation_text

ENGINES = {
    HOGWILD: "w2v.words.fused:HogwildEngine",
    TRITON: "w2v.words.gpu:TritonEngine",
    "autograd": "w2v.words.autograd:AutogradEngine",
}


class NothingToLearnError(InputError):
    """Raised if no word of the text has a context word."""


@dataclass
class WordText(Text):
    """The texts of a run; `valid` has the same ids. start: starting rows from `init`, if given.
    inputs: the n-grams of the words, if the model has any."""

    start: Start | None
    inputs: Inputs | None


class WordsTask(Task):
    """Trains skip-gram or CBOW vectors, with the fused kernels or with autograd."""

    unit = "words"

    @property
    def engine_name(self) -> str:
        return ENGINES[self.config.training.engine]

    def prepare(self) -> None:
        if self.config.training.engine == TRITON:
            try:
                self.engine_class().device_of(self.config)
            except ImportError as error:
                if (error.name or "").partition(".")[0] == "torch":
                    raise
                problem = f"`engine` triton needs Triton, which cannot be used: {error}"
                remedy = f"pip install triton, or use `engine` autograd, or {WITHOUT_GPU}"
                raise InputError(f"{problem}; {remedy}") from error
        super().prepare()

    def read(self, earlier: Checkpoint | None) -> WordText:
        valid = read_validation(self.context)
        start = None
        if earlier is not None:
            store, vocabulary = read_again(self.context, earlier, self._resumed_vocabulary)
        else:
            store = read_text(self.context)
            if self.config.start.init is None:
                store, vocabulary = words_to_train(self.context, store)
            else:
                store, vocabulary, start = start_from(self.context, store)
        if valid is not None:
            valid = validation_text(self.config, valid, vocabulary, self.reporter)
        inputs = make_inputs(self.config, vocabulary.words, vocabulary.counts)
        return WordText(store, vocabulary, valid, start, inputs)

    def _resumed_vocabulary(self, store: TokenStore) -> tuple[TokenStore, Vocabulary]:
        """Returns the text and the vocabulary of the run that is resumed."""
        from_text = self.config.start.init is None and self.config.corpus.vocab is None
        if from_text or self.context.resume is None:
            return store, select_vocabulary(store.vocabulary, self.config.corpus)
        return run_vocabulary(store, self.config, self.context.resume)

    def demands(self, vocabulary: int) -> list[Demand]:
        first, *others = self.engine_class().demands(self.config, vocabulary)
        needed, available = BASE_BYTES + first.needed, first.available
        if self.context.world.size > 1 and self.config.training.engine == HOGWILD:
            needed += exchange_bytes(self.config, vocabulary, self.context.world)
        if available is not None:  # each rank on this machine gets an equal part
            available //= rank_or_single().local_size
        return [first._replace(needed=needed, available=available), *others]

    def remedy(self, where: int) -> str:
        fewer = "raise `min_count` or set `max_vocab`"
        demand = self.demands(2)[where]
        if not demand.fits:  # even for 2 words, so that a smaller vocabulary would not help
            sampled = LOSSES[self.config.training.loss].draws_noise
            fewer = "`window` or `negatives`" if sampled else "`window` or `threads`"
            if self.config.training.engine == "autograd":
                fewer = f"`batch_size`, {fewer}"
        if demand.where == "memory":
            return f"lower `dim`, {fewer}"
        instead = WITHOUT_GPU if self.config.training.engine == TRITON else "`device` cpu"
        return f"lower `dim`, {fewer}, or use {instead}"

    def job(self, text: Text) -> Job:
        assert isinstance(text, WordText)
        config, store, counts = self.config, text.store, text.vocabulary.counts
        engine_class: type[WordEngine] = self.engine_class()
        self.reporter.stage(
            f"training {len(counts):,} words x {config.model.dim}, {config.model.model}, loss"
            f" {config.training.loss}, {engine_class.describe(config)}: {config.why_engine}"
        )
        with report_if_slow(self.reporter, "compiling the kernel (once for this kind of run)"):
            # not while the corpus is being read, because both need much memory
            engine_class.compile(config)
        return_freed_memory()  # what the compiler used
        engine = engine_class(config, store.ids, counts, text.inputs)
        if warning := engine.warning():
            self.reporter.warn(warning)
        world = self.context.world
        blocks = Blocks(engine.bounds(world.size), config.training.epochs)
        store.release(0, len(store.ids))
        engine.initialise()
        if text.start is not None:
            text.start.apply(engine, text.inputs, self.reporter)
        validation = None
        if text.valid is not None:
            validation = WordValidation(config, engine, text.valid, self.reporter)
        schedule, blind = Schedule(config.training.lr), blind_loss(config, len(counts))
        exchange: Exchanging | None = None
        if world.size > 1 and config.training.engine == "autograd":
            engine.world, exchange = world, Together(world)
        elif world.size > 1 and (tables := engine.shared_tables()) is not None:
            arguments = merge_ranks, config.training.exchange_words, config.training.threads
            exchange = Exchange(tables, world, schedule, *arguments)
        return Job(engine, blocks, schedule, validation, store.release, blind, exchange)

    def result(self, text: Text, job: Job) -> Result:
        assert isinstance(job.engine, WordEngine)
        assert isinstance(text, WordText)
        learnt = (job.engine if job.validation is None else job.validation).learnt()
        files: Files = {}
        if (inputs := text.inputs) is not None:
            files = {NGRAM_ROWS: lambda file: inputs.write(file, learnt[NGRAMS])}
        return Result(final_vectors(self.config.model, learnt, text.vocabulary.counts), files)

    def counts(self, text: Text, total: Tally) -> Words:
        read = text.store.n_words
        known_words = text.store.known_words  # the vocabulary's counts may come from another text
        in_vocabulary = int(text.vocabulary.counts.sum()) if known_words is None else known_words
        return Words(
            read=read,
            in_vocabulary=in_vocabulary,
            left_out=read - in_vocabulary,
            passed=total.read,
            trained=total.trained,
            subsampled=total.dropped,
            passed_left_out=total.rare,
        )

    def output_bytes(self, vocabulary: int) -> int:
        model, ngrams = self.config.model, most_ngrams(self.config, vocabulary)
        return 4 * (vocabulary * model.vector_size + ngrams * model.dim)

    def check(self, total: Tally) -> None:
        if total.predictions == 0:
            raise NothingToLearnError(
                "no word has a context word to learn from: after `min_count`, `max_vocab` and"
                " `sample` no line has two words left; put more words on a line, or try a smaller"
                " `min_count` or `sample` 0"
            )
