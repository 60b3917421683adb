"""Byte-level BPE subwords by Hugging Face `tokenizers`, trained on the words of a corpus and their
counts.

A word is cut by itself, its first subword marked by the blank before it ("Ġ"), so that cutting the
distinct words of a corpus once is enough. Every byte is a subword: nothing is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import numpy as np

from w2v.corpus.vocabulary import Vocabulary
from w2v.errors import InputError, RunError

BYTES = 256
SPECIALS = 2  # <unk> and <eos>, which are no subwords
TRAINING_WORDS = 20_000_000  # counts are scaled down to about this many
BATCH = 4096  # words handed over at a time


class Subwords:
    """A trained tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    @classmethod
    def train(cls, words: Vocabulary, size: int) -> Subwords:
        """Returns a BPE of words and their counts: `size` tokens, <unk> and <eos> among them.
        Raises InputError if that leaves no room for all bytes, and RunError if `tokenizers` is not
        installed."""
        tokenizers = _library()
        if size < (least := BYTES + SPECIALS):
            why = "every byte is a subword, and there are <unk> and <eos>"
            raise InputError(f"`subwords` {size} is below {least}: {why}")
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
        by_bytes = tokenizers.pre_tokenizers.ByteLevel
        tokenizer.pre_tokenizer = by_bytes(add_prefix_space=True, use_regex=False)
        tokenizer.decoder = tokenizers.decoders.ByteLevel()
        alphabet = sorted(by_bytes.alphabet())
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=size - SPECIALS, initial_alphabet=alphabet, show_progress=False
        )
        tokenizer.train_from_iterator(_repeated(words), trainer)
        return cls(tokenizer)

    def pieces(self) -> list[str]:
        """Returns all subwords."""
        return list(self._tokenizer.get_vocab())

    def cut(self, words: Sequence[str]) -> list[list[str]]:
        """Returns the subwords of every word."""
        encode = self._tokenizer.encode_batch
        batches = (list(words[start : start + BATCH]) for start in range(0, len(words), BATCH))
        encoded = (encode(batch, add_special_tokens=False) for batch in batches)
        return [encoding.tokens for encodings in encoded for encoding in encodings]

    def text(self, pieces: Sequence[str], unknown: str) -> str:
        """Returns the words that subwords make up, with blanks between them; `unknown` stands for
        itself."""
        parts: list[list[str]] = [[]]
        for piece in pieces:
            if piece == unknown:
                parts += [[piece], []]
            else:
                parts[-1].append(piece)
        decode = self._tokenizer.decoder.decode
        texts = [part[0] if part == [unknown] else decode(part).strip() for part in parts if part]
        return " ".join(texts)

    def to_json(self) -> str:
        """Returns the text of tokenizer.json, which the library itself reads too."""
        return str(self._tokenizer.to_str(pretty=True))

    @classmethod
    def load(cls, path: Path) -> Subwords:
        """Reads a tokenizer.json that `to_json` made. Raises InputError if the file is missing or
        damaged, and RunError if `tokenizers` is not installed."""
        tokenizers = _library()
        if path.exists() and not path.is_file():  # a device or a pipe might never end
            raise InputError(f"cannot read {path}: it is not a file")
        try:
            return cls(tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from None
        except Exception as error:  # the library raises nothing more special
            raise InputError(f"{path} is damaged: {error}") from None


def _repeated(words: Vocabulary) -> Iterator[list[str]]:
    """Batches of words, each as often as its count, scaled down for a large corpus; a rare word
    stays in."""
    share = min(1.0, TRAINING_WORDS / int(words.counts.sum()))
    counts = np.maximum(1, words.counts * share).astype(np.int64)
    pairs = zip(words.words, counts.tolist(), strict=True)
    stream = chain.from_iterable(repeat(word, count) for word, count in pairs)
    while batch := list(islice(stream, BATCH)):
        yield batch


def _library() -> Any:
    try:
        import tokenizers  # only runs with subwords need it
    except ImportError:
        remedy = "pip install 'w2v[subwords]', or train on words without `subwords`"
        raise RunError(f"`subwords` needs the package tokenizers: {remedy}") from None
    return tokenizers
