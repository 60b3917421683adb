"""Draws a map of words: map.html, and map.parquet next to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from w2v.errors import InputError
from w2v.explorer import page
from w2v.explorer.map.classes import classes
from w2v.explorer.map.layout import NEIGHBOURS, chosen_method, layout, share_kept
from w2v.explorer.map.neighbours import Neighbours, nearest_inside, nearest_of_all
from w2v.explorer.map.packing import packed
from w2v.system.files import atomic_file

if TYPE_CHECKING:
    from w2v.vectors.rows import WordRows

WORDS = 20_000
SHOWN = 10  # neighbours of a word on the page
CLASSES = 10  # the number of distinguishable colours
EXAMPLES = 3  # words shown for a class
METHODS = {"tsne": "t-SNE", "pca": "PCA"}


@dataclass(frozen=True)
class WordMap:
    """A map of the N most frequent words."""

    words: list[str]
    counts: np.ndarray | None  # int64 [N]
    places: np.ndarray  # float32 [N, 2], the coordinates
    method: str  # "tsne" or "pca"
    kept: float  # share of each word's 10 nearest words that are among its 10 nearest on the map
    html: bytes  # the page

    def save(self, path: str | Path) -> None:
        """Writes the page to `path`, and the table next to it."""
        with atomic_file(path) as file:
            file.write(self.html)
        with atomic_file(table_path(path)) as file:
            self.write_table(file)

    def write_table(self, file: IO[bytes]) -> None:
        """Writes a parquet table with the columns word, count (null if unknown), x and y."""
        import pyarrow  # takes 0.1 s, and most users of vectors do not need it
        from pyarrow import parquet

        counts = [None] * len(self.words) if self.counts is None else self.counts
        columns = {
            "word": pyarrow.array([page.clean(word) for word in self.words], pyarrow.string()),
            "count": pyarrow.array(counts, pyarrow.int64()),
            "x": pyarrow.array(self.places[:, 0], pyarrow.float32()),
            "y": pyarrow.array(self.places[:, 1], pyarrow.float32()),
        }
        parquet.write_table(pyarrow.table(columns), file)


def table_path(path: str | Path) -> Path:
    """Returns the path of the table of a map: map.parquet for map.html."""
    return Path(path).with_suffix(".parquet")


def check_map(path: str | Path | None, words: int, seed: int, method: str) -> str:
    """Returns the method, "tsne" or "pca". Raises InputError for unusable settings."""
    if path not in (None, "-") and Path(path).suffix.lower() not in (".html", ".htm"):
        raise InputError(f"`output` {path}: a map is a page, so name a file ending in .html")
    if words < 1:
        raise InputError(f"`words` {words} is out of range; use 1 or more")
    if not 0 <= seed < 1 << 32:
        raise InputError(f"`seed` {seed} is out of range; use 0 to {(1 << 32) - 1}")
    return chosen_method(method)


def draw_map(vectors: WordRows, words: int, title: str, seed: int, method: str) -> WordMap:
    """Draws a map of the `words` most frequent words by the method "tsne" or "pca"."""
    n = min(words, len(vectors.words))
    if not n:
        raise InputError("there are no words to draw a map of")
    unit = vectors.unit(slice(0, n))
    inside = nearest_inside(vectors, n, max(1, min(NEIGHBOURS, n - 1)))
    coordinates = layout(unit, inside, method, seed)
    share = share_kept(coordinates, inside.first(SHOWN))
    near = nearest_of_all(vectors, inside, SHOWN)
    near.cosines[~unit.any(axis=1)] = -np.inf  # a vector of zeros has no neighbours
    others = np.unique(near.rows[near.rows >= n])
    numbers = np.where(near.rows < n, near.rows, n + np.searchsorted(others, near.rows))
    class_of, centres = classes(unit, CLASSES, seed)
    counts = None if vectors.counts is None else vectors.counts[:n]
    about: dict[str, Any] = {
        "n": n,
        "vocabulary": len(vectors.words),
        "words": [*vectors.words[:n], *(vectors.words[row] for row in others)],
        "counts": None if counts is None else counts.tolist(),
        "classes": _examples(vectors.words, unit, class_of, centres),
    }
    data = packed(about, coordinates, class_of, Neighbours(numbers, near.cosines), unit)
    facts = f"{n:,} words · {METHODS[method]} · {share:.0%} of neighbours kept"
    html = page.page(
        "map.html",
        title=title,
        styles=("page.css", "map.css"),
        scripts=("theme.js", "words.js", "view.js", "panel.js"),
        parts={"facts": facts, "kept": f"{share:.0%}", "data": page.in_base64(data)},
    )
    return WordMap(vectors.words[:n], counts, coordinates, method, share, html)


def _examples(
    words: list[str], unit: np.ndarray, class_of: np.ndarray, centres: np.ndarray
) -> list[list[str]]:
    """Returns for each class EXAMPLES frequent words near its centre."""
    examples = []
    for number, centre in enumerate(centres):
        # the nearest to the centre among the most frequent tenth
        rows = np.flatnonzero(class_of == number)
        rows = rows[: max(EXAMPLES, len(rows) // 10)]
        best = np.argsort(-(unit[rows] @ centre), kind="stable")[:EXAMPLES]
        examples.append([words[row] for row in rows[best]])
    return examples
