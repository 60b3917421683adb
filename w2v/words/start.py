"""Starting training from existing vectors (`init`): those of a run, or of a file.

    FILE             the vocabulary is that of the new text; words in the file start from its rows
    RUN    vocabulary, noise distribution and tree are the run's, as are all rows; new words are
                     left out
    RUN with `extend_vocab`    the run's words and the new text's frequent words: the former keep
                     their rows, the latter start as usual; noise distribution and tree are rebuilt
                     from the counts of both texts

Output rows come from the run's latest checkpoint, if it was trained with the same loss.

With `subwords` the rows of n-grams are taken over too, if there are any. The own row of a known
word is then chosen so that its vector stays the earlier one v: if that is the mean of n rows, the
own row is n·v minus the sum of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from w2v.corpus import TokenStore, Vocabulary
from w2v.corpus.identity import digest
from w2v.corpus.ngrams import Ngrams
from w2v.corpus.renumber import renumbered
from w2v.corpus.selection import lost_text
from w2v.errors import InputError
from w2v.losses.table import LOSSES
from w2v.runs.checkpoint import newest_checkpoint
from w2v.runs.starting import check_rows, matching_rows
from w2v.settings.build import build_config
from w2v.settings.config import Config
from w2v.settings.groups import CorpusSettings
from w2v.training.engine import WordEngine
from w2v.training.report import Reporter
from w2v.training.task import Context
from w2v.training.text import keeping_all_words, words_to_train
from w2v.vectors import WordVectors, load_vectors
from w2v.vectors.loading import check_version
from w2v.words.inputs import BUCKETS, NGRAMS, Inputs, check_buckets, make_inputs, ngrams_of

OUTPUT = "output."


@dataclass
class Earlier:
    """The content of `init`: words with their vectors [words, dim]; if it is a run, also the counts
    and the output layer.

    ngrams: the kind of n-grams, their buckets [N] and their rows [N, dim].
    outputs: tensors named as in `Engine.state`; why_none: the reason if there are none; lost:
    whether the run may have had a matching output layer without saving it; warnings: about the
    file, for the user.
    """

    name: str
    words: Sequence[str]
    rows: np.ndarray
    vocabulary: Vocabulary | None = None
    outputs: Mapping[str, np.ndarray] = field(default_factory=dict)
    why_none: str = ""
    lost: bool = False
    warnings: Sequence[str] = ()
    ngrams: tuple[Ngrams, np.ndarray, np.ndarray] | None = None


@dataclass
class Start:
    """The starting rows of a new run. known [K]: ids in its vocabulary; source [K]: the rows of
    `earlier` they start from."""

    earlier: Earlier
    known: np.ndarray
    source: np.ndarray
    size: int  # of the new vocabulary
    moved: bool  # whether words have other ids than in the run that `init` names
    freeze: bool

    def apply(self, engine: WordEngine, inputs: Inputs | None, reporter: Reporter) -> None:
        """Copies the earlier rows into the engine, which must be initialised, and reports which
        rows were copied. inputs: the n-grams of the new vocabulary."""
        for warning in self.earlier.warnings:
            reporter.warn(warning)
        arrays = {name: np.array(array) for name, array in engine.state().items()}
        rows = self.earlier.rows[self.source]
        if inputs is not None:
            if self.earlier.ngrams is not None:
                _, buckets, ngrams = self.earlier.ngrams
                arrays[NGRAMS][np.argsort(inputs.buckets)[buckets]] = ngrams
            others = inputs.sums(arrays[NGRAMS])[self.known]
            rows = inputs.counts[self.known, None] * rows - others
        arrays["input"][self.known] = rows
        outputs = [name for name in arrays if name.startswith(OUTPUT)]
        not_copied = [name for name in outputs if not self._fill(name, arrays[name])]
        restarted = ", ".join(name.removeprefix(OUTPUT) for name in not_copied)
        engine.load_state(arrays)
        if self.freeze:
            frozen = np.zeros(self.size, np.uint8)
            frozen[self.known] = 1
            engine.freeze(frozen)
        share = f"{len(self.known):,} of {self.size:,} words"
        message = f"{share} start from their rows in {self.earlier.name}"
        stay = " and stay fixed" if self.freeze else ""
        reporter.note(f"{message}{stay}, {self.size - len(self.known):,} as usual")
        if restarted:
            why = self.earlier.why_none or "its rows do not correspond to single words"
            report = reporter.warn if self.earlier.lost else reporter.note
            report(f"the output layer starts from scratch ({restarted}): {why}")
        elif outputs and self.earlier.vocabulary is not None:
            reporter.note(f"the output layer continues from {self.earlier.name}")

    def _fill(self, name: str, array: np.ndarray) -> bool:
        """Copies the earlier values of one tensor into `array`; returns whether they fit."""
        old = self.earlier.outputs.get(name)
        if old is None or old.shape[1:] != array.shape[1:]:
            return False
        if old.shape == array.shape and (not self.moved or array.size == 1):
            array[...] = old
            return True
        if old.ndim and len(old) == len(self.earlier.words) and len(array) == self.size:
            array[self.known] = old[self.source]
            return True
        return False


def load_earlier(config: Config) -> Earlier:
    """Loads what `init` names. Raises InputError if training cannot start from it."""
    path = Path(config.start.init or "")
    if (path / "config.yaml").is_file() and (path / "vocab.tsv").is_file():
        earlier = _of_run(path, config)
    else:
        if config.start.extend_vocab:
            problem = f"needs the vocabulary of a run, but `init` {path} is not a run"
            raise InputError(f"`extend_vocab` {problem}: leave one out")
        loaded = load_vectors(path, encoding_errors=config.corpus.encoding_errors)
        why = "a file of vectors has no output layer"
        words, rows = loaded.words, loaded.matrix
        earlier = Earlier(str(path), words, rows, why_none=why, warnings=loaded.warnings)
        earlier.ngrams = _ngrams_of(loaded)
    check_rows(str(path), earlier.rows, config.model.dim)
    new, old = ngrams_of(config), earlier.ngrams and earlier.ngrams[0]
    if new is not None and old is not None and new != old:
        old_range, new_range = (f"{n.shortest}-{n.longest}" for n in (old, new))
        problem = f"has n-grams of `subwords` {old_range} in {old.buckets:,} `buckets`, but here"
        remedy = f"they are {new_range} in {new.buckets:,}: give the same, or a file of vectors"
        raise InputError(f"`init` {path} {problem} {remedy}")
    return earlier


def start_from(context: Context, store: TokenStore) -> tuple[TokenStore, Vocabulary, Start]:
    """Returns the text, the vocabulary and the starting rows of a run with `init`."""
    config = context.config
    earlier = load_earlier(config)
    if (old := earlier.vocabulary) is None:
        store, vocabulary = words_to_train(context, store)
    else:
        if config.corpus.vocab is not None:
            message = f"`init` {earlier.name} is a run, which determines the vocabulary"
            raise InputError(f"{message}: leave out `vocab`, or give a file of vectors")
        vocabulary = _of_both(old, store.vocabulary, earlier.name, context)
        store = renumbered(store, vocabulary)
    known, source = matching_rows(earlier.name, earlier.words, vocabulary.words)
    moved = vocabulary is not old
    start = Start(earlier, known, source, len(vocabulary), moved, config.start.freeze)
    return store, vocabulary, start


def _of_both(old: Vocabulary, text: Vocabulary, name: str, context: Context) -> Vocabulary:
    """Returns the vocabulary of the run `name`, with `extend_vocab` also the new words of the text,
    and reports how many there are. Only these have to occur `min_count` times."""
    config, reporter = context.config, context.reporter
    for warning in lost_text(text, keeping_all_words(context).config.corpus):
        reporter.warn(warning)
    if config.start.extend_vocab:
        chosen = text.truncated(config.corpus.min_count, config.corpus.max_vocab)
        new = sum(word not in old for word in chosen.words)
        message = f"{new:,} new words in addition to the {len(old):,} of {name}"
        reporter.note(f"{message}; noise distribution and tree are rebuilt")
        return _extended(old, text, chosen)
    fewest, most = config.corpus.min_count, config.corpus.max_vocab
    given = fewest != CorpusSettings.min_count
    ignored = {"min_count": given and fewest > old.counts.min(), "max_vocab": 0 < most < len(old)}
    for setting in [key for key, broken in ignored.items() if broken]:
        why = f"is not used: `init` {name} is a run, which determines the vocabulary"
        reporter.warn(f"`{setting}` {getattr(config.corpus, setting)} {why}")
    if new := sum(word not in old for word in text.words):
        message = f"{new:,} words of the text are not in the vocabulary of {name}"
        reporter.note(f"{message} and are left out (`extend_vocab` adds them)")
    return old


def _ngrams_of(loaded: WordVectors) -> tuple[Ngrams, np.ndarray, np.ndarray] | None:
    ngrams = loaded.ngrams
    if ngrams is None:
        return None
    return ngrams.ngrams, np.arange(len(ngrams.rows)), ngrams.rows


def run_vocabulary(store: TokenStore, config: Config, run: Path) -> tuple[TokenStore, Vocabulary]:
    """Returns the text with the ids of the vocabulary of the run that is resumed, and that
    vocabulary."""
    vocabulary = Vocabulary.load(run / "vocab.tsv")
    corpus = config.corpus
    chosen = store.vocabulary.truncated(corpus.min_count, corpus.max_vocab)
    if digest(chosen) != digest(vocabulary):
        store = renumbered(store, vocabulary)
    return store, vocabulary


def _of_run(path: Path, config: Config) -> Earlier:
    check_version(path)
    before = build_config({}, path / "config.yaml")
    if not before.only_vectors:
        raise InputError(
            f"`init` {path} is the run of a language model: write its embeddings to a file with"
            f" w2v export {path} -o embeddings.bin, and give that"
        )
    vocabulary = Vocabulary.load(path / "vocab.tsv")
    checkpoint, _ = newest_checkpoint(path)
    if checkpoint is None:
        loaded, why = load_vectors(path), f"{path} has no checkpoint of it"
        why += "; runs with `checkpoint_every` have one"
        earlier = Earlier(
            str(path), loaded.words, loaded.matrix, vocabulary, why_none=why, lost=True
        )
        earlier.ngrams = _ngrams_of(loaded)
        return earlier
    rows = checkpoint.tensors.get("input")
    corpus = checkpoint.state.get("corpus")
    expected = corpus.get("vocabulary_sha256") if isinstance(corpus, dict) else None
    fits = expected is None or expected == digest(vocabulary)
    if rows is None or rows.ndim != 2 or len(rows) != len(vocabulary) or not fits:
        problem = f"{checkpoint.path} does not fit the run's vocabulary"
        raise InputError(f"`init` {path}: {problem}; give another run")
    earlier = Earlier(str(path), vocabulary.words, rows, vocabulary)
    inputs = make_inputs(before, vocabulary.words, vocabulary.counts)
    if inputs is not None:
        try:
            ngrams, buckets = (checkpoint.tensors[name] for name in (NGRAMS, BUCKETS))
            check_buckets(buckets, inputs.buckets)
            earlier.rows = inputs.vectors(rows, ngrams)
        except (IndexError, KeyError, ValueError):
            problem = f"{checkpoint.path} does not hold the n-grams of the run's words"
            raise InputError(f"`init` {path}: {problem}; give another run") from None
        earlier.ngrams = inputs.ngrams, buckets, ngrams
    if (before.training.loss, before.loss) != (config.training.loss, config.loss):
        earlier.why_none = f"{path} was trained with another loss or other options of it"
    elif LOSSES[before.training.loss].sorted_only and config.start.extend_vocab:
        earlier.why_none = f"the clusters of {before.training.loss} change with the vocabulary"
    else:
        earlier.outputs = checkpoint.tensors
    return earlier


def _extended(old: Vocabulary, text: Vocabulary, chosen: Vocabulary) -> Vocabulary:
    """Returns the old and the chosen words, sorted by their total count in both texts; old words
    come first among equals."""
    words, counts = list(old.words), old.counts.copy()
    for word, count in zip(text.words, text.counts.tolist(), strict=True):
        if (row := old.index(word)) is not None:
            counts[row] += count
    new = [row for row, word in enumerate(chosen.words) if old.index(word) is None]
    words += [chosen.words[row] for row in new]
    counts = np.concatenate([counts, chosen.counts[new]])
    order = np.argsort(-counts, kind="stable")
    return Vocabulary([words[row] for row in order], counts[order])
