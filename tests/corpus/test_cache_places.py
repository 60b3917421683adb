"""The cache where it cannot be: no home, other text under the old name, many processes."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import w2v
from tests.forks import Fork
from w2v.corpus import cache
from w2v.errors import RunError

ROOT = Path(w2v.__file__).parents[1]


@pytest.mark.parametrize("way", ["renamed", "written over"])
def test_other_text_of_the_same_size_and_time_is_read_anew(way, tmp_path, read):
    path = tmp_path / "corpus.txt"
    path.write_text("old words\n")
    before = os.stat(path)
    assert list(read(path, use_cache=True).vocabulary.words) == ["old", "words"]
    new = tmp_path / "new.txt" if way == "renamed" else path
    new.write_text("new texts\n")
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(new, path)
    after = os.stat(path)
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert list(read(path, use_cache=True).vocabulary.words) == ["new", "texts"]


def test_without_a_home_the_corpus_is_read_with_one_warning(tmp_path, read, check, monkeypatch):
    (tmp_path / "corpus.txt").write_text("some words\n")
    for name in ("W2V_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)

    def nobody(number):
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    store = read(tmp_path / "corpus.txt", use_cache=True)
    check(store, "some words\n")
    (warning,) = store.warnings
    assert "not cached" in warning and "no home" in warning and "W2V_CACHE_DIR" in warning
    assert cache.load_entry("0" * 32) is None
    for verb in (cache.list_entries, cache.clear):
        with pytest.raises(RunError, match="W2V_CACHE_DIR"):
            verb()
    monkeypatch.setenv("W2V_CACHE_DIR", str(tmp_path / "cache"))
    assert read(tmp_path / "corpus.txt", use_cache=True).warnings == ()
    assert len(cache.list_entries()) == 1


@pytest.mark.parametrize("variable", ["W2V_CACHE_DIR", "XDG_CACHE_HOME"])
@pytest.mark.parametrize("value", [" ", "~nobody-of-this-name/c", "", "afile"])
def test_odd_names_make_no_odd_folders(variable, value, tmp_path, read, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in (("corpus.txt", "some words\n"), ("afile", "")):
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("W2V_CACHE_DIR", raising=False)
    monkeypatch.setenv(variable, value)
    store = read(tmp_path / "corpus.txt", use_cache=True)
    usual = not value.strip() or variable == "XDG_CACHE_HOME"
    assert len(store.warnings) == (not usual) and (tmp_path / "home/.cache/w2v").exists() == usual
    assert {each.name for each in tmp_path.iterdir()} - {"home"} == {"corpus.txt", "afile"}


@pytest.mark.parametrize("damage", ["cut", "zeroed", "flipped", "gone"])
@pytest.mark.parametrize("name", [cache.IDS, cache.COUNTS, cache.WORDS, cache.MANIFEST])
def test_a_damaged_file_is_read_anew_and_replaced(name, damage, tmp_path, read, check, own_folders):
    path = tmp_path / "corpus.txt"
    path.write_text("a b a\n\nc b\n" * 30)
    read(path, use_cache=True)
    (entry,) = (own_folders.cache / "corpora").iterdir()
    data = (entry / name).read_bytes()
    place = len(data) // 2
    broken = {
        "cut": data[:place],
        "zeroed": bytes(len(data)),
        "flipped": data[:place] + bytes([data[place] ^ 64]) + data[place + 1 :],
    }
    (entry / name).unlink()
    if damage != "gone":
        (entry / name).write_bytes(broken[damage])
    for _ in range(2):
        store = read(path, use_cache=True)
        check(store, path.read_text())
        assert store.warnings == ()
    assert (entry / name).read_bytes() == data


def test_eight_processes_share_it(tmp_path, own_folders):
    (tmp_path / "corpus.txt").write_text("some words of a text\n" * 20_000)
    command = ["vocab", "corpus.txt", "-q", "--min-count", "1"]
    place = {"folder": tmp_path, "changes": {"TMPDIR": str(own_folders.temporary)}}
    for _ in range(2):
        several = [Fork(*command, **place) for _ in range(8)]
        told = [process.communicate() for process in several]
        assert [process.returncode for process in several] == [0] * 8
        assert len(set(told)) == 1
        assert told[0][1] == "" and told[0][0].count("\t20000\n") == 5
        (entry,) = (own_folders.cache / "corpora").iterdir()
        (entry / cache.IDS).write_bytes(b"damaged")  # all of them meet it in the second round


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_stranger_without_home_and_rights_reads(tmp_path):
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("needs setpriv")
    command = [setpriv, "--reuid", "54321", "--clear-groups", sys.executable, "-m", "w2v"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    options = {"env": environment, "text": True, "capture_output": True, "cwd": "/"}
    if subprocess.run([*command, "--version"], **options).returncode:
        pytest.skip("the program cannot be read by others here")
    done = subprocess.run([*command, "vocab", str(ROOT / "LICENSE"), "-q"], **options)
    assert done.returncode == 0 and "the\t" in done.stdout
    (told,) = [line for line in done.stderr.splitlines() if "cache" in line]
    assert "not cached" in told and "W2V_CACHE_DIR" in told
    failed = subprocess.run([*command, "cache"], **options)
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1 and "W2V_CACHE_DIR" in failed.stderr
