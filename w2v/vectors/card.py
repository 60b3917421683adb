"""Writes the model card of vectors: their training settings, their scores, and how to load them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from w2v.evaluation.analogies import AnalogyResult
from w2v.evaluation.similarity import SimilarityResult
from w2v.system.json import read_object
from w2v.vectors.hub import Card
from w2v.vectors.rows import WordRows

if TYPE_CHECKING:
    from w2v.evaluation.bootstrap import Interval

COVERED = 5  # show a score if at least 1 / COVERED of its set is covered
TEXT = """---
library_name: model2vec
tags: [sentence-transformers, static-embeddings, word2vec, w2v]
---

# {name}

Word vectors: {size} of {dim} dimensions, trained with w2v. The vector of a text is the mean of the
vectors of its words.
{about}
## Use

`PATH` is this folder, or its name on the hub.

```python
from sentence_transformers import SentenceTransformer

SentenceTransformer("PATH").encode(["a text"])
```

```python
from model2vec import StaticModel

StaticModel.from_pretrained("PATH").encode(["a text"])
```

```python
import w2v

vectors = w2v.load("PATH")  # a folder on this machine
vectors.nearest("{word}")
vectors.to_gensim()  # gensim's KeyedVectors
```
"""


def describe(vectors: WordRows, results: Mapping[str, AnalogyResult | SimilarityResult]) -> Card:
    """Returns the card of vectors; `results` maps names of test sets to the results on them."""
    settings = _settings(vectors)
    scores = [row for name, result in results.items() if (row := _score(name, result))]
    parts = []
    if vectors.counts is not None:
        parts.append(f"Their words occur {vectors.counts.sum():,} times in the corpus.")
    if scores:
        parts.append(_table("Scores", "set | measure | value | 95 % interval | covered", scores))
    if settings:
        parts.append(_table("Settings", "setting | value", list(settings.items())))
    text = TEXT.format(
        name=_cell(os.path.basename(os.path.normpath(vectors.source))),
        size=f"{len(vectors):,} words",
        dim=vectors.dim,
        about="".join(f"\n{part}\n" for part in parts),
        word=json.dumps(vectors.words[0])[1:-1],
    )
    if vectors.config is None:
        return Card(text)
    return Card(text, vectors.config.corpus.lowercase, vectors.config.corpus.tokenizer)


def _settings(vectors: WordRows) -> dict[str, Any]:
    """Returns the settings of the vectors' run, and words read and final loss from its summary."""
    config = vectors.config
    if config is None or vectors.run is None:
        return {}
    settings = config.as_dict()
    hidden = {*vars(config.output), *vars(config.checkpoints), "device", "threads"}
    public = (name for name in settings if name not in hidden and settings[name] is not None)
    rows = {name: _public(settings[name]) for name in public}
    with suppress(OSError, ValueError):
        summary = read_object(vectors.run / "summary.json")
        words = summary.get("words")
        if isinstance(words, dict) and isinstance(words.get("read"), int):
            rows["words read"] = f"{words['read']:,}"
        if isinstance(summary.get("final_loss"), float):
            rows["final loss"] = f"{summary['final_loss']:.4f}"
    return rows


def _public(value: Any) -> str:
    """Formats a value for the card: files are shown without their folders."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_public, value))
    if isinstance(value, str):
        return os.path.basename(os.path.normpath(value)) if value else value
    return json.dumps(value)


def _score(name: str, result: AnalogyResult | SimilarityResult) -> tuple[str, ...] | None:
    if COVERED * result.covered < result.total or not result.covered:
        return None
    covered = f"{result.covered:,} of {result.total:,}"
    if isinstance(result, AnalogyResult):
        return name, "accuracy", _number(result.accuracy), _ends(result.interval()), covered
    return name, "Spearman", _number(result.spearman), _ends(result.spearman_ci), covered


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _ends(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval[0]:.3f} … {interval[1]:.3f}"


def _table(title: str, heading: str, rows: list[Any]) -> str:
    lines = [f"| {heading} |", "|---" * (heading.count("|") + 1) + "|"]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
    return f"## {title}\n\n" + "\n".join(lines)


def _cell(value: Any) -> str:
    """Returns the text on one line and with Markdown escaped, for a table cell or a heading."""
    text = " ".join(str(value).split())
    for mark in "\\`*_|<>[]#":
        text = text.replace(mark, f"\\{mark}")
    return text
