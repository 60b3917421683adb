"""Describes the text that a run reads, so that a resumed run can check that it is the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from w2v.corpus.sources import STANDARD_INPUT_NAME
from w2v.corpus.store import TokenStore, ids_checksum
from w2v.corpus.vocabulary import Vocabulary
from w2v.system.files import absolute


def describe(store: TokenStore, vocabulary: Vocabulary) -> dict[str, Any]:
    """Returns plain values for a checkpoint. Apart from `files`, two corpora share them only if
    they are the same text with the same vocabulary."""
    return {
        "files": list(map(list, store.sources)),
        "key": store.key,
        "words": store.n_words,
        "lines": store.n_lines,
        "ids": ids_checksum(store.ids),
        "vocabulary": len(vocabulary),
        "vocabulary_sha256": digest(vocabulary),
    }


def digest(vocabulary: Vocabulary) -> str:
    """Returns the SHA-256 of the words and their counts."""
    text, counts = vocabulary.packed.text, vocabulary.counts.astype("<i8").tobytes()
    return hashlib.sha256(text + counts).hexdigest()


def check_description(description: object) -> Mapping[str, Any]:
    """Returns a checkpoint's description of its text. Raises ValueError if it does not have the
    form that `describe` returns."""
    kinds: dict[str, type] = dict.fromkeys(("words", "lines", "ids", "vocabulary"), int)
    kinds |= {"vocabulary_sha256": str, "files": list}
    if (
        not isinstance(description, dict)
        or any(type(description.get(name)) is not kind for name, kind in kinds.items())
        or any(not 0 <= description[name] < 2**63 for name, kind in kinds.items() if kind is int)
        or not isinstance(description.get("key", 0), str | None)
    ):
        raise ValueError("the description of the text is incomplete")
    for file in description["files"]:
        path, *numbers = file if isinstance(file, list) and len(file) == 3 else [None]
        numbered = all(number is None or type(number) is int for number in numbers)
        if not isinstance(path, str) or "\0" in path or not numbered:
            raise ValueError("each file must have a path, a size and a time")
    return description


def difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Returns a clause about the first difference between two descriptions, or None."""
    for name in ("words", "lines"):
        if then[name] != now[name]:
            return f"the text is another one: {then[name]:,} {name} then, {now[name]:,} now"
    if then["ids"] != now["ids"]:
        same = "the same number of words, but different words or a different order"
        return f"the text is another one: {same}"
    if then["vocabulary"] != now["vocabulary"]:
        sizes = f"{then['vocabulary']:,} words then, {now['vocabulary']:,} now"
        return f"the vocabulary of the same text is another one: {sizes}"
    if then["vocabulary_sha256"] != now["vocabulary_sha256"]:
        return "the vocabulary of the same text has different words"
    return None


def changed_files(then: Mapping[str, Any]) -> list[str]:
    """Returns a phrase for each file of a corpus that has changed, such as "a.txt has vanished"."""
    changes = []
    for path, size, mtime in then["files"]:
        if size is None:
            continue
        try:
            status = os.stat(path)
        except OSError:
            changes.append(f"{path} has vanished")
            continue
        if (status.st_size, status.st_mtime_ns) != (size, mtime):
            changes.append(f"{path} has changed ({size:,} bytes then, {status.st_size:,} now)")
    return changes


def memory_text(then: Mapping[str, Any]) -> str | None:
    """Returns the name of the text if it came from memory, None if from files or a pipe."""
    for name, size, _ in then["files"]:
        if size is None and absolute(name) != name and name != STANDARD_INPUT_NAME:
            return str(name)
    return None
