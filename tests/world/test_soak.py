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
KEPT = ("vectors.npy", "vocab.tsv")


def tools() -> tuple[str, str]:
    ip, tc = shutil.which("ip"), shutil.which("tc")
    if os.geteuid() or ip is None or tc is None:
        pytest.skip("only root can make networks, with ip and tc")
    return ip, tc


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
    assert "going on with" in err and "going on from" in err


def is_rank(entry: Path, parent: int, rank: int) -> bool:
    try:
        if f"\nPPid:\t{parent}\n" not in (entry / "status").read_text():
            return False
        return f"RANK={rank}".encode() in (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


@pytest.fixture
def networks():
    """The prefixes of commands in two networks that a link joins: 1 Gb/s, 5 ms, of 1000 packets one
    is lost; where the kernel knows how."""
    ip, tc = tools()
    names = [f"w2v{os.getpid()}{side}" for side in "ab"]
    for name in names:
        if subprocess.run([ip, "netns", "add", name], capture_output=True).returncode:
            pytest.skip("no networks can be made here")
    link = [ip, "link", "add", "w2va", "netns", names[0], "type", "veth", "peer", "name", "w2vb"]
    subprocess.run([*link, "netns", names[1]], check=True)
    for number, (name, device) in enumerate(zip(names, ("w2va", "w2vb"), strict=True), 1):
        inside = [ip, "netns", "exec", name]
        subprocess.run(
            [*inside, ip, "addr", "add", f"10.77.0.{number}/24", "dev", device], check=True
        )
        for each in (device, "lo"):
            subprocess.run([*inside, ip, "link", "set", each, "up"], check=True)
        worse = ["netem", "rate", "1gbit", "delay", "5ms", "loss", "0.1%"]
        subprocess.run([*inside, tc, "qdisc", "add", "dev", device, "root", *worse])
    yield [[ip, "netns", "exec", name] for name in names]
    for name in names:
        subprocess.run([ip, "netns", "del", name], check=True)


def start_apart(networks, *arguments: object) -> list[subprocess.Popen]:
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
        for rank, network in enumerate(networks)
    ]


@pytest.mark.parametrize("settings", [WORDS, LM], ids=["words", "lm"])
def test_two_hosts_finish(networks, corpus, tmp_path, settings):
    ends = processes.end(start_apart(networks, corpus, *settings, "--output", tmp_path / "run"))
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
    subprocess.run([*networks[0], tools()[0], "link", "set", "w2va", "down"], check=True)
    cut = time.monotonic()
    ends = processes.end(started)
    assert [end.status for end in ends] == [1, 1] and time.monotonic() - cut < 60
    for rank, end in enumerate(ends):
        (line,) = end.err.splitlines()
        assert f"rank {1 - rank} (" in line and "did not answer within" in line
        assert re.search(r"checkpoints/step-\d+; to go on: w2v train --resume", line)
    again = processes.train(1, "--resume", run, "--quiet")
    assert again[0].status == 0
