"""The content of gensim's KeyedVectors: access, changes, saving and loading."""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from w2v.compat.gensim.files import read_archive, write_archive
from w2v.corpus.ngrams import Ngrams
from w2v.errors import InputError, shown
from w2v.system.arguments import warn
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

    def __init__(
        self, vector_size: int, count: int = 0, dtype: Any = np.float32, mapfile_path: Any = None
    ) -> None:
        self.vector_size = int(vector_size)
        self.vectors = np.zeros((count, self.vector_size), dtype)
        self.index_to_key: list[Any] = [None] * count  # rows that `add_vector` fills
        self.next_index = 0
        self.key_to_index: dict[Any, int] = {}
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
        if is_key(key):
            return self.get_vector(key)
        return np.vstack([self.get_vector(each) for each in key])

    def __setitem__(self, keys: Any, weights: Any) -> None:
        self.add_vectors(keys, weights, replace=True)

    def get_index(self, key: Any, default: int | None = None) -> int:
        index = self.key_to_index.get(key, default) if is_key(key) else default
        if isinstance(key, (int, np.integer)) and key not in self.key_to_index:
            index = int(key) if 0 <= key < len(self) else default
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
        return self._values(attr)[self.get_index(key)]

    def _values(self, attr: str) -> np.ndarray:
        if attr not in self.expandos:
            raise KeyError(f"the keys have no attribute {attr!r}: they came without it")
        return self.expandos[attr]

    def set_vecattr(self, key: Any, attr: str, val: Any) -> None:
        number = isinstance(val, (int, float, np.number, np.bool_))
        dtype = np.result_type(val) if number else np.dtype("O")
        values = self.expandos.setdefault(attr, np.zeros(len(self), dtype))
        if not np.issubdtype(dtype, values.dtype):
            raise TypeError(f"{attr!r} holds values of type {values.dtype}, not {val!r}")
        values[self.get_index(key)] = val

    def add_vectors(
        self, keys: Any, weights: Any, extras: Any = None, replace: bool = False
    ) -> None:
        if is_key(keys):
            keys, weights = [keys], [weights]
        rows = np.asarray(weights, self.vectors.dtype)
        if rows.shape != (shape := (len(keys), self.vector_size)) and len(keys):
            raise ValueError(f"{shape[0]} keys need vectors of the shape {shape}, not {rows.shape}")
        is_new = np.array([key not in self.key_to_index for key in keys], bool)
        rows = rows.reshape(shape)
        start = len(self)
        self.index_to_key += [key for key, new in zip(keys, is_new, strict=True) if new]
        self.key_to_index.update({key: i for i, key in enumerate(self.index_to_key) if i >= start})
        added = {name: np.asarray(values) for name, values in (extras or {}).items()}
        old = [self.key_to_index[key] for key, new in zip(keys, is_new, strict=True) if not new]
        self.vectors = np.vstack([self.vectors, rows[is_new]])
        for name, values in {**added, **self.expandos}.items():
            extended = np.zeros(len(self), values.dtype)
            extended[:start] = self.expandos.get(name, 0)
            extended[start:] = added[name][is_new] if name in added else 0
            self.expandos[name] = extended
        if replace:
            self.vectors[old] = rows[~is_new]
            for name, values in added.items():
                self.expandos[name][old] = values[~is_new]
        self.norms = None

    def add_vector(self, key: Any, vector: Any) -> int:
        """Adds a key unless it is present. Returns its index."""
        index = self.next_index
        if key in self.key_to_index or index >= len(self) or self.index_to_key[index] is not None:
            self.add_vectors([key], [vector])
            return self.get_index(key)
        self.index_to_key[index], self.key_to_index[key] = key, index
        self.vectors[index], self.norms = vector, None
        self.next_index += 1
        return index

    def sort_by_descending_frequency(self) -> None:
        """As in gensim, of keys with the same count the last comes first."""
        if not len(self):
            return
        order = len(self) - 1 - np.argsort(-self._values("count")[::-1], kind="stable")
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
        self,
        fname: Any,
        fvocab: Any = None,
        binary: bool = False,
        total_vec: int | None = None,
        write_header: bool = True,
        prefix: str = "",
        append: bool = False,
        sort_attr: str = "count",
    ) -> None:
        """The order is that of falling `sort_attr`, as in gensim."""
        if append or total_vec not in (None, len(self)) or (binary and not write_header):
            raise TypeError(
                "append=True, a total_vec that is not the number of the keys, and a binary file"
                " without a header are not supported"
            )
        keys, rows = [f"{prefix}{key}" for key in self.index_to_key], self.vectors
        if fvocab is not None and sort_attr not in self.expandos:
            raise ValueError(f"the keys have no attribute {sort_attr!r}, so fvocab has no content")
        if sort_attr in self.expandos:
            values = self.expandos[sort_attr].tolist()
            order = sorted(range(len(values)), key=values.__getitem__, reverse=True)
            if order != [*range(len(values))]:
                keys, rows = [keys[row] for row in order], rows[order]
            if fvocab is not None:
                lines = (f"{key} {values[row]}\n" for key, row in zip(keys, order, strict=True))
                with atomic_file(fvocab) as file:
                    file.write("".join(lines).encode())
        kind = "binary" if binary else "text" if write_header else "glove"
        for warning in save_vectors(fname, keys, rows, kind=kind).warnings:
            warn(warning)

    @classmethod
    def load_word2vec_format(
        cls,
        fname: Any,
        fvocab: Any = None,
        binary: bool = False,
        encoding: str = "utf8",
        unicode_errors: str = "strict",
        limit: int | None = None,
        datatype: Any = np.float32,
        no_header: bool = False,
    ) -> Self:
        """Reads a file or run directory; whether it is binary, fastText's or without a header is
        detected from its content. Numbers are rounded to float32 before they become `datatype`."""
        if codecs.lookup(encoding).name != "utf-8":
            raise TypeError(f"encoding={encoding!r} is not supported: convert the file to UTF-8")
        read = load_vectors(fname, limit=limit or None, encoding_errors=unicode_errors)
        for warning in read.warnings:
            warn(warning)
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
            if missing := [word for word in read.words if word not in count_of]:
                some = f"{len(missing):,} of {len(read):,} words, such as {shown(missing[0])},"
                problem = f"{fvocab} has no count of {some} which count 0"
                warn(f"{problem}: is it of {fname}?")
        vectors = cls(read.dim, dtype=datatype)
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
        extras = {}
        for name, values in self.expandos.items():
            if values.dtype == object:  # NumPy would pickle it
                extras[f"json.{name}"] = _as_json(values.tolist())
            else:
                extras[f"of.{name}"] = values
        if self.ngrams is not None:
            extras |= {"ngrams": np.array(self.ngrams.ngrams), "buckets": self.ngrams.rows}
            extras |= {} if self.ngrams.learnt is None else {"learnt": self.ngrams.learnt}
        return {"keys": _as_json(self.index_to_key), "vectors": self.vectors, **extras}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        rows = arrays["vectors"]
        vectors = cls(rows.shape[1], dtype=rows.dtype)
        vectors.add_vectors(json.loads(arrays["keys"].tobytes()), rows)
        for stored, values in arrays.items():
            kind, _, name = stored.partition(".")
            if kind == "json":
                vectors.expandos[name] = np.empty(len(rows), object)
                vectors.expandos[name][:] = json.loads(values.tobytes())
            elif kind == "of":
                vectors.expandos[name] = values
        if "ngrams" in arrays:
            ngrams = Ngrams(*arrays["ngrams"].tolist())
            vectors.ngrams = NgramRows(ngrams, arrays["buckets"], arrays.get("learnt"))
        return vectors


def _as_json(values: list[Any]) -> np.ndarray:
    text = json.dumps(values, default=lambda value: value.tolist())  # NumPy's numbers and arrays
    return np.frombuffer(text.encode(), np.uint8)
