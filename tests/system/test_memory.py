"""How much memory is free, from made-up system files."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from w2v.errors import RunError
from w2v.system.memory import available_memory, short_memory

ROOT = Path(__file__).parents[2]
GB = 1 << 30
V2, V1 = "sys/fs/cgroup", "sys/fs/cgroup/memory"


@pytest.fixture
def system(tmp_path):
    """Writes files below a made-up root, {path: content}, and returns the root."""

    def make(files: dict[str, object], meminfo: int | None = 8 * GB) -> Path:
        if meminfo is not None:
            files = {
                "proc/meminfo": (
                    f"MemTotal: 9 kB\nMemFree: 1 kB\nMemAvailable:  {meminfo // 1024} kB\n"
                ),
                **files,
            }
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{content}\n")
        return tmp_path

    return make


def v2(limit, usage, group="", cached=0):
    folder = f"{V2}/{group}".rstrip("/")
    stat = (
        f"anon 1\ninactive_file {cached // 2}\nactive_file {cached - cached // 2}\nfile"
        f" {cached + 5}"
    )
    return {
        f"{folder}/memory.max": limit,
        f"{folder}/memory.current": usage,
        f"{folder}/memory.stat": stat,
    }


def v1(limit, usage, group="", cached=0):
    folder = f"{V1}/{group}".rstrip("/")
    stat = f"inactive_file 7\nactive_file 7\ntotal_inactive_file {cached}\ntotal_active_file 0"
    return {
        f"{folder}/memory.limit_in_bytes": limit,
        f"{folder}/memory.usage_in_bytes": usage,
        f"{folder}/memory.stat": stat,
    }


def test_this_system_tells():
    free = available_memory()
    assert free is None or 1 << 20 < free < 1 << 50


def test_nothing_known(tmp_path):
    assert available_memory(tmp_path) is None


def test_without_cgroups_what_the_system_has(system):
    assert available_memory(system({})) == 8 * GB


def test_only_a_cgroup_known(system):
    assert available_memory(system(v2(4 * GB, GB), meminfo=None)) == 3 * GB


@pytest.mark.parametrize("version", [v1, v2])
def test_the_smaller_of_system_and_cgroup(system, version):
    assert available_memory(system(version(4 * GB, GB))) == 3 * GB
    assert available_memory(system(version(20 * GB, GB))) == 8 * GB


@pytest.mark.parametrize("version", [v1, v2])
def test_cached_file_pages_count_as_free(system, version):
    assert available_memory(system(version(4 * GB, 4 * GB, cached=3 * GB))) == 3 * GB


@pytest.mark.parametrize("version", [v1, v2])
def test_never_negative(system, version):
    assert available_memory(system(version(4 * GB, 5 * GB))) == 0
    assert available_memory(system(version(4 * GB, 1 * GB, cached=2 * GB))) == 4 * GB


def test_no_limit(system):
    assert available_memory(system(v2("max", 5 * GB))) == 8 * GB
    assert available_memory(system(v1(9223372036854771712, 5 * GB))) == 8 * GB


def test_without_statistics_all_usage_counts(system):
    root = system(v2(4 * GB, 3 * GB))
    (root / V2 / "memory.stat").unlink()
    assert available_memory(root) == GB


def test_the_tightest_of_nested_groups(system):
    nested = {
        "proc/self/cgroup": "0::/user/job/step",
        **v2(6 * GB, 1 * GB, "user"),
        **v2(3 * GB, 1 * GB, "user/job"),
        **v2("max", 1 * GB, "user/job/step"),
        **v2(GB, GB, "other"),
    }
    assert available_memory(system(nested)) == 2 * GB


def test_the_groups_of_version_1(system):
    nested = {
        "proc/self/cgroup": "5:cpu,cpuacct:/cpu\n4:memory:/job\n0::/elsewhere",
        **v1(3 * GB, 1 * GB, "job"),
        **v1(9223372036854771712, 5 * GB),
        **v1(GB, GB, "cpu"),
    }
    assert available_memory(system(nested)) == 2 * GB


@pytest.mark.parametrize("content", ["", "MemAvailable: many kB", "MemAvailable:", "MemFree: 5 kB"])
def test_a_system_file_that_says_nothing(system, content):
    assert available_memory(system({"proc/meminfo": content}, meminfo=None)) is None


@pytest.mark.parametrize("model", ["skip-gram", "lm"])
def test_a_limit_that_leaves_no_room_for_the_libraries(tmp_path, model):
    (tmp_path / "corpus.txt").write_text("a b c d e\n" * 100)
    limit = 400_000 * 1024
    command = [sys.executable, "-m", "w2v", "train", "corpus.txt", "--model", model, "--quiet"]
    done = subprocess.run(
        [*command, "--output", "run"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout) == (1, "")
    # a library may have its own say before, such as an allocator that got nothing
    last = done.stderr.splitlines()[-1]
    assert last.startswith("w2v") and "out of memory" in last, done.stderr
    assert "Traceback" not in done.stderr


def test_other_errors_stay_what_they_are(monkeypatch):
    monkeypatch.setattr("w2v.system.memory._limited", lambda: True)
    for error in (OSError(2, "no such file"), RunError("full"), ValueError("x"), KeyError("y")):
        with pytest.raises(type(error)), short_memory():
            raise error
    for error in (
        OSError("could not load"),
        ImportError("cannot allocate"),
        RuntimeError("thread"),
        SystemError("error return without exception set"),
    ):
        with pytest.raises(MemoryError), short_memory():
            raise error
    monkeypatch.setattr("w2v.system.memory._limited", lambda: False)
    with pytest.raises(ImportError), short_memory():
        raise ImportError("no such module")
