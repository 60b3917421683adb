"""What a program does with word vectors: look up, compare, query, encode texts, evaluate, hand on.

vectors = w2v.load("wiki-skip-gram-neg")
vectors["paris"], vectors[["paris", "rome"]], "paris" in vectors
vectors.nearest("king - man + woman", k=5)
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from w2v.evaluation.analogies import METHODS, AnalogyResult, evaluate_analogies
from w2v.evaluation.sets import AnalogySet, SimilaritySet, default_sets, load_set
from w2v.evaluation.similarity import SimilarityResult, evaluate_similarity
from w2v.system import arguments
from w2v.system.arguments import asks, one_of
from w2v.system.packages import told_if_missing
from w2v.vectors import classes, encoded, encoding, queries
from w2v.vectors.hub import Card
from w2v.vectors.precision import DTYPES
from w2v.vectors.queries import Asked, Neighbour
from w2v.vectors.rows import WordRows
from w2v.vectors.saving import KINDS, save_vectors

if TYPE_CHECKING:
    import pandas
    import torch

    from w2v.explorer.map import WordMap

Result = AnalogyResult | SimilarityResult
Set = AnalogySet | SimilaritySet


def _set(name: str, value: Any) -> Any:
    is_set = isinstance(value, (AnalogySet, SimilaritySet))
    return value if is_set else arguments.path(name, value)


class WordVectors(WordRows, Mapping[str, np.ndarray]):
    """A mapping from words, most frequent first, to their vectors; its attributes are those of
    `WordRows`."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        where = "" if self.source == "the vectors" else f", from {self.source}"
        return f"WordVectors({len(self):,} words x {self.dim}{where})"

    @overload
    def __getitem__(self, word: str) -> np.ndarray: ...

    @overload
    def __getitem__(self, word: Sequence[str]) -> np.ndarray: ...

    def __getitem__(self, word: str | Sequence[str]) -> np.ndarray:
        """Returns the vector of a word [D], or those of a list of words [n, D]. That of an unknown
        word is the mean of its n-grams' if these were learnt; otherwise it is an UnknownWordError,
        which is an InputError and a KeyError."""
        if isinstance(word, str) and (row := self.index(word)) is not None:
            return self.matrix[row]  # type: ignore[no-any-return]
        wanted = "word, nor a list of words"
        words = [word] if isinstance(word, str) else arguments.items("word", word, wanted)
        queries.check_words(self, words)
        found = self.of(words)
        return found[0] if isinstance(word, str) else found

    def __contains__(self, word: object) -> bool:
        """Returns whether the word is in the vocabulary; `has` tells whether it has a vector."""
        return isinstance(word, str) and self.index(word) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def get(self, word: str, default: Any = None) -> Any:
        """Returns the word's vector, or `default` for a word that has none."""
        return self[word] if isinstance(word, str) and self.has(word) else default

    def nearest(
        self,
        query: Asked,
        k: int = 10,
        *,
        method: str = "add",
        restrict_vocab: int = 0,
        min_similarity: float | None = None,
    ) -> list[Neighbour]:
        """Returns the k words nearest to a query, best first, without the query's own words. It is
        a word, an expression such as "king - man + woman", a list of words, which are added, or a
        vector [D]; an unknown word is an UnknownWordError.

        Args:
            method: "add" ranks by the cosine to the sum, "mul" by 3CosMul (ACL W14-1618), whose
                figure then stands for the similarity.
            restrict_vocab: only so many of the most frequent words answer, 0 = all.
            min_similarity: words that are less similar do not answer.
        """
        found = [queries.resolve(self, query)]
        options: Any = {"restrict_vocab": restrict_vocab, "min_similarity": min_similarity}
        return queries.nearest(self, found, k, method=method, **options)[0]

    answers, similarity = asks(asked=arguments.items)(queries.answers), queries.similarity
    analogy = queries.analogy
    odd_one_out = asks(words=arguments.texts)(queries.odd_one_out)
    encode = asks(texts=arguments.texts, pooling=one_of(encoding.POOLINGS))(encoding.encode)
    encode_stream = asks(texts=arguments.each_text, pooling=one_of(encoding.POOLINGS))(
        encoding.encode_stream
    )
    embed = asks(texts=arguments.each_text, path=arguments.path, pooling=one_of(encoding.POOLINGS))(
        encoded.embed
    )

    classes = asks(
        k=arguments.number(1, whole=True), seed=arguments.number(0, whole=True, high=2**32 - 1)
    )(classes.classes)

    @overload
    def evaluate(self, given: None = None, **options: Any) -> dict[str, Result]: ...

    @overload
    def evaluate(self, given: str | Path | Set, **options: Any) -> Result: ...

    @asks(  # type: ignore[misc]
        given=arguments.optional(_set),
        method=one_of(METHODS),
        restrict_vocab=arguments.number(0, whole=True),
        case=one_of(("fold", "exact")),
        intervals=arguments.kind(bool, "boolean"),
        oov=arguments.kind(bool, "boolean"),
    )
    def evaluate(
        self,
        given: str | Path | Set | None = None,
        *,
        method: str = "add",
        restrict_vocab: int = 30000,
        case: str = "fold",
        intervals: bool = False,
        oov: bool = True,
    ) -> Result | dict[str, Result]:
        """Asks the questions of a set, or correlates with its scores.

        Args:
            given: a file of analogies or of scored word pairs, "-" for standard input, or a set
                that was read before; without one, the small sets that come with w2v: a dict of
                results by name.
            method: how analogies are answered, "add" or "mul".
            restrict_vocab: analogies: only so many of the most frequent words take part, 0 = all.
            case: "fold" compares words in capitals, "exact" as they stand.
            intervals: similarities: compute the 95 % intervals as well (those of analogies are
                computed when they are asked for).
            oov: similarities: unknown words have the vectors that their n-grams make, if these were
                learnt. (A question of analogies is covered if all its words are known.)
        """
        options: Any = {"method": method, "restrict_vocab": restrict_vocab, "case": case}
        if given is None:
            sets = default_sets()
            options |= {"intervals": intervals, "oov": oov}
            return {each.name: self.evaluate(each, **options) for each in sets}
        chosen = load_set(given) if isinstance(given, (str, Path)) else given
        if isinstance(chosen, AnalogySet):
            return evaluate_analogies(self, chosen.sections, **options)
        more: Any = {"skipped": chosen.skipped, "intervals": intervals, "oov": oov}
        return evaluate_similarity(self, chosen.pairs, case=case, **more)

    @asks(path=arguments.path, format=arguments.optional(one_of(KINDS)), dtype=one_of(DTYPES))
    def save(self, path: str | Path, format: str | None = None, dtype: str = "float32") -> None:
        """Writes the vectors. Words that the format cannot hold are left out, and a warning says
        how many these are.

        Args:
            format: None: what the extension names, .txt .vec .bin .glove (each also with .gz .bz2
                .xz or .zst behind it) .npy .parquet .arrow .feather .safetensors; or one of "text",
                "binary", "glove", "npy", "parquet", "arrow", "safetensors", "fasttext" (its .bin,
                the only one that keeps n-grams), or of the folders
                "projector" (TensorBoard's) and "sentence-transformers" (with a model card, for the
                Hugging Face hub). Text, binary, glove and the last do not keep the counts.
            dtype: "float16" or "int8" for a smaller file of tables and tensors.
        """
        of = self.words, self.matrix, self.counts
        for warning in save_vectors(path, *of, format, dtype, self).warnings:
            warnings.warn(warning, stacklevel=2)

    def card(self) -> Card:
        """Returns what a folder for sentence-transformers says: the settings of the run that the
        vectors come from, and what they score on the sets that come with w2v."""
        from w2v.vectors.card import describe  # reads settings

        return describe(self, self.evaluate(intervals=True, oov=False))

    @asks(
        path=arguments.optional(arguments.path),
        words=arguments.number(1, whole=True),
        title=arguments.optional(arguments.text),
        seed=arguments.number(0, whole=True),
        method=arguments.text,
    )
    def map(
        self,
        path: str | Path | None = None,
        words: int = 20000,
        *,
        title: str | None = None,
        seed: int = 1,
        method: str = "auto",
    ) -> WordMap:
        """Draws a map of the most frequent `words`: a page at `path`, and a table of the places
        beside it (map.html, map.parquet); without `path` both are only returned.

        Args:
            title: the page's heading; None: where the vectors come from.
            seed: the same seed draws the same map.
            method: "tsne", "pca", or "auto": t-SNE if openTSNE is installed.
        """
        from w2v.explorer.map import check_map, draw_map  # what no other method needs

        method = check_map(path, words, seed, method)
        drawn = draw_map(self, words, title or Path(self.source).name, seed, method)
        if path is not None:
            drawn.save(path)
        return drawn

    def to_torch(self) -> torch.Tensor:
        """Returns a copy of the matrix [V, D], as nn.Embedding.from_pretrained takes it."""
        import torch  # takes a second

        return torch.from_numpy(np.array(self.matrix))

    def to_pandas(self) -> pandas.DataFrame:
        """Returns a copy of the matrix as a DataFrame with the words as its index."""
        with told_if_missing():
            import pandas  # not a requirement of w2v

        return pandas.DataFrame(np.array(self.matrix), index=self.words)

    def to_gensim(self) -> Any:
        """Returns gensim's KeyedVectors, FastTextKeyedVectors if there are n-grams, with a copy of
        the matrix, and the counts where known."""
        with told_if_missing():
            from gensim.models import KeyedVectors  # not a requirement of w2v
            from gensim.models.fasttext import FastTextKeyedVectors

        if self.ngrams is None:
            found = KeyedVectors(self.dim)
        else:
            found = FastTextKeyedVectors(self.dim, *self.ngrams.ngrams)
        found.add_vectors(self.words, np.array(self.matrix))
        if self.ngrams is not None:
            found.vectors_vocab = self.ngrams.own(self.words, self.matrix)
            found.vectors_ngrams = np.array(self.ngrams.rows)
            found.recalc_char_ngram_buckets()
        if self.counts is not None:
            found.expandos["count"] = self.counts.copy()
        return found
