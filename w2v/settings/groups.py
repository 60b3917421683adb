"""The settings of a run, one field each, in groups. Further settings are in
`settings.language_model` and `losses.options`."""

from __future__ import annotations

from dataclasses import dataclass

from w2v.losses.table import LM_LOSS, LOSSES, WORDS_LOSS
from w2v.settings.declare import AUTO, Setting, setting, settings_of
from w2v.settings.interval import checked_device, checked_interval, checked_subwords, parse_count
from w2v.settings.language_model import LanguageModelSettings
from w2v.system.limits import MAX_DIM

LANGUAGE_MODEL = "lm"  # the value of `model` that does not train word vectors
OUTCOME = ("vectors", "centre", "components")  # how final vectors are made of learnt rows
# settings without effect on language models
WORD_VECTORS_ONLY = ("window", "sample", "max_sentence", "buckets", *OUTCOME)
HOGWILD, TRITON = "hogwild", "triton"
# the engines with fused kernels, for CPU and GPU; they use the same algorithm, so that each can
# resume the checkpoints of the other
FUSED = (HOGWILD, TRITON)
WITHOUT_GPU = "`engine` hogwild with `device` cpu"  # what to use instead of triton
HOGWILD_ONLY = ("exchange_words",)

TOKENIZER_FILE = ".json"
CHOOSE_WORDS = ("min_count", "max_vocab")  # settings that select the vocabulary, without a list


@dataclass(frozen=True)
class CorpusSettings:
    """The corpus, how it is read, and which of its words are kept."""

    corpus: tuple[str, ...] = setting(
        (), "files, folders, globs, hf://datasets/… or - for stdin", flag=False, path="read"
    )
    column: str | None = setting(
        None,
        "the column with the text, or lists of words, in .jsonl, .csv, .parquet and .arrow files",
        metavar="NAME",
    )
    tokenizer: str = setting(
        "whitespace",
        "what separates words; words: Unicode's word boundaries, without punctuation and emoji,"
        " every Chinese character being a word; or a tokenizer.json of Hugging Face",
        choices=("whitespace", "words"),
        or_file=TOKENIZER_FILE,
    )
    sentences: str = setting(
        "line",
        "where windows end, and the <eos> of a language model is inserted: at every line end, or"
        " at blank lines, which joins hard-wrapped lines",
        choices=("line", "paragraph"),
    )
    lowercase: bool = setting(False, "convert all words to lower case")
    encoding: str = setting(
        "utf-8", "encoding of the text, such as latin-1, utf-16, gb18030", metavar="NAME"
    )
    encoding_errors: str = setting(
        "replace",
        "what to do with bytes that are invalid in this encoding",
        choices=("replace", "strict"),
    )
    phrases: str | None = setting(
        None,
        "join the phrases in this file, as written by `w2v phrases`",
        metavar="FILE",
        path="read",
    )
    vocab: str | None = setting(
        None,
        "keep exactly the words of this file, with its counts, as written by `w2v vocab`; or, of a"
        " list with one word per line, those that occur in the text",
        metavar="FILE",
        path="read",
    )
    min_count: int = setting(5, "leave out words that occur less often", low=1, lm=1)
    max_vocab: int = setting(0, "keep this many of the most frequent words; 0 keeps all", low=0)
    max_sentence: int = setting(1000, "split lines of more words than this; 0 never splits", low=0)

    @property
    def tokenizer_file(self) -> str | None:
        """The path of a tokenizer.json whose tokens are the words, or None."""
        return self.tokenizer if self.tokenizer.endswith(TOKENIZER_FILE) else None


@dataclass(frozen=True)
class ModelSettings:
    """The model that is trained."""

    model: str = setting(
        "skip-gram",
        "skip-gram: a word predicts its context; cbow: the context predicts the word; lm: language"
        " model, all preceding tokens predict the next",
        choices=("skip-gram", "cbow", LANGUAGE_MODEL),
    )
    dim: int = setting(100, "dimension of the vectors", low=1, high=MAX_DIM, lm=200)
    window: int = setting(
        5, "largest window; the size of each one is drawn from 1 to this, inside a line", low=1
    )
    cbow_hidden: str = setting(
        "mean", "cbow: how the vectors of context words are combined", choices=("mean", "sum")
    )
    cbow_grad: str = setting(
        "word2vec",
        "cbow, mean: each context word gets the whole gradient of the mean, or its own share",
        choices=("word2vec", "mean"),
    )
    subwords: str = setting(
        "0",
        "average each word's vector with those of its n-grams of this many characters, so that"
        " unknown words have vectors too; lm: a vocabulary of this many byte-level BPE subwords;"
        " 0: none",
        metavar="3-6|N",
        read=checked_subwords,
    )
    buckets: int = setting(
        2_000_000,
        "number of rows that all n-grams share",
        low=1,
        high=2**30,
        metavar="2M|N",
        read=parse_count,
    )

    vectors: str = setting(
        "input",
        "the vector of a word: its input row; sum: plus half of its output row; both: input and"
        " output row concatenated, scaled to equal length",
        choices=("input", "sum", "both"),
    )
    centre: bool = setting(False, "subtract the mean of all word vectors from each")
    components: int = setting(
        0,
        "shorten the vectors to this many numbers, their first principal components; 0: keep all",
        low=0,
    )

    @property
    def ngram_lengths(self) -> tuple[int, int] | None:
        """The lengths in characters of the shortest and longest n-grams; None without n-grams."""
        shortest, _, longest = self.subwords.partition("-")
        return (int(shortest), int(longest)) if longest else None

    @property
    def vector_size(self) -> int:
        """How many numbers the final vector of a word has."""
        return self.components or self.dim * (1 + (self.vectors == "both"))

    def changes(self, name: str) -> bool:
        """Returns whether a setting differs from its default."""
        return bool(getattr(self, name) != getattr(ModelSettings, name))

    @property
    def pieces(self) -> int:
        """The number of subwords in the vocabulary of a language model; 0: it consists of words."""
        return 0 if self.ngram_lengths else int(self.subwords)


@dataclass(frozen=True)
class TrainingSettings:
    """How the model is trained."""

    loss: str = setting(
        WORDS_LOSS, "the output layer; see `w2v losses`", choices=tuple(LOSSES), lm=LM_LOSS
    )
    sample: float = setting(
        1e-3, "subsample words with a higher relative frequency than this; 0: never", low=0
    )
    lr: float = setting(
        AUTO,
        "initial learning rate; decays linearly, for lm by `schedule`",
        above=0,
        default_text="0.025 for skip-gram, 0.05 for cbow; adagrad 0.1, sparse-adam 0.01;"
        " lm: sgd 20, adagrad 0.1, adamw 0.002",
    )
    epochs: int = setting(5, "passes over the corpus", low=1)
    threads: int = setting(
        AUTO, "worker threads; 1: repeatable runs", low=1, high=1024, default_text="usable cores"
    )
    seed: int = setting(1, "seed of all random numbers", low=0, high=2**63 - 1)
    deterministic: bool = setting(
        False, "make runs repeatable also with several threads; takes more memory"
    )
    exchange_words: int = setting(
        0,
        "torchrun, hogwild: words that each process trains between exchanges of the weights; 0:"
        " chosen for 1000 exchanges per run, with more than 4 processes 250 for each",
        low=0,
        metavar="50k|1M",
        read=parse_count,
    )
    engine: str = setting(
        "auto",
        "hogwild (CPU) and triton (GPU): fused kernels for losses that score few words; autograd:"
        " PyTorch, for everything",
        choices=("auto", *FUSED, "autograd"),
    )
    device: str = setting(
        "auto",
        "where to train; auto: hogwild on the CPU, the other engines on the first GPU, if any",
        metavar="auto|cpu|cuda[:N]",
        read=checked_device,
    )
    batch_size: int = setting(  # resolved to 0: chosen by the length of the text
        AUTO,
        "autograd: words of the text per step; lm: columns of the text read in parallel",
        low=1,
        lm=20,
        default_text="16384; 256 for sgd; lm 20",
    )
    optimizer: str = setting(
        AUTO,
        "optimizer; adamw: lm only",
        choices=("sgd", "adagrad", "sparse-adam", "adamw"),
        default_text="adagrad; hogwild, triton: only sgd; lm: adamw for transformer, else adagrad",
    )


@dataclass(frozen=True)
class ValidationSettings:
    """Validation on another text, which is not trained on."""

    valid: str | None = setting(
        None,
        "validation text, whose loss is measured after every epoch; lm: perplexity, and the best"
        " model is kept",
        metavar="FILE",
        path="read",
    )
    patience: int = setting(
        0,
        "stop after this many epochs without improvement on `valid`, keep the best; 0: off",
        low=0,
    )


@dataclass(frozen=True)
class StartSettings:
    """The vectors that training starts from, if not random ones."""

    init: str | None = setting(
        None,
        "start from the vectors of a run, keeping its vocabulary, or of a file; lm: embeddings of"
        " the text's words start from them",
        metavar="RUN|FILE",
        path="read",
    )
    freeze: bool = setting(False, "keep the vectors of `init` unchanged (autograd engine)")
    extend_vocab: bool = setting(False, "add new words (of `min_count`) to those of the `init` run")


@dataclass(frozen=True)
class CheckpointSettings:
    """How the state of the run is saved during training."""

    checkpoint_every: str | None = setting(
        None,
        "save a checkpoint in the run directory at this interval, and after every epoch",
        metavar="30s|5m|2M",
        default_text="never; s, m, h are time, k, M, G words",
        read=checked_interval,
    )
    keep: int = setting(2, "number of latest checkpoints to keep", low=1)
    tensorboard: str | None = setting(
        None,
        "also write the metrics for TensorBoard, into this folder",
        metavar="DIR",
        path="written",
    )


@dataclass(frozen=True)
class OutputSettings:
    """The output; not part of a saved configuration."""

    output: str | None = setting(
        None,
        "a run directory, or vectors as .txt .vec .bin .glove .npy .parquet .arrow .safetensors",
        metavar="PATH",
        path="written",
        default_text="CORPUS-MODEL-LOSS in the working directory",
    )
    overwrite: bool = setting(False, "replace an existing output")


GROUPS: dict[str, type] = {
    "corpus": CorpusSettings,
    "model": ModelSettings,
    "training": TrainingSettings,
    "lm": LanguageModelSettings,
    "validation": ValidationSettings,
    "start": StartSettings,
    "output": OutputSettings,
    "checkpoints": CheckpointSettings,
}


def loss_settings() -> dict[str, Setting]:
    """Returns the settings of all losses by name, ordered by how many losses have them. A name that
    several losses share has the same meaning in each."""
    every = {
        name: setting
        for entry in LOSSES.values()
        for name, setting in settings_of(entry.options).items()
    }
    return {name: every[name] for name in sorted(every, key=lambda name: -len(losses_with(name)))}


def losses_with(name: str) -> list[str]:
    """Returns the names of the losses that have this setting."""
    return [entry.name for entry in LOSSES.values() if name in settings_of(entry.options)]


def all_settings() -> dict[str, Setting]:
    """Returns every setting by name, in the order of the documentation."""
    every: dict[str, Setting] = {}
    for name, group in GROUPS.items():
        every |= settings_of(group)
        if name == "training":
            every |= loss_settings()
    return every
