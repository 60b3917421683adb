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
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tests.vectors.numbers import reads_as_number
from w2v.errors import InputError, RunError
from w2v.vectors import check_format, load_vectors, save_vectors, write_vectors

NAMES = ["v.txt", "v.vec", "v.bin", "v.glove", "v.glove.txt", "v.npy"]
WORD = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(
    lambda w: not any(c.isspace() for c in w)
)
VALUE = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def word_vectors(draw):
    words = draw(st.lists(WORD, min_size=1, max_size=6, unique=True))
    dim = draw(st.integers(1, 5))
    return words, draw(npst.arrays(np.float32, (len(words), dim), elements=VALUE))


@pytest.mark.parametrize("name", NAMES)
@given(word_vectors())
@settings(max_examples=30, deadline=None)
def test_round_trip(name, content):
    words, matrix = content
    # a file without a header whose words all read as numbers might have none, and is refused
    assume("glove" not in name or not all(map(reads_as_number, words)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        save_vectors(path, words, matrix)
        vectors = load_vectors(path)
        assert vectors.words == words
        assert np.asarray(vectors.matrix).tobytes() == matrix.tobytes()


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
