"""Byte-level BPE subwords with Hugging Face `tokenizers`, trained on the words of a corpus and
their counts.

Each word is split on its own, and its first subword is marked by the space before it ("Ġ"), so it
is enough to split the distinct words of a corpus once. Every byte is a subword: nothing is unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import numpy as np

from w2v.corpus.tokenizer_file import library, read_checked
from w2v.corpus.vocabulary import Vocabulary
from w2v.errors import InputError, shown

BYTES = 256
MAX_BYTES = 8 << 20  # limit on tokenizer.json: a quarter of a million subwords
SPECIALS = 2  # <unk> and <eos>, which are not subwords
TRAINING_WORDS = 20_000_000  # for training, counts are scaled down to about this total
BATCH = 4096  # words passed to the library at a time


class Subwords:
    """A trained byte-level BPE tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    @classmethod
    def train(cls, words: Vocabulary, size: int) -> Subwords:
        """Trains on words and their counts; there will be `size` tokens including <unk> and <eos>.
        Raises InputError if `size` is too small for all bytes, and RunError if `tokenizers` is not
        installed."""
        tokenizers = library()
        if size < (least := BYTES + SPECIALS):
            why = "every byte is a subword, in addition to <unk> and <eos>"
            raise InputError(f"`subwords` {size} is below {least}: {why}")
        tokenizer = _tokenizer(tokenizers.models.BPE())
        alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=size - SPECIALS, initial_alphabet=alphabet, show_progress=False
        )
        tokenizer.train_from_iterator(_repeated(words), trainer)
        subwords = cls(tokenizer)
        if (size_of_file := len(subwords.to_json().encode())) > MAX_BYTES:
            problem = f"makes a tokenizer.json of {size_of_file / 1e6:.1f} MB"
            raise InputError(
                f"`subwords` {size} {problem}, the limit is {MAX_BYTES / 1e6:.1f}: give fewer"
            )
        return subwords

    def pieces(self) -> list[str]:
        """Returns all subwords."""
        return list(self._tokenizer.get_vocab())

    def cut(self, words: Sequence[str]) -> list[list[str]]:
        """Returns the subwords of each word. Raises InputError for one that is not Unicode."""
        for word in words:
            if not word.isascii() and any("\ud800" <= mark <= "\udfff" for mark in word):
                raise InputError(f"{shown(word)} is not valid Unicode: correct it")
        encode = self._tokenizer.encode_batch
        batches = (list(words[start : start + BATCH]) for start in range(0, len(words), BATCH))
        encoded = (encode(batch, add_special_tokens=False) for batch in batches)
        return [encoding.tokens for encodings in encoded for encoding in encodings]

    def text(self, pieces: Sequence[str], unknown: str) -> str:
        """Returns the words that the subwords form, separated by spaces; `unknown` stays a word."""
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
        """Returns the text of tokenizer.json, which the library can also read."""
        return str(self._tokenizer.to_str())

    @classmethod
    def load(cls, path: Path) -> Subwords:
        """Reads a tokenizer.json that `to_json` wrote. Raises InputError if the file is missing or
        has other content, and RunError if `tokenizers` is not installed.

        The library gets only the checked content, never the file, because a malicious file could
        make it panic or use up all memory.
        """
        models = library().models
        vocabulary, merges = read_checked(path, _checked, MAX_BYTES)
        return cls(_tokenizer(models.BPE(vocab=vocabulary, merges=merges)))


def _tokenizer(model: Any) -> Any:
    """Returns a tokenizer that splits words into subwords with a BPE model."""
    tokenizers = library()
    tokenizer = tokenizers.Tokenizer(model)
    by_bytes = tokenizers.pre_tokenizers.ByteLevel
    tokenizer.pre_tokenizer = by_bytes(add_prefix_space=True, use_regex=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    return tokenizer


def _checked(document: dict[str, Any]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Returns the vocabulary and the merges in the content of a tokenizer.json. Raises ValueError
    unless everything else in it is as `_tokenizer` makes it."""
    tokenizers = library()
    ours = json.loads(_tokenizer(tokenizers.models.BPE()).to_str())
    model, usual = document.pop("model", None), ours.pop("model")
    if not isinstance(model, dict):
        raise ValueError("it has no model")
    vocabulary, merges = model.pop("vocab", None), model.pop("merges", None)
    del usual["vocab"], usual["merges"]
    for values, expected in ((document, ours), (model, usual)):
        for name in set(values) | set(expected):
            # other versions of the library have more settings, which must be off
            if (value := values.get(name)) != expected.get(name) and value not in (None, False, []):
                raise ValueError(f"its {shown(name)} is {shown(value)}")
            if value is None and expected.get(name):
                raise ValueError(f"it has no {name}")
    alphabet = set(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    if not isinstance(vocabulary, dict) or not alphabet <= set(vocabulary):
        raise ValueError("its vocab lacks bytes")
    numbers = [number for number in vocabulary.values() if type(number) is int]
    if sorted(numbers) != list(range(len(vocabulary))):
        raise ValueError("its vocab is not numbered from 0 on")
    if odd := [piece for piece in vocabulary if not piece or not alphabet >= set(piece)]:
        raise ValueError(f"its vocab holds {shown(odd[0])}, which does not consist of bytes")
    if not isinstance(merges, list):
        raise ValueError("it has no merges")
    pairs = []
    for merge in merges:  # older versions of the library write a pair as one string
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(pair, list) or not all(isinstance(piece, str) for piece in pair):
            pair = []
        if len(pair) != 2 or not {*pair, "".join(pair)} <= vocabulary.keys():
            raise ValueError(f"{shown(merge)} is not a merge of its vocab")
        pairs.append((pair[0], pair[1]))
    return vocabulary, pairs


def _repeated(words: Vocabulary) -> Iterator[list[str]]:
    """Yields batches of words, each repeated by its count; for a large corpus counts are scaled
    down, but at least 1."""
    share = min(1.0, TRAINING_WORDS / int(words.counts.sum()))
    counts = np.maximum(1, words.counts * share).astype(np.int64)
    pairs = zip(words.words, counts.tolist(), strict=True)
    stream = chain.from_iterable(repeat(word, count) for word, count in pairs)
    while batch := list(islice(stream, BATCH)):
        yield batch
