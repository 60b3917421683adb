"""Several ranks read a corpus together: vocabulary, counts and ids are, byte for byte, those of one
process."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulated_ranks import on_ranks
from w2v.corpus import TokenStore, pieces, shards
from w2v.corpus.cache import list_entries
from w2v.errors import InputError, RunError

FIXTURES = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SENTENCE = "the quick brown Fox jumps över the lazy dog \u3000 42 .\n"


def everything(store: TokenStore) -> tuple[Any, ...]:
    words, warnings = store.vocabulary, sorted(store.warnings)
    numbers = store.n_words, store.n_lines
    return words.packed.text, words.counts.tobytes(), store.ids.tobytes(), *numbers, warnings


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def set_size(size: int) -> None:
        monkeypatch.setattr(pieces, "SMALLEST_PIECE", size)
        monkeypatch.setattr(pieces, "PIECE_BYTES", size)
        monkeypatch.setattr(pieces, "LOOKED_AT", 3)

    set_size(100)
    return set_size


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of every kind: plain ones of many lines, of one, without an end, without a word; and
    such as cannot be cut."""
    folder = tmp_path / "texts"
    folder.mkdir()
    contents: dict[str, bytes] = {
        "a.txt": SENTENCE.encode() * 60,
        "b-one-line.txt": b"word " * 300,
        "c-empty.txt": b"",
        "d-open.txt": b"\n\n the end\n" * 20 + b"no line end",
        "e.txt.gz": gzip.compress(SENTENCE.encode() * 40),
        "f.jsonl": b"".join(json.dumps({"text": f"row {i}"}).encode() + b"\n" for i in range(50)),
        "g-invalid.txt": b"caf\xe9 \xff\xfe au lait tr\xc3\xa8s bon du matin et du soir\n" * 30,
        "h-binary.bin": bytes(range(256)) * 9,
        # what looks like the beginning of a compressed file where a part begins
        "i-magic.txt": b"first\n" + b"BZh9 \x1f\x8b plain BZh9\n" * 40,
        **{f"j-{number}.txt": f"small file {number}\n".encode() for number in range(30)},
    }  # fmt: skip
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"use_cache": True},
        {"sentences": "paragraph"},
        {"tokenizer": "words", "lowercase": True},
        {"chunk_bytes": 64, "threads": 2},
    ],
    ids=str,
)
def test_ids_are_those_of_one_process(
    folder: Path, read: Any, small_pieces: Any, own_folders: Any, how: dict[str, Any]
) -> None:
    small_pieces(700)
    alone = everything(read(folder, **how))
    for size in (2, 3):
        if own_folders.cache.exists():
            shutil.rmtree(own_folders.cache)
        found = on_ranks(size, lambda ranks: everything(read(folder, ranks=ranks, **how)))
        assert all(each == alone for each in found)
    assert len(list_entries()) == ("use_cache" in how)
    if how.get("use_cache"):  # what one has cached all map, and what all have cached serves one
        assert everything(read(folder, **how)) == alone
        found = on_ranks(2, lambda ranks: everything(read(folder, ranks=ranks, **how)))
        assert found == [alone, alone]


@FIXTURES
@given(
    text=st.text(st.sampled_from("ab é\u2028\n\n\r\t"), min_size=1, max_size=120),
    size=st.integers(1, 40),
    ranks=st.integers(2, 4),
)
def test_any_border_will_do(
    text: str, size: int, ranks: int, tmp_path: Path, read: Any, small_pieces: Any
) -> None:
    small_pieces(size)
    path = tmp_path / "text.txt"
    path.write_text(text + "end", encoding="utf-8", newline="")
    alone = everything(read(path))
    found = on_ranks(ranks, lambda rank: everything(read(path, ranks=rank)))
    assert all(each == alone for each in found)


def test_line_ends_inside_a_record_are_no_borders(
    tmp_path: Path, read: Any, small_pieces: Any
) -> None:
    path = tmp_path / "text.csv"
    path.write_text("text\n" + '"a ""b""\n\nc"\n' * 60)
    alone = everything(read(path))
    found = on_ranks(2, lambda ranks: everything(read(path, ranks=ranks)))
    assert all(each == alone for each in found)


def refusals(size: int, work: Callable[[Any], Any]) -> list[str]:
    """What each rank is told."""

    def told(ranks: Any) -> str:
        with pytest.raises((InputError, RunError)) as caught:
            work(ranks)
        return str(caught.value)

    return on_ranks(size, told)


def test_what_cannot_be_read_is_refused_by_all(
    tmp_path: Path, read: Any, stdin: Any, small_pieces: Any, own_folders: Any
) -> None:
    stdin(b"a b\n")
    told = refusals(2, lambda ranks: read("-", ranks=ranks))
    assert "standard input can be read by one process only" in told[0] and len({*told}) == 1
    texts = [tmp_path / "0.txt", tmp_path / "1.txt"]
    for number, path in enumerate(texts):
        path.write_text("a b c\n" * (10 + number))
    told = refusals(2, lambda ranks: read(texts[ranks.rank], ranks=ranks))
    assert told[0] == told[1] and "rank 1 sees a different corpus from rank 0" in told[0]
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"fine words\n" * 30 + b"caf\xe9\n" + b"fine words\n" * 30)
    told = refusals(3, lambda ranks: read(bad, encoding_errors="strict", ranks=ranks))
    assert "bad.txt is not valid UTF-8 at byte 333" in told[0] and len({*told}) == 1
    blank = tmp_path / "blank.txt"
    blank.write_text(" \n" * 300)
    assert {*refusals(2, lambda ranks: read(blank, ranks=ranks))} == {
        f"the corpus contains no words: {blank} is empty"
    }


def test_without_a_folder_in_common_everyone_reads_all(
    folder: Path, read: Any, small_pieces: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = everything(read(folder))
    real = shards.os.path.exists
    monkeypatch.setattr(
        shards.os.path, "exists", lambda path: "w2v-" not in str(path) and real(path)
    )
    found = on_ranks(2, lambda ranks: everything(read(folder, ranks=ranks)))
    assert found == [alone, alone]
