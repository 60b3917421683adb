"""Runs killed at random moments, over and over, end in the same bytes as a run that nobody
disturbed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import time
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import pytest

from tests.forks import Fork

COMMON = ["--min-count", "1", "--dim", "8", "--threads", "1", "--checkpoint-every", "3k"]
ENGINES = {
    "hogwild": ["--loss", "neg", "--epochs", "100"],
    "hogwild-hsigmoid": [
        "--loss",
        "hsigmoid",
        "--epochs",
        "100",
        "--valid",
        "c.txt",
        "--patience",
        "50",
    ],
    "hogwild-nce": ["--loss", "nce", "--nce-bias", "--nce-log-z", "learned", "--epochs", "100"],
    "hogwild-cbow": ["--model", "cbow", "--loss", "sampled-softmax", "--epochs", "100"],
    "rounds": ["--loss", "neg", "--threads", "2", "--deterministic", "--epochs", "60"],
    "autograd": ["--loss", "softmax", "--batch-size", "512", "--epochs", "5"],
    "autograd-adam": [
        "--loss",
        "neg",
        "--optimizer",
        "sparse-adam",
        "--batch-size",
        "512",
        "--epochs",
        "5",
    ],
    "cbow": [
        "--model",
        "cbow",
        "--loss",
        "adaptive-softmax",
        "--cutoffs",
        "20,60",
        "--div-value",
        "2",
    ],
    "lm": [
        "--model",
        "lm",
        "--hidden",
        "8",
        "--dropout",
        "0.2",
        "--batch-size",
        "8",
        "--valid",
        "c.txt",
    ],
    "lm-adam": [
        "--model",
        "lm",
        "--arch",
        "transformer",
        "--heads",
        "2",
        "--hidden",
        "8",
        "--batch-size",
        "8",
    ],
}
KILLS = 200


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("W2V_CACHE_DIR", str(tmp_path / "cache"))


class Ended(NamedTuple):
    status: int  # -9 when killed
    err: str
    seconds: float


def w2v(folder: Path, *arguments: str, kill_after: float | None = None) -> Ended:
    """Runs `w2v` in a folder, killed after so many seconds if it has not ended by then."""
    began = time.perf_counter()
    process = Fork(*arguments, folder=folder)
    if kill_after is not None:
        try:
            process.wait(kill_after)
        except subprocess.TimeoutExpired:
            process.kill()
    _, err = process.communicate()
    return Ended(process.wait(), err, time.perf_counter() - began)


def write_corpus(path: Path) -> None:
    """3,000 words, 100 distinct ones, in lines of 0 to 30."""
    generator = np.random.default_rng(3)
    share = 1 / np.arange(1, 101)
    words = generator.choice(100, 3000, p=share / share.sum())
    lines = np.split(words, np.sort(generator.integers(0, 3000, 200)))
    path.write_text("".join(" ".join(f"w{word}" for word in line) + "\n" for line in lines))


def digests(run: Path) -> dict[str, str]:
    """SHA-256 of all that is the same whenever a run is the same."""
    names = ("vectors.npy", "vocab.tsv", "model.safetensors")
    return {
        name: hashlib.sha256((run / name).read_bytes()).hexdigest()
        for name in names
        if (run / name).exists()
    }


def kill_and_resume(folder: Path, engine: str, kills: int, random: Random) -> tuple[int, int]:
    """Kills a run `kills` times at least, starting new ones where it ends; (kills, runs that
    ended)."""
    write_corpus(folder / "c.txt")
    train = ["train", "c.txt", *COMMON, *ENGINES[engine], "--quiet"]
    # from now on the kernel is compiled
    w2v(folder, *train, "--epochs", "1", "--output", "warm")
    whole = w2v(folder, *train, "--output", "whole")
    assert whole.status == 0, whole.err
    expected, killed, ended, number = digests(folder / "whole"), 0, 0, 0
    while killed < kills or not ended:
        number += 1
        run = f"run{number}"
        arguments = [*train, "--output", run]
        while True:
            wanted = killed < kills
            done = w2v(
                folder, *arguments, kill_after=random.uniform(0, whole.seconds) if wanted else None
            )
            assert done.status in (0, -9), done.err
            assert "damaged" not in done.err and "Traceback" not in done.err
            killed += done.status == -9
            if done.status == 0:
                break
            if (folder / run).exists():
                arguments = ["train", "--resume", run, "--quiet"]
        assert digests(folder / run) == expected, f"{run} of {engine}"
        assert not list((folder / run).glob(".*")) and not list(folder.glob(f".{run}.*"))
        ended += 1
        shutil.rmtree(folder / run)
    return killed, ended


@pytest.mark.parametrize("engine", ["hogwild", "rounds", "autograd", "lm"])
def test_a_run_that_is_killed_ends_as_if_it_had_not_been(tmp_path: Path, engine: str) -> None:
    assert kill_and_resume(tmp_path, engine, 1, Random(engine))[0] == 1


@pytest.mark.soak
@pytest.mark.parametrize("engine", ENGINES)
def test_200_kills(tmp_path: Path, engine: str) -> None:
    kills = -(-KILLS // len(ENGINES))
    assert kill_and_resume(tmp_path, engine, kills, Random(f"soak {engine}"))[0] >= kills
