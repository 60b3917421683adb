"""What is saved comes back bit for bit, in every format, whatever the words and the numbers."""

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import w2v
from tests.examples import examples
from tests.vectors.numbers import reads_as_number
from w2v.errors import InputError, RunError
from w2v.vectors import check_format, load_vectors, save_vectors, write_vectors

NAMES = ["v.txt", "v.vec", "v.bin", "v.glove", "v.glove.txt", "v.npy"]
LETTERS = st.text(st.characters(codec="utf-8", categories=["L", "M"]), min_size=1, max_size=8)
LETTERS = LETTERS.filter(lambda word: not reads_as_number(word))  # such as nan
ODD = (
    st.text(st.sampled_from("01.5,;:+-e\"' \t#_aä日\u00a0\ufeff\0\x1c"), max_size=5)
    | st.text(max_size=4)
    | st.from_regex(r"\A[0-9]{1,2}[,;:]?\Z")
    | st.sampled_from(["word", "nan", "1e5", '"a"', '"a', "</s>", "PAR1", "ARROW1", "BZh9", "FiFu"])
)
VALUE = st.floats(width=32, allow_nan=False, allow_infinity=False)
KINDS = [
    *[("v.txt", "text"), ("v.vec.gz", "text"), ("v.glove", "glove"), ("v.glove.txt", "glove")],
    *[("v.bin", kind) for kind in ("binary", "text", "glove", "fasttext")],
    *[("v", "binary"), ("v.glove", "text"), ("v.npy", "npy"), ("v.parquet", "parquet")],
    *[("v.arrow", "arrow"), ("v.safetensors", "safetensors"), ("v", "sentence-transformers")],
]


@st.composite
def word_vectors(draw, word, unique=True, values=VALUE):
    words = draw(st.lists(word, min_size=1, max_size=6, unique=unique))
    dim = draw(st.integers(1, 5))
    return words, draw(npst.arrays(np.float32, (len(words), dim), elements=values))


@pytest.mark.parametrize("name", NAMES)
@given(word_vectors(LETTERS))
@settings(max_examples=20, deadline=None)
def test_round_trip(name, content):
    words, matrix = content
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        save_vectors(path, words, matrix)
        vectors = load_vectors(path)
        assert vectors.words == words
        assert np.asarray(vectors.matrix).tobytes() == matrix.tobytes()


@given(word_vectors(ODD, False, VALUE | st.integers(-3, 3)), st.sampled_from(KINDS), st.booleans())
@settings(max_examples=examples(80), deadline=None)
def test_odd_words_come_back_or_are_refused(content, form, counted):
    """Those that the format cannot hold are left out, as the result says; what would be read as
    something else is refused in a sentence, and leaves no file."""
    (words, matrix), (name, kind) = content, form
    counts = np.arange(len(words), 0, -1) if counted else None
    with tempfile.TemporaryDirectory() as folder:
        try:
            saved = save_vectors(Path(folder) / name, words, matrix, counts, kind)
        except InputError as error:
            assert not os.listdir(folder) and "\n" not in str(error)
            return
        vectors = load_vectors(Path(folder) / name)
        assert vectors.words == saved.words
        assert np.asarray(vectors.matrix).tobytes() == saved.matrix.tobytes()
        if kind in ("npy", "parquet", "arrow", "safetensors"):
            assert (vectors.counts is None) == (saved.counts is None)
            assert saved.counts is None or np.array_equal(vectors.counts, saved.counts)


@pytest.mark.parametrize("words", [["-1", "0.5"], ["nan", "1e5"], ["a,", "b,"]])
def test_what_would_be_read_otherwise_is_refused(words, tmp_path):
    """Such words are no loss of a run either: they are refused before it trains."""
    for name in ("v.glove", "v.glove.gz"):
        with pytest.raises(InputError, match=f"glove .* {words[0]!r}, {words[1]!r}"):
            save_vectors(tmp_path / name, words, np.ones((2, 3), np.float32))
    with pytest.raises(InputError, match="glove"):
        w2v.train([words] * 9, min_count=1, output=tmp_path / "v.glove", progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["v.txt", "v.bin", "v.glove"])
def test_round_trip_over_many_blocks(name, tmp_path):
    rng = np.random.default_rng(1)
    # Above 8 MB, so that the readers' chunks and the writers' blocks cut it in many places.
    matrix = rng.standard_normal((9001, 300)).astype(np.float32)
    words = [f"w{i}" * (i % 7 + 1) for i in range(len(matrix))]
    save_vectors(tmp_path / name, words, matrix)
    vectors = load_vectors(tmp_path / name)
    assert vectors.words == words
    assert np.array_equal(vectors.matrix, matrix)
    few = load_vectors(tmp_path / name, limit=5000)
    assert few.words == words[:5000]
    assert np.array_equal(few.matrix, matrix[:5000])


@pytest.mark.parametrize("kind", ["text", "binary", "glove"])
@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_compressed(kind, suffix, tmp_path):
    rng = np.random.default_rng(2)
    matrix = rng.standard_normal((500, 20)).astype(np.float32)
    words = [f"w{i}" for i in range(500)]
    file = io.BytesIO()
    write_vectors(file, words, matrix, kind)
    compress = {
        ".gz": gzip.compress,
        ".bz2": bz2.compress,
        ".xz": lzma.compress,
        ".zst": zstandard.compress,
    }[suffix]
    data = compress(file.getvalue())
    path = tmp_path / f"v{suffix}"
    path.write_bytes(data)
    vectors = load_vectors(path)
    assert vectors.words == words
    assert np.array_equal(vectors.matrix, matrix)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"v\.(gz|bz2|xz|zst)"):
        load_vectors(path)


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstandard.compress])
def test_a_slow_pipe(compress, tmp_path):
    file = io.BytesIO()
    write_vectors(file, ["a", "b"], np.eye(2, dtype=np.float32), "binary")
    data = compress(file.getvalue())
    os.mkfifo(tmp_path / "pipe")

    def write():
        with open(tmp_path / "pipe", "wb", buffering=0) as pipe:
            for i in range(len(data)):
                pipe.write(data[i : i + 1])
                time.sleep(0.001)

    thread = threading.Thread(target=write)
    thread.start()
    vectors = load_vectors(tmp_path / "pipe")
    thread.join()
    assert vectors.words == ["a", "b"]
    assert vectors.matrix.tolist() == [[1, 0], [0, 1]]


def test_nothing_heavy_is_imported(tmp_path):
    """Queries start in a fraction of a second."""
    save_vectors(tmp_path / "v.npy", ["a", "b"], np.eye(2, dtype=np.float32))
    code = (
        "import sys; from w2v.vectors import load_vectors; from w2v.vectors.queries import nearest,"
        " resolve\nfrom w2v.evaluation import analogies, similarity, sets\nv ="
        " load_vectors(sys.argv[1]); nearest(v, [resolve(v, 'a')])\nprint([m for m in ('pyarrow',"
        " 'numba', 'torch', 'scipy', 'pandas', 'datasets', 'typer') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "v.npy"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_words_that_split_would_break(tmp_path):
    words = [
        "a\u00a0b",
        "a\u2003b",
        "x\u0085",
        "\u2028",
        "3",
        "-0.5",
        "1e5",
        "\ufeffbom",
        "\x1c",
        "e\u0301",
        "</s>",
    ]
    matrix = np.arange(len(words) * 3, dtype=np.float32).reshape(-1, 3)
    for name in ("v.txt", "v.bin", "v.glove", "v.npy"):
        save_vectors(tmp_path / name, words, matrix)
        assert load_vectors(tmp_path / name).words == words


def test_c_text_has_a_space_at_the_end_and_windows_a_carriage_return(tmp_path):
    (tmp_path / "v.txt").write_bytes(b"2 2 \nthe 0.5 -1.000000 \nof 1 2 \r\n\n")
    vectors = load_vectors(tmp_path / "v.txt")
    assert vectors.words == ["the", "of"]
    assert vectors.matrix.tolist() == [[0.5, -1.0], [1.0, 2.0]]


def test_glove_words_may_hold_spaces(tmp_path):
    (tmp_path / "glove.txt").write_bytes(b"the 0.5 1 2\n. . . 1 2 3\nat name@domain.com 4 5 6\n")
    vectors = load_vectors(tmp_path / "glove.txt")
    assert vectors.words == ["the", ". . .", "at name@domain.com"]
    assert vectors.matrix.tolist() == [[0.5, 1, 2], [1, 2, 3], [4, 5, 6]]


def test_run_directory_is_memory_mapped(tmp_path):
    matrix = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.save(tmp_path / "vectors.npy", matrix)
    (tmp_path / "vocab.tsv").write_text("the\t10\nof\t7\nnaïve\t7\n3\t1\n", encoding="utf-8")
    vectors = load_vectors(tmp_path)
    assert isinstance(vectors.matrix, np.memmap)
    assert not vectors.matrix.flags.writeable
    assert vectors.words == ["the", "of", "naïve", "3"]
    assert vectors.counts.tolist() == [10, 7, 7, 1]
    assert np.array_equal(vectors.matrix, matrix)
    few = load_vectors(tmp_path, limit=2)
    assert (
        few.words == ["the", "of"] and few.matrix.shape == (2, 3) and few.counts.tolist() == [10, 7]
    )


def test_npy_keeps_counts_and_other_dtypes_are_converted(tmp_path):
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    save_vectors(tmp_path / "v.npy", ["a", "b"], matrix, counts=np.array([5, 2]))
    assert load_vectors(tmp_path / "v.npy").counts.tolist() == [5, 2]
    for other in (
        matrix.astype(np.float64),
        matrix.astype(np.float16),
        np.asfortranarray(matrix),
        matrix.astype(">f4"),
    ):
        np.save(tmp_path / "v.npy", other)
        assert np.array_equal(load_vectors(tmp_path / "v.npy").matrix, matrix)
        assert load_vectors(tmp_path / "v.npy").matrix.dtype == np.dtype("<f4")


def test_unknown_extension_names_the_known_ones(tmp_path):
    for name in ("v.model", "v", "v.npy.gz"):
        with pytest.raises(InputError, match=r"\.txt, \.vec, \.bin, \.glove, \.npy"):
            check_format(tmp_path / name)
        with pytest.raises(InputError):
            save_vectors(tmp_path / name, ["a"], np.ones((1, 2), np.float32))
    assert list(tmp_path.iterdir()) == []
    assert check_format("V.TXT") == check_format("v.vec") == "text"


@pytest.mark.parametrize("word", ["new york", "a\nb", "a\tb", "a\r", "", "\ud800", "ok"])
@pytest.mark.parametrize("name", ["v.txt", "v.bin", "v.glove", "v.npy"])
def test_words_the_format_cannot_hold_are_left_out_and_counted(name, word, tmp_path):
    matrix = np.arange(6, dtype=np.float32).reshape(3, 2)
    saved = save_vectors(tmp_path / name, ["ok", word, "z"], matrix, np.array([9, 8, 7]))
    vectors = load_vectors(tmp_path / name)
    if name == "v.npy" and word == "new york":
        assert vectors.words == ["ok", "new york", "z"] and not saved.warnings
        return
    assert vectors.words == saved.words == ["ok", "z"]
    assert vectors.matrix.tolist() == [[0, 1], [4, 5]]
    assert name != "v.npy" or vectors.counts.tolist() == [9, 7]
    (warning,) = saved.warnings
    assert "1 of 3 words" in warning and repr(word) in warning


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["v.txt", "v.bin", "v.glove", "v.npy"])
def test_what_would_be_refused_is_not_written(name, value, tmp_path):
    with pytest.raises(InputError, match=r"'b' holds NaN or infinity"):
        save_vectors(tmp_path / name, ["a", "b"], np.array([[1, 1], [1, value]], np.float32))
    with pytest.raises(InputError, match=r"no word remains"):
        save_vectors(tmp_path / name, ["", ""], np.ones((2, 2), np.float32))
    assert list(tmp_path.iterdir()) == []


def test_a_stream_cannot_hold_npy_and_a_missing_folder_is_said(tmp_path):
    with pytest.raises(InputError, match="stream"):
        write_vectors(io.BytesIO(), ["a"], np.ones((1, 2), np.float32), "npy")
    with pytest.raises(RunError, match="cannot write"):
        save_vectors(tmp_path / "missing" / "v.bin", ["a"], np.ones((1, 2), np.float32))
