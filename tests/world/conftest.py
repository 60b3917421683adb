"""Runs over ranks that cost no imports."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ranks import Ended, free_port

LM = "--model lm --arch lstm --layers 1 --dim 8 --hidden 8 --batch-size 6 --bptt 8 --dropout 0"
LM = [*LM.split(), "--threads", "1", "--optimizer", "adagrad", "--min-count", "1"]


@pytest.fixture(scope="session")
def ranks() -> Iterator[Callable[..., list[Ended]]]:
    """ranks(2, "train", …, fault=(1, 3, "SIGKILL")): what came of the ranks of `w2v train …`;
    `each`: the arguments of every rank instead."""
    nursery = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("nursery.py")],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def run(size: int, *arguments: object, each: object = None, **asked: object) -> list[Ended]:
        given = each or [[str(argument) for argument in arguments]]
        told = {"size": size, "arguments": given, "port": free_port(), **asked}
        nursery.stdin.write(json.dumps(told) + "\n")
        nursery.stdin.flush()
        return [Ended(*end) for end in json.loads(nursery.stdout.readline())]

    yield run
    nursery.stdin.close()
    nursery.wait()


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3,000 words of 60, in lines."""
    chance, path = random.Random(1), tmp_path_factory.mktemp("ranks") / "corpus.txt"
    words = [f"w{min(59, int(chance.paretovariate(0.7)) - 1)}" for _ in range(3_000)]
    path.write_text("".join(f"{' '.join(words[n : n + 12])}\n" for n in range(0, 3_000, 12)))
    return path
