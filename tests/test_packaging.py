"""What is handed on: the source archive holds what the tests need, the package what it needs
itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("w2v", "tests", "configs", "data", ".ci")
FILES = ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "Makefile")
PASSING = shutil.ignore_patterns("__pycache__", ".*_cache", "*.egg-info")


def test_the_source_archive_is_whole(tmp_path: Path) -> None:
    pytest.importorskip("setuptools", minversion="77")
    source = tmp_path / "source"
    source.mkdir()
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=PASSING)
    for name in FILES:
        shutil.copy(ROOT / name, source / name)
    there = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    code = "from setuptools import build_meta; print(build_meta.build_sdist('dist'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=source, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    (archive,) = (source / "dist").iterdir()
    with tarfile.open(archive) as opened:
        packed = {name.partition("/")[2] for name in opened.getnames()}
    assert there - packed == set()


def test_the_session_has_a_home_of_its_own() -> None:
    home = os.environ["W2V_TESTS_HOME"]
    for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"):
        assert os.environ[name].startswith(home)
