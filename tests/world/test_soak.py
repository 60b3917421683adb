"""The long versions: many kills, torchrun's restarts, and ranks in networks of their own."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import ranks as processes
from tests.world.conftest import LM

pytestmark = pytest.mark.soak
WORDS = ["--dim", "16", "--threads", "1", "--min-count", "1", "--exchange-words", "1k"]
WIDE = "--model lm --dim 64 --hidden 512 --layers 1 --batch-size 20 --bptt 35"
KEPT = ("vectors.npy", "vocab.tsv")


@pytest.mark.parametrize("settings", [WORDS, LM], ids=["words", "lm"])
def test_twenty_kills_change_no_byte(ranks, corpus, tmp_path, settings):
    given = [*settings, "--checkpoint-every", "0.2k", "--epochs", "3"]
    whole, chance = tmp_path / "whole", random.Random(3)
    assert ranks(2, "train", corpus, *given, "--output", whole)[0].status == 0
    for number in range(20):
        run, section = tmp_path / f"run-{number}", chance.randrange(1, 5)
        fault = (1, section, "SIGKILL")
        ends = ranks(2, "train", corpus, *given, "--quiet", "--output", run, fault=fault)
        assert [end.status for end in ends] == [1, -9], (section, ends)
        again = ranks(2, "train", "--resume", run)
        assert [end.status for end in again] == [0, 0], again[0].err
        assert all((run / name).read_bytes() == (whole / name).read_bytes() for name in KEPT)


PEAK = """
import os, re, sys
from w2v.cli.app import main
status = main(sys.argv[2:])
name = f"{sys.argv[1]}/peak-{os.environ['RANK']}"
with open("/proc/self/status") as facts, open(name, "w") as file:
    file.write(re.search(r"VmHWM:\\s*(\\d+) kB", facts.read())[1])
sys.exit(status)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read in /proc")
def test_a_rank_needs_sixty_percent_of_the_memory(tmp_path):
    """A softmax layer of 250,000 x 512, interpreter, libraries, embedding and body included."""
    rows, chance = 250_000, random.Random(1)
    words = "".join(f"w{number}\t{rows - number}\n" for number in range(rows))
    text = [f"w{min(rows, int(chance.paretovariate(0.4))) - 1}" for _ in range(3_325)]
    (tmp_path / "vocab.tsv").write_text(words)
    lines = (" ".join(text[n : n + 19]) + "\n" for n in range(0, len(text), 19))
    (tmp_path / "corpus.txt").write_text("".join(lines))
    given = ["train", tmp_path / "corpus.txt", "--vocab", tmp_path / "vocab.tsv", "--epochs", "1"]
    given += WIDE.split()
    peaks = {}
    for size in (1, 2):
        folder = tmp_path / str(size)
        folder.mkdir()
        ends = processes.run(size, "-c", PEAK, folder, *given, "--output", folder / "run")
        assert {end.status for end in ends} == {0}, ends
        peaks[size] = [int((folder / f"peak-{rank}").read_text()) for rank in range(size)]
    print(peaks)
    assert max(peaks[2]) <= 0.6 * peaks[1][0], peaks


@pytest.mark.parametrize("killed", [0, 1])
def test_torchrun_starts_a_killed_rank_again(tmp_path, corpus, killed):
    run, torchrun = tmp_path / "run", Path(sys.executable).with_name("torchrun")
    many = tmp_path / "corpus.txt"
    many.write_text(100 * corpus.read_text())
    given = ["-m", "w2v", "train", many, *WORDS, "--epochs", "30"]
    given += ["--checkpoint-every", "50k", "--output", run]
    at_work = subprocess.Popen(
        [torchrun, "--nproc-per-node", "2", "--max-restarts", "1", *map(str, given)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(run.glob("checkpoints/step-*")):
        assert at_work.poll() is None
        time.sleep(0.05)
    (child,) = (
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and is_rank(entry, at_work.pid, killed)
    )
    os.kill(child, signal.SIGKILL)
    out, err = at_work.communicate(timeout=300)
    assert (at_work.returncode, out) == (0, f"{run}\n"), err
    assert "going on with" in err and "resuming from" in err


def is_rank(entry: Path, parent: int, rank: int) -> bool:
    try:
        if f"\nPPid:\t{parent}\n" not in (entry / "status").read_text():
            return False
        return f"RANK={rank}".encode() in (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


class Networks:
    """Two networks that a link joins: 1 Gb/s, 5 ms, of 1000 packets one is lost; by netem where the
    kernel has it, otherwise by a process."""

    ends = ("w2va", "10.77.0.1/24"), ("w2vb", "10.77.0.2/24")

    def __init__(self) -> None:
        if os.geteuid() or shutil.which("ip") is None:
            pytest.skip("only root can make networks, with ip")
        self.names = [f"w2v{os.getpid()}{side}" for side in "ab"]
        self.inside = [["ip", "netns", "exec", name] for name in self.names]
        self.forwarder: subprocess.Popen | None = None
        for name in self.names:
            if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode:
                pytest.skip("no networks can be made here")
        for inside in self.inside:
            subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
        if not self.by_kernel():
            self.by_process()

    def by_kernel(self) -> bool:
        (one, _), (other, _) = self.ends
        link = ["ip", "link", "add", one, "netns", self.names[0], "type", "veth", "peer", "name"]
        if subprocess.run([*link, other, "netns", self.names[1]], capture_output=True).returncode:
            return False
        for inside, (device, address) in zip(self.inside, self.ends, strict=True):
            subprocess.run([*inside, "ip", "addr", "add", address, "dev", device], check=True)
            subprocess.run([*inside, "ip", "link", "set", device, "up"], check=True)
            worse = ["netem", "rate", "1gbit", "delay", "5ms", "loss", "0.1%"]
            tc = [*inside, "tc", "qdisc", "add", "dev", device, "root", *worse]
            if subprocess.run(tc, capture_output=True).returncode:
                subprocess.run([*self.inside[0], "ip", "link", "del", one], check=True)
                return False
        return True

    def by_process(self) -> None:
        given = [
            each for name, end in zip(self.names, self.ends, strict=True) for each in (name, *end)
        ]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        script = [sys.executable, str(Path(__file__).with_name("link.py")), *given]
        self.forwarder = subprocess.Popen(script, stderr=subprocess.PIPE, **pipes)
        if self.forwarder.stdout.readline() != "ready\n":
            why = self.forwarder.communicate()[1].splitlines()[-1]
            self.close()
            pytest.skip(f"the kernel has no netem, and no TUN device could be made: {why}")

    def cut(self) -> None:
        if self.forwarder is not None:
            self.forwarder.send_signal(signal.SIGUSR1)
        else:
            down = ["ip", "link", "set", self.ends[0][0], "down"]
            subprocess.run([*self.inside[0], *down], check=True)

    def sent_again(self) -> list[int]:
        """How many segments of TCP each side has sent again."""
        found = []
        for inside in self.inside:
            read = [*inside, "cat", "/proc/net/snmp"]
            text = subprocess.run(read, capture_output=True, text=True, check=True).stdout
            names, values = (line.split() for line in text.splitlines() if line[:4] == "Tcp:")
            found.append(int(values[names.index("RetransSegs")]))
        return found

    def close(self) -> str:
        """Returns what the process says."""
        said = ""
        if self.forwarder is not None and self.forwarder.poll() is None:
            said = self.forwarder.communicate("", timeout=60)[0].strip()
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], check=True)
        return said


@pytest.fixture
def networks():
    made = Networks()
    yield made
    again = made.sent_again()
    print(f"sent again: {again}; packets passed and lost by a process: {made.close() or '-'}")


def start_apart(networks: Networks, *arguments: object) -> list[subprocess.Popen]:
    told = {"WORLD_SIZE": "2", "MASTER_ADDR": "10.77.0.1", "W2V_PATIENCE": "8"}
    told |= {"MASTER_PORT": str(processes.free_port()), "OMP_NUM_THREADS": "1"}
    return [
        subprocess.Popen(
            [*network, sys.executable, "-m", "w2v", "train", *map(str, arguments)],
            env=os.environ | told | {"RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, network in enumerate(networks.inside)
    ]


@pytest.mark.parametrize("settings", [WORDS, LM], ids=["words", "lm"])
def test_two_hosts_finish(networks, corpus, tmp_path, settings):
    began = time.monotonic()
    ends = processes.end(start_apart(networks, corpus, *settings, "--output", tmp_path / "run"))
    print(f"{time.monotonic() - began:.1f} s")
    assert [end.status for end in ends] == [0, 0], ends
    assert (ends[0].out, ends[1].out, ends[1].err) == (f"{tmp_path / 'run'}\n", "", "")


def test_a_link_that_is_cut_ends_both(networks, corpus, tmp_path):
    run, many = tmp_path / "run", tmp_path / "corpus.txt"
    many.write_text(100 * corpus.read_text())
    given = [many, *WORDS, "--epochs", "100", "--checkpoint-every", "50k", "--quiet"]
    started = start_apart(networks, *given, "--output", run)
    while not list(run.glob("checkpoints/step-*")):
        assert started[0].poll() is None
        time.sleep(0.05)
    networks.cut()
    cut = time.monotonic()
    ends = processes.end(started)
    assert [end.status for end in ends] == [1, 1] and time.monotonic() - cut < 60
    for rank, end in enumerate(ends):
        (line,) = end.err.splitlines()
        assert f"rank {1 - rank} (" in line and "did not answer within" in line
        assert re.search(r"checkpoints/step-\d+; to go on: w2v train --resume", line)
    again = processes.train(1, "--resume", run, "--quiet")
    assert again[0].status == 0
