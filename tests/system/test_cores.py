"""How many cores may be used, from made-up system files."""

import os

import pytest

from w2v.system.cores import available_cores


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/a/b\n", {"a/b/cpu.max": "150000 100000", "a/cpu.max": "max 100000"}, 2),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "50000 100000"}, 1),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000"}, 64),
        ("0::/elsewhere\n", {"cpu.max": "200000 100000"}, 2),
        (
            "3:cpu,cpuacct:/x\n0::/\n",
            {
                "cpu,cpuacct/x/cpu.cfs_quota_us": "300000",
                "cpu,cpuacct/x/cpu.cfs_period_us": "100000",
            },
            3,
        ),
        ("3:cpu:/x\n", {"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "100000"}, 64),
        (
            "3:cpuset:/x\n",
            {"cpuset/x/cpu.cfs_quota_us": "5", "cpuset/x/cpu.cfs_period_us": "100000"},
            64,
        ),
        ("0::/\n", {"cpu.max": "nonsense"}, 64),
        ("", {}, 64),
    ],
)
def test_quotas_of_cgroups(monkeypatch, tmp_path, groups, files, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)), raising=False)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(groups)
    for name, content in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    assert available_cores(tmp_path) == expected
