"""The loaders of tables, tensors, folders of vectors and models of fastText."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import feather

from w2v.corpus.ngrams import Ngrams
from w2v.vectors import WordVectors, save_vectors, write_vectors
from w2v.vectors.ngrams import NgramRows

WORDS = ["the", "of", "naïve", "日本", "a.b", "x"]
MATRIX = np.random.default_rng(3).standard_normal((6, 3)).astype(np.float32)


def files() -> Iterator[tuple[str, str, dict[str, bytes]]]:
    """Yields a name, the file in a folder that is loaded ("" for the folder), and the folder."""
    for kind in ("parquet", "arrow", "safetensors"):
        for dtype in ("float32", "int8"):
            file = io.BytesIO()
            write_vectors(file, WORDS, MATRIX, kind, np.arange(6), dtype)
            yield f"{kind} {dtype}", "v", {"v": file.getvalue()}
    with_ngrams = WordVectors(WORDS, MATRIX, np.arange(6))
    with_ngrams.ngrams = NgramRows(Ngrams(2, 3, 8), np.ones((8, 3), np.float32))
    for name, vectors in (("plain", None), ("n-grams", with_ngrams)):
        file = io.BytesIO()
        write_vectors(file, WORDS, MATRIX, "fasttext", np.arange(6), "float32", vectors)
        yield f"fasttext {name}", "v", {"v": file.getvalue()}
    arrays = {}
    for name, rows in (("vectors.npy", MATRIX), ("ngrams.npy", with_ngrams.ngrams.rows)):
        file = io.BytesIO()
        np.save(file, rows)
        arrays[name] = file.getvalue()
    words = "".join(f"{word}\t3\n" for word in WORDS).encode()
    config = b"corpus: c.txt\nmodel: skip-gram\nsubwords: 2-3\nbuckets: 8\ndim: 3\n"
    yield "run with n-grams", "", {**arrays, "vocab.tsv": words, "config.yaml": config}
    columns = {"w": pa.array(WORDS).dictionary_encode(), "v": pa.array(MATRIX.tolist())}
    for codec in ("lz4", "zstd"):
        file = io.BytesIO()
        feather.write_feather(pa.table(columns), file, compression=codec)
        yield f"arrow {codec}", "v", {"v": file.getvalue()}
    file = io.BytesIO()
    columns["w"] = pa.array(WORDS, pa.string_view())
    table = pa.table(columns)
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=4)
    yield "arrow stream", "v", {"v": file.getvalue()}
    with tempfile.TemporaryDirectory() as name:
        save_vectors(Path(name) / "hub", WORDS, MATRIX, kind="sentence-transformers")
        hub = {
            each.name: each.read_bytes()
            for each in Path(name, "hub").iterdir()
            if each.name in ("model.safetensors", "tokenizer.json", "config.json")
        }
    yield "folder", "", hub
