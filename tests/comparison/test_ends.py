"""However a comparison ends, what it has started ends with it, and the same command goes on."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.forks import Fork

SECONDS = 300.0  # until something is so, on a busy machine
COMMAND = ["compare", "corpus.txt", "--losses", "neg,hsigmoid"]
COMMAND += ["--dim", "4", "--threads", "1", "--min-count", "1", "--output", "c"]


def wait_for(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def children(process: int) -> list[int]:
    try:
        found = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError:
        return []
    return list(map(int, found.split()))


def is_there(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    if not Path("/proc/self/task").is_dir():
        pytest.skip("children are found by /proc")
    (tmp_path / "corpus.txt").write_text("a b c d e f\nb a d c f e\n" * 4000)
    return tmp_path


def begun(place: Path, *more: str) -> Fork:
    return Fork(*COMMAND, *more, folder=place, changes={"W2V_CACHE_DIR": str(place / "cache")})


@pytest.mark.parametrize(
    ("when", "number"),
    [("starting", signal.SIGTERM), ("training", signal.SIGKILL), ("training", signal.SIGHUP)],
)
def test_the_child_ends_with_its_parent(place: Path, when: str, number: signal.Signals) -> None:
    began = begun(place, "--epochs", "100000", "--checkpoint-every", "1s")
    wait_for(lambda: children(began.pid))
    (child,) = children(began.pid)
    if when == "training":
        wait_for(lambda: (place / "c" / "neg" / "checkpoints").is_dir())
    began.send_signal(number)
    _, told = began.communicate()
    if number != signal.SIGKILL:
        assert began.returncode == 128 + number and "Traceback" not in told
        assert not is_there(child)
    wait_for(lambda: not is_there(child))
    again = begun(place, "--epochs", "1", "--overwrite")
    _, told = again.communicate()
    assert again.returncode == 0, told
    rows = json.loads((place / "c" / "compare.json").read_text())["rows"]
    assert [row["status"] for row in rows] == ["done", "done"]
    left = [path.name for path in place.rglob(".*")]
    assert not left


def test_a_rerun_waits_for_a_child_that_is_at_its_end(place: Path) -> None:
    """Where the parent was killed a moment ago, its child may hold the run still."""
    from w2v.system.lock import locked

    (place / "c").mkdir()
    (place / "c" / "compare.json").write_text('{"rows": [], "others": []}')
    with locked(place / "c" / "neg"):
        done = begun(place, "--epochs", "1")
        wait_for(lambda: children(done.pid))
        time.sleep(2)
    assert done.wait() == 0


def test_what_a_killed_child_leaves_goes(place: Path) -> None:
    began = begun(place, "--epochs", "100000")
    lock = place / "c" / ".neg.lock"
    wait_for(lambda: lock.exists() and children(began.pid))
    (place / "c" / ".neg.abcdefgh.tmp").mkdir()
    os.kill(children(began.pid)[0], signal.SIGKILL)
    wait_for(lambda: not lock.exists() and not (place / "c" / ".neg.abcdefgh.tmp").exists())
    began.send_signal(signal.SIGTERM)
    began.communicate()
