"""The settings of a run in groups, one field each; further: `settings.language_model` and
`losses.options`."""

from __future__ import annotations

from dataclasses import dataclass

from w2v.losses.table import LM_LOSS, LOSSES, WORDS_LOSS
from w2v.settings.declare import AUTO, Setting, setting, settings_of
from w2v.settings.interval import checked_device, checked_interval, checked_subwords, parse_count
from w2v.settings.language_model import LanguageModelSettings
from w2v.system.limits import MAX_DIM

LANGUAGE_MODEL = "lm"  # the `model` that is no word vectors
# what a language model has no use for
WORD_VECTORS_ONLY = ("window", "sample", "max_sentence", "buckets", "vectors", "centre")
HOGWILD, TRITON = "hogwild", "triton"
# the engines with fused kernels, for CPU and GPU: one algorithm, so that each goes on with what the
# other has saved
FUSED = (HOGWILD, TRITON)
HOGWILD_ONLY = ("exchange_words",)  # what only that engine has

TOKENIZER_FILE = ".json"
CHOOSE_WORDS = ("min_count", "max_vocab")  # which of a text's words are kept, without a list


@dataclass(frozen=True)
class CorpusSettings:
    """What is read, and which of its words are kept."""

    corpus: tuple[str, ...] = setting(
        (), "files, folders, globs, hf://datasets/… or - for stdin", flag=False, path="read"
    )
    column: str | None = setting(
        None,
        "the column that holds the text, or lists of words, of .jsonl, .csv, .parquet and .arrow",
        metavar="NAME",
    )
    tokenizer: str = setting(
        "whitespace",
        "what separates words; words: Unicode's word boundaries, without punctuation and emoji;"
        " every Chinese character is a word; or a tokenizer.json of Hugging Face",
        choices=("whitespace", "words"),
        or_file=TOKENIZER_FILE,
    )
    sentences: str = setting(
        "line",
        "where windows end, and a language model's <eos> stands: at every line end, or at blank"
        " lines, so that hard-wrapped lines are joined",
        choices=("line", "paragraph"),
    )
    lowercase: bool = setting(False, "read all words in lower case")
    encoding: str = setting(
        "utf-8", "what the text is written in, such as latin-1, utf-16, gb18030", metavar="NAME"
    )
    encoding_errors: str = setting(
        "replace",
        "what happens to bytes that are not in this encoding",
        choices=("replace", "strict"),
    )
    phrases: str | None = setting(
        None,
        "join the phrases of this file, which `w2v phrases` writes",
        metavar="FILE",
        path="read",
    )
    vocab: str | None = setting(
        None,
        "keep exactly the words of this file, with its counts, as `w2v vocab` writes it; or of a"
        " list of one word a line those that the text has",
        metavar="FILE",
        path="read",
    )
    min_count: int = setting(5, "leave out words that occur less often", low=1, lm=1)
    max_vocab: int = setting(0, "keep this many of the most frequent words; 0 keeps all", low=0)
    max_sentence: int = setting(1000, "split lines of more words than this; 0 never splits", low=0)

    @property
    def tokenizer_file(self) -> str | None:
        """The path, if words are the tokens of a tokenizer.json."""
        return self.tokenizer if self.tokenizer.endswith(TOKENIZER_FILE) else None


@dataclass(frozen=True)
class ModelSettings:
    """What is learnt."""

    model: str = setting(
        "skip-gram",
        "how words and contexts predict each other; lm: language model, a token from all before",
        choices=("skip-gram", "cbow", LANGUAGE_MODEL),
    )
    dim: int = setting(100, "length of the vectors", low=1, high=MAX_DIM, lm=200)
    window: int = setting(
        5, "farthest context word; each window is drawn from 1 to this, inside a line", low=1
    )
    cbow_hidden: str = setting(
        "mean", "cbow: what context words' vectors become together", choices=("mean", "sum")
    )
    cbow_grad: str = setting(
        "word2vec",
        "cbow, mean: each context word learns the whole gradient of the mean, or its own share",
        choices=("word2vec", "mean"),
    )
    subwords: str = setting(
        "0",
        "a word's vector is the mean of its own and those of its n-grams of so many characters, so"
        " that unknown words have one too; lm: a vocabulary of so many byte-level BPE subwords;"
        " 0: none",
        metavar="3-6|N",
        read=checked_subwords,
    )
    buckets: int = setting(
        2_000_000,
        "how many rows the n-grams share",
        low=1,
        high=2**30,
        metavar="2M|N",
        read=parse_count,
    )

    vectors: str = setting(
        "input",
        "what becomes of a word: its input row; sum: plus half of its output row; both: input and"
        " output row side by side, of equal length",
        choices=("input", "sum", "both"),
    )
    centre: bool = setting(False, "subtract the mean of all words' vectors from each")

    @property
    def ngram_lengths(self) -> tuple[int, int] | None:
        """The characters of the shortest and the longest n-gram; None without n-grams."""
        shortest, _, longest = self.subwords.partition("-")
        return (int(shortest), int(longest)) if longest else None

    def changes(self, name: str) -> bool:
        """Whether a setting has another value than by default."""
        return bool(getattr(self, name) != getattr(ModelSettings, name))

    @property
    def pieces(self) -> int:
        """How many subwords a language model's vocabulary has; 0: it has words."""
        return 0 if self.ngram_lengths else int(self.subwords)


@dataclass(frozen=True)
class TrainingSettings:
    """How it is learnt."""

    loss: str = setting(
        WORDS_LOSS, "the output layer; see `w2v losses`", choices=tuple(LOSSES), lm=LM_LOSS
    )
    sample: float = setting(
        1e-3, "leave out words above this frequency at random; 0 turns it off", low=0
    )
    lr: float = setting(
        AUTO,
        "learning rate at the start; falls linearly, for lm by `schedule`",
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
        False, "the same vectors every time with several threads too; takes more memory"
    )
    exchange_words: int = setting(
        0,
        "torchrun, hogwild: words that each process trains before they exchange what they learnt;"
        " 0: as makes 1000 exchanges a run, 250 for each process from the fifth on",
        low=0,
        metavar="50k|1M",
        read=parse_count,
    )
    engine: str = setting(
        "auto",
        "for the losses that score few words fused kernels, hogwild on the CPU, triton on a GPU;"
        " autograd: PyTorch, for everything",
        choices=("auto", *FUSED, "autograd"),
    )
    device: str = setting(
        "auto",
        "where it works; auto: hogwild on the CPU, the others on the first GPU, if any",
        metavar="auto|cpu|cuda[:N]",
        read=checked_device,
    )
    batch_size: int = setting(  # 0: as the length of the text suggests
        AUTO,
        "autograd: words of the text per step; lm: columns read side by side",
        low=1,
        lm=20,
        default_text="16384; 256 for sgd; lm 20",
    )
    optimizer: str = setting(
        AUTO,
        "how gradients become updates; adamw: lm only",
        choices=("sgd", "adagrad", "sparse-adam", "adamw"),
        default_text="adagrad; hogwild, triton: only sgd; lm: adamw for transformer, else adagrad",
    )


@dataclass(frozen=True)
class ValidationSettings:
    """Another text, which is measured and not learnt."""

    valid: str | None = setting(
        None,
        "text whose loss is measured after every epoch; lm: perplexity, and the best model is kept",
        metavar="FILE",
        path="read",
    )
    patience: int = setting(
        0, "stop after so many epochs without a better `valid`, and keep the best; 0: never", low=0
    )


@dataclass(frozen=True)
class StartSettings:
    """Where training starts from, if not from random vectors."""

    init: str | None = setting(
        None,
        "start from the vectors of a run, keeping its vocabulary, or of a file",
        metavar="RUN|FILE",
        path="read",
    )
    freeze: bool = setting(False, "leave the vectors of `init` as they are (autograd engine)")
    extend_vocab: bool = setting(False, "add the text's new words to those of the `init` run")


@dataclass(frozen=True)
class CheckpointSettings:
    """How the run is saved on its way."""

    checkpoint_every: str | None = setting(
        None,
        "save the run's state in the run directory so often, and at every epoch's end",
        metavar="30s|5m|2M",
        default_text="never; s, m, h are time, k, M, G words",
        read=checked_interval,
    )
    keep: int = setting(2, "checkpoints to keep, the latest", low=1)
    tensorboard: str | None = setting(
        None,
        "write the lines of metrics.jsonl for TensorBoard too, in a folder",
        metavar="DIR",
        path="written",
    )


@dataclass(frozen=True)
class OutputSettings:
    """Where the result goes; not part of a saved configuration."""

    output: str | None = setting(
        None,
        "a run directory, or just vectors by extension: .txt .vec .bin .glove .npy",
        metavar="PATH",
        path="written",
        default_text="CORPUS-MODEL-LOSS in the working directory",
    )
    overwrite: bool = setting(False, "replace an output that exists")


@dataclass(frozen=True)
class PhraseSettings:
    """What makes words a phrase, see `w2v.corpus.phrases`; no settings of a run."""

    scoring: str = setting(
        "word2phrase", "the score of two words", choices=("word2phrase", "gensim", "npmi")
    )
    threshold: float | None = setting(
        None, "a phrase is what scores above this", default_text="100; gensim 10, npmi 0.5"
    )
    passes: int = setting(
        1, "how often the text is read; the second pass finds phrases of phrases", low=1, high=16
    )
    connectors: tuple[str, ...] = setting(
        (),
        "words that may stand inside a phrase (bank of america): a language, or the words",
        metavar="en|de|fr|es|it|pt|nl|A,B,…",
    )
    delimiter: str = setting("_", "what stands between the words of a phrase", metavar="TEXT")


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
    """Returns the settings of all losses by name, those that most losses have first; a name that
    several share means the same in each."""
    found = {
        name: setting
        for entry in LOSSES.values()
        for name, setting in settings_of(entry.options).items()
    }
    return {name: found[name] for name in sorted(found, key=lambda name: -len(losses_with(name)))}


def losses_with(name: str) -> list[str]:
    """Returns the names of the losses that have this setting."""
    return [entry.name for entry in LOSSES.values() if name in settings_of(entry.options)]


def all_settings() -> dict[str, Setting]:
    """Returns every setting by name, in the order in which people should read them."""
    found: dict[str, Setting] = {}
    for name, group in GROUPS.items():
        found |= settings_of(group)
        if name == "training":
            found |= loss_settings()
    return found
