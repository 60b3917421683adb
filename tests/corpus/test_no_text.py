"""What is no text: named with the way out, or passed over in a folder, and told."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zipfile

import pytest

import w2v
from tests.corpus.conftest import lines_of
from w2v.errors import InputError

TEXT = "some words\nof a text\n"
LINES = [line.split() for line in TEXT.splitlines()]
NOISE = random.Random(1).randbytes(5000)
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(8) + NOISE


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("text8", TEXT)
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("text.txt")
        member.size = len(TEXT)
        archive.addfile(member, io.BytesIO(TEXT.encode()))
    return file.getvalue()


FOREIGN = {
    "text8.zip": (zipped(), "zip archive.*unpack"),
    "text8.gz": (zipped(), "zip archive.*unpack"),
    "text8.zip.gz": (gzip.compress(zipped()), "zip archive.*unpack"),
    "corpus.tar": (tarred(), "tar archive.*unpack"),
    "corpus.tar.gz": (gzip.compress(tarred()), "tar archive.*unpack"),
    "corpus.7z": (b"7z\xbc\xaf\x27\x1c" + NOISE, "7z archive.*unpack"),
    "corpus.rar": (b"Rar!\x1a\x07\x00" + NOISE, "rar archive.*unpack"),
    "paper.pdf": (b"%PDF-1.4\n" + NOISE, "PDF.*pdftotext"),
    "a.png": (PICTURE, "picture"),
    "noise": (NOISE, "binary"),
    "utf16.txt": (TEXT.encode("utf-16"), "UTF-16.*iconv"),
    "utf32.txt": (TEXT.encode("utf-32"), "UTF-32.*iconv"),
    "zipped.csv": (zipped(), "zip archive.*unpack"),
    "utf16.jsonl": ('{"text": "a"}'.encode("utf-16"), "UTF-16.*iconv"),
}


@pytest.mark.parametrize("errors", ["replace", "strict"])
@pytest.mark.parametrize("name", [name for name in FOREIGN if name != "noise"])
def test_a_named_file_is_refused_with_the_way_out(name, errors, tmp_path, read):
    data, what = FOREIGN[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=rf"{name}.* {what}") as caught:
        read(tmp_path / name, encoding_errors=errors)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("by", ["folder", "pattern"])
def test_in_a_folder_it_is_passed_over_and_counted(by, tmp_path, read, own_folders):
    for name, (data, _) in FOREIGN.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "text.txt").write_text(TEXT)
    for _ in range(2):  # the cache tells it as well
        store = read(tmp_path / "*" if by == "pattern" else tmp_path, use_cache=True)
        assert lines_of(store) == LINES
        (warning,) = store.warnings
        assert warning.startswith(f"{len(FOREIGN)} files") and "a.png is a picture" in warning


def test_a_folder_of_nothing_else_is_refused(tmp_path, read):
    (tmp_path / "a.png").write_bytes(PICTURE)
    (tmp_path / "b.png").write_bytes(PICTURE)
    with pytest.raises(InputError, match=r"contains no words: 2 files .*a\.png is a picture"):
        read(tmp_path)


@pytest.mark.parametrize("place", [0, 5, 70_000])
def test_nul_bytes_are_blanks_wherever_they_are(place, tmp_path, read, check):
    text = "word " * 20_000
    text = text[:place] + "\0" + text[place:]
    for suffix in ("txt", "csv"):
        (tmp_path / f"a.{suffix}").write_text(f"text\n{text}\n" if suffix == "csv" else text)
    store = read(tmp_path / "a.txt")
    check(store, text)
    assert store.warnings == ("1 NUL byte in the text read as spaces",)


def test_runs_in_a_folder_are_passed_over(tmp_path, read):
    (tmp_path / "text.txt").write_text(TEXT * 10)
    given = {"dim": 4, "epochs": 1, "min_count": 1, "threads": 1, "sample": 0}
    w2v.train(tmp_path, output=tmp_path / "run", **given)
    store = read(tmp_path)
    assert lines_of(store) == LINES * 10
    (warning,) = store.warnings
    assert warning == f"{tmp_path / 'run'} is a run, not text: skipped"
    with pytest.warns(UserWarning, match="is a run"):
        again = w2v.train(tmp_path, output=tmp_path / "again", **given)
    assert again.summary["words"]["read"] == store.n_words
    assert lines_of(read(str(tmp_path / "*"))) == LINES * 10
    with pytest.raises(InputError, match=r"run is a run directory.*`output`"):
        read(tmp_path / "run")
