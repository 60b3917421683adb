"""Starts the ranks of a run as plain processes, as torchrun would."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

SECONDS = 300  # nothing here takes a tenth of it on a quiet machine


class Ended(NamedTuple):
    status: int
    out: str
    err: str


def free_port() -> int:
    """A port that nobody has, nor gets by chance: below those that systems give to connections."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as found, suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port


def environment(rank: int, size: int, port: int, **more: str) -> dict[str, str]:
    ranks = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size}
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": 1}
    return os.environ | {name: str(value) for name, value in {**ranks, **where}.items()} | more


def start(size: int, arguments: Sequence[str], **more: str) -> list[subprocess.Popen]:
    """The processes of `python ARGUMENTS` for all ranks."""
    port, pipe = free_port(), subprocess.PIPE
    return [
        subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            env=environment(rank, size, port, **more),
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            text=True,
        )
        for rank in range(size)
    ]


def end(processes: Sequence[subprocess.Popen]) -> list[Ended]:
    """What came of them; none is left behind."""
    try:
        said = [process.communicate(timeout=SECONDS) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [Ended(process.returncode, *two) for process, two in zip(processes, said, strict=True)]


def run(size: int, *arguments: str, **more: str) -> list[Ended]:
    return end(start(size, arguments, **more))


def train(size: int, *arguments: str, **more: str) -> list[Ended]:
    return run(size, "-m", "w2v", "train", *arguments, **more)
