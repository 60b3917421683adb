"""Every loader of files that come from anywhere: valid files, how they are loaded, what must hold
of what is loaded.

A new loader is one line in LOADERS.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from tests.fuzz.loaders_of_vectors import MATRIX, WORD_LIST, Loader, _vector_loaders
from tests.language_runs import write_run
from w2v.cli.info import _run_facts
from w2v.corpus import TokenStore, Vocabulary, read_corpus
from w2v.corpus.cache import list_entries, load_entry
from w2v.errors import RunError
from w2v.evaluation.sets import AnalogySet, SimilaritySet, load_set
from w2v.evaluation.similarity import evaluate_similarity
from w2v.lm.language_model import LanguageModel
from w2v.lm.perplexity import score_ids
from w2v.lm.saved import load_language_model
from w2v.runs.checkpoint import Checkpoint, DamagedCheckpoint, load_checkpoint, save_checkpoint
from w2v.settings.build import build_config
from w2v.settings.config import Config
from w2v.settings.groups import CorpusSettings, all_settings
from w2v.vectors import WordVectors

# --------------------------------------------------------------------------------------------------
# Vocabularies, configurations, question sets, the cache


def check_vocabulary(vocabulary: Vocabulary) -> None:
    counts = vocabulary.counts.tolist()
    assert len(vocabulary) == len(counts) == len(set(vocabulary.words))
    assert counts == sorted(counts, reverse=True) and min(counts, default=1) >= 1
    assert int(vocabulary.counts.sum()) == sum(counts)
    assert [word.split() for word in vocabulary.words] == [[word] for word in vocabulary.words]


YAML_FILES = {
    "plain": (
        b"# w2v train --config x.yaml\ncorpus: [a.txt, 'b c.txt']\nmin-count: 2\ndim: 50\nlr:"
        b" 1.0e-3\nsample: 0\n"
    ),
    "nested": b"corpus:\n- a.txt\nloss:\n  name: nce\n  negatives: 9\n  nce-log-z: '0'\nseed: 5\n",
    "lists": (
        b"corpus: a.txt\nloss: adaptive-softmax\ncutoffs: [2000, 10000]\nhead_bias:"
        b" yes\noutput: ~\n"
    ),
    "blocks": (
        b'corpus: |\n  a.txt\nmodel: >-\n  cbow\n"dim": &x 5\n? lowercase\n: off\nwindow: !!int 3\n'
    ),
}


def check_config(config: Config) -> None:
    values = config.as_dict()
    for name, setting in all_settings().items():
        if name in values and name != "corpus":
            value = values[name]
            assert (
                setting.convert(list(value) if isinstance(value, tuple) else value, name) == value
            )
            assert not isinstance(value, float) or math.isfinite(value)
    assert config.corpus.corpus and config.to_yaml()


def check_set(found: AnalogySet | SimilaritySet) -> None:
    if isinstance(found, AnalogySet):
        assert all(
            len(question) == 4 and all(question)
            for section in found.sections
            for question in section.questions
        )
        return
    assert found.skipped >= 0
    assert all(a and b and math.isfinite(score) for a, b, score in found.pairs)
    known = [word for pair in found.pairs for word in pair[:2]]
    words = list(dict.fromkeys([*known, "x", "y"]))
    matrix = np.random.default_rng(1).standard_normal((len(words), 2)).astype(np.float32)
    result = evaluate_similarity(
        WordVectors(words, matrix), found.pairs, case="exact", skipped=found.skipped
    )
    assert result.covered == result.total == len(found.pairs)
    assert result.spearman is None or -1 <= result.spearman <= 1


SETS = {
    "analogies.txt": (
        b": capital\nAthens Greece Oslo Norway\n# a remark\n: gram1-adverb\ncalm calmly slow"
        b" slowly\n"
    ),
    "questions.txt": b"good better rough rougher\r\ngood better bad worse\r\n",
    "pairs.tsv": b"word1\tword2\tscore\ntiger\tcat\t7.35\nold\tnew\t1.58\nking\tqueen\t8.58\n",
    "pairs.csv": b"tiger,cat,7.35\nold,new,1.58\n",
    "simlex.tsv": (
        b"word1\tword2\tPOS\tSimLex999\tc\nold\tnew\tA\t1.58\t2\nsmart\tdumb\tA\t0.55\t1\n"
    ),
}
CACHED_TEXT = "the cat saw the dog\n\nthe dog 日本 saw\n"
KEY = "0123456789abcdef0123456789abcdef"


def _cached_files() -> dict[str, bytes]:
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.dict(os.environ, W2V_CACHE_DIR=f"{folder}/c"),
    ):
        corpus = Path(folder) / "a.txt"
        corpus.write_text(CACHED_TEXT)
        read_corpus([str(corpus)], CorpusSettings()).close()
        (entry,) = (Path(folder) / "c/corpora").iterdir()
        return {file.name: file.read_bytes() for file in entry.iterdir()}


def _load_cached(folder: Path) -> TokenStore | None:
    entry = folder / "corpora" / KEY
    entry.mkdir(parents=True)
    for file in [path for path in folder.iterdir() if path.is_file()]:
        file.rename(entry / file.name)
    with mock.patch.dict(os.environ, W2V_CACHE_DIR=str(folder)):
        assert all(isinstance(name, str) for listed in list_entries() for name in listed.sources)
        store = load_entry(KEY)
        assert store is not None or not entry.exists(), "a damaged entry is removed"
        return store


def check_cached(store: TokenStore | None) -> None:
    """Either nothing, or what was written: every byte but the manifest's remarks is under a
    checksum."""
    if store is None:
        return
    words = list(store.vocabulary.words)
    lines = [
        line.split()
        for line in " ".join("\n" if i < 0 else words[i] for i in store.ids.tolist()).split("\n")
    ]
    assert lines == [line.split() for line in CACHED_TEXT.split("\n")]
    assert (store.n_words, store.n_lines) == (9, 3)
    assert all(isinstance(warning, str) for warning in store.warnings)


def _checkpoint_files() -> dict[str, bytes]:
    tensors = {"input": MATRIX, "seeds": np.arange(3, dtype=np.uint64)}
    bounds = np.array([0, 5, 9], np.int64)
    with tempfile.TemporaryDirectory() as folder:
        saved = Checkpoint(7, tensors, bounds, {"epoch": 1, "loss": 0.5}, ['{"epoch": 1}'])
        path = save_checkpoint(Path(folder), saved)
        return {file.name: file.read_bytes() for file in path.iterdir()}


def _forged_checkpoint(files: Mapping[str, bytes]) -> dict[str, bytes]:
    sums = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in files.items()
        if name != "manifest.json"
    }
    return {**files, "manifest.json": json.dumps({"format_version": 1, "files": sums}).encode()}


def check_checkpoint(checkpoint: Checkpoint) -> None:
    assert type(checkpoint.step) is int and isinstance(checkpoint.state, dict)
    assert checkpoint.bounds.dtype == np.int64 and (np.diff(checkpoint.bounds) > 0).all()
    assert all(array.nbytes == array.tobytes().__len__() for array in checkpoint.tensors.values())
    assert all(type(line) is str for line in checkpoint.metrics)


def _language_model_files(**settings: str) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        corpus, run = Path(name) / "c.txt", Path(name) / "run"
        corpus.write_text(CACHED_TEXT)
        write_run(
            run, corpus, **{"dim": "4", "hidden": "4", "layers": "1", "min_count": "1", **settings}
        )
        # once now: PyTorch imports much of itself when it is first needed, and some of that can
        # start processes
        check_language_model(load_language_model(run))
        return {
            file.name: file.read_bytes() for file in run.iterdir() if file.name != "vectors.npy"
        }


def check_language_model(model: LanguageModel) -> None:
    vocabulary = model.vocabulary
    ids = vocabulary.encode("the cat 日本 unheard the")
    assert ids.dtype == np.int32 and all(0 <= token < len(vocabulary) for token in ids.tolist())
    assert isinstance(vocabulary.decode(ids), str)
    try:
        score = score_ids(
            model.network, np.append(ids, vocabulary.eos), vocabulary.eos, vocabulary.unk
        )
    except RunError as error:
        assert "the model's loss is" in str(error)
    else:
        assert score.tokens == len(ids) + 1 and math.isfinite(score.nats)


def check_facts(facts: dict[str, Any]) -> None:
    assert facts.keys() <= {"summary", "settings"}
    assert all(isinstance(value, dict) for value in facts.values())
    json.dumps(facts)


class WhenNeeded(Mapping[str, bytes]):
    """Files that are written when a test first looks at them: every worker collects all tests."""

    def __init__(self, write: Callable[..., dict[str, bytes]], **settings: str) -> None:
        self._files = functools.cache(functools.partial(write, **settings))

    def __getitem__(self, name: str) -> bytes:
        return self._files()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files())

    def __len__(self) -> int:
        return len(self._files())


def _loaders() -> Iterator[Loader]:
    yield from _vector_loaders()
    for name, data in {
        "vocab.tsv": WORD_LIST,
        "word2vec.txt": b"</s> 0\n" + WORD_LIST.replace(b"\t", b" "),
    }.items():
        yield Loader(
            f"vocabulary {name}",
            {name: data},
            lambda folder, name=name: Vocabulary.load(folder / name),
            check_vocabulary,
        )
    for name, data in YAML_FILES.items():
        yield Loader(
            f"config {name}",
            {"c.yaml": data},
            lambda folder: build_config({}, folder / "c.yaml"),
            check_config,
            10_000,
        )
    for name, data in SETS.items():
        yield Loader(
            f"set {name}",
            {name: data},
            lambda folder, name=name: load_set(folder / name),
            check_set,
        )
    yield Loader("cache entry", WhenNeeded(_cached_files), _load_cached, check_cached)
    refusals = (DamagedCheckpoint,)
    files: Mapping[str, bytes] = WhenNeeded(_checkpoint_files)
    yield Loader("checkpoint", files, load_checkpoint, check_checkpoint, refusals=refusals)
    yield Loader(
        "forged checkpoint",
        files,
        load_checkpoint,
        check_checkpoint,
        400,
        refusals,
        _forged_checkpoint,
    )
    kinds = {
        "lstm": {},
        "transformer": {"arch": "transformer", "heads": "2"},
        "hsigmoid": {"loss": "hsigmoid"},
    }
    if find_spec("tokenizers"):
        kinds["subwords"] = {"subwords": "260"}
    for kind, settings in kinds.items():
        files = WhenNeeded(_language_model_files, **settings)
        yield Loader(
            f"language model {kind}", files, load_language_model, check_language_model, 10_000
        )
    facts = {
        "summary.json": b'{"loss": 1.5, "words": {"read": 9, "x": [1, null]}}',
        "config.yaml": YAML_FILES["plain"],
    }
    yield Loader("run facts", facts, _run_facts, check_facts)


LOADERS = {loader.name: loader for loader in _loaders()}
