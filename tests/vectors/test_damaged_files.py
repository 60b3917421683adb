"""Files are not trusted: whatever is in them, the answer is vectors or a short InputError, and
little memory."""

import gzip
import io
import lzma
import pickle
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from w2v.errors import InputError, RunError
from w2v.vectors import WordVectors, load_vectors, write_vectors
from w2v.vectors.binary import write_binary

WORDS = ["the", "of", "naïve", "日本", "a.b"]
MATRIX = np.random.default_rng(3).standard_normal((5, 3)).astype(np.float32)


def encoded(kind: str) -> bytes:
    file = io.BytesIO()
    write_vectors(file, WORDS, MATRIX, kind)
    return file.getvalue()


def gensim_binary() -> bytes:
    return b"5 3\n" + b"".join(
        word.encode() + b" " + row.tobytes() for word, row in zip(WORDS, MATRIX, strict=True)
    )


CONTENT = {
    "text": encoded("text"),
    "binary": encoded("binary"),
    "glove": encoded("glove"),
    "gensim": gensim_binary(),
}


def load_bytes(data: bytes, name: str = "v", **options):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        return load_vectors(path, **options)


def refused(data: bytes, name: str = "v", **options) -> str:
    with pytest.raises(InputError) as error:
        load_bytes(data, name, **options)
    message = str(error.value)
    assert name in message
    assert "\n" not in message and len(message) < 500
    return message


def valid_or_refused(data: bytes, name: str) -> None:
    try:
        vectors = load_bytes(data, name)
    except InputError as error:
        assert name in str(error) and "\n" not in str(error)
    else:
        assert len(vectors.words) == len(vectors.matrix) > 0
        assert vectors.matrix.dtype == np.float32
        assert np.isfinite(vectors.matrix).all()


@pytest.mark.parametrize("kind", ["text", "binary", "gensim"])
def test_cut_anywhere_is_noticed(kind):
    data = CONTENT[kind]
    # Without the last line end nothing is lost; in text the last digits may go unnoticed.
    last = data.rindex(b" ") if kind == "text" else len(data.rstrip(b"\n"))
    for length in range(last):
        refused(data[:length], "v.bin" if kind != "text" else "v.txt")


def test_glove_cut_within_a_vector_is_noticed():
    data = CONTENT["glove"]
    for length in range(len(data)):
        valid_or_refused(data[:length], "v.glove")
    refused(data[: data.rindex(b" ")])


@pytest.mark.parametrize("kind", ["text", "binary", "gensim"])
@pytest.mark.parametrize(
    "header",
    [
        "4 3",
        "6 3",
        "5 2",
        "5 4",
        "5 0",
        "0 3",
        "0 0",
        "-5 3",
        "5 -3",
        "1 3",
        "5 1",
        "999999999999 3",
        "5 999999999999",
        "999999999999999999 999999999999999999",
        "1 16",
    ],
)
def test_header_that_lies(kind, header):
    data = header.encode() + CONTENT[kind][3:]
    for name in ("v", "v.bin", "v.txt"):
        refused(data, name)


@pytest.mark.parametrize("kind", ["text", "binary"])
def test_no_allocation_because_a_header_says_so(kind):
    body = CONTENT[kind][3:]
    tracemalloc.start()
    try:
        for header in (b"2000000000 300", b"100 1000000"):
            refused(header + body)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 20e6


def test_a_small_compressed_file_cannot_promise_much(tmp_path):

    tracemalloc.start()
    try:
        for header in (b"2000000000 300", b"2 900000000"):
            refused(gzip.compress(header + CONTENT["binary"][3:]), "v.bin.gz")
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize("kind", ["text", "binary", "gensim"])
def test_trailing_garbage(kind):
    refused(CONTENT[kind] + b"more", "v.bin" if kind != "text" else "v.txt")
    refused(CONTENT[kind] + CONTENT[kind][4:])
    assert load_bytes(CONTENT[kind] + b"\n\n").words == WORDS
    assert load_bytes(CONTENT[kind] + b"more", limit=5).words == WORDS


def test_messages_say_what_and_what_to_do():
    assert "line 3 has 'x' in place of a number" in refused(b"2 2\na 1 2\nb 1 x\n")
    assert "line 3 has 1 numbers" in refused(b"2 2\na 1 2\nb 1\n")
    assert "header says 3 dimensions, but line 2 has 5" in refused(
        b"2 3\na 1 2 3 4 5\nb 1 2 3 4 5\n"
    )
    assert "only 1" in refused(b"2 1\na 1.25\n")
    assert "header says 1 words, but more" in refused(b"1 2\na 1 2\nb 1 2\n")
    assert "is empty" in refused(b"")
    assert "header" in refused(b"the cat sat on the mat\n")
    assert "header" in refused(b"just_one_word\n")


def test_numbers_that_are_none():
    for field in ("nan", "inf", "-inf", "1e400"):
        assert "'b' holds NaN or infinity" in refused(f"2 2\na 1 2\nb 1 {field}\n".encode())
    for field in (
        "0x10",
        "1_0",
        "1,5",
        "1-2",
        "",
        "1\t2",
        "--1",
        "1e",
        "\N{ARABIC-INDIC DIGIT ONE}",
    ):
        refused(f"2 2\na 1 2\nb {field} 3\n".encode(), "v.txt")
    # An empty field and a double one in the same file must not make up for each other.
    refused(b"3 2\na 1 2\nb  2\nc 1\t2 3\n", "v.txt")
    for value in (np.nan, np.inf):
        wrong = MATRIX.copy()
        wrong[2, 1] = value
        file = io.BytesIO()
        write_binary(file, WORDS, wrong)
        assert "naïve" in refused(file.getvalue())


def test_invalid_utf8():
    data = b"2 1\nok 1\ncaf\xe9 2\n"
    message = refused(data)
    place = data.index(b"\xe9")
    assert (
        "word 2" in message
        and f"byte {place} " in message
        and "`encoding_errors` replace" in message
    )
    assert load_bytes(data, encoding_errors="replace").words == ["ok", "caf\ufffd"]
    binary = CONTENT["binary"].replace("naïve".encode(), b"na\xefve")
    place = binary.index(b"\xef")
    assert f"byte {place} " in refused(binary)
    # Words that only differ in what was replaced are not the file's fault.
    assert load_bytes(b"2 1\n\xe8 1\n\xe9 2\n", encoding_errors="replace").index("\ufffd") == 0


def test_foreign_files(tmp_path):
    assert "pickle" in refused(pickle.dumps({"a": [1.0]}))
    archive = io.BytesIO()
    np.savez(archive, a=MATRIX)
    assert "zip" in refused(archive.getvalue())
    assert "fastText" in refused(b"\xba\x16\x4f\x2f\x0c\x00\x00\x00" + bytes(100))
    refused(np.random.default_rng(4).bytes(100_000))
    refused(bytes(3 << 20))
    refused(b"2 3\n" + bytes(3 << 20))
    refused(b"\n" * (3 << 20))


def test_paths(tmp_path):
    for path in (tmp_path / "missing.bin", tmp_path):
        with pytest.raises(InputError, match=str(path.name)):
            load_vectors(path)


FLAWS = st.one_of(
    st.tuples(st.just("cut"), st.integers(0, 300), st.just(b"")),
    st.tuples(st.just("insert"), st.integers(0, 300), st.binary(min_size=1, max_size=6)),
    st.tuples(st.just("replace"), st.integers(0, 300), st.binary(min_size=1, max_size=6)),
)


@given(
    st.sampled_from(sorted(CONTENT)),
    st.lists(FLAWS, min_size=1, max_size=3),
    st.sampled_from(["v.bin", "v.txt", "v.glove", "v"]),
)
@settings(max_examples=examples(80), deadline=None)
def test_random_damage(kind, flaws, name):
    data = CONTENT[kind]
    for what, place, content in flaws:
        place = min(place, len(data))
        if what == "cut":
            data = data[:place]
        else:
            data = (
                data[:place] + content + data[place + (len(content) if what == "replace" else 0) :]
            )
    valid_or_refused(data, name)


@given(
    st.binary(max_size=200),
    st.booleans(),
    st.sampled_from(["v.bin", "v.txt", "v.glove", "v", "v.npy"]),
)
@settings(max_examples=examples(80), deadline=None)
def test_random_bytes(data, with_header, name):
    valid_or_refused((b"2 3\n" if with_header else b"") + data, name)


def test_devices_that_fail_while_reading():
    """/proc/self/mem opens like a file and cannot be read from its start."""
    with pytest.raises(RunError, match="/proc/self/mem failed: Input/output error"):
        load_vectors("/proc/self/mem")


@pytest.mark.parametrize("kind", ["text", "glove"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b" \n", b"\n\n\n", b""])
def test_a_last_line_without_its_end_is_warned_about(kind, end, tmp_path):
    """A file cut inside its very last number reads as valid: nothing else tells."""
    (tmp_path / "v").write_bytes(CONTENT[kind].rstrip(b"\n") + end)
    vectors = load_vectors(tmp_path / "v")
    np.testing.assert_array_equal(vectors.matrix, MATRIX)
    assert len(vectors.warnings) == (end == b"")
    if not end:
        assert (
            "does not end with a line end, its last number may be incomplete" in vectors.warnings[0]
        )
        assert load_vectors(tmp_path / "v", limit=2).words == WORDS[:2]


def test_a_file_that_fits_two_formats_is_what_its_name_says():
    """Records of one word and one value, whose bytes are digits and spaces, are lines of text as
    well."""
    both = b"2 1\na 1 2\nb 3 4\n"
    assert load_bytes(both, "v.bin").matrix.tobytes() == b"1 2\n3 4\n"
    assert load_bytes(b"2 1\na 12\nb 34\n", "v.txt").matrix.tolist() == [[12], [34]]


def test_a_line_too_long_for_its_numbers():
    message = refused(b"2 1\na 1\n" + b"b" * 3_000_000, "v.txt")
    assert "a line is longer than" in message


def test_two_xz_streams_with_padding_are_one_text(tmp_path):
    data = CONTENT["text"]
    parts = lzma.compress(data[:20]) + b"\0" * 8 + lzma.compress(data[20:]) + b"\0" * 4
    (tmp_path / "v.txt.xz").write_bytes(parts)
    assert load_vectors(tmp_path / "v.txt.xz").words == WORDS
    (tmp_path / "v.txt.xz").write_bytes(parts[:-4] + b"garbage")
    with pytest.raises(InputError, match=r"is (damaged|truncated)"):
        load_vectors(tmp_path / "v.txt.xz")


def test_vectors_know_what_does_not_fit():
    with pytest.raises(ValueError, match="5 words do not fit a matrix of shape"):
        WordVectors(WORDS, MATRIX[:4])
    with pytest.raises(ValueError, match="5 words do not fit a matrix of shape"):
        write_vectors(io.BytesIO(), WORDS, MATRIX[:4], "text")
