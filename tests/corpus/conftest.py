"""A cache and a temporary folder of each test's own, and a plain Python reader to compare with."""

from __future__ import annotations

import io
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from w2v.corpus import TokenStore, read_corpus
from w2v.settings.groups import CorpusSettings


@pytest.fixture(autouse=True)
def own_folders(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SimpleNamespace]:
    """`cache` (not made yet) and `temporary`, which must be empty again at the end."""
    base = tmp_path_factory.mktemp("folders")
    temporary = base / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("W2V_CACHE_DIR", str(base / "cache"))
    monkeypatch.delenv("W2V_CACHE_SIZE", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    yield SimpleNamespace(cache=base / "cache", temporary=temporary)
    assert list(temporary.iterdir()) == []


@pytest.fixture
def read() -> Callable[..., TokenStore]:
    """read_corpus with settings as keywords; without the cache unless `use_cache=True`."""

    def call(
        *corpus: str | Path,
        column: str | None = None,
        lowercase: bool = False,
        encoding_errors: str = "replace",
        tokenizer: str = "whitespace",
        sentences: str = "line",
        use_cache: bool = False,
        **options: object,
    ) -> TokenStore:
        settings = CorpusSettings(
            column=column,
            lowercase=lowercase,
            encoding_errors=encoding_errors,
            tokenizer=tokenizer,
            sentences=sentences,
        )
        return read_corpus([str(name) for name in corpus], settings, use_cache=use_cache, **options)  # type: ignore[arg-type]

    return call


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Sets standard input's content."""

    def give(content: bytes) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))

    return give


def expected_lines(text: str) -> list[list[str]]:
    """The words of each line of a text, as the tokeniser defines them, in plain Python."""
    if text and not text.endswith("\n"):
        text += "\n"
    lines = (line.replace("\0", " ").split() for line in text.split("\n")[:-1])
    # without the marks of files that were joined
    return [[w.lstrip("\ufeff") for w in line if w.strip("\ufeff")] for line in lines]


def lines_of(store: TokenStore) -> list[list[str]]:
    """A store's content as words, line by line; fails if the store's numbers contradict each
    other."""
    words = list(store.vocabulary.words)
    lines: list[list[str]] = [[]]
    for number in store.ids.tolist():
        if number == -1:
            lines.append([])
        else:
            lines[-1].append(words[number])
    assert lines.pop() == [], "the ids end in a line end"
    assert store.n_lines == len(lines)
    assert store.n_words == sum(map(len, lines)) == store.vocabulary.counts.sum()
    counted = Counter(word for line in lines for word in line)
    order = sorted(counted, key=lambda word: (-counted[word], word.encode()))
    assert words == order
    assert store.vocabulary.counts.tolist() == [counted[word] for word in order]
    return lines


@pytest.fixture
def check() -> Callable[[TokenStore, str], None]:
    """Compares a store with the text it was read from."""

    def compare(store: TokenStore, text: str) -> None:
        assert lines_of(store) == expected_lines(text)

    return compare
