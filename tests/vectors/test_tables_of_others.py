"""Tables, tensors and folders that other programs wrote, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, parquet
from safetensors.numpy import save_file

from w2v.corpus.messages import arrow_claims
from w2v.corpus.pages import claims
from w2v.errors import InputError
from w2v.vectors import WordVectors, load_vectors

WORDS = ["the", "naïve", "日本", "a\tb", "", "x"]
ROWS = np.arange(18, dtype=np.float32).reshape(6, 3) / 8
LISTS = pa.array(ROWS.tolist(), pa.list_(pa.float32()))


def written(folder, columns, form="parquet"):
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    path = folder / f"v.{form}"
    if form == "parquet":
        parquet.write_table(table, path)
    elif form == "stream":
        with pa.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=4)
    else:
        options = {"compression": {"arrow": "uncompressed", "lz4": "lz4", "zstd": "zstd"}[form]}
        feather.write_feather(table, path, **options, chunksize=4)
    return path


@pytest.mark.parametrize("form", ["parquet", "stream", "arrow", "lz4", "zstd"])
@pytest.mark.parametrize(
    "words",
    [
        pa.array(WORDS, pa.large_string()),
        pa.array(WORDS, pa.string_view()),
        pa.array(WORDS).dictionary_encode(),
    ],
)
@pytest.mark.parametrize(
    "vectors",
    [
        LISTS,
        LISTS.cast(pa.large_list(pa.float64())),
        LISTS.cast(pa.list_(pa.float16(), 3)),
        pa.array((ROWS * 8).astype(int).tolist(), pa.list_(pa.int64())),
    ],
)
def test_types_of_columns(form, words, vectors, tmp_path):
    columns = {"id": pa.array(range(6)), "vector": vectors, "word": words}
    if form == "parquet":
        columns["other"] = pa.array([["a"]] * 6)
    found = load_vectors(written(tmp_path, columns, form))
    factor = 8 if pa.types.is_integer(vectors.type.value_type) else 1
    assert found.words == WORDS and np.array_equal(found.matrix, factor * ROWS)
    assert found.counts is None
    few = load_vectors(tmp_path / f"v.{form}", limit=5)
    assert few.words == WORDS[:5] and np.array_equal(few.matrix, factor * ROWS[:5])


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_names_of_columns(form, tmp_path):
    found = load_vectors(written(tmp_path, {"token": WORDS, "embedding": LISTS}, form))
    assert found.words == WORDS and np.array_equal(found.matrix, ROWS)
    columns = {"word": WORDS, "note": WORDS, "count": range(6), "vector": LISTS, "more": LISTS}
    found = load_vectors(written(tmp_path, columns, form))
    assert found.words == WORDS and found.counts.tolist() == [*range(6)]
    columns["count"] = [1.5] * 6  # no counts of words
    assert load_vectors(written(tmp_path, columns, form)).counts is None
    columns["count"] = [1, 2, 3, 4, None, 6]
    assert load_vectors(written(tmp_path, columns, form)).counts is None


@pytest.mark.parametrize("form", ["parquet", "lz4"])
def test_a_column_for_each_dimension(form, tmp_path):
    frame = WordVectors(WORDS, ROWS).to_pandas()
    frame.columns = frame.columns.astype(str)
    found = load_vectors(written(tmp_path, pa.Table.from_pandas(frame), form))
    assert found.words == WORDS and np.array_equal(found.matrix, ROWS)
    frame = pd.DataFrame({"w": WORDS, "score": 0.5, "d1": ROWS[:, 0], "d2": ROWS[:, 1]})
    found = load_vectors(written(tmp_path, pa.Table.from_pandas(frame), form))
    assert np.array_equal(found.matrix, ROWS[:, :2])


@pytest.mark.parametrize("form", ["parquet", "stream", "lz4"])
@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"a": WORDS, "b": WORDS, "vector": LISTS}, "column `word`"),
        ({"word": WORDS, "a": LISTS, "b": LISTS}, "column `vector`"),
        ({"word": WORDS, "score": pa.array([0.5] * 6)}, "column `vector`"),
        ({"word": range(6), "vector": LISTS}, r"word \(int64\)"),
        ({"word": ["a", None], "vector": LISTS[:2]}, "word is missing"),
        ({"word": ["a", "b"], "vector": pa.array([[1.5], None])}, "missing"),
        ({"word": ["a", "b"], "vector": [[1.5, 2], [1.5]]}, "1 and 2 values"),
        ({"word": ["a", "b"], "vector": [[1.5, 2], [None, 2]]}, "number of a vector is missing"),
        ({"word": ["a", "b"], "vector": [["1.5"], ["2"]]}, "not of numbers"),
        ({"word": ["a", "b"], "vector": pa.array([[], []], pa.list_(pa.float32()))}, "0 values"),
        ({"word": ["a", "b"], "vector": [[1.5], [np.nan]]}, "'b' holds NaN"),
        ({"word": ["a", "b"], "vector": [[1.5], [1e300]]}, "'b' holds NaN or infinity"),
        ({"word": ["a", "b"], "count": [1, -1], "vector": [[1.5], [2.5]]}, "counts"),
        ({"word": ["a", "b"], "count": [2**62, 2**62], "vector": [[1.5], [2.5]]}, "counts"),
        ({"word": pa.array([], pa.string()), "vector": LISTS[:0]}, "no rows"),
    ],
)
def test_what_is_refused_names_itself(form, columns, said, tmp_path):
    with pytest.raises(InputError, match=said) as refused:
        load_vectors(written(tmp_path, columns, form))
    assert "\n" not in str(refused.value) and str(tmp_path) in str(refused.value)


def test_columns_of_one_name(tmp_path):
    table = pa.table([WORDS, WORDS, LISTS], names=["word", "word", "vector"])
    with pytest.raises(InputError, match="rename them"):
        load_vectors(written(tmp_path, table, "stream"))


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_repeated_words_and_broken_ones(form, tmp_path):
    columns = {"word": ["a", "b", "a"], "count": [3, 2, 1], "vector": LISTS[:3]}
    found = load_vectors(written(tmp_path, columns, form))
    assert found.words == ["a", "b"] and found.counts.tolist() == [3, 2]
    assert "1 repeated word was left out, such as 'a'" in found.warnings[0]
    broken = pa.array([b"a", b"\xff", b"c"]).view(pa.string())
    path = written(tmp_path, {"word": broken, "vector": LISTS[:3]}, form)
    if form == "parquet":  # Arrow's own files are checked as a whole
        with pytest.raises(InputError, match=r"word 2 is not valid UTF-8 .* 0xff"):
            load_vectors(path)
        assert load_vectors(path, encoding_errors="replace").words == ["a", "\ufffd", "c"]
    else:
        with pytest.raises(InputError, match="damaged"):
            load_vectors(path)


@pytest.mark.parametrize("form", ["parquet", "stream", "lz4"])
def test_files_that_are_cut_short(form, tmp_path):
    path = written(tmp_path, {"word": WORDS, "vector": LISTS}, form)
    data = path.read_bytes()
    for size in (len(data) // 3, len(data) // 2):
        path.write_bytes(data[:size])
        with pytest.raises(InputError, match=r"damaged|no rows"):
            load_vectors(path)


# --------------------------------------------------------------------------------------------------
# Tensors and folders


def text(words):
    return np.frombuffer("".join(f"{word}\n" for word in words).encode(), np.uint8)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"embeddings": ROWS}, "no tensors `vectors` and `words`, but embeddings"),
        ({"vectors": ROWS, "words": text(WORDS[:5])}, "one word for each of 6"),
        ({"vectors": ROWS, "words": text(WORDS)[:-1]}, "one word for each of 6"),
        ({"vectors": ROWS[0], "words": text(WORDS)}, r"F32 \[3\]"),
        ({"vectors": ROWS[:, :0], "words": text(WORDS)}, r"\[6, 0\]"),
        ({"vectors": ROWS.astype(int), "words": text(WORDS)}, "I64"),
        ({"vectors": ROWS, "words": text(WORDS).astype(int)}, "`words`"),
        ({"vectors": ROWS, "words": text(WORDS), "counts": np.arange(5)}, "`counts`"),
        ({"vectors": ROWS, "words": text(WORDS), "counts": -np.arange(6)}, "counts"),
        ({"vectors": ROWS, "words": text(WORDS), "scales": np.arange(6)}, "`scales`"),
        ({"vectors": ROWS + np.float32(np.inf), "words": text(WORDS)}, "NaN or infinity"),
    ],
)
def test_tensors_that_are_refused(tensors, said, tmp_path):
    tensors = {name: np.ascontiguousarray(each) for name, each in tensors.items()}
    save_file(tensors, tmp_path / "v.safetensors")
    with pytest.raises(InputError, match=said):
        load_vectors(tmp_path / "v.safetensors")


def hub(folder, model, rows=ROWS):
    save_file({"embeddings": np.ascontiguousarray(rows)}, folder / "model.safetensors")
    (folder / "tokenizer.json").write_text(json.dumps({"model": model}))
    (folder / "config.json").write_text("{}")
    return folder


def test_a_folder_of_model2vec(tmp_path):
    vocabulary = {"[UNK]": 1, "b": 0, "a": 3}  # in any order, and with rows that are none's
    model = {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"}
    found = load_vectors(hub(tmp_path, model, ROWS.astype(np.float16)))
    assert found.words == ["b", "a"] and np.array_equal(found.matrix, ROWS[[0, 3]])
    assert load_vectors(tmp_path, limit=1).words == ["b"]


@pytest.mark.parametrize(
    "model",
    [
        None,
        [],
        {"type": "WordPiece", "vocab": {"a": 0}},
        {"type": "Unigram", "vocab": [["a", 0.5]]},
        {"type": "WordLevel", "vocab": {"a": 6}},
        {"type": "WordLevel", "vocab": {"a": -1}},
        {"type": "WordLevel", "vocab": {"a": True}},
        {"type": "WordLevel", "vocab": {"a": 0, "b": 0}},
        {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": ["a"]},
        {"type": "WordLevel", "vocab": {"\ud800": 0}},
    ],
)
def test_folders_that_are_refused(model, tmp_path):
    with pytest.raises(InputError, match=r"tokenizer\.json has no words|not valid UTF-8"):
        load_vectors(hub(tmp_path, model))


# --------------------------------------------------------------------------------------------------
# What files claim to hold, before it is unpacked


@pytest.mark.parametrize("codec", ["lz4", "zstd", None])
def test_claims_of_messages(codec, tmp_path):
    table = pa.table({"word": ["a", "b"] * 500, "vector": [[0.5] * 100] * 1000})
    feather.write_feather(table, tmp_path / "v.arrow", compression=codec or "uncompressed")
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with pa.ipc.new_stream(tmp_path / "v.stream", table.schema, options=options) as writer:
        writer.write_table(table)
    whole = pa.py_buffer((tmp_path / "v.arrow").read_bytes())
    found = [*arrow_claims(whole, "v")]
    stream = pa.py_buffer((tmp_path / "v.stream").read_bytes())
    assert [*arrow_claims(stream, "v")] == [(0, 0), *found]
    sizes = [size for size, _ in found]
    assert sum(sizes) == pytest.approx(table.nbytes, rel=0.01)
    assert codec is None or len(whole) < sum(sizes) / 10


def test_claims_of_pages(tmp_path):
    table = pa.table({"a.b": ["a", "b"] * 500, "c": [1] * 1000, "v": [[0.5] * 100] * 1000})
    parquet.write_table(table, tmp_path / "v.parquet", row_group_size=600)
    data = pa.py_buffer((tmp_path / "v.parquet").read_bytes())
    with parquet.ParquetFile(tmp_path / "v.parquet") as file:
        first, second = claims(data, file.schema, ["a.b", "v"], "v")
    assert [claim.values for claim in first] == [600, 60_000]
    assert [claim.values for claim in second] == [400, 40_000]
    assert all(0 < claim.packed < 1000 and claim.size < 10_000 for claim in [*first, *second])
