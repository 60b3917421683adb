"""Equal seeds, equal bytes: every loss with both models and both engines, on one thread, and in
rounds on two."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from w2v.errors import InputError
from w2v.losses.table import LOSSES
from w2v.settings.build import build_config
from w2v.settings.groups import all_settings

from .test_kills import own_cache, w2v, write_corpus

__all__ = ["own_cache"]

COMMON = [
    "--min-count",
    "1",
    "--window",
    "3",
    "--dim",
    "8",
    "--epochs",
    "2",
    "--no-cache",
    "--quiet",
    "--device",
    "cpu",
]
MORE = {"adaptive-softmax": ["--cutoffs", "20,60", "--div-value", "2"]}
THREADS = [["--threads", "1"]]
if "deterministic" in all_settings():
    THREADS.append(["--threads", "2", "--deterministic"])


def possible() -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Every loss, model, engine and choice of threads that goes together."""
    for loss, entry in LOSSES.items():
        for engine in ("hogwild", "autograd") if entry.fused else ("autograd",):
            for model in ("skip-gram", "cbow"):
                try:
                    build_config({"corpus": ("x",), "loss": loss, "model": model, "engine": engine})
                except InputError:
                    continue
                for threads in THREADS if engine == "hogwild" else THREADS[:1]:
                    yield loss, model, engine, tuple(threads)


SAMPLE = [
    case
    for case in possible()
    if case[:3] in (("neg", "skip-gram", "hogwild"), ("softmax", "cbow", "autograd"))
]


def check(folder: Path, loss: str, model: str, engine: str, threads: tuple[str, ...]) -> None:
    write_corpus(folder / "c.txt")
    options = [
        *COMMON,
        *threads,
        *MORE.get(loss, []),
        "--loss",
        loss,
        "--model",
        model,
        "--engine",
        engine,
    ]
    found = []
    for number, seed in enumerate(("7", "7", "8")):
        done = w2v(folder, "train", "c.txt", *options, "--seed", seed, "--output", f"{number}.npy")
        assert done.status == 0, done.err
        found.append(hashlib.sha256((folder / f"{number}.npy").read_bytes()).hexdigest())
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(("loss", "model", "engine", "threads"), SAMPLE)
def test_equal_seeds_equal_bytes(
    tmp_path: Path, loss: str, model: str, engine: str, threads: tuple[str, ...]
) -> None:
    check(tmp_path, loss, model, engine, threads)


@pytest.mark.soak
@pytest.mark.parametrize(("loss", "model", "engine", "threads"), list(possible()))
def test_equal_seeds_equal_bytes_for_all(
    tmp_path: Path, loss: str, model: str, engine: str, threads: tuple[str, ...]
) -> None:
    check(tmp_path, loss, model, engine, threads)
