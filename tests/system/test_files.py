"""Files and directories that are whole or not there."""

import errno
import os
import stat
from pathlib import Path

import pytest

import w2v.system.files
from w2v.errors import InputError, RunError
from w2v.system.files import atomic_directory, atomic_file, check_writable, default_mode


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture(params=[0o022, 0o077, 0o002])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class Boom(BaseException):
    """Neither an Exception nor an OSError."""


def test_a_file_appears_whole_at_the_end(tmp_path):
    with atomic_file(tmp_path / "a.bin") as file:
        file.write(b"12")
        file.flush()
        assert not (tmp_path / "a.bin").exists()
        file.write(b"3")
    assert (tmp_path / "a.bin").read_bytes() == b"123"
    assert names(tmp_path) == ["a.bin"]


def test_a_path_may_be_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with atomic_file("a") as file:
        file.write(b"1")
    with atomic_directory("d") as folder:
        (folder / "x").touch()
    assert names(tmp_path) == ["a", "d"]


@pytest.mark.parametrize("error", [ValueError("no"), Boom(), KeyboardInterrupt()])
@pytest.mark.parametrize("before", [None, b"old"])
def test_a_file_of_a_failed_block_never_existed(tmp_path, error, before):
    target = tmp_path / "a"
    if before is not None:
        target.write_bytes(before)
    with pytest.raises(type(error)), atomic_file(target) as file:
        file.write(b"new")
        raise error
    assert names(tmp_path) == ([] if before is None else ["a"])
    assert before is None or target.read_bytes() == before


@pytest.mark.parametrize("call", ["fsync", "replace", "chmod"])
def test_a_file_that_cannot_be_written(tmp_path, monkeypatch, call):
    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, call, no_space)
    with (
        pytest.raises(RunError, match=r"cannot write .*a: No space left on device"),
        atomic_file(tmp_path / "a"),
    ):
        pass
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_file_in_no_folder(tmp_path):
    with pytest.raises(RunError, match="No such file"), atomic_file(tmp_path / "missing" / "a"):
        pass
    assert names(tmp_path) == []


def test_a_run_error_inside_comes_out_as_it_is(tmp_path):
    with pytest.raises(RunError, match=r"^my own$"), atomic_directory(tmp_path / "d"):
        raise RunError("my own")
    assert names(tmp_path) == []


def test_umask_of_a_file(tmp_path, umask):
    with atomic_file(tmp_path / "a"):
        pass
    assert mode(tmp_path / "a") == 0o666 & ~umask


def test_umask_of_a_directory(tmp_path, umask):
    with atomic_directory(tmp_path / "d") as folder:
        (folder / "x").touch()
    assert mode(tmp_path / "d") == 0o777 & ~umask
    assert mode(tmp_path / "d" / "x") == 0o666 & ~umask


def test_asking_for_the_umask_does_not_change_it(umask):
    assert default_mode(0o666) == 0o666 & ~umask
    assert os.umask(umask) == umask


def test_a_directory_appears_whole_at_the_end(tmp_path):
    with atomic_directory(tmp_path / "d") as folder:
        (folder / "x").write_text("1")
        (folder / "sub").mkdir()
        (folder / "sub" / "y").write_text("2")
        assert not (tmp_path / "d").exists()
        assert folder.parent == tmp_path, (
            "beside the target: the rename must not cross file systems"
        )
    assert names(tmp_path) == ["d"]
    assert (tmp_path / "d" / "sub" / "y").read_text() == "2"


@pytest.fixture
def old(tmp_path) -> Path:
    """A directory that is there already."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "old").write_text("kept")
    return tmp_path / "d"


def check_kept(old: Path) -> None:
    assert names(old.parent) == ["d"]
    assert names(old) == ["old"]
    assert (old / "old").read_text() == "kept"


def test_replace(old):
    with atomic_directory(old, replace=True) as folder:
        (folder / "new").touch()
        assert names(old) == ["old"]
    assert names(old) == ["new"]
    assert names(old.parent) == ["d"]


def test_replace_where_nothing_is(tmp_path):
    with atomic_directory(tmp_path / "d", replace=True) as folder:
        (folder / "new").touch()
    assert names(tmp_path) == ["d"]


def test_replacing_a_link_leaves_what_it_points_to(old):
    link = old.parent / "link"
    link.symlink_to(old)
    with atomic_directory(link, replace=True) as folder:
        (folder / "new").touch()
    assert not link.is_symlink()
    assert (names(link), names(old), names(old.parent)) == (["new"], ["old"], ["d", "link"])


def test_without_replace_what_is_there_stays(old):
    with pytest.raises(RunError, match="cannot write"), atomic_directory(old) as folder:
        (folder / "new").touch()
    check_kept(old)


@pytest.mark.parametrize("error", [ValueError("no"), Boom(), KeyboardInterrupt()])
@pytest.mark.parametrize("replace", [False, True])
def test_a_directory_of_a_failed_block_never_existed(old, error, replace):
    with pytest.raises(type(error)), atomic_directory(old, replace=replace) as folder:
        (folder / "new").touch()
        raise error
    check_kept(old)


@pytest.mark.parametrize("call", ["fsync", "rename", "chmod"])
def test_a_directory_that_cannot_be_written(old, monkeypatch, call):
    monkeypatch.setattr(os, call, no_space)
    with (
        pytest.raises(RunError, match=r"cannot write .*d: No space left on device"),
        atomic_directory(old, replace=True) as folder,
    ):
        (folder / "new").touch()
    check_kept(old)


@pytest.mark.parametrize("error", [OSError(errno.EIO, "disk broke"), KeyboardInterrupt(), Boom()])
def test_the_old_directory_comes_back_when_the_new_one_cannot_take_its_place(
    old, monkeypatch, error
):
    rename, calls = os.rename, []

    def second_fails(source, target):
        calls.append(source)
        if len(calls) == 2:
            raise error
        rename(source, target)

    monkeypatch.setattr(w2v.system.files.os, "rename", second_fails)
    expected = RunError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected), atomic_directory(old, replace=True) as folder:
        (folder / "new").touch()
    assert len(calls) == 3
    check_kept(old)


def test_the_old_directory_is_kept_even_if_it_cannot_come_back(old, monkeypatch):
    rename, calls = os.rename, []

    def only_the_first_works(source, target):
        calls.append(source)
        if len(calls) > 1:
            no_space()
        rename(source, target)

    monkeypatch.setattr(w2v.system.files.os, "rename", only_the_first_works)
    with pytest.raises((RunError, OSError)), atomic_directory(old, replace=True) as folder:
        (folder / "new").touch()
    assert [path.read_text() for path in old.parent.rglob("old")] == ["kept"]


def test_check_leaves_nothing_behind(tmp_path):
    check_writable(tmp_path / "new", overwrite=False)
    assert names(tmp_path) == []


def test_check_takes_a_bare_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_writable("new", overwrite=False)


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling link"])
def test_check_refuses_what_exists(tmp_path, kind):
    target = tmp_path / "x"
    if kind == "file":
        target.touch()
    elif kind == "folder":
        target.mkdir()
    else:
        if kind == "link":
            (tmp_path / "aim").touch()
        target.symlink_to(tmp_path / "aim")
    with pytest.raises(InputError, match=r"x exists already.*`overwrite`"):
        check_writable(target, overwrite=False)
    check_writable(target, overwrite=True)


def test_check_refuses_a_missing_folder(tmp_path):
    with pytest.raises(InputError, match=r"folder .*missing does not exist; create it first"):
        check_writable(tmp_path / "missing" / "x", overwrite=True)
    assert names(tmp_path) == []


def test_check_refuses_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is not a folder"):
        check_writable(tmp_path / "file" / "x", overwrite=False)


@pytest.mark.parametrize("length", [250, 5000])
def test_check_refuses_a_name_that_is_too_long(tmp_path, length):
    with pytest.raises(InputError, match=r"File name too long.*name"):
        check_writable(tmp_path / ("x" * length), overwrite=False)
    assert names(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_check_refuses_a_folder_without_rights(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(
        InputError, match=r"cannot be written: Permission denied; choose another folder"
    ):
        check_writable(tmp_path / "x", overwrite=False)


@pytest.mark.skipif(
    not os.path.isdir("/proc/self"), reason="needs a folder that nobody can write to"
)
def test_check_refuses_a_folder_that_nobody_can_write_to():
    with pytest.raises(InputError, match=r"cannot be written: .*; choose another folder"):
        check_writable("/proc/self/x", overwrite=False)


def test_a_link_is_followed_and_a_device_written_to(tmp_path):
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    with atomic_file(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"
    (tmp_path / "null").symlink_to(os.devnull)
    with atomic_file(tmp_path / "null") as file:
        file.write(b"gone")
    assert (tmp_path / "null").is_symlink()
    check_writable(os.devnull, overwrite=False)
