"""Files of vectors as people have them: padded, with tabs, commas and quotes, marks, words twice;
and what looks like one, but is none, is refused with the way out."""

import io

import numpy as np
import pytest

from w2v.errors import InputError
from w2v.vectors import WordVectors, load_vectors, save_vectors
from w2v.vectors.binary import write_binary

ROWS = [[0.25, -1.5], [3.0, 4.5], [-2.0, 0.125]]


def read(tmp_path, data: bytes | str, name: str = "v.txt", **options) -> WordVectors:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return load_vectors(path, **options)


def refusal(tmp_path, data: bytes | str, name: str = "v.txt") -> str:
    with pytest.raises(InputError) as caught:
        read(tmp_path, data, name)
    assert name in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


READ = {
    "padded numbers": "the     0.25   -1.500\nof      3.00    4.500\nand    -2.00    0.125\n",
    "two blanks once": "the 0.25  -1.5\nof 3  4.5\nand -2  0.125\n",
    "a blank before": " the 0.25 -1.5\n of 3 4.5\n and -2 0.125\n",
    "a tab before": "\tthe 0.25 -1.5\n\tof 3 4.5\n\tand -2 0.125\n",
    "tabs": "the\t0.25\t-1.5\nof\t3\t4.5\nand\t-2\t0.125\n",
    "a tab, then blanks": "the\t0.25 -1.5\nof\t3 4.5\nand\t-2 0.125\n",
    "commas": "the,0.25,-1.5\nof,3,4.5\nand,-2,0.125\n",
    "commas and blanks": "the, 0.25, -1.5\nof, 3, 4.5\nand, -2, 0.125\n",
    "commas at the ends": "the,0.25,-1.5,\nof,3,4.5,\nand,-2,0.125,\n",
    "semicolons": "the;0.25;-1.5\nof;3;4.5\nand;-2;0.125\n",
    "a blank, then commas": "the 0.25,-1.5\nof 3,4.5\nand -2,0.125\n",
    "quoted words": '"the",0.25,-1.5\n"of",3,4.5\n"and",-2,0.125\n',
    "quoted fields": '"the";"0.25";"-1.5"\n"of";"3";"4.5"\n"and";"-2";"0.125"\n',
    "quoted between tabs": '"the"\t"0.25"\t"-1.5"\n"of"\t"3"\t"4.5"\n"and"\t"-2"\t"0.125"\n',
    "names of columns": "word,x,y\nthe,0.25,-1.5\nof,3,4.5\nand,-2,0.125\n",
    "positions as names": ",0,1\nthe,0.25,-1.5\nof,3,4.5\nand,-2,0.125\n",
    "names by blanks": "word x y\nthe 0.25 -1.5\nof 3 4.5\nand -2 0.125\n",
    "names in quotes": '"","V1","V2"\n"the",0.25,-1.5\n"of",3,4.5\n"and",-2,0.125\n',
    "header, commas": "3,2\nthe,0.25,-1.5\nof,3,4.5\nand,-2,0.125\n",
    "header, padding": "3   2\nthe   0.25 -1.5\nof     3     4.5\nand   -2   0.125\n",
    "mark": "\ufeffthe 0.25 -1.5\nof 3 4.5\nand -2 0.125\n",
    "mark, header": "\ufeff3 2\nthe 0.25 -1.5\nof 3 4.5\nand -2 0.125\n",
    "CR": "the 0.25 -1.5\rof 3 4.5\rand -2 0.125\r",
    "CR, header": "3 2\rthe 0.25 -1.5\rof 3 4.5\rand -2 0.125\r",
    "blank lines at the end": "the 0.25 -1.5\nof 3 4.5\nand -2 0.125\n \t\n\n  \n",
    "CR LF, tabs": "the\t0.25\t-1.5\t\r\nof\t3\t4.5\r\nand\t-2\t0.125\r\n",
}


@pytest.mark.parametrize("data", READ.values(), ids=READ)
def test_layouts(data, tmp_path):
    vectors = read(tmp_path, data)
    assert vectors.words == ["the", "of", "and"]
    assert vectors.matrix.tolist() == ROWS
    assert len(vectors.warnings) == data.startswith(("word", ",0,1", '"",'))


def test_words_of_tables_may_hold_anything(tmp_path):
    words = ['say "hi"', "a, b", "windows 7", " ".join("xyz"), '"']
    lines = ['"say ""hi""",1.5', '"a, b",2.5', "windows 7,3.5", "x y z,4.5", '"""",5.5']
    vectors = read(tmp_path, "\n".join(f"{line},0.5" for line in lines) + "\n")
    assert vectors.words == words and vectors.matrix[:, 0].tolist() == [1.5, 2.5, 3.5, 4.5, 5.5]
    assert read(tmp_path, "the\t1\t2\nwindows 7\t3\t4\n").words == ["the", "windows 7"]
    # a tokeniser's bare quotation marks are words
    assert read(tmp_path, '",1.5,2\nthe,3,4.5\n').words == ['"', "the"]
    assert read(tmp_path, '"\t1.5\t2\n"the\t3\t4.5\n').words == ['"', '"the']
    assert read(tmp_path, ', 1.5 2\n; 3 4.5\n" 1 2\n').words == [",", ";", '"']


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("the 0,25 1,5\nof 0,5 0,75\n", "decimal comma"),
        ("the;0,25;1,5\nof;0,5;0,75\n", "decimal comma"),
        ("the\t0,25\t1,5\nof\t0,5\t0,75\n", "decimal comma"),
        ("the,0,2512,1,5081\nof,0,5051,0,7512\n", "decimal comma"),
        ("the 0,25\nof 0,5\n", "decimal comma"),
        ("0 the 0.25 1.5\n1 of 0.5 0.75\n", "row numbers"),
        ("2 2\n0 the 0.25 1.5\n1 of 0.5 0.75\n", "row numbers"),
        ("0,the,0.25,1.5\n1,of,0.5,0.75\n", "column before its words"),
        ("-0.25 0.5 1.5\n0.125 0.5 0.75\n", "without words"),
        ("   0.25 0.5 1.5\n   0.125 0.5 0.75\n", "without words"),
        ("old new 1.58\nhard soft 2.5\n", "w2v eval MODEL SET"),
        ("old\tnew\t1.58\nhard\tsoft\t2.5\n", "w2v eval MODEL SET"),
        ("old,new,1.58\nhard,soft,2.5\n", "w2v eval MODEL SET"),
        ("the 1.5 2\nof 3 4 5\nand 1 2\n", "line 2 has 3 numbers"),
        ("the 1.5 2\nof 3\nand 1 2\n", "line 2 has 1 numbers"),
        ("the,1.5,2\nof,3,\nand,1,2\n", "line 2"),
        ("the,1.5,2,5\nof,3,,4\nand,1,2,3\n", "line 2"),
        ("the,1.5,2\nof 3 4\nand,1,2\n", "line 2"),
        ("the 1.5 2\nwindows 7 3 4\nand 1 2\n", "line 2 has 3 numbers"),
        ('"the",1.5,2\n"of"x,3,4\n"and",1,2\n', "line 2"),
        ("the AAAAAAAAgD8AAABA\nof AAAAAAAAgD8AAABA\n", "base64"),
        ("the 1.5 nan\nof 1 2\n", "'the' holds NaN"),
        ("t\0h\0e\0".encode("utf-16"), "UTF-16"),
        (b"FiFu\0\0\0\0", "finalfusion"),
        (b"SQLite format 3\0\x10", ".magnitude"),
        (b"\x89HDF\r\n\x1a\n\0\0", ".h5"),
        (b"PAR1\x15\x04", "damaged"),
        (b"ARROW1\0\0", "damaged"),
    ],
)
def test_what_is_refused_names_itself(data, said, tmp_path):
    assert said in refusal(tmp_path, data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("1 0.5 1.5\n2 0.25 2\n", "all its words are numbers"),
        ("the 17\nof 12\n", "one number for each word"),
        ("dGhl 1 2\nb2Y= 1 2\nYW5k 1 2\na2luZw== 1 2\ncXVlZW4= 1 2\n", "base64"),
    ],
)
def test_what_may_be_meant_otherwise_is_warned_about(data, said, tmp_path):
    (warning,) = read(tmp_path, data).warnings
    assert said in warning
    header = f"{data.count(chr(10))} {len(data.split()) // data.count(chr(10)) - 1}\n"
    assert len(read(tmp_path, header + data).warnings) == (said == "base64")


@pytest.mark.parametrize("kind", ["text", "header", "binary", "npy"])
def test_of_equal_words_the_first_counts(kind, tmp_path):
    words, name = ["the", "king", "of", "king", "the"], "v.bin" if kind == "binary" else "v.txt"
    matrix = np.arange(10, dtype=np.float32).reshape(5, 2)
    file = io.BytesIO()
    lines = "".join(f"{w} {a} {b}\n" for w, (a, b) in zip(words, matrix.tolist(), strict=True))
    if kind == "binary":
        write_binary(file, words, matrix)
    elif kind == "npy":
        name = "v.npy"
        np.save(tmp_path / "v.npy", matrix)
        file.write((tmp_path / "v.npy").read_bytes())
        (tmp_path / "v.vocab.tsv").write_text(
            "".join(f"{w}\t{5 - i}\n" for i, w in enumerate(words))
        )
    else:
        file.write(("5 2\n" if kind == "header" else "").encode() + lines.encode())
    vectors = read(tmp_path, file.getvalue(), name)
    assert vectors.words == ["the", "king", "of"] and vectors.matrix.tolist() == [
        [0, 1],
        [2, 3],
        [4, 5],
    ]
    assert kind != "npy" or vectors.counts.tolist() == [5, 4, 3]
    (warning,) = vectors.warnings
    assert "2 repeated words" in warning and "'king'" in warning
    assert read(tmp_path, file.getvalue(), name, limit=3).warnings == ()


def test_equal_words_in_many_blocks(tmp_path):
    lines = [b"w%d %d 0.5\n" % (i % 400_000, i) for i in range(500_000)]
    vectors = read(tmp_path, b"".join(lines))
    assert len(vectors) == 400_000 and vectors.matrix[-1].tolist() == [399_999, 0.5]
    assert "100,000 repeated words" in vectors.warnings[0]
    same = b"king 0.5 0.5\n" * 30_000
    assert "more than once" in refusal(tmp_path, same)


def test_empty_words_and_words_with_blanks(tmp_path):
    vectors = read(tmp_path, "the 1 2 3\n 4 5 6\nHey there 7 8 9\nof 1 1 1\n")
    assert vectors.words == ["the", "", "Hey there", "of"]
    assert vectors.matrix[1:3].tolist() == [[4, 5, 6], [7, 8, 9]]
    assert {each.word for each in vectors.nearest("Hey there - the", 2)} == {"", "of"}
    for name in ("w.txt", "w.bin", "w.glove", "w.npy"):
        with pytest.warns(UserWarning, match=r"[12] of 4 words, such as ''"):
            vectors.save(tmp_path / name)
        kept = load_vectors(tmp_path / name)
        assert kept.words == ["the", *(["Hey there"] if name == "w.npy" else []), "of"]
        assert kept.matrix[-1].tolist() == [1, 1, 1]


def test_a_mark_before_a_word_list(tmp_path):
    save_vectors(tmp_path / "v.npy", ["the", "of"], np.ones((2, 2), np.float32))
    for end in ("\n", "\r\n"):
        (tmp_path / "v.vocab.tsv").write_bytes(f"\ufeffthe{end}of{end}".encode())
        assert load_vectors(tmp_path / "v.npy").words == ["the", "of"]
    # what only looks like a mark is kept
    for name in ("w.glove", "w.txt", "w.npy"):
        save_vectors(tmp_path / name, ["\ufeffthe", "of"], np.ones((2, 2), np.float32))
        assert load_vectors(tmp_path / name).words == ["\ufeffthe", "of"]


def test_a_word_list_that_is_too_large(tmp_path):
    save_vectors(tmp_path / "v.npy", ["the", "of"], np.ones((2, 2), np.float32))
    with open(tmp_path / "v.vocab.tsv", "r+b") as file:
        file.truncate(1 << 30)
    with pytest.raises(InputError, match=r"v\.vocab\.tsv: it is larger than [0-9]+ MiB"):
        load_vectors(tmp_path / "v.npy")


def test_a_first_row_of_numbers_names_no_columns(tmp_path):
    """The second line alone could stand between blanks, the first one alone between commas."""
    assert read(tmp_path, "0,-1e-3\n00, 0.5\n").words == ["0", "00"]


def binary(words: list[bytes], rows: np.ndarray, between: bytes = b"") -> bytes:
    records = [w + b" " + r.tobytes() + between for w, r in zip(words, rows, strict=True)]
    return b"%d %d\n" % rows.shape + b"".join(records)


@pytest.mark.parametrize("errors", ["strict", "replace"])
@pytest.mark.parametrize("between", [b"", b"\n"])
@pytest.mark.parametrize("dim", [2, 7, 300])
def test_spaces_in_words_of_a_binary_file(tmp_path, dim, between, errors):
    """Such a file could be read with other words and other vectors, and no error."""
    rows = np.random.default_rng(dim).normal(size=(3000, dim)).astype("<f4")
    for at, word in ((1, "new york"), (2600, "São Paulo do Brasil"), (2998, "a b")):
        words = [f"w{i}".encode() for i in range(3000)]
        words[at] = word.encode()
        with pytest.raises(InputError, match=r"a word ends in .* after a space"):
            read(tmp_path, binary(words, rows, between), "v.bin", encoding_errors=errors)


def test_a_binary_file_of_words_in_another_encoding(tmp_path):
    rows = np.random.default_rng(0).normal(size=(3000, 20)).astype("<f4")
    words = [f"{'éàü'[i % 3]}{i}" for i in range(3000)]
    data = binary([word.encode("latin-1") for word in words], rows)
    vectors = read(tmp_path, data, "v.bin", encoding_errors="replace")
    assert vectors.words == [f"\ufffd{i}" for i in range(3000)]
    np.testing.assert_array_equal(vectors.matrix, rows)
