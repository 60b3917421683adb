"""Small tables, tensors and folders that stand for gigabytes: refused, in a process that may not
take 700 MB."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import compute, feather, parquet
from safetensors.numpy import save_file

from tests.fuzz.test_bombs_of_vectors import loaded

MILLION = 1_000_000


def zeros(n: int, kind: pa.DataType | None = None) -> pa.Array:
    """As memory that is there once only."""
    return pa.array(np.broadcast_to(np.zeros(1, np.float32), n).copy(), kind or pa.float32())


LONG = "x" * 900_000


def same_words(times: int) -> pa.Array:
    return pa.array([LONG] * times)


def one_word(times: int, word: str = LONG) -> pa.Array:
    return pa.DictionaryArray.from_arrays(np.zeros(times, np.int32), [word])


def other_words() -> pa.Array:
    words = compute.binary_join_element_wise(pa.array(map(str, range(1000))), LONG, "")
    return pa.DictionaryArray.from_arrays(np.arange(1000, dtype=np.int32), words)


def views() -> pa.Array:
    places = np.array([[len(LONG), 0x78787878, 0, 0]] * 100_000, np.int32)  # all the same
    buffers = [None, pa.py_buffer(places), pa.py_buffer(LONG.encode())]
    return pa.Array.from_buffers(pa.string_view(), 100_000, buffers)


def short(n: int) -> pa.Array:
    return pa.array([[0.5]] * n, pa.list_(pa.float32()))


def giant_lists(first: int, n: int) -> dict[str, pa.Array]:
    lists = pa.ListArray.from_arrays([0, first, n], zeros(n))
    return {"word": pa.array(["a", "b"]), "vector": lists}


# each made when it is written: all together take gigabytes
PARQUET: dict[str, Callable[[], dict[str, pa.Array]]] = {
    "giant_lists": lambda: giant_lists(9, 20 * MILLION),
    "long_words": lambda: {"word": same_words(1000), "vector": short(1000)},
    "equal_words": lambda: {"word": one_word(20_000), "vector": short(20_000)},
    "many_rows": lambda: {
        "word": one_word(20 * MILLION, "a"),
        "vector": pa.FixedSizeListArray.from_arrays(zeros(20 * MILLION), 1),
    },
}
ARROW: dict[str, Callable[[], dict[str, pa.Array]]] = {
    "giant_lists": lambda: giant_lists(50 * MILLION, 100 * MILLION),
    "long_words": lambda: {"word": same_words(1000), "vector": short(1000)},
    "dictionary": lambda: {"word": other_words(), "vector": short(1000)},
    "one_word": lambda: {"word": one_word(100_000), "vector": short(100_000)},
    "views": lambda: {"word": views(), "vector": short(100_000)},
}


def parquet_bombs(folder: Path) -> list[Path]:
    paths = []
    for name, make in PARQUET.items():
        table = pa.table(make())
        for codec in ("zstd", "gzip") if name == "long_words" else ("zstd",):
            paths.append(folder / f"{name}.{codec}.parquet")
            parquet.write_table(
                table,
                paths[-1],
                compression=codec,
                compression_level=1,
                use_dictionary=name != "long_words",
            )
    return paths


def arrow_bombs(folder: Path) -> list[Path]:
    paths = []
    # the others' contents are read alike, whatever they were compressed by
    few = {"lz4": ("giant_lists",), "uncompressed": ("one_word", "views")}
    for name, make in ARROW.items():
        table = pa.table(make())
        for codec in ("zstd", *(each for each, names in few.items() if name in names)):
            paths.append(folder / f"{name}.{codec}.arrow")
            feather.write_feather(table, paths[-1], compression=codec)
            size = paths[-1].stat().st_size
            assert size < 20 << 20, (name, codec, size)
    return paths


@pytest.mark.parametrize("make", [parquet_bombs, arrow_bombs])
def test_tables(make, tmp_path: Path) -> None:
    paths = make(tmp_path)
    answers = loaded("vectors", paths, tmp_path)
    for path in paths:
        answer = answers[str(path)]
        assert answer != "read" and "\n" not in answer and str(path) in answer, (path, answer)


def test_pages_that_hold_more_than_the_footer_says(tmp_path: Path) -> None:
    def coded(number: int, length: int) -> bytes:
        number *= 2
        parts = [number >> 7 * place & 127 for place in range(length)]
        return bytes([*(part | 128 for part in parts[:-1]), parts[-1]])

    values = 20 * MILLION
    lists = pa.ListArray.from_arrays([0, values], zeros(values))
    parquet.write_table(pa.table({"word": ["a"], "vector": lists}), tmp_path / "v.parquet")
    data = (tmp_path / "v.parquet").read_bytes()
    footer = len(data) - 8 - struct.unpack("<I", data[-8:-4])[0]
    assert coded(values, 4) in data[footer:]
    forged = data[:footer] + data[footer:].replace(coded(values, 4), coded(3, 4))
    (tmp_path / "v.parquet").write_bytes(forged)
    assert parquet.read_metadata(tmp_path / "v.parquet").row_group(0).column(1).num_values == 3
    answer = loaded("vectors", [tmp_path / "v.parquet"], tmp_path)[str(tmp_path / "v.parquet")]
    assert "impossible compression" in answer


def test_lengths_that_lie(tmp_path: Path) -> None:
    """Of compressed buffers, which begin with their length."""
    table = pa.table({"word": ["a", "b"], "vector": [[0.5] * 3000, [1.5] * 3000]})
    feather.write_feather(table, tmp_path / "v.arrow", compression="zstd")
    data = (tmp_path / "v.arrow").read_bytes()
    length = struct.pack("<q", 8 * 6000)
    assert data.count(length) == 1
    paths = []
    for claimed in (1 << 33, 1 << 62, -2, 10):
        paths.append(tmp_path / f"{claimed}.arrow")
        paths[-1].write_bytes(data.replace(length, struct.pack("<q", claimed)))
    answers = loaded("vectors", paths, tmp_path)
    for path in paths:
        assert answers[str(path)] != "read" and str(path) in answers[str(path)]


def test_headers_that_lie(tmp_path: Path) -> None:
    def tensors(name: str, header: object, length: int | None = None, body: bytes = b"") -> Path:
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + body)
        return path

    def matrix(rows: int, dim: int, end: int) -> dict[str, object]:
        return {"dtype": "F32", "shape": [rows, dim], "data_offsets": [0, end]}

    words = {"dtype": "U8", "shape": [2], "data_offsets": [8, 10]}
    body = b"\0" * 8 + b"a\n"
    paths = [
        tensors("long", {}, 1 << 31),
        tensors("longer", {}, 1 << 62),
        tensors("many", {"vectors": matrix(1 << 30, 1 << 10, 8), "words": words}, None, body),
        tensors("end", {"vectors": matrix(1 << 30, 1 << 10, 1 << 42), "words": words}, None, body),
        tensors("wide", {"vectors": matrix(1, 2, 8), "words": {**words, "shape": [1 << 40]}}),
        tensors("deep", json.loads("[" * 900 + "]" * 900), None, body),
        tensors("over", {"vectors": matrix(1 << 62, 1 << 62, 8), "words": words}, None, body),
    ]
    blank = tmp_path / "blank.safetensors"  # 300 MB of line ends for words, without a block on disk
    header = {
        "vectors": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]},
        "words": {"dtype": "U8", "shape": [300 * MILLION], "data_offsets": [8, 300 * MILLION + 8]},
    }
    tensors("blank", header)
    with open(blank, "ab") as file:
        file.write(b"\0" * 8)
        file.truncate(file.tell() + 300 * MILLION)
    answers = loaded("vectors", [*paths, blank], tmp_path)
    for path in (*paths, blank):
        assert answers[str(path)] != "read" and "\n" not in answers[str(path)], path


def test_folders_with_a_long_tokenizer(tmp_path: Path) -> None:
    save_file({"embeddings": np.ones((2, 2), np.float32)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text("[" + "[]," * (10 << 20) + "0]")
    answer = loaded("vectors", [tmp_path], tmp_path)[str(tmp_path)]
    assert "larger than" in answer


def test_a_list_without_an_end_in_the_header_of_a_page(tmp_path: Path) -> None:
    path = tmp_path / "list.parquet"
    plain = {"compression": "none", "use_dictionary": False}
    columns = {"word": [f"word{i}" for i in range(20)], "vector": [[0.5, 1.0]] * 20}
    parquet.write_table(pa.table(columns), path, **plain)
    data, begin = bytearray(path.read_bytes()), 4  # behind the mark
    # field 1 is a list (9) of 2^41 numbers of 8 bytes (7)
    header = b"\x19\xf7" + b"\x80" * 5 + b"\x40"
    data[begin : begin + len(header)] = header
    path.write_bytes(data)
    assert "damaged" in loaded("vectors", [path], tmp_path)[str(path)]
