"""What the harness says of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness.machine import processor


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (
            "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: Fast: 9\n\n"
            "processor\t: 1\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: Slow\n",
            "Fast: 9 (family 25, model 17)",
        ),
        ("processor\t: 0\nmodel name\t: ARMv7\n", "ARMv7"),
    ],
)
def test_a_processor_is_told_from_others_of_its_name(tmp_path: Path, text: str, name: str) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(text)
    assert processor(cpuinfo) == name


def test_a_processor_has_a_name_where_linux_tells_none(tmp_path: Path) -> None:
    assert processor(tmp_path / "missing")
