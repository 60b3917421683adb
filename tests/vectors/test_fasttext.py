"""fastText's .bin: its own files and values, what we write, and files that are damaged."""

import io
import struct
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest

from w2v.corpus.ngrams import Ngrams
from w2v.errors import InputError
from w2v.vectors import WordVectors, load_vectors, write_vectors
from w2v.vectors.ngrams import NgramRows

GOLDEN = Path(__file__).parents[1] / "golden" / "fasttext"
MODELS = ("skipgram", "cbow", "plain", "classifier")
SKIP_GRAM = (GOLDEN / "skipgram.bin").read_bytes()
KNOWN = 47  # of its words
HEADER = 64  # bytes before the dictionary


def written(vectors: WordVectors) -> bytes:
    file, of = io.BytesIO(), (vectors.words, vectors.matrix)
    write_vectors(file, *of, "fasttext", vectors.counts, "float32", vectors)
    return file.getvalue()


def vectors_of(data: bytes, folder: Path, **options) -> WordVectors:
    (folder / "v").write_bytes(data)
    return load_vectors(folder / "v", **options)


def with_ngrams(seed: int = 1) -> WordVectors:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((30, 3)).astype(np.float32)
    words = ["the", "naïve", "日本", "</s>", "a"]
    found = WordVectors(words, rng.standard_normal((5, 3)).astype(np.float32), [9, 7, 7, 2, 0])
    found.ngrams = NgramRows(Ngrams(2, 4, 30), rows)
    return found


# --------------------------------------------------------------------------------------------------
# Its own


@pytest.mark.parametrize("name", MODELS)
def test_known_and_unknown_words_have_fasttext_s_vectors(name):
    with np.load(GOLDEN / "vectors.npz") as golden:
        words = golden[f"{name}.words"].tobytes().decode().split("\n")
        expected = golden[f"{name}.vectors"]
    vectors = load_vectors(GOLDEN / f"{name}.bin")
    assert len(vectors) == KNOWN and vectors.words == words[:KNOWN]
    assert (len(words) > KNOWN) == (vectors.ngrams is not None)
    assert np.abs(vectors[words] - expected).max() < 1e-6
    assert vectors.counts.min() > 0 and vectors.counts.sum() == 150 * 8 + 150  # with line ends
    assert [("labels were left out" in each) for each in vectors.warnings] == [True] * (
        name == "classifier"
    )


def test_what_is_quantised_or_newer_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match="quantised"):
        load_vectors(GOLDEN / "classifier.ftz")
    with pytest.raises(InputError, match="version 13"):
        vectors_of(SKIP_GRAM[:4] + struct.pack("<i", 13) + SKIP_GRAM[8:], tmp_path)


def test_version_11_had_no_ngrams_in_classifiers(tmp_path):
    """As fastText reads them; those of other models it has always had."""
    for name, has in (("classifier", False), ("skipgram", True)):
        data = (GOLDEN / f"{name}.bin").read_bytes()
        old = vectors_of(data[:4] + struct.pack("<i", 11) + data[8:], tmp_path)
        assert (old.ngrams is not None) == has
        if not has:
            rows = np.frombuffer(data, "<f4", KNOWN * 4, data.index(_shape(KNOWN + 300)) + 16)
            assert np.array_equal(old.matrix, rows.reshape(KNOWN, 4))


def _shape(rows: int, dim: int = 4) -> bytes:
    return struct.pack("<2q", rows, dim)


def test_some_of_the_words(tmp_path):
    few, all_ = (
        load_vectors(GOLDEN / "skipgram.bin", limit=5),
        load_vectors(GOLDEN / "skipgram.bin"),
    )
    assert few.words == all_.words[:5] and np.array_equal(few.matrix, all_.matrix[:5])
    assert np.array_equal(few["cafés"], all_["cafés"])


def test_broken_words_keep_the_vector_of_their_bytes(tmp_path):
    word = "naïve".encode()
    broken = SKIP_GRAM.replace(word + b"\0", b"na\xff\xffve\0")
    assert len(broken) == len(SKIP_GRAM)
    with pytest.raises(InputError, match="UTF-8"):
        vectors_of(broken, tmp_path)
    found = vectors_of(broken, tmp_path, encoding_errors="replace")
    row = found.index("na\ufffd\ufffdve")
    spelt = b"na\xff\xffve".decode("utf-8", "surrogateescape")
    data = np.frombuffer(broken, "<f4", 147 * 4, broken.index(_shape(147)) + 16).reshape(147, 4)
    _, ids = Ngrams(3, 6, 100).ids([spelt])
    assert np.allclose(found.matrix[row], data[[row, *(ids + KNOWN)]].mean(axis=0), atol=1e-6)


# --------------------------------------------------------------------------------------------------
# Ours


def read_plainly(data: bytes):
    """The format, read as it is described: arguments, words, counts, input, output."""
    magic, version = struct.unpack_from("<2i", data)
    assert (magic, version) == (793712314, 12)
    arguments = struct.unpack_from("<12id", data, 8)
    size, n_words, n_labels, tokens, pruned = struct.unpack_from("<3i2q", data, HEADER)
    assert (size, n_labels, pruned) == (n_words, 0, -1)
    at, words, counts = HEADER + 28, [], []
    for _ in range(n_words):
        end = data.index(b"\0", at)
        words.append(data[at:end].decode())
        count, kind = struct.unpack_from("<qb", data, end + 1)
        counts.append(count)
        assert kind == 0
        at = end + 10
    assert tokens == sum(counts)
    matrices = []
    for _ in range(2):
        flag, rows, dim = struct.unpack_from("<b2q", data, at)
        assert flag == 0
        matrices.append(np.frombuffer(data, "<f4", rows * dim, at + 17).reshape(rows, dim))
        at += 17 + 4 * rows * dim
    assert at == len(data)
    return arguments, words, counts, *matrices


def test_the_mean_of_a_word_s_rows_is_its_vector(tmp_path):
    vectors = with_ngrams()
    arguments, words, counts, rows, output = read_plainly(written(vectors))
    dim, bucket, minn, maxn = (arguments[place] for place in (0, 8, 9, 10))
    assert (dim, bucket, minn, maxn) == (3, 30, 2, 4)
    assert words == vectors.words and counts == [9, 7, 7, 2, 1]  # none of 0, for its noise words
    assert rows.shape == (35, 3) and output.shape == (5, 3)
    assert np.array_equal(rows[5:], vectors.ngrams.rows)
    starts, ids = vectors.ngrams.ngrams.ids(words)
    for row, vector in enumerate(vectors.matrix):
        own = [row, *(ids[starts[row] : starts[row + 1]] + 5)]
        assert np.allclose(rows[own].astype(np.float64).mean(axis=0), vector, atol=1e-6)
    assert np.array_equal(rows[3], vectors.matrix[3])  # "</s>" has no n-gram
    again = vectors_of(written(vectors), tmp_path)
    assert again.words == words and np.allclose(again.matrix, vectors.matrix, atol=1e-6)
    assert np.array_equal(again["unseen"], vectors["unseen"])


def test_without_ngrams_rows_are_vectors(tmp_path):
    plain = WordVectors(["b", "a"], np.eye(2, 3, dtype=np.float32))
    arguments, words, counts, rows, _ = read_plainly(written(plain))
    assert arguments[8:11] == (0, 0, 0) and words == ["b", "a"] and counts == [1, 1]
    assert np.array_equal(rows, plain.matrix)
    assert vectors_of(written(plain), tmp_path).ngrams is None


def test_a_file_of_fasttext_comes_out_as_it_went_in(tmp_path):
    for name in MODELS:
        before = load_vectors(GOLDEN / f"{name}.bin")
        after = vectors_of(written(before), tmp_path)
        assert after.words == before.words and np.array_equal(after.counts, before.counts)
        assert np.allclose(after.matrix, before.matrix, atol=1e-6)
        if before.ngrams is not None:
            assert after.ngrams.ngrams == before.ngrams.ngrams
            assert np.array_equal(after.ngrams.rows, before.ngrams.rows)


def test_ngrams_that_only_earlier_words_had_come_back(tmp_path):
    """Rows that nothing has learnt are zeros where we write, and noise in fastText's own files."""
    vectors, ngrams = with_ngrams(), Ngrams(2, 4, 3000)
    learnt = np.random.default_rng(2).standard_normal((3000, 3)).astype(np.float32)
    earlier, unknown = ngrams.ids(["earlier"])[1], ["earliest", "xyz"]
    for left, have in ((earlier, [True, False]), (np.arange(0), [False, False])):
        rows = np.zeros_like(learnt)
        for ids in (left, ngrams.ids(vectors.words)[1]):
            rows[ids] = learnt[ids]
        vectors.ngrams = NgramRows(ngrams, rows)
        after = vectors_of(written(vectors), tmp_path)
        assert [after.has(word) for word in unknown] == have
        assert have[0] is False or np.array_equal(after["earliest"], vectors["earliest"])


def test_other_formats_say_that_ngrams_are_left_out(tmp_path):
    vectors = with_ngrams()
    for name in ("v.txt", "v.parquet", "v.safetensors", "v.npy"):
        with pytest.warns(UserWarning, match="n-grams"):
            vectors.save(tmp_path / name)
        found = load_vectors(tmp_path / name)
        assert np.array_equal(found.matrix, vectors.matrix) and found.ngrams is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vectors.save(tmp_path / "v.bin", format="fasttext")


def test_words_that_a_file_of_fasttext_cannot_hold_are_left_out(tmp_path):
    words = ["a", "new york", "", "a\0b", "x\x0by", "b"]
    vectors = WordVectors(words, np.ones((6, 2), np.float32))
    with pytest.warns(UserWarning, match="4 of 6"):
        vectors.save(tmp_path / "v", format="fasttext")
    assert load_vectors(tmp_path / "v").words == ["a", "b"]


# --------------------------------------------------------------------------------------------------
# Damaged


def refused(data: bytes, folder: Path) -> str:
    with pytest.raises(InputError) as error:
        vectors_of(data, folder)
    said = str(error.value)
    assert "\n" not in said and len(said) < 300 + len(str(folder))
    return said


def test_wherever_it_is_cut(tmp_path):
    for data in (SKIP_GRAM, written(with_ngrams())):
        for length in {*range(4, 260, 3), *range(260, len(data), 307), len(data) - 1}:
            refused(data[:length], tmp_path)
    refused(SKIP_GRAM + b"\0", tmp_path)


FIELDS = {"model": 36, "bucket": 40, "minn": 44, "maxn": 48, "dim": 8}
FIELDS |= {"entries": 64, "words": 68, "labels": 72}


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", [-(2**31), 0, 7, 2**31 - 1])
def test_forged_numbers(name, value, tmp_path):
    """What is read in spite of them is consistent: fewer n-grams, or longer ones."""
    at = FIELDS[name]
    data = SKIP_GRAM[:at] + struct.pack("<i", value) + SKIP_GRAM[at + 4 :]
    if name == "minn" or (name, value) == ("labels", 0) or (name == "maxn" and value < 99):
        found = vectors_of(data, tmp_path)
        assert found.ngrams is None or found["unseen"].shape == (4,)
    else:
        refused(data, tmp_path)


@pytest.mark.parametrize("rows", [-1, 0, 146, 148, 2**40, 2**62, 2**63 - 1])
@pytest.mark.parametrize("dim", [-1, 0, 3, 4, 2**31, 2**62])
def test_forged_shapes(rows, dim, tmp_path):
    at = SKIP_GRAM.index(_shape(147))
    refused(SKIP_GRAM[:at] + _shape(rows, dim) + SKIP_GRAM[at + 16 :], tmp_path)


def test_other_faults(tmp_path):
    at = SKIP_GRAM.index(_shape(147))
    nan = SKIP_GRAM[: at + 16] + struct.pack("<f", np.nan) + SKIP_GRAM[at + 20 :]
    assert "NaN" in refused(nan, tmp_path)
    label = SKIP_GRAM.index(b"\0", HEADER + 28) + 9
    refused(SKIP_GRAM[:label] + b"\1" + SKIP_GRAM[label + 1 :], tmp_path)
    for pruned in (0, 1, 2**62):
        refused(SKIP_GRAM[:84] + struct.pack("<q", pruned) + SKIP_GRAM[92:], tmp_path)
    assert "quantised" in refused(SKIP_GRAM[: at - 1] + b"\1" + SKIP_GRAM[at:], tmp_path)
    negative = SKIP_GRAM[: label - 8] + struct.pack("<q", -5) + SKIP_GRAM[label:]
    assert "counts" in refused(negative, tmp_path)


@pytest.mark.parametrize("length", [9_000, 500_000])
def test_long_words_with_long_ngrams_take_little_memory(length, tmp_path):
    """Each word has a million n-grams or more: refused, or read."""
    words = [f"{number}{'x' * length}" for number in range(3)]
    vectors = WordVectors(words, np.ones((3, 64), np.float32))
    data = written(vectors)
    at = data.index(_shape(3, 64))
    tables = np.zeros((12, 64), "<f4").tobytes()
    output = data[at + 16 + 256 * 3 :]
    data = data[:40] + struct.pack("<3i", 9, 1, 99) + data[52:at]
    (tmp_path / "v").write_bytes(data + _shape(12, 64) + tables + output)
    tracemalloc.start()
    try:
        if length > 10_000:
            with pytest.raises(InputError, match="10,000 characters"):
                load_vectors(tmp_path / "v")
        else:
            assert len(load_vectors(tmp_path / "v")) == 3
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()


def test_ngrams_that_hold_nan_are_told_when_they_are_asked_for(tmp_path):
    vectors = with_ngrams()
    vectors.ngrams.rows[:] = np.inf
    with pytest.raises(InputError, match="NaN or infinity"):
        vectors["unseen"]
    with pytest.raises(InputError, match="float32"):
        written(vectors)


def test_a_pipe_or_a_packed_file_is_refused(tmp_path):
    import gzip

    said = refused(gzip.compress(SKIP_GRAM), tmp_path)
    assert "decompress" in said
