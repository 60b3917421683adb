"""What the tests of pages share: vectors that were learnt, their map, and a browser."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import w2v as package
from tests import forks
from tests.explorer.browser import CHROMIUM, Browser, browser
from w2v.vectors import WordVectors

DEMO = Path(__file__).parents[2] / "data" / "demo.txt.xz"
ON_MAP = 3000
Called = Callable[..., "subprocess.CompletedProcess[str]"]

HOSTILE = [
    "</script><script>document.title='broken'</script>",
    "<img src=x onerror=\"document.title='broken'\">",
    "-->",
    "<!--<script>",
    "${title}",
    "a\u202eb\u2066c",
    "tab\tnul\0bell\x07",
    "line\nend\u2028",
    "'\"&amp;`\\u003c",
    "naïve",
    "שלום",
    "مرحبا",
    "日本語",
    "👩‍👩‍👧",
    "x" * 300,
    "\ud800lone",
]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The user's own cache stays as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("W2V_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> package.Run:
    """A small run of word vectors that know the demo's words."""
    output = tmp_path_factory.mktemp("runs") / "demo"
    return package.train(DEMO, dim=16, epochs=2, threads=1, output=output)


@pytest.fixture(scope="session")
def vectors(run: package.Run) -> WordVectors:
    """Its vectors, of more words than the map will have."""
    return run.vectors


@pytest.fixture(scope="session")
def page(vectors: WordVectors, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their map."""
    path = tmp_path_factory.mktemp("map") / "map.html"
    vectors.map(path, ON_MAP, title="The <demo> & its words")
    return path


@pytest.fixture(scope="session")
def hostile() -> WordVectors:
    """Vectors of words that try to break a page, and of two with the same vector."""
    words = [*HOSTILE, "same", "again", "nothing", *(f"word{i}" for i in range(40))]
    matrix = np.random.default_rng(3).normal(size=(len(words), 9)).astype(np.float32)
    matrix[words.index("again")] = matrix[words.index("same")]
    matrix[words.index("nothing")] = 0
    counts = np.arange(len(words), 0, -1)
    return WordVectors(words, matrix, counts, source="hostile <b>vectors</b>")


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that no network can be reached from."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def called(tmp_path: Path) -> Called:
    """Runs `w2v` as a process of its own, in an empty directory."""

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        return forks.run(*map(str, arguments), folder=tmp_path, timeout=300)

    return call
