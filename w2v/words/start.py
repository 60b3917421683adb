"""Where training starts from when there are vectors already (`init`): another run, or a file of
pretrained vectors.

    FILE             the vocabulary is the new text's; words that the file knows start from its rows
    RUN    the vocabulary, noise and tree are the run's, and so are all rows; new words are left out
    RUN `extend_vocab`    the run's words and those that the text has enough of: old rows stay with
                          their words, new words start as usual; noise and tree are built anew from
                          the counts of both texts

Output rows come from a run's latest checkpoint, if it was trained with the same loss.

With `subwords` the rows of n-grams come along too, where there are such. A known word's own row is
then what makes its vector the earlier one: if n rows have the mean v, n·v less the sum of the
others.
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
from w2v.errors import InputError
from w2v.losses.table import LOSSES
from w2v.runs.checkpoint import all_finite, newest_checkpoint
from w2v.settings.build import build_config
from w2v.settings.config import Config
from w2v.training.engine import WordEngine
from w2v.training.report import Reporter
from w2v.vectors import WordVectors, load_vectors
from w2v.vectors.loading import check_version
from w2v.words.inputs import BUCKETS, NGRAMS, Inputs, check_buckets, make_inputs, ngrams_of

OUTPUT = "output."


@dataclass
class Earlier:
    """What `init` names: words with their vectors [words, dim]; of a run also counts and its output
    layer.

    ngrams: which n-grams there are, buckets [N], and their rows [N, dim].
    outputs: tensors by the names of `Engine.state`; why_none: a phrase on why there are none; lost:
    the run had an output layer of this kind, perhaps, and has not kept it; warnings: what to tell
    about the file.
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
    """How the rows of a new run begin. known [K]: ids in its vocabulary; source [K]: rows of
    `earlier`."""

    earlier: Earlier
    known: np.ndarray
    source: np.ndarray
    size: int  # of the new vocabulary
    moved: bool  # whether rows have other places than in the run that `init` names
    freeze: bool

    def apply(self, engine: WordEngine, inputs: Inputs | None, reporter: Reporter) -> None:
        """Puts the earlier rows into the engine, whose starting vectors are set; says what came
        from where. inputs: what its words consist of."""
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
        unlike = [name for name in outputs if not self._fill(name, arrays[name])]
        anew = ", ".join(name.removeprefix(OUTPUT) for name in unlike)
        engine.load_state(arrays)
        if self.freeze:
            frozen = np.zeros(self.size, np.uint8)
            frozen[self.known] = 1
            engine.freeze(frozen)
        share = f"{len(self.known):,} of {self.size:,} words"
        what = f"{share} start from their rows in {self.earlier.name}"
        stay = " and stay there" if self.freeze else ""
        reporter.note(f"{what}{stay}, {self.size - len(self.known):,} as usual")
        if anew:
            why = self.earlier.why_none or "its rows do not belong to words one by one"
            tell = reporter.warn if self.earlier.lost else reporter.note
            tell(f"the output layer starts anew ({anew}): {why}")
        elif outputs and self.earlier.vocabulary is not None:
            reporter.note(f"the output layer goes on from {self.earlier.name}")

    def _fill(self, name: str, array: np.ndarray) -> bool:
        """Copies what the earlier output layer has for one tensor; whether it could."""
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
    """Returns what `init` names; refuses it where that is nothing to start from."""
    path = Path(config.start.init or "")
    if (path / "config.yaml").is_file() and (path / "vocab.tsv").is_file():
        found = _of_run(path, config)
    else:
        if config.start.extend_vocab:
            what = f"needs the vocabulary of a run, and `init` {path} is none"
            raise InputError(f"`extend_vocab` {what}: leave one out")
        loaded = load_vectors(path, encoding_errors=config.corpus.encoding_errors)
        why = "a file of vectors has none"
        words, rows = loaded.words, loaded.matrix
        found = Earlier(str(path), words, rows, why_none=why, warnings=loaded.warnings)
        found.ngrams = _ngrams_of(loaded)
    length, dim = found.rows.shape[1], config.model.dim
    if length != dim:
        what = f"has vectors of {length} numbers, and `dim` is {dim}"
        raise InputError(f"`init` {path} {what}: give `dim` {length}")
    own, theirs = ngrams_of(config), found.ngrams
    if own is not None and theirs is not None and own != theirs[0]:
        there, here = (f"{n.shortest}-{n.longest}" for n in (theirs[0], own))
        what = f"has n-grams of `subwords` {there} in {theirs[0].buckets:,} `buckets`, and here"
        told = f"{what} they are {here} in {own.buckets:,}: give the same, or a file of vectors"
        raise InputError(f"`init` {path} {told}")
    if not all_finite(found.rows):
        raise InputError(f"`init` {path} holds NaN or infinity: name another one")
    return found


def start_from(
    config: Config, store: TokenStore, chosen: Vocabulary, reporter: Reporter
) -> tuple[TokenStore, Vocabulary, Start]:
    """The text and the vocabulary of a run that starts from `init`; `chosen` are the words that it
    would have without."""
    earlier = load_earlier(config)
    vocabulary, old = chosen, earlier.vocabulary
    if old is not None and config.corpus.vocab is not None:
        what = f"the words of the run `init` {earlier.name} stay what they are"
        raise InputError(f"{what}: leave out `vocab`, or name a file of vectors")
    if old is not None:
        vocabulary = _extended(old, store.vocabulary, chosen) if config.start.extend_vocab else old
        new = sum(old.index(word) is None for word in chosen.words)
        if config.start.extend_vocab:
            what = f"{new:,} new words beside the {len(old):,} of {earlier.name}"
            reporter.note(f"{what}; noise and tree are built anew")
        elif new:
            what = f"{new:,} words of the text are not in the vocabulary of {earlier.name}"
            reporter.note(f"{what} and are left out (`extend_vocab` takes them in)")
        store = renumbered(store, vocabulary)
    places = {word: place for place, word in reversed(list(enumerate(earlier.words)))}
    pairs = [(new, places[word]) for new, word in enumerate(vocabulary.words) if word in places]
    known, source = np.array(pairs, np.int64).reshape(-1, 2).T
    moved = vocabulary is not old
    start = Start(earlier, known, source, len(vocabulary), moved, config.start.freeze)
    return store, vocabulary, start


def _ngrams_of(loaded: WordVectors) -> tuple[Ngrams, np.ndarray, np.ndarray] | None:
    found = loaded.ngrams
    if found is None:
        return None
    return found.ngrams, np.arange(len(found.rows)), found.rows


def run_vocabulary(store: TokenStore, config: Config, run: Path) -> tuple[TokenStore, Vocabulary]:
    """Returns the text with the ids of the vocabulary that a run to go on with has."""
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
            f" w2v export {path} -o embeddings.bin, and name that"
        )
    vocabulary = Vocabulary.load(path / "vocab.tsv")
    checkpoint, _ = newest_checkpoint(path)
    if checkpoint is None:
        loaded, why = load_vectors(path), f"what {path} had learnt of it was not kept"
        why += ", which a run with `checkpoint_every` does"
        earlier = Earlier(
            str(path), loaded.words, loaded.matrix, vocabulary, why_none=why, lost=True
        )
        earlier.ngrams = _ngrams_of(loaded)
        return earlier
    rows = checkpoint.tensors.get("input")
    corpus = checkpoint.state.get("corpus")
    then = corpus.get("vocabulary_sha256") if isinstance(corpus, dict) else None
    fits = then is None or then == digest(vocabulary)
    if rows is None or rows.ndim != 2 or len(rows) != len(vocabulary) or not fits:
        what = f"{checkpoint.path} does not fit the vocabulary beside it"
        raise InputError(f"`init` {path}: {what}; name another run")
    earlier = Earlier(str(path), vocabulary.words, rows, vocabulary)
    inputs = make_inputs(before, vocabulary.words, vocabulary.counts)
    if inputs is not None:
        try:
            ngrams, buckets = (checkpoint.tensors[name] for name in (NGRAMS, BUCKETS))
            check_buckets(buckets, inputs.buckets)
            earlier.rows = inputs.vectors(rows, ngrams)
        except (IndexError, KeyError, ValueError):
            what = f"{checkpoint.path} does not hold the n-grams of the words beside it"
            raise InputError(f"`init` {path}: {what}; name another run") from None
        earlier.ngrams = inputs.ngrams, buckets, ngrams
    if (before.training.loss, before.loss) != (config.training.loss, config.loss):
        earlier.why_none = f"{path} was trained with another loss, or other options of it"
    elif LOSSES[before.training.loss].sorted_only and config.start.extend_vocab:
        earlier.why_none = f"the clusters of {before.training.loss} move with the vocabulary"
    else:
        earlier.outputs = checkpoint.tensors
    return earlier


def _extended(old: Vocabulary, text: Vocabulary, chosen: Vocabulary) -> Vocabulary:
    """The old words and the chosen ones, by their counts in both texts together; of equal ones the
    old one first."""
    words, counts = list(old.words), old.counts.copy()
    for word, count in zip(text.words, text.counts.tolist(), strict=True):
        if (place := old.index(word)) is not None:
            counts[place] += count
    new = [place for place, word in enumerate(chosen.words) if old.index(word) is None]
    words += [chosen.words[place] for place in new]
    counts = np.concatenate([counts, chosen.counts[new]])
    order = np.argsort(-counts, kind="stable")
    return Vocabulary([words[place] for place in order], counts[order])
