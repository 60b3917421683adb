"""Words as a tokenizer.json of Hugging Face's `tokenizers` makes them: the tokens of a line, as it
cuts them for any model, without what it puts before and behind a text for its own one.

The file may be anybody's. The library gets what has been checked here, never the file itself: of a
hostile one it takes all memory, or panics.
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
from w2v.system.packages import told_if_missing

MAX_BYTES = 64 << 20  # of a file: half a million tokens
BATCH_BYTES = 1 << 16  # of lines handed over at a time; the library keeps 100 bytes for each token
GROWS_BY = 1024  # a text becomes at most so many times as long before it is cut
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
TO_BLANKS = dict.fromkeys(map(ord, "\t\n\0"), " ")  # they separate words and lines in files
Result = TypeVar("Result")


class FileTokenizer:
    """What one file cuts. `content` is what was read, `digest` its digest."""

    def __init__(self, path: str, content: dict[str, Any]) -> None:
        tokenizers, text = library(), json.dumps(content)
        self.content = content
        self.path, self.digest = path, hashlib.sha256(text.encode()).hexdigest()
        self._tokenizer = self._safely(lambda: tokenizers.Tokenizer.from_str(text))

    def cut(self, lines: Iterable[str]) -> Iterator[np.ndarray]:
        """Yields the numbers of the tokens of each line, int64."""
        batch, size = [], 0
        for line in lines:
            batch.append(line)
            size += len(line) + 1
            if size >= BATCH_BYTES:
                yield from self._numbers(batch)
                batch, size = [], 0
        yield from self._numbers(batch)

    def words(self, numbers: Iterable[int]) -> list[str]:
        """Returns the tokens of these numbers, with blanks for tabs and line ends in them; "" for
        one that is whitespace."""
        found = (self._tokenizer.id_to_token(number) for number in numbers)
        return [word.strip() and word.translate(TO_BLANKS) for word in found]

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
            # a panic of the library is no Exception
            if isinstance(error, Exception) or type(error).__name__ == "PanicException":
                why = " ".join(str(error).split())[:200]
                raise InputError(f"`tokenizer` {self.path} cannot be used: {why}") from None
            raise


def lines_of(text: str) -> list[str]:
    """Returns the lines of a text as the tokenizer gets them: without line ends, NUL and
    byte-order marks, which whitespace is for other tokenizers, too."""
    plain = text.replace("\0", " ").replace("\ufeff", "")
    return [line.removesuffix("\r") for line in plain.split("\n")]


def load_tokenizer(path: str) -> FileTokenizer:
    """Reads a tokenizer.json, once as long as it stays as it is. Raises InputError if the file is
    missing or holds what is not known here, and RunError if `tokenizers` is not installed."""
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
    """Returns what `check` makes of the object in a file. Raises InputError if it cannot be read,
    or the check raises ValueError."""
    try:
        return check(read_object(Path(path), limit))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        reason = str(error).removeprefix(f"{path} ")
        raise InputError(f"{path} is damaged: {reason}") from None


def library() -> Any:
    """Returns the module `tokenizers`. Raises RunError if it is not installed."""
    with told_if_missing():
        import tokenizers  # only needed where a tokenizer.json is read or made
    return tokenizers


def _checked(content: dict[str, Any]) -> dict[str, Any]:
    """Returns what the library may have of the content; ValueError where it must not."""
    content |= dict.fromkeys(NEVER_USED)
    model = content.get("model")
    if not isinstance(model, dict):
        raise ValueError("it has no model")
    if (kind := model.get("type", _kind_of_old(model))) not in MODELS:
        raise ValueError(f"its model {shown(kind)} is none of {', '.join(MODELS)}")
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
    for name, known in STEPS.items():
        for step in _steps(content.get(name), name):
            if step.get("type") not in known:
                raise ValueError(f"its {name} {shown(step.get('type'))} is not known")
            growth *= _growth(step)
    if growth > GROWS_BY:
        raise ValueError("its normalizer makes texts too long")
    return content


def _kind_of_old(model: dict[str, Any]) -> str:
    """Returns the kind of a model in a file of the time when it was not named."""
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
    for each in within if isinstance(within, list) else ():
        yield from _steps(each, name)


def _growth(step: dict[str, Any]) -> int:
    """Returns how many times as long a step can make a text."""
    match step["type"]:
        case "Replace":
            return 1 + len(str(step.get("content")).encode("utf-8", "replace"))
        case "Prepend":
            return 1 + len(str(step.get("prepend")).encode("utf-8", "replace"))
        case "Precompiled":
            return _longest_replacement(step.get("precompiled_charsmap"))
    return 1


def _longest_replacement(charsmap: Any) -> int:
    """Returns the length in bytes of the longest text that a character becomes. A map is the size
    of a trie, uint32, the trie, and texts that end in NUL.

    From the unit u at place q of the trie, if its top bit is not set, the way leads to the place
    (q ^ offset of u) ^ (next byte), and if its bit 8 is, the unit at (q ^ offset of u) is where a
    text begins: the library looks there, whether that is within the map or not.
    """
    data = base64.b64decode(charsmap if isinstance(charsmap, str) else "", validate=True)
    size = int.from_bytes(data[:4], "little")
    texts = data[4 + size :]
    texts.decode()
    if not size or size % 4 or not texts:
        raise ValueError("its precompiled_charsmap is cut short")
    trie = np.frombuffer(data, "<u4", size // 4, 4)
    leads = trie >> 31 == 0
    bases = np.arange(len(trie)) ^ ((trie >> 10) << ((trie & (1 << 9)) >> 6))
    if (bases[leads] | 255).max(initial=0) >= len(trie):
        raise ValueError("its precompiled_charsmap leads out of itself")
    places = trie[bases[leads & (trie >> 8 & 1 == 1)]] & 0x7FFFFFFF
    starts = np.frombuffer(texts, np.uint8)[places[places < len(texts)]]
    if (places >= len(texts)).any() or (starts & 0xC0 == 0x80).any():
        raise ValueError("its precompiled_charsmap has other texts")
    return max(1, *map(len, texts.split(b"\0")))
