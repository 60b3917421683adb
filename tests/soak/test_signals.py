"""Signals at random moments, from the first import to the last file: the status that a shell
expects, one line or two, what was learnt is kept, and a run gone on with ends in the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from .test_kills import COMMON, ENGINES, digests, write_corpus

SIGNALS = 300
LONGER = {kind: ["--epochs", "200"] for kind in ENGINES if kind.startswith(("hogwild", "rounds"))}
PHASES = ["import", "read", "compile", "train", "train", "write"]
KINDS = {
    # long enough to be met while training
    **{kind: [*more, *LONGER.get(kind, [])] for kind, more in ENGINES.items()},
    "lm-subwords": ["--model", "lm", "--subwords", "300", "--hidden", "8", "--batch-size", "8"],
}
# as `timeout` sends it, to the process and to its group
NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGTERM, signal.SIGHUP]
WAIT = 600.0


class Sender:
    """Runs `w2v` in a folder and sends signals to it; counts what became of it, by phase."""

    def __init__(self, folder: Path, random: Random) -> None:
        import w2v

        self.folder, self.random, self.counts = folder, random, Counter[str]()
        compiled = Path(os.environ["NUMBA_CACHE_DIR"])  # of all tests; these delete theirs at times
        if compiled.exists():
            shutil.copytree(compiled, folder / "kernels")
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(Path(w2v.__file__).parents[1]),
            "OMP_NUM_THREADS": "1",
            "W2V_CACHE_DIR": str(folder / "cache"),
            "NUMBA_CACHE_DIR": str(folder / "kernels"),
        }
        self.seconds = 0.0  # that a run trains which nobody disturbs

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "w2v", *arguments]
        with open(self.folder / ".err", "wb") as err:
            return subprocess.Popen(
                command, cwd=self.folder, env=self._environment, stdout=err, stderr=err
            )

    def whole(self, *arguments: str) -> None:
        """A run that nobody disturbs."""
        assert self.start(*arguments).wait(WAIT) == 0, self.told()

    def told(self) -> str:
        return (self.folder / ".err").read_text(errors="replace")

    @staticmethod
    def wait_for_handlers(process: subprocess.Popen[bytes]) -> None:
        """Returns once the program begins: before, Python itself is starting."""
        while process.poll() is None and not catches(process.pid, signal.SIGTERM):
            time.sleep(0.0005)

    def disturbed(self, run: str, *arguments: str) -> bool:
        """A run with a signal at a random moment of a phase; whether it ended by itself before."""
        phase, number = self.random.choice(PHASES), self.random.choice(NUMBERS)
        if phase == "compile" or self.random.random() < 0.1:
            shutil.rmtree(self.folder / "kernels", ignore_errors=True)
        if phase == "read":
            shutil.rmtree(self.folder / "cache", ignore_errors=True)
        process = self.start(*arguments)
        self.wait_for_handlers(process)
        if number == signal.SIGHUP and phase == "import":
            number = signal.SIGTERM  # nothing waits for a terminal that hangs up so early
        while process.poll() is None and not self.has_begun(phase, run, arguments):
            time.sleep(0.001)
        lengths = {"import": 0.4, "read": 1.0, "compile": 3.0, "train": self.seconds, "write": 0.05}
        try:
            process.wait(self.random.random() * lengths[phase])
        except subprocess.TimeoutExpired:
            for _ in range(self.random.choice([1, 2, 3])):
                os.kill(process.pid, number)
        else:
            phase = "ended before"
        status, told = process.wait(WAIT), self.told()
        assert "Traceback" not in told and "internal error" not in told, told
        assert "damaged" not in told and "Fatal" not in told, told
        if phase == "ended before":
            assert status == 0, told
        elif status != 0 or "stopping:" in told:  # else it came after all
            assert status == 128 + number or (number, status) == (signal.SIGHUP, -1), (phase, told)
        if "stopping:" in told:
            assert (self.folder / run / "summary.json").exists(), told
            phase += ", kept"
        self.counts[phase] += 1
        return status == 0

    def has_begun(self, phase: str, run: str, arguments: Sequence[str]) -> bool:
        told = self.told()
        if phase == "compile":
            return "training " in told
        if phase == "train":
            begun = "--resume" not in arguments and (self.folder / run / "checkpoints").exists()
            return begun or "resuming from" in told or "writing " in told
        return phase != "write" or "writing " in told


def catches(process: int, number: int) -> bool:
    """Whether the process has a handler for a signal."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return True
    mask = next((line.split()[1] for line in lines if line.startswith("SigCgt")), "0")
    return bool(int(mask, 16) >> (number - 1) & 1)


def signal_and_resume(folder: Path, kind: str, signals: int, random: Random) -> Counter[str]:
    write_corpus(folder / "c.txt")
    train = ["train", "c.txt", *COMMON, *KINDS[kind]]
    sender = Sender(folder, random)
    sender.whole(*train, "--output", "whole")
    summary = json.loads((folder / "whole" / "summary.json").read_text())
    sender.seconds = summary["seconds"]["training"]
    expected, sent, number = digests(folder / "whole"), 0, 0
    while sent < signals:
        number += 1
        run = f"run{number}"
        done, arguments = False, [*train, "--output", run]
        while not done:
            if (folder / run).exists():
                arguments = ["train", "--resume", run]
            if sent < signals:
                done = sender.disturbed(run, *arguments)
                sent += 1
            else:
                sender.whole(*arguments)
                done = True
            finished = (folder / run / "summary.json").exists()
            done = done or (finished and digests(folder / run) == expected)
        assert digests(folder / run) == expected, f"{run} of {kind}"
        assert not list((folder / run).glob(".*")) and not list(folder.glob(f".{run}.*"))
        shutil.rmtree(folder / run)
    return sender.counts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_the_program_is_imported(tmp_path: Path, number: int) -> None:
    sender = Sender(tmp_path, Random(0))
    for delay in (0.0, 0.02, 0.05):
        process = sender.start("losses")
        sender.wait_for_handlers(process)
        time.sleep(delay)
        for _ in range(2):
            if process.poll() is None:
                os.kill(process.pid, number)
        status = process.wait(WAIT)
        assert status == 128 + number or (delay and status == 0), sender.told()
        assert "Traceback" not in sender.told()


@pytest.mark.parametrize(("kind", "signals"), [("hogwild", 2), ("lm", 1)])
def test_a_run_that_is_stopped_ends_as_if_it_had_not_been(
    tmp_path: Path, kind: str, signals: int
) -> None:
    assert signal_and_resume(tmp_path, kind, signals, Random(kind)).total() == signals


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_300_signals(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    signals = -(-int(os.environ.get("W2V_SIGNALS", SIGNALS)) // len(KINDS))
    counts = signal_and_resume(tmp_path, kind, signals, Random(f"soak {kind}"))
    with capsys.disabled():
        print(f"\n{kind}: {counts.total()} signals, {dict(counts)}")
    assert counts.total() >= signals
