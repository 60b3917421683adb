"""Splits lines into words with a tokenizer.json of Hugging Face's `tokenizers`: the words are the
tokens of a line, without the special tokens that the tokenizer adds around a text for its model.

The file may come from anybody. The library is given only content that has been checked here, never
the file itself: with a malicious file it can exhaust memory or panic.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from w2v.errors import InputError, shown
from w2v.system.json import read_object
from w2v.system.packages import reporting_missing

MAX_BYTES = 64 << 20  # of a file: half a million tokens
BATCH_BYTES = 1 << 16  # of lines passed at a time; the library keeps 100 bytes for each token
GROWS_BY = 1024  # the normalizer may make a text at most this many times as long
ADDED_BYTES, AFFIX_BYTES, WORD_PIECE = 1 << 20, 64, 10_000
NEVER_USED = ("truncation", "padding", "post_processor", "decoder")
MODELS = ("BPE", "WordPiece", "WordLevel", "Unigram")
STEPS = {
    "normalizer": (
        *("BertNormalizer", "ByteLevel", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt"),
        *("Precompiled", "Prepend", "Replace", "Strip", "StripAccents"),
    ),
    "pre_tokenizer": (
        *("BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Digits", "Metaspace"),
        *("Punctuation", "Split", "UnicodeScripts", "Whitespace", "WhitespaceSplit"),
    ),
}
TO_BLANKS = dict.fromkeys(map(ord, "\t\n\0"), " ")  # these separate words and lines in files
Result = TypeVar("Result")


class FileTokenizer:
    """The tokenizer of one file. `content` is the checked JSON, `digest` its SHA-256, `unknown` the
    token that stands for what it does not know, None if it has none."""

    def __init__(self, path: str, content: dict[str, Any]) -> None:
        tokenizers, text = library(), json.dumps(content)
        self.content = content
        self.path, self.digest = path, hashlib.sha256(text.encode()).hexdigest()
        self._tokenizer = self._safely(lambda: tokenizers.Tokenizer.from_str(text))
        self.unknown: str | None = getattr(self._tokenizer.model, "unk_token", None)
        number = content["model"].get("unk_id")
        if type(number) is int:  # of Unigram
            self.unknown = self._safely(lambda: self._tokenizer.id_to_token(number))

    def cut(self, lines: Iterable[str]) -> Iterator[np.ndarray]:
        """Yields for each line the numbers (ids) of its tokens, int64."""
        batch, size = [], 0
        for line in lines:
            batch.append(line)
            size += len(line) + 1
            if size >= BATCH_BYTES:
                yield from self._numbers(batch)
                batch, size = [], 0
        yield from self._numbers(batch)

    def words(self, numbers: Iterable[int]) -> list[str]:
        """Returns the tokens with these numbers. Tabs, line ends and NUL in a token are replaced by
        spaces; a token of only whitespace becomes ""."""
        tokens = (self._tokenizer.id_to_token(number) for number in numbers)
        return [word.strip() and word.translate(TO_BLANKS) for word in tokens]

    def split(self, text: str) -> list[str]:
        """Returns the words of a text of any number of lines."""
        return [
            word
            for numbers in self.cut(lines_of(text))
            for word in self.words(numbers.tolist())
            if word
        ]

    def _numbers(self, batch: Sequence[str]) -> Iterator[np.ndarray]:
        encode = self._tokenizer.encode_batch
        encoded = self._safely(lambda: encode(batch, add_special_tokens=False)) if batch else ()
        for encoding in encoded:
            yield np.array(encoding.ids, np.int64)

    def _safely(self, work: Callable[[], Result]) -> Result:
        try:
            return work()
        except BaseException as error:
            # a panic of the (Rust) library is a BaseException
            if isinstance(error, Exception) or type(error).__name__ == "PanicException":
                why = " ".join(str(error).split())[:200]
                raise InputError(f"`tokenizer` {self.path} cannot be used: {why}") from None
            raise


def lines_of(text: str) -> list[str]:
    """Returns the lines of a text as the tokenizer is given them: without line ends and byte-order
    marks, and with spaces for NUL, as for the other tokenizers."""
    plain = text.replace("\0", " ").replace("\ufeff", "")
    return [line.removesuffix("\r") for line in plain.split("\n")]


def load_tokenizer(path: str) -> FileTokenizer:
    """Reads a tokenizer.json; an unchanged file is read only once. Raises InputError if the file is
    missing or has unsupported content, and RunError if `tokenizers` is not installed."""
    library()
    try:
        status = os.stat(path)
    except OSError as error:
        raise InputError(f"`tokenizer` {path} cannot be read: {error.strerror}") from None
    return _loaded(path, status.st_ino, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _loaded(path: str, *_: int) -> FileTokenizer:
    return FileTokenizer(path, read_checked(path, _checked, MAX_BYTES))


def read_checked(path: str | Path, check: Callable[[dict[str, Any]], Result], limit: int) -> Result:
    """Returns the result of `check` for the JSON object in a file. Raises InputError if the file
    cannot be read or `check` raises ValueError."""
    try:
        return check(read_object(Path(path), limit))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        reason = str(error).removeprefix(f"{path} ")
        raise InputError(f"{path} is damaged: {reason}") from None


def library() -> Any:
    """Returns the module `tokenizers`. Raises RunError if it is not installed."""
    with reporting_missing():
        import tokenizers  # only needed to read or make a tokenizer.json
    return tokenizers


def _checked(content: dict[str, Any]) -> dict[str, Any]:
    """Returns the content without the parts that are never used. Raises ValueError if the rest is
    unsupported or unsafe."""
    content |= dict.fromkeys(NEVER_USED)
    model = content.get("model")
    if not isinstance(model, dict):
        raise ValueError("it has no model")
    if (kind := model.get("type", _kind_of_old(model))) not in MODELS:
        raise ValueError(f"its model {shown(kind)} is not one of {', '.join(MODELS)}")
    if model.get("dropout") not in (None, 0, 0.0):
        raise ValueError("its dropout makes words random")
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        if len(str(model.get(name) or "")) > AFFIX_BYTES:
            raise ValueError(f"its {name} is too long")
    most = model.get("max_input_chars_per_word", 0)
    if type(most) is not int or not 0 <= most <= WORD_PIECE:
        raise ValueError(f"its max_input_chars_per_word {shown(most)} is above {WORD_PIECE}")
    added = content.get("added_tokens") or []
    if not isinstance(added, list) or len(json.dumps(added)) > ADDED_BYTES:
        raise ValueError("its added_tokens are too many")
    growth = 1
    for name, types in STEPS.items():
        for step in _steps(content.get(name), name):
            if step.get("type") not in types:
                raise ValueError(f"its {name} {shown(step.get('type'))} is not known")
            growth *= _growth(step)
    if growth > GROWS_BY:
        raise ValueError("its normalizer makes texts too long")
    return content


def _kind_of_old(model: dict[str, Any]) -> str:
    """Returns the kind of a model in an old file, which does not name it."""
    if "merges" in model:
        return "BPE"
    return "Unigram" if isinstance(model.get("vocab"), list) else "WordPiece"


def _steps(step: Any, name: str) -> Iterator[dict[str, Any]]:
    if step is None:
        return
    if not isinstance(step, dict):
        raise ValueError(f"its {name} is {shown(step)}")
    if step.get("type") != "Sequence":
        yield step
        return
    within = step.get(name.replace("_", "") + "s")
    for part in within if isinstance(within, list) else ():
        yield from _steps(part, name)


def _growth(step: dict[str, Any]) -> int:
    """Returns the factor by which a step can lengthen a text, at most."""
    match step["type"]:
        case "Replace":
            return 1 + len(str(step.get("content")).encode("utf-8", "replace"))
        case "Prepend":
            return 1 + len(str(step.get("prepend")).encode("utf-8", "replace"))
        case "Precompiled":
            return _longest_replacement(step.get("precompiled_charsmap"))
    return 1


def _longest_replacement(charsmap: Any) -> int:
    """Returns the length in bytes of the longest replacement of a character. A map consists of the
    size of a trie (uint32), the trie, and replacement texts that end in NUL.

    If the top bit of the unit u at position q of the trie is not set, the next unit is at position
    (q ^ offset of u) ^ (next byte). If bit 8 is set, the unit at (q ^ offset of u) holds the offset
    of a text. The library reads these positions without checking that they are within the map.
    """
    data = base64.b64decode(charsmap if isinstance(charsmap, str) else "", validate=True)
    size = int.from_bytes(data[:4], "little")
    texts = data[4 + size :]
    texts.decode()
    if not size or size % 4 or not texts:
        raise ValueError("its precompiled_charsmap is truncated")
    trie = np.frombuffer(data, "<u4", size // 4, 4)
    leads = trie >> 31 == 0
    bases = np.arange(len(trie)) ^ ((trie >> 10) << ((trie & (1 << 9)) >> 6))
    if (bases[leads] | 255).max(initial=0) >= len(trie):
        raise ValueError("its precompiled_charsmap points outside itself")
    offsets = trie[bases[leads & (trie >> 8 & 1 == 1)]] & 0x7FFFFFFF
    starts = np.frombuffer(texts, np.uint8)[offsets[offsets < len(texts)]]
    if (offsets >= len(texts)).any() or (starts & 0xC0 == 0x80).any():
        raise ValueError("its precompiled_charsmap does not point to its texts")
    return max(1, *map(len, texts.split(b"\0")))
