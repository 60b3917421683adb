"""Vectors of many texts: against the formulas in float64, from streams, and in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import w2v
from w2v.errors import InputError
from w2v.vectors import WordVectors

V, D = 300, 12
RNG = np.random.default_rng(4)
VECTORS = WordVectors(
    [f"w{i}" for i in range(V)], RNG.standard_normal((V, D)), np.arange(V, 0, -1) ** 2
)
TEXTS: list[Any] = [
    " ".join(f"w{i}" for i in RNG.integers(0, V + 30, RNG.integers(0, 9))) for _ in range(500)
]
TEXTS[7] = TEXTS[8].split()
TEXTS[9] = "\ufeffw1\0w2\u00a0w3 " + "w4 " * 5000
pytestmark = pytest.mark.filterwarnings("ignore:.*known word")


def formula(pooling: str) -> np.ndarray:
    matrix = VECTORS.matrix.astype(np.float64)
    assert VECTORS.counts is not None
    weights = np.ones(V)
    if pooling == "sif":
        weights = 1e-3 / (1e-3 + VECTORS.counts / VECTORS.counts.sum())
    found = np.zeros((len(TEXTS), D))
    for row, text in zip(found, TEXTS, strict=True):
        words = text if isinstance(text, list) else text.replace("\0", " ").split()
        rows = [int(w.strip("\ufeff")[1:]) for w in words if w.strip("\ufeff") in VECTORS]
        if rows:
            row[:] = (weights[rows, None] * matrix[rows]).mean(axis=0)
    if pooling == "sif":
        common = np.linalg.svd(found, full_matrices=False)[2][0]
        found -= np.outer(found @ common, common)
    return found


@pytest.fixture(params=[4096, 33])
def batches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("w2v.vectors.encoding.BATCH_TEXTS", request.param)
    monkeypatch.setattr("w2v.vectors.encoding.BLOCK_VALUES", request.param * D)
    monkeypatch.setattr("w2v.vectors.encoding.KEPT_TOKENS", request.param)


@pytest.mark.usefixtures("batches")
@pytest.mark.parametrize("pooling", ["mean", "sif"])
def test_lists_and_streams_give_the_formula(pooling: str) -> None:
    found = VECTORS.encode(TEXTS, pooling)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, formula(pooling), atol=1e-6)
    parts = list(VECTORS.encode_stream(iter(TEXTS), pooling))
    assert [text for part, _ in parts for text in part] == TEXTS
    assert np.array_equal(np.concatenate([rows for _, rows in parts]), found)


@pytest.mark.parametrize("pooling", ["mean", "sif"])
def test_files_hold_the_texts_and_their_rows(tmp_path: Path, pooling: str) -> None:
    found = VECTORS.encode(TEXTS, pooling)
    names = [" ".join(each) if isinstance(each, list) else each for each in TEXTS]
    for suffix in ("npy", "parquet", "jsonl"):
        assert VECTORS.embed(iter(TEXTS), tmp_path / f"x.{suffix}", pooling) == len(TEXTS)
    assert np.array_equal(np.load(tmp_path / "x.npy"), found)
    table = pq.read_table(tmp_path / "x.parquet")
    assert table.column("text").to_pylist() == names
    vectors = np.array(table.column("vector").to_pylist(), np.float32)
    assert np.array_equal(vectors, found)
    lines = [json.loads(line) for line in (tmp_path / "x.jsonl").read_bytes().split(b"\n")[:-1]]
    assert [line["text"] for line in lines] == names
    assert np.array_equal(np.array([line["vector"] for line in lines], np.float32), found)


def test_no_texts_at_all(tmp_path: Path) -> None:
    for pooling in ("mean", "sif"):
        assert list(VECTORS.encode_stream([], pooling)) == []
        for suffix in ("npy", "parquet", "jsonl"):
            assert VECTORS.embed([], tmp_path / f"x.{suffix}", pooling) == 0
    assert np.load(tmp_path / "x.npy").shape == (0, D)
    assert pq.read_table(tmp_path / "x.parquet").num_rows == 0


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    for texts in ("abc", 3, ["a", 3], [["a", None]]):
        with pytest.raises(InputError, match="`texts`"):
            VECTORS.embed(texts, tmp_path / "x.npy")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="extension"):
        VECTORS.embed([], tmp_path / "x.tsv")
    assert list(tmp_path.iterdir()) == []


def test_vectors_that_are_no_numbers_are_told() -> None:
    broken = WordVectors(["a", "b"], np.array([[1, np.nan], [1, 1]]), np.array([2, 1]))
    for pooling in ("mean", "sif"):
        with pytest.raises(InputError, match="NaN"):
            broken.encode(["a", "a b"], pooling)


def test_the_words_are_those_of_the_run(tmp_path: Path) -> None:
    lines = ["The king, and the queen!", "don't be the fool"] * 30
    settings: dict[str, Any] = {"lowercase": True, "tokenizer": "words", "min_count": 1, "dim": 4}
    run = w2v.train(lines, **settings, epochs=1, output=tmp_path / "run", progress=False)
    words = [["the", "king", "and", "the", "queen"], ["don't", "be", "the", "fool"]]
    texts = ["THE king,and the queen", "(Don't) be the: fool"]
    assert np.array_equal(run.vectors.encode(texts), run.vectors.encode(words))
