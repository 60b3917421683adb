"""What must hold of every loader, whatever is in the files: a consistent object or a short error;
no warning, no hang, memory within what the files' size justifies, nothing executed."""

from __future__ import annotations

import os
import pickle
import subprocess
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.loaders import Loader
from tests.fuzz.mutations import RANDOM_BYTES, STEPS, mutated_files

SECONDS = 10.0  # of the processor
# a loader reads chunks of up to 16 MB, and a word in a list is a Python string
MEMORY, MEMORY_PER_BYTE = (20 << 20, 300)


def check(loader: Loader, files: Mapping[str, bytes]) -> None:
    """Fails when the loader does anything but load or refuse the files."""
    if loader.forge is not None:
        files = loader.forge(files)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, data in files.items():
            (folder / file).write_bytes(data)
        began = time.process_time()
        tracemalloc.start()
        try:
            with warnings.catch_warnings(), nothing_runs():
                warnings.simplefilter("error")
                try:
                    loaded = loader.load(folder)
                except loader.refusals as error:
                    message = str(error).replace(str(folder), "")
                    assert message and "\n" not in message and len(message) <= loader.longest, (
                        message
                    )
                else:
                    loader.check(loaded)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        size = sum(map(len, files.values()))
        assert peak <= MEMORY + MEMORY_PER_BYTE * size, f"{peak} bytes for files of {size}"
        assert time.process_time() - began < SECONDS


def nothing_runs() -> ExitStack:
    """Within it nothing can be unpickled or started."""

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a loader runs code")

    stack = ExitStack()
    for owner, name in (
        (pickle, "load"),
        (pickle, "loads"),
        (pickle, "Unpickler"),
        (os, "system"),
        (subprocess, "Popen"),
    ):
        stack.enter_context(mock.patch.object(owner, name, refuse))
    return stack


def fuzz(loader: Loader, examples: int, derandomize: bool) -> None:
    """Damages the loader's valid files `examples` times, and gives it half as many files of random
    bytes."""
    options = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=derandomize,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )

    @options
    @given(STEPS, st.integers(0, 7))
    def damaged(steps: list[tuple[str, int, int, bytes]], which: int) -> None:
        check(loader, mutated_files(loader.valid, steps, which))

    @settings(options, max_examples=max(1, examples // 2))
    @given(RANDOM_BYTES, st.integers(0, 7))
    def random(data: bytes, which: int) -> None:
        check(loader, {**loader.valid, sorted(loader.valid)[which % len(loader.valid)]: data})

    damaged()
    random()
