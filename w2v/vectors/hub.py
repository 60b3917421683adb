"""Reads and writes vectors as a folder for sentence-transformers, model2vec and the Hugging Face
hub, in which the vector of a text is the mean of the vectors of its words.

    model.safetensors    `embeddings` [V + 1, D]; the last row, zeros, is that of unknown words
    tokenizer.json       splits a text as the corpus was split. If the corpus was split by such a
                         file, it is that file with its tokens renumbered: first the words, then
                         the tokens without a vector, whose rows are zeros
    config.json, modules.json, config_sentence_transformers.json
    README.md            the model card

In sentence-transformers, unknown words shorten the mean, but do not change its direction.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from w2v.corpus.tokenizer_file import load_tokenizer
from w2v.errors import InputError, shown
from w2v.system.json import read_object
from w2v.vectors.content import Part, VectorStream
from w2v.vectors.precision import reduced, restored
from w2v.vectors.tensors import blocks, opened, rows_of

MATRIX, TOKENIZER, TENSOR = "model.safetensors", "tokenizer.json", "embeddings"
UNKNOWN = "[UNK]"
OF_FILE = "tokens_of_file"  # in config.json
JSON_BYTES, TOKEN_BYTES = 8 << 20, 100  # limits: JSON takes many times its size in memory
MODULES = [
    {"idx": 0, "name": "0", "path": ".", "type": "sentence_transformers.models.StaticEmbedding"}
]
FILES = (
    *(MATRIX, TOKENIZER, "config.json", "modules.json", "config_sentence_transformers.json"),
    "README.md",
)
WORD_BOUNDARIES = r"(?y{w})\X"  # one segment of UAX #29, in the regex syntax of `tokenizers`


class Card(NamedTuple):
    """The text of a model card, and the settings with which the vectors' corpus was split."""

    text: str
    lowercase: bool = False
    tokenizer: str = "whitespace"


def write_hub(
    folder: Path, words: Sequence[str], matrix: np.ndarray, dtype: str, card: Card
) -> None:
    """Writes the files into `folder`. No word may contain whitespace."""
    from safetensors.numpy import save_file

    rows, _ = reduced(np.asarray(matrix), dtype)
    by_file = card.tokenizer not in ("whitespace", "words")
    tokenizer, row_of = _by_file(words, card) if by_file else _tokenizer(words, card)
    embeddings = np.zeros((max(row_of.values()) + 1, rows.shape[1]), rows.dtype)
    embeddings[[row_of[word] for word in words]] = rows
    config = {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "normalize": False,
        "embedding_dtype": dtype,
        OF_FILE: by_file,
    }
    files: dict[str, Any] = {
        TOKENIZER: tokenizer,
        "config.json": config,
        "modules.json": MODULES,
        "config_sentence_transformers.json": {"similarity_fn_name": "cosine"},
    }
    save_file({TENSOR: embeddings}, folder / MATRIX, {"format": "pt"})
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    (folder / "README.md").write_text(card.text, encoding="utf-8", errors="replace")


def _by_file(words: Sequence[str], card: Card) -> tuple[dict[str, Any], dict[str, int]]:
    """Returns what `_tokenizer` does, for a corpus that was split by a tokenizer file."""
    content: dict[str, Any] = deepcopy(load_tokenizer(card.tokenizer).content)
    model, added = content["model"], content.get("added_tokens") or []
    vocabulary, rank = model["vocab"], {word: row for row, word in enumerate(words)}
    of_model = _tokens(vocabulary)
    order = sorted(range(len(of_model)), key=lambda old: rank.get(of_model[old], len(rank)))
    rows = {of_model[old]: row for row, old in enumerate(order)}
    if isinstance(vocabulary, dict):
        model["vocab"] = dict(rows)
    else:
        model["vocab"] = [vocabulary[old] for old in order]
        if model.get("unk_id") is not None:
            model["unk_id"] = order.index(model["unk_id"])
    for token in sorted(added, key=lambda token: token["id"]):  # the order in which they get ids
        token["id"] = rows.setdefault(token["content"], len(rows))
    if unknown := next((word for word in words if word not in rows), None):
        problem = f"{card.tokenizer} has no token {shown(unknown)}, so it did not split this corpus"
        raise InputError(f"{problem}: restore the original file there")
    if card.lowercase:
        steps = filter(None, [{"type": "Lowercase"}, content.get("normalizer")])
        content["normalizer"] = {"type": "Sequence", "normalizers": list(steps)}
    return content, rows


def _tokens(vocabulary: Any) -> list[str]:
    """Returns the tokens of a tokenizer's model, ordered by their ids."""
    if isinstance(vocabulary, dict):
        return sorted(vocabulary, key=vocabulary.__getitem__)
    return [token for token, _ in vocabulary]


def _tokenizer(words: Sequence[str], card: Card) -> tuple[dict[str, Any], dict[str, int]]:
    """Returns the content of tokenizer.json, and the row of each word."""
    unknown, taken = UNKNOWN, set(words)
    while unknown in taken:
        unknown = f"[{unknown}]"
    splits: list[dict[str, Any]] = [{"type": "WhitespaceSplit"}]
    if card.tokenizer == "words":
        pattern = {"Regex": WORD_BOUNDARIES}
        split = {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}
        splits.append(split)
    vocabulary = {word: number for number, word in enumerate([*words, unknown])}
    content: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"} if card.lowercase else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": splits},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": unknown},
    }
    return content, vocabulary


def is_hub(folder: Path) -> bool:
    """Returns whether a folder is of this kind. A run directory is not: its config is YAML."""
    return all((folder / name).is_file() for name in (MATRIX, TOKENIZER, "config.json"))


def read_hub(folder: Path, stream: VectorStream) -> Iterator[Part]:
    """Yields the content of such a folder; `stream` reads its matrix. Raises InputError if it
    contains another kind of model."""
    with opened(folder / MATRIX, stream) as file:
        if TENSOR not in file.keys():  # noqa: SIM118 (no mapping)
            have = ", ".join(sorted(file.keys())[:5])
            problem = f"has no tensor `{TENSOR}`, but {have:.200}"
            raise InputError(f"{stream.name} {problem}: it is another kind of model")
        n_rows = rows_of(file, TENSOR, stream)
        by_file = cut_by_file(folder)
        words = (_file_words if by_file else _words)(folder / TOKENIZER, n_rows)
        for part, rows in blocks(file, TENSOR, n_rows):
            rows_kept = [position for position, word in enumerate(words[part]) if word is not None]
            if by_file:
                rows_kept = np.flatnonzero(rows.any(axis=1)).tolist()
            raw = [word for position in rows_kept if (word := words[part][position]) is not None]
            rows = rows if len(rows_kept) == len(rows) else rows[rows_kept]
            yield Part(raw, restored(rows, None), None)


def cut_by_file(folder: Path) -> bool:
    """Returns whether the words are tokens of a tokenizer file that split the corpus."""
    try:
        return read_object(folder / "config.json", JSON_BYTES).get(OF_FILE) is True
    except (OSError, ValueError):
        return False


def _file_words(path: Path, n_rows: int) -> list[bytes | None]:
    """Returns the token of each row, for a folder whose corpus was split by a tokenizer file."""
    content = load_tokenizer(str(path)).content
    tokens = _tokens(content["model"]["vocab"])
    tokens += [token["content"] for token in content.get("added_tokens") or []]
    tokens = list(dict.fromkeys(tokens))
    if len(tokens) != n_rows:
        raise InputError(f"{path} has {len(tokens):,} tokens for {n_rows:,} rows")
    return [token.encode("utf-8", "surrogatepass") for token in tokens]


def _words(path: Path, n_rows: int) -> list[bytes | None]:
    """Returns the word of each row; None for the row of unknown words, and rows without a word."""
    try:
        limit = JSON_BYTES + TOKEN_BYTES * n_rows
        model = read_object(path, limit).get("model")
        model = model if isinstance(model, dict) else {}
        vocabulary = model.get("vocab")
        if not isinstance(vocabulary, dict) or model.get("type", "WordLevel") != "WordLevel":
            raise ValueError("its tokens are not whole words")
        words: list[bytes | None] = [None] * n_rows
        for word, row in vocabulary.items():
            if type(row) is not int or not 0 <= row < n_rows or words[row] is not None:
                raise ValueError("its ids are not distinct row numbers")
            words[row] = word.encode("utf-8", "surrogatepass")
        unknown = vocabulary.get(model.get("unk_token"))
        if unknown is not None:
            words[unknown] = None
        return words
    except (OSError, ValueError, TypeError) as error:
        problem = error.strerror if isinstance(error, OSError) else str(error)[:200]
        raise InputError(f"{path} has no words for the rows of {MATRIX}: {problem}") from None
