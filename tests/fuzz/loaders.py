"""Every loader of files that come from anywhere: valid files, how they are loaded, what must hold
of what is loaded.

A new loader is one line in LOADERS.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import zstandard

from tests.fuzz import loaders_of_tables
from tests.language_runs import write_run
from w2v.cli.info import _run_facts
from w2v.corpus import TokenStore, Vocabulary, read_corpus
from w2v.corpus.cache import list_entries, load_entry
from w2v.errors import InputError, RunError
from w2v.evaluation.sets import AnalogySet, SimilaritySet, load_set
from w2v.evaluation.similarity import evaluate_similarity
from w2v.lm.language_model import LanguageModel
from w2v.lm.perplexity import score_ids
from w2v.lm.saved import load_language_model
from w2v.runs.checkpoint import Checkpoint, DamagedCheckpoint, load_checkpoint, save_checkpoint
from w2v.settings.build import build_config
from w2v.settings.config import Config
from w2v.settings.groups import CorpusSettings, all_settings
from w2v.vectors import WordVectors, load_vectors, write_vectors

WORDS = ["the", "of", "naïve", "日本", "a.b", "x"]
COUNTS = [90, 40, 7, 7, 2, 1]
MATRIX = np.random.default_rng(3).standard_normal((6, 3)).astype(np.float32)
WORD_LIST = "".join(
    f"{word}\t{count}\n" for word, count in zip(WORDS, COUNTS, strict=True)
).encode()


@dataclass(frozen=True)
class Loader:
    """`valid`: by file name, files that `load` (given their folder) accepts; `check` fails on an
    inconsistent result. Messages of errors, one of `refusals`, are at most `longest` characters
    beyond the folder's name. `forge` makes the checksums of damaged files right again, as somebody
    who wants them to be read would."""

    name: str
    valid: Mapping[str, bytes]
    load: Callable[[Path], Any]
    check: Callable[[Any], None]
    longest: int = 400
    refusals: tuple[type[Exception], ...] = (InputError, RunError)
    forge: Callable[[Mapping[str, bytes]], dict[str, bytes]] | None = None


# --------------------------------------------------------------------------------------------------
# Vectors


def _vectors(kind: str) -> bytes:
    file = io.BytesIO()
    write_vectors(file, WORDS, MATRIX, kind)
    return file.getvalue()


def _npy(matrix: np.ndarray, version: tuple[int, int] = (1, 0)) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, matrix, version)
    return file.getvalue()


def check_vectors(vectors: WordVectors) -> None:
    assert vectors.matrix.shape == (len(vectors.words), vectors.dim)
    assert len(vectors) > 0 and vectors.dim > 0
    assert vectors.matrix.dtype == np.float32
    assert all(type(word) is str for word in vectors.words)
    assert vectors.words[vectors.index(vectors.words[-1])] == vectors.words[-1]
    if vectors.counts is not None:
        assert vectors.counts.shape == (len(vectors),)
        assert vectors.counts.min() >= 0 and int(vectors.counts.sum()) == sum(
            vectors.counts.tolist()
        )
    try:
        assert np.isfinite(vectors.norms).all()
    except InputError as error:  # a memory-mapped matrix is looked at when it is used
        assert isinstance(vectors.matrix, np.memmap) and "holds NaN or infinity" in str(error)


def _file(name: str, **options: Any) -> Callable[[Path], WordVectors]:
    return lambda folder: load_vectors(folder / name, **options)


def _vector_loaders() -> Iterator[Loader]:
    text, binary, glove = (_vectors(kind) for kind in ("text", "binary", "glove"))
    gensim = b"6 3\n" + b"".join(
        word.encode() + b" " + row.tobytes() for word, row in zip(WORDS, MATRIX, strict=True)
    )
    windows = text.replace(b"\n", b" \r\n")
    plain = {
        "text.txt": text,
        "windows.vec": windows,
        "nameless": binary,
        "v.bin": binary,
        "gensim.bin": gensim,
        "glove.glove": glove,
    }
    for name, data in plain.items():
        yield Loader(f"vectors {name}", {name: data}, _file(name), check_vectors)
    yield Loader(
        "vectors replace",
        {"v.bin": binary},
        _file("v.bin", encoding_errors="replace"),
        check_vectors,
    )
    yield Loader("vectors limit", {"v.txt": text}, _file("v.txt", limit=2), check_vectors)
    compressors = {
        "gz": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
        "zst": zstandard.compress,
    }
    for suffix, compress in compressors.items():
        name = f"v.bin.{suffix}"
        yield Loader(f"vectors {suffix}", {name: compress(binary)}, _file(name), check_vectors)
    matrices = {
        "float32": _npy(MATRIX),
        "float64": _npy(MATRIX.astype(np.float64)),
        "float16": _npy(MATRIX.astype(np.float16)),
        "Fortran": _npy(np.asfortranarray(MATRIX)),
        "version 2": _npy(MATRIX, (2, 0)),
        "Python 2": _npy(MATRIX).replace(b"(6, 3), }  ", b"(6L, 3L), }"),
    }
    for kind, data in matrices.items():
        files = {"v.npy": data, "v.vocab.tsv": WORD_LIST}
        yield Loader(f"npy {kind}", files, _file("v.npy"), check_vectors)
    bare = "".join(f"{word}\n" for word in WORDS).encode()
    yield Loader(
        "npy words only",
        {"v.npy": _npy(MATRIX), "v.vocab.tsv": bare},
        _file("v.npy"),
        check_vectors,
    )
    run = {"vectors.npy": _npy(MATRIX), "vocab.tsv": WORD_LIST, "format_version": b"1\n"}
    yield Loader("run directory", run, load_vectors, check_vectors)
    for name, loaded, files in loaders_of_tables.files():
        yield Loader(f"vectors {name}", files, _file(loaded), check_vectors, 600)


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
    yield Loader("cache entry", _cached_files(), _load_cached, check_cached)
    refusals = (DamagedCheckpoint,)
    files = _checkpoint_files()
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
        files = _language_model_files(**settings)
        yield Loader(
            f"language model {kind}", files, load_language_model, check_language_model, 10_000
        )
    facts = {
        "summary.json": b'{"loss": 1.5, "words": {"read": 9, "x": [1, null]}}',
        "config.yaml": YAML_FILES["plain"],
    }
    yield Loader("run facts", facts, _run_facts, check_facts)


LOADERS = {loader.name: loader for loader in _loaders()}
