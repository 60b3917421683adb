"""The content of gensim's KeyedVectors: access, changes, saving and loading."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from w2v.compat.gensim.files import read_archive, write_archive
from w2v.corpus.ngrams import Ngrams
from w2v.errors import InputError
from w2v.system.files import atomic_file
from w2v.system.limits import MANY_WORD_BYTES, MEAN_WORD_BYTES
from w2v.vectors import load_vectors, save_vectors
from w2v.vectors.ngrams import NgramRows

if TYPE_CHECKING:
    from typing_extensions import Self


def is_key(key: Any) -> bool:
    """Returns whether `key` is a word or an index, not a vector."""
    return isinstance(key, (str, int, np.integer))


class Storage:
    """Vectors of the keys in `index_to_key`. `expandos` holds further values per key ("count");
    `ngrams`, if not None, gives vectors to other words, as in gensim's FastTextKeyedVectors."""

    ngrams: NgramRows | None = None

    def __init__(self, vector_size: int, dtype: Any = np.float32) -> None:
        self.vector_size = int(vector_size)
        self.vectors = np.zeros((0, self.vector_size), dtype)
        self.index_to_key: list[str] = []
        self.key_to_index: dict[str, int] = {}
        self.expandos: dict[str, np.ndarray] = {}
        self.norms: Any = None

    def __str__(self) -> str:
        return f"KeyedVectors<vector_size={self.vector_size}, {len(self)} keys>"

    def __len__(self) -> int:
        return len(self.index_to_key)

    def __contains__(self, key: object) -> bool:
        return self.has_index_for(key) or self._unseen(key) is not None

    def has_index_for(self, key: object) -> bool:
        return self.get_index(key, -1) >= 0

    def _unseen(self, key: object) -> NgramRows | None:
        """Returns the n-grams if they give `key`, which is not among the keys, a vector."""
        if self.ngrams is None or not isinstance(key, str) or key in self.key_to_index:
            return None
        return self.ngrams if self.ngrams.has(key) else None

    def _locked(self, *ignored: Any) -> Any:
        raise TypeError("vectors_lockf is not supported: every vector is trained")

    vectors_lockf = property(_locked, _locked)

    def __getitem__(self, key: Any) -> np.ndarray:
        return self.get_vector(key) if is_key(key) else np.vstack([self[each] for each in key])

    def __setitem__(self, keys: str | list[str], weights: Any) -> None:
        self.add_vectors(keys, weights, replace=True)

    def get_index(self, key: Any, default: int | None = None) -> int:
        index = self.key_to_index.get(key, default) if isinstance(key, str) else default
        if isinstance(key, (int, np.integer)) and 0 <= key < len(self):
            index = int(key)
        if index is None:
            raise KeyError(f"Key '{key}' not present")
        return index

    def get_vector(self, key: Any, norm: bool = False) -> np.ndarray:
        if (unseen := self._unseen(key)) is not None:
            vector = unseen.means([key])[0]
            return np.asarray(vector / np.linalg.norm(vector) if norm else vector)
        row = self.vectors[self.get_index(key)]
        if norm:
            self.fill_norms()
            row = row / self.norms[self.get_index(key)]
        row.setflags(write=False)
        return row  # type: ignore[no-any-return]

    word_vec = get_vector

    def get_vecattr(self, key: Any, attr: str) -> Any:
        return self.expandos[attr][self.get_index(key)]

    def set_vecattr(self, key: Any, attr: str, val: Any) -> None:
        values = self.expandos.setdefault(attr, np.zeros(len(self), np.asarray(val).dtype))
        values[self.get_index(key)] = val

    def add_vectors(
        self, keys: Any, weights: Any, extras: Any = None, replace: bool = False
    ) -> None:
        if isinstance(keys, str):
            keys, weights = [keys], [weights]
        rows = np.asarray(weights, self.vectors.dtype).reshape(len(keys), self.vector_size)
        is_new = np.array([key not in self.key_to_index for key in keys], bool)
        if replace:
            old = [self.key_to_index[key] for key in keys if key in self.key_to_index]
            self.vectors[old] = rows[~is_new]
        start = len(self)
        self.index_to_key += [key for key, new in zip(keys, is_new, strict=True) if new]
        self.key_to_index.update({key: i for i, key in enumerate(self.index_to_key) if i >= start})
        self.vectors = np.vstack([self.vectors, rows[is_new]])
        added = {name: np.asarray(values)[is_new] for name, values in (extras or {}).items()}
        for name, values in {**added, **self.expandos}.items():
            self.expandos[name] = np.zeros(len(self), values.dtype)
            self.expandos[name][start:] = added.get(name, 0)
            self.expandos[name][:start] = values if len(values) == start else 0
        self.norms = None

    def add_vector(self, key: str, vector: Any) -> int:
        """Adds a key unless it is present. Returns its index."""
        self.add_vectors([key], [vector])
        return self.get_index(key)

    def sort_by_descending_frequency(self) -> None:
        order = np.argsort(-self.expandos["count"], kind="stable")
        self.index_to_key = [self.index_to_key[row] for row in order]
        self.key_to_index = {key: row for row, key in enumerate(self.index_to_key)}
        self.vectors, self.norms = self.vectors[order], None
        self.expandos = {name: values[order] for name, values in self.expandos.items()}

    def fill_norms(self, force: bool = False) -> None:
        if self.norms is None or force:
            self.norms = np.linalg.norm(self.vectors, axis=1)

    def get_normed_vectors(self) -> np.ndarray:
        self.fill_norms()
        return np.asarray(self.vectors / self.norms[:, None])

    def unit_normalize_all(self) -> None:
        self.vectors = self.get_normed_vectors()
        self.norms = np.ones(len(self))

    def init_sims(self, replace: bool = False) -> None:
        self.fill_norms()
        if replace:
            self.unit_normalize_all()

    def save_word2vec_format(
        self, fname: Any, fvocab: Any = None, binary: bool = False, write_header: bool = True
    ) -> None:
        if fvocab is not None:
            counts = zip(self.index_to_key, self.expandos["count"].tolist(), strict=True)
            with atomic_file(fvocab) as file:
                file.write("".join(f"{word} {count}\n" for word, count in counts).encode())
        kind = "binary" if binary else "text" if write_header else "glove"
        for warning in save_vectors(fname, self.index_to_key, self.vectors, kind=kind).warnings:
            warnings.warn(warning, stacklevel=2)

    @classmethod
    def load_word2vec_format(
        cls,
        fname: Any,
        fvocab: Any = None,
        binary: bool = False,
        unicode_errors: str = "strict",
        limit: int | None = None,
        datatype: Any = np.float32,
        no_header: bool = False,
    ) -> Self:
        """Reads a file or run directory; whether it is binary, fastText's or without a header is
        detected from its content."""
        read = load_vectors(fname, limit=limit, encoding_errors=unicode_errors)
        for warning in read.warnings:
            warnings.warn(warning, stacklevel=2)
        counts = read.counts
        if fvocab is not None:
            # limit: room for the words that were read and as many others
            size = MANY_WORD_BYTES + 2 * MEAN_WORD_BYTES * len(read)
            with open(fvocab, "rb") as file:
                data = file.read(size + 1)
            if len(data) > size:
                raise InputError(f"{fvocab} is too large for the words of {fname}")
            lines = data.decode("utf-8-sig", unicode_errors).split("\n")
            pairs = (line.rstrip(" \t\r").replace("\t", " ").rpartition(" ") for line in lines)
            count_of = {word: count for word, _, count in pairs if word}
            counts = np.array([int(count_of.get(word, 0)) for word in read.words])
        vectors = cls(read.dim, datatype)
        vectors.add_vectors(read.words, read.matrix, None if counts is None else {"count": counts})
        vectors.ngrams = read.ngrams
        return vectors

    def save(self, fname: Any, **options: Any) -> None:
        """Writes one archive of arrays; gensim's options for pickles are ignored."""
        write_archive(fname, {"kind": "KeyedVectors"}, self.arrays())

    @classmethod
    def load(cls, fname: Any, mmap: str | None = None) -> Self:
        return cls.of_arrays(read_archive(fname, "KeyedVectors")[1])

    def arrays(self) -> dict[str, np.ndarray]:
        keys = np.frombuffer(json.dumps(self.index_to_key).encode(), np.uint8)
        extras = {f"of.{name}": values for name, values in self.expandos.items()}
        if self.ngrams is not None:
            extras |= {"ngrams": np.array(self.ngrams.ngrams), "buckets": self.ngrams.rows}
            extras |= {} if self.ngrams.learnt is None else {"learnt": self.ngrams.learnt}
        return {"keys": keys, "vectors": self.vectors, **extras}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        rows = arrays["vectors"]
        vectors = cls(rows.shape[1], rows.dtype)
        extras = {name[3:]: values for name, values in arrays.items() if name.startswith("of.")}
        vectors.add_vectors(json.loads(arrays["keys"].tobytes()), rows, extras)
        if "ngrams" in arrays:
            ngrams = Ngrams(*arrays["ngrams"].tolist())
            vectors.ngrams = NgramRows(ngrams, arrays["buckets"], arrays.get("learnt"))
        return vectors
