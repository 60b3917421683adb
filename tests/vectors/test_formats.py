"""Tables, tensors, compressed text and folders: what is saved comes back bit for bit."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tests.examples import examples
from tests.vectors.numbers import reads_as_number
from w2v.errors import InputError
from w2v.vectors import WordVectors, load_vectors, save_vectors

TABLES = ["v.parquet", "v.arrow", "v.feather", "v.safetensors"]
PACKED = ["v.txt.gz", "v.vec.zst", "v.bin.xz", "v.glove.bz2", "V.GLOVE.TXT.GZ"]
FOLDER = "sentence-transformers"
WORD = st.text(st.characters(codec="utf-8"), max_size=8)
WORDS = ["the", "naïve", "日本", '"x', "e\u0301", "[UNK]", "a\tb", "new york", "", "a\nb", "\ud800"]
EIGHTHS = np.arange(33, dtype=np.float32).reshape(11, 3) / 8


@st.composite
def contents(draw):
    words = draw(st.lists(WORD, min_size=1, max_size=6, unique=True))
    value = st.floats(width=32, allow_nan=False, allow_infinity=False)
    matrix = draw(npst.arrays(np.float32, (len(words), draw(st.integers(1, 5))), elements=value))
    return words, matrix, np.arange(len(words))[::-1] * 7


@pytest.mark.parametrize("name", [*TABLES, *PACKED, FOLDER])
@given(contents())
@settings(max_examples=25, deadline=None)
def test_round_trip(name, content):
    words, matrix, counts = content
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        try:
            saved = save_vectors(path, words, matrix, counts, FOLDER if name == FOLDER else None)
        except InputError as error:  # what it holds is looked at below
            number_like = "glove" in name.lower() and "would not give back words" in str(error)
            assert (number_like or "no word remains" in str(error)) and not path.exists()
            return
        # a file without a header whose words all read as numbers might have none, and is refused
        assume("glove" not in name.lower() or not all(map(reads_as_number, saved.words)))
        vectors = load_vectors(path)
        assert vectors.words == saved.words
        assert "glove" in name.lower() or not vectors.warnings
        assert np.asarray(vectors.matrix).tobytes() == saved.matrix.tobytes()
        if name in TABLES:
            assert vectors.counts.tolist() == saved.counts.tolist()
        if name in TABLES[:3]:
            assert saved.words == words and saved.counts.tolist() == counts.tolist()


@pytest.mark.parametrize("name", TABLES)
def test_round_trip_over_many_blocks(name, tmp_path):
    matrix = np.random.default_rng(1).standard_normal((30_001, 300)).astype(np.float32)
    words = [f"w{i}" * (i % 7 + 1) for i in range(len(matrix))]
    save_vectors(tmp_path / name, words, matrix)
    vectors = load_vectors(tmp_path / name)
    assert vectors.words == words and np.array_equal(vectors.matrix, matrix)
    assert vectors.counts is None
    few = load_vectors(tmp_path / name, limit=20_000)
    assert few.words == words[:20_000] and np.array_equal(few.matrix, matrix[:20_000])


@pytest.mark.parametrize("name", TABLES)
def test_numbers_that_are_all_the_same(name, tmp_path):
    """They could shrink to what is refused as a bomb."""
    matrix = np.zeros((60_000, 400), np.float32)
    save_vectors(tmp_path / name, [str(i) for i in range(60_000)], matrix, np.ones(60_000))
    assert np.array_equal(load_vectors(tmp_path / name).matrix, matrix)


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        *((name, ["\ud800"]) for name in TABLES[:3]),
        ("v.safetensors", ["a\nb", "\ud800"]),
        *((name, WORDS[6:]) for name in PACKED),
        (FOLDER, WORDS[6:]),
        ("projector", ["", "\ud800"]),
    ],
)
def test_words_that_a_format_cannot_hold_are_counted(name, left_out, tmp_path):
    vectors = WordVectors(WORDS, EIGHTHS, np.arange(11))
    kind = None if "." in name else name
    with pytest.warns(UserWarning, match=f"{len(left_out)} of 11 words, such as") as told:
        vectors.save(tmp_path / name, kind)
    assert len(told) == 1
    if name != "projector":
        kept = [word for word in WORDS if word not in left_out]
        assert load_vectors(tmp_path / name).words == kept


def test_the_same_vectors_are_the_same_bytes(tmp_path):
    for name in (*TABLES, *PACKED):
        save_vectors(tmp_path / name, ["a", "b"], EIGHTHS[:2])
        first = (tmp_path / name).read_bytes()
        save_vectors(tmp_path / name, ["a", "b"], EIGHTHS[:2])
        assert (tmp_path / name).read_bytes() == first


# --------------------------------------------------------------------------------------------------
# Smaller numbers


@pytest.mark.parametrize("name", [*TABLES, "v.npy", FOLDER])
@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_smaller_numbers(name, dtype, tmp_path):
    matrix = np.random.default_rng(2).standard_normal((400, 30)).astype(np.float32)
    matrix[7] = 0
    vectors = WordVectors([f"w{i}" for i in range(400)], matrix)
    kind = None if "." in name else name
    if dtype == "int8" and name in ("v.npy", FOLDER):
        with pytest.raises(InputError, match="int8"):
            vectors.save(tmp_path / name, kind, dtype)
        assert not list(tmp_path.iterdir())
        return
    vectors.save(tmp_path / name, kind, dtype)
    found = load_vectors(tmp_path / name)
    error = np.abs(found.matrix - matrix).max(axis=1)
    step = np.abs(matrix).max(axis=1) / (2**11 if dtype == "float16" else 254)
    assert (error <= step * 1.001).all() and found.matrix.dtype == np.float32
    if dtype == "float16":
        assert np.array_equal(found.matrix, matrix.astype(np.float16).astype(np.float32))
    assert not found.matrix[7].any()
    if "." in name:
        vectors.save(tmp_path / "whole.parquet")
        size = (tmp_path / name).stat().st_size
        assert size < 0.65 * (tmp_path / "whole.parquet").stat().st_size


@given(npst.arrays(np.float32, (2, 3), elements=st.floats(width=32, allow_nan=False)))
@settings(max_examples=examples(30), deadline=None)
def test_whatever_is_saved_in_eight_bits_is_read(matrix):
    if not np.isfinite(matrix).all():
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "v.safetensors"
        save_vectors(path, ["a", "b"], matrix, dtype="int8")
        found = load_vectors(path).matrix.astype(np.float64)
    largest = np.abs(matrix).max(axis=1, initial=0).astype(np.float64)
    assert (np.abs(found - matrix) <= largest[:, None] / 250 + 1e-40).all()


def test_numbers_that_do_not_fit(tmp_path):
    large = np.full((1, 2), 1e6, np.float32)
    with pytest.raises(InputError, match="beyond the range of float16"):
        save_vectors(tmp_path / "v.parquet", ["a"], large, dtype="float16")
    for name in ("v.txt", "v.bin", "v.glove", "v.txt.gz"):
        with pytest.raises(InputError, match="cannot hold `dtype` float16"):
            save_vectors(tmp_path / name, ["a"], large, dtype="float16")
    with pytest.raises(InputError, match="float8"):
        WordVectors(["a"], large).save(tmp_path / "v.npy", dtype="float8")
    assert not list(tmp_path.iterdir())


# --------------------------------------------------------------------------------------------------
# Names and folders


@pytest.mark.parametrize("name", ["v.npy.gz", "v.parquet.zst", "v.safetensors.gz", "v.gz", "v"])
def test_names_without_a_format(name, tmp_path):
    with pytest.raises(InputError, match=r"cannot tell the format .*\.parquet"):
        save_vectors(tmp_path / name, ["a"], EIGHTHS[:1])
    for kind in ("parquet", "safetensors") if "." in name else ():
        with pytest.raises(InputError, match="cannot be compressed"):
            save_vectors(tmp_path / name, ["a"], EIGHTHS[:1], kind=kind)
    save_vectors(tmp_path / name, ["a"], EIGHTHS[:1], kind="text")
    assert load_vectors(tmp_path / name).words == ["a"]


@pytest.mark.parametrize("kind", ["projector", FOLDER])
def test_only_a_folder_of_the_same_kind_is_replaced(kind, tmp_path):
    for content in ("file", "other"):
        place = tmp_path / content
        if content == "file":
            place.write_text("mine")
        else:
            place.mkdir()
            (place / "notes.txt").write_text("mine")
        with pytest.raises(InputError, match="choose another name"):
            save_vectors(place, ["a"], EIGHTHS[:1], kind=kind)
    assert (tmp_path / "other" / "notes.txt").read_text() == "mine"
    for words in (["a"], ["b"]):
        save_vectors(tmp_path / "v", words, EIGHTHS[:1], kind=kind)
    table, vocabulary = tmp_path / "v/metadata.tsv", tmp_path / "v/tokenizer.json"
    assert (table if kind == "projector" else vocabulary).read_text().count("b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "other", "v"]


@pytest.mark.parametrize("counted", [True, False])
def test_the_projectors_rules(counted, tmp_path):
    """As its page reads it: lines between \\n, of which blank ones are left out, columns between
    tabs, and a heading if and only if there are several."""
    words = ["\\", "a\\tb", "a\rb", "\u2028x", *WORDS[:-1]]
    matrix = np.random.default_rng(4).standard_normal((14, 3)).astype(np.float32)
    counts = np.arange(14) if counted else None
    saved = save_vectors(tmp_path / "v", words, matrix, counts, "projector")
    lines = (tmp_path / "v/metadata.tsv").read_bytes().decode().split("\n")
    rows = [line.split("\t") for line in lines if line.strip("\ufeff").strip()]
    if counted:
        assert rows.pop(0) == ["word", "count"]
        assert [row[1] for row in rows] == [str(count) for count in saved.counts]
    assert {len(row) for row in rows} == {1 + counted}
    assert [row[0] for row in rows][:4] == ["\\\\", "a\\\\tb", "a\\rb", "\u2028x"]
    assert len({row[0] for row in rows}) == len(rows)
    values = [line.split("\t") for line in (tmp_path / "v/tensors.tsv").read_text().splitlines()]
    assert len(values) == len(rows) == len(saved.words)
    assert np.array_equal(np.array(values, np.float32), saved.matrix)
    assert "tensors.tsv" in (tmp_path / "v/projector_config.pbtxt").read_text()


def test_a_run_says_how_it_was_trained_in_its_model_card(tmp_path):
    run = tmp_path / "a|b"
    save_vectors(tmp_path / "vectors.npy", ["king", "queen", "man", "woman"], EIGHTHS[:4] + 1)
    run.mkdir()
    (tmp_path / "vectors.npy").rename(run / "vectors.npy")
    (run / "vocab.tsv").write_text("king\t4\nqueen\t3\nman\t2\nwoman\t1\n")
    (run / "format_version").write_text("1\n")
    (run / "config.yaml").write_text(
        f"corpus: ['{tmp_path}/private/wiki | 2024.txt']\nlowercase: yes\ntokenizer: words\n"
        "window: 7\nmodel: cbow\n"
    )
    words = {"read": 1234567}
    (run / "summary.json").write_text(json.dumps({"words": words, "final_loss": 0.25}))
    load_vectors(run).save(tmp_path / "hub", FOLDER)
    card = (tmp_path / "hub/README.md").read_text()
    assert card.startswith("---\n") and "4 words of 3 dimensions" in card
    for row in ("| window | 7 |", "| model | cbow |", "| words read | 1,234,567 |"):
        assert row in card
    assert "wiki \\| 2024.txt" in card and "private" not in card and "a\\|b" in card
    for library in ("SentenceTransformer(", "StaticModel.from_pretrained(", "w2v.load(", "gensim"):
        assert library in card
    tokenizer = json.loads((tmp_path / "hub/tokenizer.json").read_text())
    assert tokenizer["normalizer"] == {"type": "Lowercase"}
    assert len(tokenizer["pre_tokenizer"]["pretokenizers"]) == 2
