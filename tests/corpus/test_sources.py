"""Names -> sources: files, folders, globs, pipes, and what is said when there is nothing."""

from __future__ import annotations

import os
import re

import pytest

from w2v.corpus.sources import resolve_sources, table_format
from w2v.errors import InputError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A tree of text files, made the working directory."""
    for name in (
        "b.txt",
        "a/z.txt",
        "a/y.txt",
        "a-b.txt",
        ".hidden",
        "a/.git/config",
        "c/d/e.txt.gz",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("words")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*corpus: str) -> list[str]:
    return [source.name for source in resolve_sources(corpus)[0]]


def test_files_keep_their_order(folder):
    assert names("b.txt", "a/z.txt", "a-b.txt") == ["b.txt", "a/z.txt", "a-b.txt"]


def test_a_folder_is_read_recursively_sorted_without_hidden_files(folder):
    assert names(".") == ["./a/y.txt", "./a/z.txt", "./a-b.txt", "./b.txt", "./c/d/e.txt.gz"]


def test_globs(folder):
    assert names("*.txt") == ["a-b.txt", "b.txt"]
    assert names("**/*.txt") == ["a/y.txt", "a/z.txt", "a-b.txt", "b.txt"]
    assert names("[ac]") == ["a/y.txt", "a/z.txt", "c/d/e.txt.gz"]


def test_a_name_with_magic_characters_that_exists_is_no_glob(folder):
    (folder / "b[1].txt").write_text("words")
    assert names("b[1].txt") == ["b[1].txt"]


def test_home_is_expanded(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert names("~/b.txt") == [str(folder / "b.txt")]


def test_size_time_and_absolute_path(folder):
    (source,) = resolve_sources(["b.txt"])[0]
    assert source.path == str(folder / "b.txt")
    assert source.size == 5
    assert source.mtime_ns == (folder / "b.txt").stat().st_mtime_ns
    assert source.lasting


def test_pipes_do_not_last(folder):
    os.mkfifo("pipe")
    assert [
        source.lasting for source in resolve_sources(["-", "pipe", "/dev/null", "b.txt"])[0]
    ] == [False] * 3 + [True]


def test_a_file_named_twice_is_read_twice_with_a_warning(folder):
    sources, warnings = resolve_sources(["a", "a/y.txt"])
    assert [source.name for source in sources] == ["a/y.txt", "a/z.txt", "a/y.txt"]
    assert warnings == [f"{folder}/a/y.txt is named 2 times and will be read as often"]


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ([], "no corpus given"),
        (["b.text"], r"no such corpus: b\.text; did you mean b\.txt\?"),
        (["a/z.tx"], r"no such corpus: a/z\.tx; did you mean a/z\.txt\?"),
        (["qqqqqqqqq"], "no such corpus: qqqqqqqqq; check the path"),
        (
            ["the king\nthe queen"],
            r"^no such corpus: 'the king\\nthe queen'; .* list of lines, or on stdin",
        ),
        (["nowhere/b.txt"], r"no such corpus: nowhere/b\.txt \(nowhere: No such file"),
        (["b.txt/c"], r"no such corpus: b\.txt/c \(b\.txt: Not a directory\)"),
        (["*.tsv"], r"\*\.tsv matches no file"),
        (["a/.git/../../c/d/../d/none*"], "matches no file"),
        (["-", "-"], r"standard input \(-\) is named twice"),
    ],
)
def test_errors(corpus, message, folder):
    with pytest.raises(InputError, match=message):
        resolve_sources(corpus)


def test_an_empty_folder(folder):
    (folder / "empty" / ".git").mkdir(parents=True)
    with pytest.raises(InputError, match="empty has no files to read"):
        resolve_sources(["empty"])


def test_a_folder_without_permission(folder, monkeypatch):
    real = os.scandir

    def refuse(path):
        if os.path.basename(path) == "d":
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"the folder c/d cannot be read: Permission denied"):
        resolve_sources(["c"])


def test_a_file_without_permission(folder, monkeypatch, read):
    import builtins

    real = builtins.open

    def refuse(path, *arguments, **options):
        if str(path).endswith("b.txt"):
            raise PermissionError(13, "Permission denied", path)
        return real(path, *arguments, **options)

    monkeypatch.setattr(builtins, "open", refuse)
    with pytest.raises(InputError, match=re.escape("b.txt cannot be read: Permission denied")):
        read("b.txt")


def test_a_column_needs_a_table(folder):
    with pytest.raises(InputError, match=r"`column` body needs a table .* b\.txt is plain text"):
        resolve_sources(["b.txt"], "body")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jsonl", "json"),
        ("A.JSON.GZ", "json"),
        ("a.csv.zst", "csv"),
        ("a.tsv", "tsv"),
        ("a.parquet", "parquet"),
    ]
    + [(name, None) for name in ("a.txt", "a.txt.gz", "json", "a.jsonl.old", ".gz")],
)
def test_table_format(name, expected):
    assert table_format(name) == expected


def test_a_link_that_leads_nowhere_is_called_one(tmp_path):
    (tmp_path / "link.txt").symlink_to("nowhere.txt")
    with pytest.raises(InputError, match=r"link\.txt is a link to nowhere\.txt"):
        resolve_sources([str(tmp_path / "link.txt")])
