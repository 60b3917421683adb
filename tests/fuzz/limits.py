"""Little memory and little time, and what is refused within them."""

from __future__ import annotations

import resource
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from w2v.errors import InputError, RunError

MEGABYTES = 64
SECONDS = 5.0  # of the processor


@contextmanager
def little_memory(megabytes: int = MEGABYTES) -> Iterator[None]:
    """The process may take no more than that beyond what it has: a larger allocation fails, even if
    never used."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(
        resource.RLIMIT_AS, (pages * resource.getpagesize() + (megabytes << 20), before[1])
    )
    began = time.process_time()
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert time.process_time() - began < SECONDS


@contextmanager
def little_traced(megabytes: int = 16) -> Iterator[None]:
    """The same where a failed allocation would be taken for a damaged file: all of them succeed,
    and are counted."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes << 20
    finally:
        tracemalloc.stop()


def refused(
    load: Callable[[], object], little: Callable[[], AbstractContextManager[None]] = little_memory
) -> str:
    with little(), pytest.raises((InputError, RunError)) as caught:
        load()
    message = str(caught.value)
    assert "\n" not in message
    return message
