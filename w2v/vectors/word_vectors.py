"""The class WordVectors: looks up, compares, queries, evaluates, saves and converts word vectors,
and encodes texts with them.

vectors = w2v.load("wiki-skip-gram-neg")
vectors["paris"], vectors[["paris", "rome"]], "paris" in vectors
vectors.nearest("king - man + woman", k=5)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from w2v.evaluation.analogies import METHODS, AnalogyResult, evaluate_analogies
from w2v.evaluation.sets import AnalogySet, Set, SimilaritySet, default_sets, load_set
from w2v.evaluation.similarity import SimilarityResult, evaluate_similarity
from w2v.system import arguments
from w2v.system.arguments import asks, one_of
from w2v.system.packages import reporting_missing
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


def _set(name: str, value: Any) -> Any:
    is_set = isinstance(value, (AnalogySet, SimilaritySet))
    return value if is_set else arguments.path(name, value)


class WordVectors(WordRows, Mapping[str, np.ndarray]):
    """A mapping from words, most frequent first, to vectors; see `WordRows` for attributes."""

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
        """Returns the vector [D] of a word, or the vectors [n, D] of a list of words. An unknown
        word has the mean of the vectors of its n-grams, if these were trained; otherwise, raises
        UnknownWordError, which is an InputError and a KeyError."""
        if isinstance(word, str) and (row := self.index(word)) is not None:
            return self.matrix[row]  # type: ignore[no-any-return]
        expected = "word, nor a list of words"
        words = [word] if isinstance(word, str) else arguments.items("word", word, expected)
        queries.check_words(self, words)
        vectors = self.of(words)
        return vectors[0] if isinstance(word, str) else vectors

    def __contains__(self, word: object) -> bool:
        """Returns whether the word is in the vocabulary. `has` is also true for unknown words whose
        n-grams give them a vector."""
        return isinstance(word, str) and self.index(word) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def get(self, word: str, default: Any = None) -> Any:
        """Returns the vector of a word, or `default` if it has none."""
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
        """Returns the k words nearest to a query, best first, without the query's own words. Raises
        UnknownWordError for an unknown word.

        Args:
            query: a word, an expression such as "king - man + woman", a list of words, which are
                added, or a vector [D].
            method: "add" ranks by the cosine to the sum, "mul" by 3CosMul (ACL W14-1618), whose
                score then takes the place of the similarity.
            restrict_vocab: consider only this many of the most frequent words; 0 = all.
            min_similarity: leave out words that are less similar.
        """
        resolved = [queries.resolve(self, query)]
        options: Any = {"restrict_vocab": restrict_vocab, "min_similarity": min_similarity}
        return queries.nearest(self, resolved, k, method=method, **options)[0]

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
        """Evaluates the vectors on a set of analogies, or of word pairs with similarity scores.

        Args:
            given: a file with such a set, "-" for standard input, or a set that has been loaded;
                None: the small sets included in w2v, whose results are returned as a dict by name.
            method: how analogies are answered, "add" or "mul" (see `nearest`).
            restrict_vocab: analogies: use only this many of the most frequent words; 0 = all.
            case: "fold" ignores the case of words, "exact" does not.
            intervals: similarities: compute the 95 % confidence intervals as well. (Those of
                analogies are computed on request.)
            oov: similarities: use the n-gram vectors of unknown words, if there are any. (An
                analogy question is covered only if all its words are known.)
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
        """Writes the vectors; an existing file is replaced. Words that the format cannot represent
        are left out, with a warning.

        Args:
            format: "text", "binary", "glove", "npy", "parquet", "arrow", "safetensors", "fasttext"
                (its .bin, the only format that keeps n-grams), or the folders "projector"
                (TensorBoard's) and "sentence-transformers" (with a model card, for the Hugging Face
                hub). "text", "binary", "glove" and "sentence-transformers" do not keep the counts.
                None: by extension: .txt .vec .bin .glove (each also followed by .gz .bz2 .xz or
                .zst) .npy .parquet .arrow .feather .safetensors.
            dtype: "float16" or, for tables and safetensors, "int8" for a smaller file.
        """
        content = self.words, self.matrix, self.counts
        for warning in save_vectors(path, *content, format, dtype, self).warnings:
            arguments.warn(warning)

    def card(self) -> Card:
        """Returns the model card for a sentence-transformers folder: the settings of the run that
        the vectors come from, and their scores on the test sets included in w2v."""
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
        """Draws a map of the `words` most frequent words. Writes an HTML page to `path`, with a
        table of the coordinates beside it (map.html, map.parquet), unless `path` is None.

        Args:
            title: the page's heading; None: the name of the file or run that was loaded.
            seed: the same seed draws the same map.
            method: "tsne", "pca", or "auto" (t-SNE if openTSNE is installed, else PCA).
        """
        from w2v.explorer.map import check_map, draw_map  # only needed here

        method = check_map(path, words, seed, method)
        drawn = draw_map(self, words, title or Path(self.source).name, seed, method)
        if path is not None:
            drawn.save(path)
        return drawn

    def to_torch(self) -> torch.Tensor:
        """Returns a copy of the matrix [V, D], for nn.Embedding.from_pretrained."""
        import torch  # takes a second

        return torch.from_numpy(np.array(self.matrix))

    def to_pandas(self) -> pandas.DataFrame:
        """Returns a copy of the matrix as a DataFrame with the words as its index."""
        with reporting_missing():
            import pandas  # not a requirement of w2v

        return pandas.DataFrame(np.array(self.matrix), index=self.words)

    def to_gensim(self) -> Any:
        """Returns gensim's KeyedVectors, or FastTextKeyedVectors if there are n-grams, with copies
        of the matrix and, if known, the counts."""
        with reporting_missing():
            from gensim.models import KeyedVectors  # not a requirement of w2v
            from gensim.models.fasttext import FastTextKeyedVectors

        if self.ngrams is None:
            keyed = KeyedVectors(self.dim)
        else:
            keyed = FastTextKeyedVectors(self.dim, *self.ngrams.ngrams)
        keyed.add_vectors(self.words, np.array(self.matrix))
        if self.ngrams is not None:
            keyed.vectors_vocab = self.ngrams.own(self.words, self.matrix)
            keyed.vectors_ngrams = np.array(self.ngrams.rows)
            keyed.recalc_char_ngram_buckets()
        if self.counts is not None:
            keyed.expandos["count"] = self.counts.copy()
        return keyed
