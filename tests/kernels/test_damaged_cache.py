"""A cache of compiled functions that is damaged, full, shared or nowhere: the function is compiled
anew, and the run goes on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import w2v.system.compiled
from tests.forks import Fork
from w2v.system.compiled import _folders, compiled, kernel_note, own_temporary_folder
from w2v.tree.two_pointers import merge

ROOT = Path(__file__).parents[2]
# the smallest of the compiled functions
SCRIPT = """
import json
import numpy as np
from w2v.system.compiled import kernel_note
from w2v.tree.two_pointers import merge
nodes = merge(np.array([5, 3, 2, 1]))[1].tolist()
print(json.dumps([sum(merge.stats.cache_hits.values()), nodes, kernel_note()]))
"""
NODES = [0, 0, 1, 0, 1, 2, 0, 1, 2]


def start(cache: Path) -> Fork:
    return Fork(folder=cache, changes={"NUMBA_CACHE_DIR": str(cache)}, code=SCRIPT)


def result(process: Fork) -> tuple[int, str | None]:
    """Whether the function was found compiled, and what was noted, of a process that was right."""
    out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, "")
    hits, nodes, note = json.loads(out)
    assert nodes == NODES
    return hits, note


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder where this process keeps what it compiles."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(w2v.system.compiled, "_unsaved", [])
    _folders.cache_clear()
    yield tmp_path
    _folders.cache_clear()


def is_found() -> bool:
    """Whether a new dispatcher finds the function compiled; fails if it computes something else."""
    function = compiled()(merge.py_func)
    assert function(np.array([5, 3, 2, 1]))[1].tolist() == NODES
    return bool(sum(function.stats.cache_hits.values()))


def flip(entry: Path, place: int) -> None:
    content = bytearray(entry.read_bytes())
    content[place] ^= 0x10
    entry.write_bytes(content)


def swap(entry: Path, make: Callable[[Path], object]) -> None:
    entry.unlink()
    make(entry)


def forge(entry: Path) -> None:
    """An entry whose checksum is right."""
    content = b"\x80\x04N."
    entry.write_bytes(hashlib.sha256(content).digest() + content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda entry: entry.write_bytes(b""),
    "cut in the checksum": lambda entry: os.truncate(entry, 20),
    "truncated": lambda entry: os.truncate(entry, 1000),
    "zeroed": lambda entry: entry.write_bytes(bytes(entry.stat().st_size)),
    "a bit of the checksum": lambda entry: flip(entry, 3),
    "a bit of the code": lambda entry: flip(entry, -700),
    "something else": forge,
    "a pipe": lambda entry: swap(entry, os.mkfifo),
    "a device": lambda entry: swap(entry, lambda path: path.symlink_to("/dev/zero")),
    "a link to nowhere": lambda entry: swap(entry, lambda path: path.symlink_to("nowhere")),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An entry that is as it should be."""
    folder = tmp_path_factory.mktemp("sound")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_CACHE_DIR", str(folder))
        _folders.cache_clear()
        assert not is_found()
    _folders.cache_clear()
    (entry,) = folder.iterdir()
    return entry


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_compiled_anew_and_mended(sound: Path, cache: Path, damage: str) -> None:
    entry = cache / sound.name
    shutil.copy(sound, entry)
    assert is_found()
    DAMAGES[damage](entry)
    assert not is_found() and is_found()
    assert [*cache.iterdir()] == [entry] and kernel_note() is None


def test_a_folder_in_the_place_of_an_entry(sound: Path, cache: Path) -> None:
    entry = cache / sound.name
    entry.mkdir()
    assert not is_found() and entry.name in str(kernel_note())


def test_old_entries_go(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(w2v.system.compiled, "KEPT", 2)
    for number, name in enumerate(("older.kernel", "old.kernel", "mine.txt")):
        (cache / name).touch()
        os.utime(cache / name, (number, number))
    assert not is_found() and is_found()
    names = {entry.name for entry in cache.iterdir()}
    assert len(names) == 3 and {"old.kernel", "mine.txt"} < names


def test_a_full_disk(cache: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(small_disk))
    _folders.cache_clear()
    (small_disk / "filler").write_bytes(bytes(64 << 10))
    assert not is_found() and kernel_note() is not None
    assert [each.name for each in small_disk.iterdir()] == ["filler"]


def test_four_processes_at_once(tmp_path: Path) -> None:
    processes = [start(tmp_path) for _ in range(4)]
    assert {note for _, note in map(result, processes)} == {None}
    assert result(start(tmp_path)) == (1, None)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_temporary_folder_of_somebody_else_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can write there could have any code run."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = tmp_path / f"w2v-{os.getuid()}"
    assert own_temporary_folder() == folder and folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o770)
    assert own_temporary_folder() is None
    folder.rmdir()
    folder.symlink_to(tmp_path)
    assert own_temporary_folder() is None


@pytest.fixture
def stranger(tmp_path: Path) -> list[str]:
    """How a command line begins that runs as another user, who has no home and no variables, and
    sees a package that nobody can write to."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or setpriv is None:
        pytest.skip("only root can become somebody else")
    ignored = shutil.ignore_patterns("*.kernel")
    shutil.copytree(ROOT / "w2v", tmp_path / "package/w2v", ignore=ignored)
    for folder in (tmp_path, *tmp_path.parents):
        if folder != Path("/") and folder.stat().st_uid == 0 and folder.stat().st_mode & 5 != 5:
            folder.chmod(folder.stat().st_mode | 0o555)
    (tmp_path / "tmp").mkdir()
    # it may read what the tests may, such as a Python in root's home, and write nothing
    capability = "-all,+dac_read_search"
    sets = ["--bounding-set", "--inh-caps", "--ambient-caps"]
    user = ["--reuid", "54321", "--regid", "54321", "--clear-groups"]
    command = [setpriv, *user, *(f"{name}={capability}" for name in sets), "env", "-i"]
    command += [f"PYTHONPATH={tmp_path}/package", f"TMPDIR={tmp_path}/tmp"]
    if subprocess.run([*command, sys.executable, "-c", "import numpy"]).returncode:
        pytest.skip("another user cannot run this Python")
    return [*command, sys.executable, "-m", "w2v"]


@pytest.mark.parametrize(
    ("model", "writable"), [("skip-gram", True), ("skip-gram", False), ("lm", False)]
)
def test_no_home_and_a_package_that_is_read_only(
    stranger: list[str], tmp_path: Path, model: str, writable: bool
) -> None:
    place, temporary = tmp_path / "work", tmp_path / "tmp"
    place.mkdir()
    for folder in [place, temporary] if writable else [place]:
        os.chown(folder, 54321, 54321)
    (place / "corpus.txt").write_text("a b c d a b\nb c d e\n" * 50)
    command = [*stranger, "train", "corpus.txt", "--model", model, "--dim", "8", "--epochs", "1"]
    command += ["--loss", "neg", "--output", "run"]
    for _ in range(1 + writable):
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300)
        assert (done.returncode, done.stdout) == (0, "run\n"), done.stderr
        assert len([line for line in done.stderr.splitlines() if "cache" in line]) == 1
        assert "Traceback" not in done.stderr
        shutil.rmtree(place / "run")
    assert [each.name for each in place.iterdir()] == ["corpus.txt"]
    kept = [each.name for each in temporary.iterdir() if each.name.startswith("w2v-")]
    assert kept == (["w2v-54321"] if writable else [])
