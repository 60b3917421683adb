"""The map as files: true neighbours, the same bytes each time, few of them, nothing that runs."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from tests.explorer.conftest import HOSTILE, ON_MAP, Called
from w2v.errors import InputError, RunError
from w2v.explorer.map.layout import share_kept
from w2v.explorer.map.neighbours import Neighbours, nearest_inside, nearest_of_all
from w2v.explorer.map.packing import packed, rounded
from w2v.vectors import WordVectors, save_vectors


def small(n: int, dim: int = 6) -> WordVectors:
    matrix = np.random.default_rng(n).normal(size=(n, dim)).astype(np.float32)
    return WordVectors([f"w{i}" for i in range(n)], matrix)


def test_neighbours_are_those_of_nearest(vectors: WordVectors) -> None:
    n = 600  # more than one block of queries
    near = nearest_of_all(vectors, nearest_inside(vectors, n, 12), 10)
    for row in range(0, n, 7):
        answers = vectors.nearest(vectors.words[row])
        assert [vectors.words[i] for i in near.rows[row]] == [each.word for each in answers]
        assert near.cosines[row] == pytest.approx([each.similarity for each in answers], abs=1e-6)


def test_neighbours_of_equal_vectors_are_the_earlier_ones() -> None:
    words, matrix = [f"w{i}" for i in range(40_000)], np.ones((40_000, 3), np.float32)
    vectors = WordVectors(words, matrix)
    near = nearest_of_all(vectors, nearest_inside(vectors, 300, 12), 10)
    assert near.rows[0].tolist() == list(range(1, 11))
    assert near.rows[299].tolist() == list(range(10))


def test_a_map_keeps_neighbours_together(vectors: WordVectors, page: Path) -> None:
    pytest.importorskip("openTSNE")
    table = parquet.read_table(page.with_suffix(".parquet"))
    places = np.column_stack([table["x"].to_numpy(), table["y"].to_numpy()])
    near = nearest_inside(vectors, ON_MAP, 10)
    distances = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    closest = np.argsort(distances, axis=1)[:, :10]
    both = [len({*a} & {*b}) for a, b in zip(near.rows.tolist(), closest.tolist(), strict=True)]
    assert np.mean(both) / 10 >= 0.3
    assert share_kept(places, near) == pytest.approx(np.mean(both) / 10, abs=0.002)


def test_the_table_has_a_row_for_each_word(vectors: WordVectors, page: Path) -> None:
    table = parquet.read_table(page.with_suffix(".parquet"))
    assert table.schema.names == ["word", "count", "x", "y"]
    assert table["word"].to_pylist() == vectors.words[:ON_MAP]
    assert vectors.counts is not None
    assert table["count"].to_pylist() == vectors.counts[:ON_MAP].tolist()
    assert np.isfinite(table["x"].to_numpy()).all()


def test_counts_that_nobody_knows_are_null(tmp_path: Path) -> None:
    small(30).map(tmp_path / "m.html", method="pca")
    assert parquet.read_table(tmp_path / "m.parquet")["count"].to_pylist() == [None] * 30


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_the_same_seed_gives_the_same_bytes(method: str, tmp_path: Path, called: Called) -> None:
    if method == "tsne":
        pytest.importorskip("openTSNE")
    vectors = small(300)
    save_vectors(tmp_path / "v.bin", vectors.words, vectors.matrix)
    for name in ("one", "two"):
        done = called("map", "v.bin", "-o", f"{name}.html", "--method", method, "--json")
        assert done.returncode == 0 and done.stderr == "", done.stderr
        told = json.loads(done.stdout)
        assert told["words"] == 300 and told["method"] == method
        assert told["bytes"] == (tmp_path / f"{name}.html").stat().st_size
    for end in ("html", "parquet"):
        one, two = ((tmp_path / f"{name}.{end}").read_bytes() for name in ("one", "two"))
        assert one == two
    if method == "tsne":
        other = vectors.map(title="v.bin", seed=2)
        assert other.html != (tmp_path / "one.html").read_bytes()


def test_a_map_of_many_words_is_small() -> None:
    """Of 20,000 words of 300 dimensions whose neighbours are all rare words."""
    n, others = 20_000, 120_000
    random = np.random.default_rng(0)
    words = ["".join(map(chr, random.integers(97, 123, 8))) for _ in range(n + others)]
    near = Neighbours(
        random.integers(0, n + others, (n, 10)),
        -np.sort(-random.random((n, 10)).astype(np.float32), axis=1),
    )
    unit = random.normal(size=(n, 300)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    about = {"n": n, "words": words, "counts": random.integers(5, 10**6, n).tolist()}
    places = random.normal(size=(n, 2)).astype(np.float32)
    data = packed(about, places, random.integers(0, 10, n), near, unit)
    assert len(data) * 4 / 3 + 60_000 < 4_000_000


@pytest.mark.parametrize(("n", "dim", "bits"), [(100, 300, 8), (20_000, 100, 4), (20_000, 60, 8)])
def test_rounded_vectors_keep_their_cosines(n: int, dim: int, bits: int) -> None:
    unit = np.random.default_rng(1).normal(size=(n, dim)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    data, found = rounded(unit)
    assert found == bits
    if bits == 8:
        values = data.view(np.int8).astype(np.float32)
    else:
        values = np.stack([data & 15, data >> 4], axis=2).reshape(n, -1).astype(np.float32) - 8
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    assert (values * unit).sum(axis=1).mean() > (0.9999 if bits == 8 else 0.99)


def test_nothing_in_a_page_comes_from_words(hostile: WordVectors) -> None:
    page = hostile.map().html.decode()
    assert "onerror" not in page and "document.title" not in page and "<b>" not in page
    assert page.count("<script") == page.count("</script>") == 2
    assert "hostile &lt;b&gt;vectors&lt;/b&gt;" not in page  # only the last part of a path
    titled = hostile.map(title=HOSTILE[0] + HOSTILE[5] + HOSTILE[-1]).html.decode()
    assert "&lt;/script&gt;&lt;script&gt;" in titled and "\u202e" not in titled
    assert titled.count("<script") == 2


def test_a_page_may_reach_nothing(page: Path) -> None:
    text = page.read_text()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy and "connect-src" not in policy
    assert not re.search(r'(src|href)="(?!data:,")', text)


@pytest.mark.parametrize("n", [1, 2, 3, 9, 12, 40])
def test_few_words_have_a_map(n: int) -> None:
    drawn = small(n).map()
    assert drawn.places.shape == (n, 2) and np.isfinite(drawn.places).all()


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_few_dimensions_have_a_map(dim: int) -> None:
    assert np.isfinite(small(50, dim).map().places).all()


def test_equal_vectors_have_a_map() -> None:
    vectors = WordVectors([f"w{i}" for i in range(60)], np.ones((60, 4), np.float32))
    assert np.isfinite(vectors.map().places).all()


def test_without_opentsne_a_map_is_drawn_by_pca(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    assert small(50).map().method == "pca"
    with pytest.raises(RunError, match=r"openTSNE.*w2v\[map\]"):
        small(50).map(method="tsne")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"path": "map.png"}, "map.png"),
        ({"words": 0}, "`words` 0"),
        ({"seed": -1}, "`seed` -1"),
        ({"method": "umap"}, "`method` umap"),
    ],
)
def test_what_gives_no_map_is_refused(settings: dict[str, object], named: str) -> None:
    with pytest.raises(InputError, match=named):
        small(20).map(**settings)  # type: ignore[arg-type]


def test_a_map_that_exists_is_kept(tmp_path: Path, called: Called) -> None:
    vectors = small(20)
    save_vectors(tmp_path / "v.bin", vectors.words, vectors.matrix)
    (tmp_path / "m.parquet").write_bytes(b"mine")
    done = called("map", "v.bin", "-o", "m.html", "--method", "pca")
    assert done.returncode == 2 and "m.parquet" in done.stderr and "--overwrite" in done.stderr
    assert not (tmp_path / "m.html").exists()
    done = called("map", "v.bin", "-o", "m.html", "--method", "pca", "--overwrite", "--words", 5)
    assert done.returncode == 0 and "words\t5" in done.stdout
    piped = called("map", "v.bin", "-o", "-", "--method", "pca", "--words", 5)
    assert piped.stdout == (tmp_path / "m.html").read_text()
    assert called("map", "v.bin", "-o", "m.txt").returncode == 2
