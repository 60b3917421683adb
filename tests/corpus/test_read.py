"""What is read is what a plain Python reader reads, whatever the text, the chunks and the
threads."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from w2v.corpus import read_corpus
from w2v.corpus.store import TokenStoreBuilder
from w2v.errors import InputError, RunError

SPACES = "\t\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2005\u200a\u2028\u2029\u202f\u205f\u3000"
# Neighbours of whitespace in UTF-8 that are none, control characters, and characters of 2 to 4
# bytes.
LETTERS = "abcAB\x01\x1b\x7f\x84\xa1\u200b\u2010\u2027\u2060\u3001\u167f\u1681"
LETTERS += "éßİΣσ\ufeff\ufffd\U0001f600\U00010400"
TEXTS = st.text(
    alphabet=st.one_of(st.sampled_from(SPACES + LETTERS + "\n\n\n"), st.characters(codec="utf-8"))
)
PROPERTY = settings(
    max_examples=examples(50),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def with_words(text: str) -> str:
    """The text behind enough words that its control characters do not make it look like a binary
    file."""
    return "word and word\n" * (1 + len(text)) + text.replace("\0", "")


@PROPERTY
@given(text=TEXTS, chunk_bytes=st.integers(1, 64), threads=st.integers(1, 3))
def test_any_text(text, chunk_bytes, threads, tmp_path, read, check):
    text = with_words(text)
    (tmp_path / "corpus.txt").write_bytes(text.encode())
    check(read(tmp_path / "corpus.txt", chunk_bytes=chunk_bytes, threads=threads), text)


@PROPERTY
@given(texts=st.lists(TEXTS, min_size=1, max_size=4), chunk_bytes=st.integers(1, 64))
def test_several_files_each_end_their_last_line(texts, chunk_bytes, tmp_path, read, check):
    texts = [text.replace("\0", "") for text in texts]
    texts[0] = with_words(texts[0])
    kept = [
        text
        for text in texts
        if not any(ord(c) < 32 or ord(c) == 127 for c in text) or text is texts[0]
    ]
    paths = []
    for number, text in enumerate(kept):
        paths.append(tmp_path / f"{number}.txt")
        paths[-1].write_bytes(text.encode())
    ended = [text if text.endswith("\n") or not text else text + "\n" for text in kept]
    check(read(*paths, chunk_bytes=chunk_bytes), "".join(ended))


@PROPERTY
@given(text=TEXTS, chunk_bytes=st.integers(1, 64))
def test_lower_case_is_that_of_str(text, chunk_bytes, tmp_path, read, check):
    text = with_words(text)
    (tmp_path / "corpus.txt").write_bytes(text.encode())
    ended = text if text.endswith("\n") else text + "\n"
    lowered = "\n".join(
        " ".join(word.lower() for word in line.split()) for line in ended.split("\n")
    )
    check(read(tmp_path / "corpus.txt", lowercase=True, chunk_bytes=chunk_bytes), lowered)


@PROPERTY
@given(
    data=st.lists(
        st.one_of(
            st.binary(max_size=6), st.sampled_from([b" ", b"\n", "é".encode(), b"\xef\xbf\xbd"])
        )
    )
)
def test_any_bytes_are_replaced_as_python_does(data, tmp_path, read, check):
    content = b"word " * (10 + 10 * len(data)) + b"".join(data).replace(b"\0", b"")
    (tmp_path / "corpus.txt").write_bytes(content)
    store = read(tmp_path / "corpus.txt", chunk_bytes=8)
    text = content.decode("utf-8", "replace")
    check(store, text)
    invalid = text.count("\ufffd") - content.count(b"\xef\xbf\xbd")
    if invalid:
        assert len(store.warnings) == 1
        assert store.warnings[0].startswith(f"{invalid} invalid UTF-8 sequence")
    else:
        assert store.warnings == ()


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a\n",
        "a\n\n\nb",
        "\n\na b\r\nc\r\n",
        "a\u3000b\u2028c\x85d\xa0e",
        "x " * 5,
        "a b\n   ",
        "a\tb\v\f\x1cc",
    ],
)
def test_line_ends_and_whitespace(text, tmp_path, read, check):
    (tmp_path / "corpus.txt").write_bytes(text.encode())
    for chunk_bytes in (1, 2, 3, 5, 100):
        check(read(tmp_path / "corpus.txt", chunk_bytes=chunk_bytes), text)


def test_ids_are_ranks_by_count_then_by_bytes(tmp_path, read):
    (tmp_path / "corpus.txt").write_bytes("b é a b\n\na zz é b".encode())
    store = read(tmp_path / "corpus.txt")
    assert list(store.vocabulary.words) == ["b", "a", "é", "zz"]
    assert store.vocabulary.counts.tolist() == [3, 2, 2, 1]
    assert store.ids.tolist() == [0, 2, 1, 0, -1, -1, 1, 3, 2, 0, -1]
    assert store.ids.dtype == np.int32
    assert isinstance(store.ids, np.memmap)
    assert (store.n_words, store.n_lines) == (8, 3)


def test_byte_order_mark_is_dropped_from_each_file(tmp_path, read, check):
    for name in "ab":
        (tmp_path / name).write_bytes(b"\xef\xbb\xbfword other\n")
    check(read(tmp_path), "word other\n" * 2)


def test_much_text_with_merging_and_threads(tmp_path, read, check, monkeypatch):
    monkeypatch.setattr(TokenStoreBuilder.__init__, "__defaults__", (50,))  # merge often
    draw = random.Random(1)
    words = [f"w{int(draw.paretovariate(0.7))}" for _ in range(60_000)]
    text = "".join(word + draw.choice(["\n", " ", " ", "  ", "\t"]) for word in words)
    (tmp_path / "corpus.txt").write_text(text)
    for threads in (1, 3):
        check(read(tmp_path / "corpus.txt", chunk_bytes=5000, threads=threads), text)


def test_a_line_without_ascii_whitespace_is_cut_as_well(tmp_path):
    from w2v.corpus.chunks import read_chunks
    from w2v.corpus.reading import Notices, Reading
    from w2v.corpus.sources import resolve_sources

    (tmp_path / "corpus.txt").write_text("文\u3000" * 1000)
    sources, _ = resolve_sources([str(tmp_path / "corpus.txt")])
    chunks = list(read_chunks(sources, Reading(), 100, lambda size: None, Notices()))
    assert max(len(chunk.data) for chunk in chunks) <= 210
    assert b"".join(chunk.data for chunk in chunks).decode() == "文\u3000" * 1000 + "\n"


def test_standard_input(stdin, read, check, own_folders):
    stdin(b"a b\nc")
    check(read("-", use_cache=True), "a b\nc")
    assert not own_folders.cache.exists()


def test_fifo(tmp_path, read, check, own_folders):
    os.mkfifo(tmp_path / "pipe.txt")
    writer = threading.Thread(target=(tmp_path / "pipe.txt").write_text, args=("a b\nc",))
    writer.start()
    store = read(tmp_path / "pipe.txt", use_cache=True)
    writer.join()
    check(store, "a b\nc")
    assert not own_folders.cache.exists()


def test_progress_ends_at_the_total(tmp_path, read, stdin):
    for name in "ab":
        (tmp_path / name).write_text("word\n" * 5000)
    calls = []
    read(tmp_path, progress=lambda done, total: calls.append((done, total)), chunk_bytes=1000)
    assert calls[-1] == (50_000, 50_000)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    stdin(b"word " * 10)
    read("-", progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (50, None)


def test_nul_bytes_far_into_a_text_are_blanks(tmp_path, read, check):
    text = "some word\n" * 10_000 + "a\0b \0\0 c"
    (tmp_path / "corpus.txt").write_text(text)
    store = read(tmp_path / "corpus.txt")
    check(store, text)
    assert store.warnings == ("3 NUL bytes in the text read as spaces",)


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b" \t\r\n", "\u3000\u2028".encode(), b"\xef\xbb\xbf"]
)
def test_a_corpus_without_words(content, tmp_path, read, own_folders):
    (tmp_path / "corpus.txt").write_bytes(content)
    with pytest.raises(InputError, match=r"contains no words: .*corpus\.txt is empty"):
        read(tmp_path / "corpus.txt", use_cache=True)
    assert list((own_folders.cache / "corpora").iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"\x7fELF\x02\x01\x01\0\0\0",
        bytes(range(1, 256)) * 20,
        b"\x01\x02\x03abc" * 100,
        "abc".encode("utf-16-le"),
    ],
)
def test_a_binary_file(content, tmp_path, read):
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(InputError, match=r"model\.bin looks like a binary file"):
        read(tmp_path / "model.bin")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf16_with_a_mark(encoding, tmp_path, read):
    (tmp_path / "corpus.txt").write_bytes("\ufeffsome words".encode(encoding))
    with pytest.raises(InputError, match="UTF-16"):
        read(tmp_path / "corpus.txt")


def test_latin_1_is_text_with_a_warning(tmp_path, read):
    (tmp_path / "corpus.txt").write_bytes(
        "Grüße aus dem schönen Österreich für alle\n".encode("latin-1") * 50
    )
    store = read(tmp_path / "corpus.txt")
    assert store.warnings == (
        "250 invalid UTF-8 sequences replaced by U+FFFD (`encoding_errors` strict rejects them)",
    )


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("chunk_bytes", [7, 64, 10_000])
def test_strict_names_file_and_offset(mark, chunk_bytes, tmp_path, read):
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text("valid ünd gut\n" * 30)
    content = mark + b"good w\xc3\xb6rds " * 40 + b"caf\xe9 x"
    second.write_bytes(content)
    with pytest.raises(
        InputError,
        match=rf"b\.txt is not valid UTF-8 at byte {content.index(b'f' + bytes([0xE9])) + 1} ",
    ):
        read(first, second, encoding_errors="strict", chunk_bytes=chunk_bytes)
    assert read(first, encoding_errors="strict").n_words == 90


def test_a_file_that_changes_while_it_is_read(tmp_path, read, own_folders):
    path = tmp_path / "corpus.txt"
    path.write_text("word\n" * 1000)

    def grow(done: int, total: int | None) -> None:
        with open(path, "a") as file:
            file.write("more\n")

    with pytest.raises(RunError, match="changed while it was being read"):
        read(path, progress=grow, use_cache=True)
    assert list((own_folders.cache / "corpora").iterdir()) == []


def test_a_full_disk_is_named_with_its_remedy(tmp_path, read, monkeypatch, own_folders):
    (tmp_path / "corpus.txt").write_text("some words")

    def full(self: TokenStoreBuilder, file: object, values: object) -> None:
        from w2v.corpus.store import SpoolError

        raise SpoolError(self._folder, OSError(28, "No space left on device"))

    monkeypatch.setattr(TokenStoreBuilder, "_write", full)
    with pytest.raises(
        RunError, match=r"No space left on device; point TMPDIR or W2V_CACHE_DIR"
    ) as caught:
        read(tmp_path / "corpus.txt", use_cache=True)
    assert str(own_folders.temporary) in str(caught.value)
    assert list((own_folders.cache / "corpora").iterdir()) == []


def test_closing_frees_the_ids(tmp_path, read):
    (tmp_path / "corpus.txt").write_text("some words")
    with read(tmp_path / "corpus.txt") as store:
        kept = store.ids[:2]
    assert len(store.ids) == 0
    assert sorted(kept.tolist()) == [0, 1]


def test_a_killed_process_leaves_no_temporary_file(tmp_path):
    """Without the cache the ids have no name on the disk, so that even SIGKILL leaves nothing
    behind."""
    script = (
        "from w2v.corpus import read_corpus\nfrom w2v.settings.groups import CorpusSettings\n"
        "settings = CorpusSettings()\ntold ="
        " lambda done, total: print(done, flush=True)\nread_corpus(['-'], settings,"
        " use_cache=False, chunk_bytes=1 << 16, progress=told)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    root = Path(read_corpus.__code__.co_filename).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        cwd=root,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"some words " * 200_000)
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []


def test_importing_the_package_loads_nothing_heavy():
    heavy = "('pyarrow', 'datasets', 'pandas', 'torch', 'numba')"
    code = f"import sys, w2v.corpus; print([name for name in {heavy} if name in sys.modules])"
    root = Path(read_corpus.__code__.co_filename).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True
    )
    assert result.stdout.strip() == "[]"
