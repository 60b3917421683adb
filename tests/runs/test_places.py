"""A run directory that came from anywhere: a link, a pipe or a folder in the place of its files
leads nowhere, and what is somebody else's stays as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.resumption import Told, go_on, vectors
from w2v.errors import InputError
from w2v.runs.directory import RUN_FILES
from w2v.system.lock import locked

ROOT = Path(__file__).parents[2]
TEXT = [["a", "b", "c", "d"], ["b", "a"], ["c", "e", "a", "b"]] * 40
KINDS: dict[str, Callable[[Path, Path], object]] = {
    "link": lambda path, aim: path.symlink_to(aim),
    "pipe": lambda path, aim: os.mkfifo(path),
    "device": lambda path, aim: path.symlink_to("/dev/zero"),
    "folder": lambda path, aim: path.mkdir(),
    "dangling": lambda path, aim: path.symlink_to(path.parent / "nowhere"),
}


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A folder of the user's that looks like checkpoints, with a file."""
    folder = tmp_path / "mine"
    (folder / "step-1").mkdir(parents=True)
    (folder / "step-1" / "file").write_text("precious")
    (folder / ".step-2.abcdefgh.old").mkdir()
    (folder / "file").write_text("precious")
    return folder


def content(folder: Path) -> dict[Path, str]:
    return {path: path.read_text() if path.is_file() else "" for path in folder.rglob("*")}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [name for name in RUN_FILES if name != "checkpoints"])
def test_no_file_of_a_run_leads_elsewhere(train, folder, precious, name, kind):
    train(TEXT, output="run", checkpoint_every="1h")
    path, before = folder / "run" / name, content(precious)
    path.unlink(missing_ok=True)
    KINDS[kind](path, precious / "file")
    with pytest.raises(InputError, match="run"):
        go_on("run", epochs=9)
    assert content(precious) == before


@pytest.mark.parametrize("kind", ["link", "pipe", "dangling"])
def test_no_folder_of_a_run_leads_elsewhere(train, folder, precious, kind):
    train(TEXT, output="run", checkpoint_every="1h")
    path, before = folder / "run" / "checkpoints", content(precious)
    shutil.rmtree(path)
    KINDS[kind](path, precious)
    with pytest.raises(InputError, match="checkpoints"):
        go_on("run", epochs=9)
    assert content(precious) == before


def test_a_link_among_what_a_killed_run_left(train, folder, precious):
    train(TEXT, output="run", checkpoint_every="1h")
    (precious / "run").mkdir()
    before = content(precious)
    for place in (folder / ".run.abcdefgh.old", folder / "run" / ".vectors.npy.abcdefgh.old"):
        place.symlink_to(precious)
    (folder / "run" / "checkpoints" / ".step-1.abcdefgh.tmp").symlink_to(precious)
    go_on("run", epochs=3)
    assert content(precious) == before


@pytest.mark.parametrize("kind", ["hard link", *KINDS])
def test_a_lock_that_is_none(train, folder, precious, kind):
    place, aim, before = folder / ".run.lock", precious / "file", content(precious)
    os.link(aim, place) if kind == "hard link" else KINDS[kind](place, aim)
    with pytest.raises(InputError, match=r"\.run\.lock"):
        train(TEXT, output="run")
    assert content(precious) == before and not (folder / "run").exists()


def test_a_file_that_is_no_lock(train, folder):
    (folder / ".run.lock").write_text("my notes\n")
    with pytest.raises(InputError, match=r"\.run\.lock"):
        train(TEXT, output="run")
    assert (folder / ".run.lock").read_text() == "my notes\n"


@pytest.mark.parametrize("content", ["", "12345"])
def test_a_lock_that_a_killed_run_left(train, folder, content):
    (folder / ".run.lock").write_text(content)
    train(TEXT, output="run")
    assert sorted(path.name for path in folder.iterdir()) == ["corpus.txt", "run"]


TRY = """
import fcntl, os, sys
from pathlib import Path
from w2v.errors import InputError
from w2v.system.lock import locked
os.setgroups([]); os.setgid(54321); os.setuid(54321)
os.chdir(sys.argv[1])
try:
    with locked(Path("run")) as alone:
        print(alone, flush=True)
        sys.stdin.read()
except InputError as error:
    print("refused")
"""


def other_user(place: Path) -> subprocess.Popen[str]:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    for folder in (place, *place.parents):
        if folder != Path("/") and folder.stat().st_mode & 5 != 5:
            folder.chmod(folder.stat().st_mode | 0o555)
    command, pipe = [sys.executable, "-c", TRY, str(place)], subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)


def test_two_users_and_a_folder_where_no_lock_can_be_made(folder):
    (folder / "run").mkdir()
    first = other_user(folder)
    assert first.stdout and first.stdout.readline() == "True\n"
    assert not list(folder.glob(".*"))  # the folder is root's
    assert other_user(folder).communicate()[0] == "refused\n"
    with pytest.raises(InputError, match="another run"), locked(folder / "run"):
        pass
    first.communicate()
    with locked(folder / "run") as alone:
        assert alone
        assert other_user(folder).communicate()[0] == "refused\n"
    (folder / ".run.lock").write_text("")  # of somebody who was killed
    assert other_user(folder).communicate("")[0] == "True\n"


def test_a_lock_can_be_seen_by_others(folder):
    before = os.umask(0o077)
    try:
        with locked(folder / "run"):  # which is not there yet
            assert other_user(folder).communicate()[0] == "refused\n"
    finally:
        os.umask(before)


@pytest.mark.parametrize("checkpoints", [{}, {"checkpoint_every": "1h"}])
def test_a_link_stays_when_it_is_overwritten(train, folder, precious, checkpoints):
    train(TEXT, output="aim", epochs=1)
    (folder / "link").symlink_to("aim")
    with pytest.raises(InputError, match="exists already"):
        train(TEXT, output="link")
    train(TEXT, output="link", overwrite="true", **checkpoints)
    whole = train(TEXT, output="whole")
    assert (folder / "link").is_symlink() and vectors("aim") == vectors(str(whole.path))
    (folder / "mine").symlink_to(precious)
    with pytest.raises(InputError, match="not a run directory"):
        train(TEXT, output="mine", overwrite="true")
    (folder / "new").symlink_to("nothing-yet")
    train(TEXT, output="new", overwrite="true", **checkpoints)
    assert (folder / "new").is_symlink() and vectors("nothing-yet") == vectors("aim")


def test_what_a_kill_inside_the_last_prune_left(train, folder):
    train(TEXT, output="run", checkpoint_every="1h")
    for name in (".step-1.abcdefgh.old", ".step-3.abcdefgh.tmp"):
        (folder / "run" / "checkpoints" / name / "step-1").mkdir(parents=True)
    go_on("run", epochs=2)
    assert [path.name[:5] for path in (folder / "run" / "checkpoints").iterdir()] == ["step-"] * 2


def test_other_words_beside_the_vectors(train, folder):
    train(TEXT, output="run", checkpoint_every="1h")
    path = folder / "run" / "vocab.tsv"
    before = path.read_text()
    lines = before.splitlines()
    swapped = [lines[0].replace("a", "b"), lines[1].replace("b", "a"), *lines[2:]]
    path.write_text("".join(f"{line}\n" for line in swapped))
    assert path.read_text() != before
    result = vectors("run")
    with pytest.raises(InputError, match=r"vocab\.tsv"):
        go_on("run", epochs=3)
    with pytest.raises(InputError, match="vocabulary"):
        train(TEXT, output="new", init="run")
    assert vectors("run") == result
    path.unlink()
    go_on("run", epochs=3)
    assert path.read_text() == before


def test_the_output_within_the_corpus(train, folder):
    (folder / "texts").mkdir()
    (folder / "texts" / "a.txt").write_text("a b c\n" * 20)
    told = Told()
    train(["texts"], output="texts/run.vec", reporter=told)
    assert any("texts/run.vec" in line and "corpus folder texts" in line for line in told.said)
    told = Told()
    train(["texts"], output="texts/run", reporter=told)
    train(["texts/a.txt"], output="run", reporter=told)
    assert not any("corpus folder" in line for line in told.said)
