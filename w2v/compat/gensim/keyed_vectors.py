"""gensim's KeyedVectors: words (keys) with vectors, similarities and evaluation."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from w2v.compat.gensim.storage import Storage, is_key
from w2v.evaluation.analogies import COSMUL_EPSILON, RIGHT, UNCOVERED, answer
from w2v.evaluation.matching import WordMatcher
from w2v.evaluation.sets import AnalogySet, SimilaritySet, load_set
from w2v.evaluation.similarity import evaluate_similarity
from w2v.vectors import WordVectors
from w2v.vectors.rows import top

logger = logging.getLogger(__name__)


class KeyedVectors(Storage):
    """gensim's class of the same name; a key may be a word or its index."""

    def get_mean_vector(
        self,
        keys: Sequence[Any],
        weights: Any = None,
        pre_normalize: bool = True,
        post_normalize: bool = False,
        ignore_missing: bool = True,
    ) -> np.ndarray:
        if len(keys) == 0:
            raise ValueError("cannot compute the mean of no keys")
        weights = np.ones(len(keys)) if weights is None else np.asarray(weights)
        if len(weights) != len(keys):
            raise ValueError(f"{len(keys)} keys do not fit {len(weights)} weights")
        mean, total = np.zeros(self.vector_size, self.vectors.dtype), 0.0
        for key, weight in zip(keys, weights.astype(self.vectors.dtype), strict=True):
            if isinstance(key, np.ndarray):
                mean += weight * key
            elif key in self or not ignore_missing:
                mean += weight * self.get_vector(key, norm=pre_normalize)
            else:
                continue
            total += abs(float(weight))
        mean = mean / total if total > 0 else mean
        return _unit(mean) if post_normalize else mean

    def most_similar(
        self,
        positive: Any = None,
        negative: Any = None,
        topn: int | None = 10,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
        indexer: None = None,
    ) -> Any:
        if indexer is not None:
            raise TypeError("indexer is not supported: the neighbours are searched exactly")
        if topn is not None and topn < 1:
            return []
        signed = [(key, 1) for key in _listed(positive)] + [(key, -1) for key in _listed(negative)]
        pairs = [key[:2] if isinstance(key, (tuple, list)) else (key, sign) for key, sign in signed]
        keys, weights = [key for key, _ in pairs], [weight for _, weight in pairs]
        mean = self.get_mean_vector(keys, weights, post_normalize=True, ignore_missing=False)
        self.fill_norms()
        rows = slice(0, restrict_vocab) if restrict_vocab else slice(clip_start, clip_end or None)
        scores = self._cosines(rows, mean)
        return self._best(scores, keys, topn, rows.indices(len(self))[0])

    def most_similar_cosmul(
        self,
        positive: Any = None,
        negative: Any = None,
        topn: Any = 10,
        restrict_vocab: int | None = None,
    ) -> Any:
        """Unlike gensim, scales vectors of the query to length 1, and obeys `restrict_vocab`."""
        if topn is not None and topn < 1:
            return []
        above, below = _listed(positive), _listed(negative)
        if not above:
            raise ValueError("cannot compute the similarity to no words")
        self.fill_norms()
        rows = slice(0, restrict_vocab or None)

        def product(keys: list[Any]) -> Any:
            unit = [self.get_vector(k, norm=True) if is_key(k) else _scaled(k) for k in keys]
            return np.prod([(1 + self._cosines(rows, x)) / 2 for x in unit], axis=0)

        return self._best(product(above) / (product(below) + COSMUL_EPSILON), above + below, topn)

    def _cosines(self, rows: slice, unit: np.ndarray) -> Any:
        """Returns the cosines of rows to a unit vector; NaN for rows of zeros."""
        with np.errstate(invalid="ignore"):
            return self.vectors[rows] @ unit / self.norms[rows]

    def _best(self, scores: np.ndarray, keys: list[Any], topn: int | None, start: int = 0) -> Any:
        """Returns the `topn` keys with the highest scores, of rows from `start` on, without `keys`;
        NaN, the score of a row of zeros, comes last."""
        if topn is None:
            return scores
        rows = {self.get_index(key) for key in keys if is_key(key) and self._unseen(key) is None}
        best = top(np.where(np.isnan(scores), -np.inf, scores), int(topn) + len(rows))
        named = [(self.index_to_key[start + i], float(scores[i]), start + i) for i in best]
        return [(key, score) for key, score, row in named if row not in rows][:topn]

    def similar_by_key(self, key: Any, topn: Any = 10, restrict_vocab: Any = None) -> Any:
        return self.most_similar([key], topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_word(self, word: Any, topn: Any = 10, restrict_vocab: Any = None) -> Any:
        return self.similar_by_key(word, topn, restrict_vocab)

    def similar_by_vector(self, vector: Any, topn: Any = 10, restrict_vocab: Any = None) -> Any:
        return self.similar_by_key(vector, topn, restrict_vocab)

    def similarity(self, w1: Any, w2: Any) -> float:
        return _cosine(self[w1], self[w2])

    def distance(self, w1: Any, w2: Any) -> float:
        return 1 - self.similarity(w1, w2)

    def n_similarity(self, ws1: Sequence[Any], ws2: Sequence[Any]) -> float:
        if not (len(ws1) and len(ws2)):
            raise ZeroDivisionError("one of the two lists of words is empty")
        return _cosine(*(self.get_mean_vector(words, pre_normalize=False) for words in (ws1, ws2)))

    @staticmethod
    def cosine_similarities(vector_1: np.ndarray, vectors_all: np.ndarray) -> np.ndarray:
        lengths = np.linalg.norm(vectors_all, axis=1) * np.linalg.norm(vector_1)
        return np.asarray(vectors_all @ vector_1 / lengths)

    def distances(self, word_or_vector: Any, other_words: Sequence[Any] = ()) -> np.ndarray:
        vector = self[word_or_vector] if is_key(word_or_vector) else word_or_vector
        others = self[other_words] if len(other_words) else self.vectors
        return 1 - self.cosine_similarities(vector, others)

    def closer_than(self, key1: Any, key2: Any) -> list[str]:
        distances, origin = self.distances(key1), self.get_index(key1)
        closer = np.flatnonzero(distances < distances[self.get_index(key2)])
        return [self.index_to_key[row] for row in closer if row != origin]

    def rank(self, key1: Any, key2: Any) -> int:
        return len(self.closer_than(key1, key2)) + 1

    def words_closer_than(self, word1: Any, word2: Any) -> list[str]:
        return self.closer_than(word1, word2)

    def rank_by_centrality(self, words: Sequence[Any], use_norm: bool = True) -> list[Any]:
        known = [word for word in words if word in self]
        if len(known) < len(words):
            logger.warning("%s are not among the vectors", set(words) - set(known))
        if not known:
            raise ValueError("cannot select a word from an empty list")
        rows = np.vstack([self.get_vector(word, norm=use_norm) for word in known])
        return sorted(zip((rows @ _unit(rows.mean(axis=0))).tolist(), known, strict=True))[::-1]

    def doesnt_match(self, words: Sequence[Any]) -> Any:
        return self.rank_by_centrality(words)[-1][1]

    def most_similar_to_given(self, key1: Any, keys_list: Sequence[Any]) -> Any:
        return max(keys_list, key=lambda key: self.similarity(key1, key))

    def relative_cosine_similarity(self, wa: Any, wb: Any, topn: int = 10) -> float:
        near = self.most_similar([wa], topn=topn)
        if not near:
            raise ValueError(f"there are no words similar to {wa!r}, so none is relative to them")
        return self.similarity(wa, wb) / float(sum(x for _, x in near))

    def vectors_for_all(
        self, keys: Iterable[Any], allow_inference: bool = True, copy_vecattrs: bool = False
    ) -> KeyedVectors:
        has = self.__contains__ if allow_inference else self.has_index_for
        known = [key for key in dict.fromkeys(keys) if has(key)]
        selected = KeyedVectors(self.vector_size, dtype=self.vectors.dtype)
        selected.add_vectors(known, self[known] if known else np.zeros((0, self.vector_size)))
        for name, values in self.expandos.items() if copy_vecattrs else ():
            selected.expandos[name] = copied = np.zeros(len(known), values.dtype)
            for row, key in enumerate(known):
                if self.has_index_for(key):
                    copied[row] = values[self.get_index(key)]
        return selected

    def evaluate_word_analogies(
        self,
        analogies: Any,
        restrict_vocab: int = 300000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
        similarity_function: str = "most_similar",
    ) -> tuple[float, list[dict[str, Any]]]:
        """Counts as compute-accuracy.c does; gensim instead skips answers that differ from a word
        of the question only in case."""
        loaded = load_set(analogies)
        if not isinstance(loaded, AnalogySet):
            raise ValueError(f"{analogies} holds pairs of words with scores, not analogies")
        options: Any = {"restrict_vocab": restrict_vocab, "case": _case(case_insensitive)}
        options["method"] = "mul" if similarity_function.endswith("cosmul") else "add"
        names = [*(section.name for section in loaded.sections), "Total accuracy"]
        results: list[Any] = [{"section": name, "correct": [], "incorrect": []} for name in names]
        lists = zip(results, loaded.sections, strict=False)
        pairs = [(result, question) for result, part in lists for question in part.questions]
        vectors = WordVectors(self.index_to_key, self.vectors)
        marks = answer(vectors, [question for _, question in pairs], **options)
        for (result, question), mark in zip(pairs, marks, strict=True):
            if mark != UNCOVERED or dummy4unknown:
                words = tuple(map(str.upper, question)) if case_insensitive else question
                for entry in (result, results[-1]):
                    entry["correct" if mark == RIGHT else "incorrect"].append(words)
        right, wrong = len(results[-1]["correct"]), len(results[-1]["incorrect"])
        return right / max(1, right + wrong), results

    def evaluate_word_pairs(
        self,
        pairs: Any,
        delimiter: str = "\t",
        encoding: str = "utf8",
        restrict_vocab: int = 300000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
    ) -> tuple[tuple[float, float], tuple[float, float], float]:
        """The delimiter is detected; the file must be UTF-8."""
        loaded = load_set(pairs)
        if not isinstance(loaded, SimilaritySet):
            raise ValueError(f"{pairs} holds analogies, not pairs of words with scores")
        case, vectors = _case(case_insensitive), WordVectors(self.index_to_key, self.vectors)
        rated = evaluate_similarity(vectors, loaded.pairs, restrict_vocab=restrict_vocab, case=case)
        unknown = 100 * (1 - rated.covered / rated.total)
        if dummy4unknown and unknown:  # as if the words that are left out had vectors of zeros
            keys, match = (
                self.index_to_key[:restrict_vocab],
                WordMatcher(vectors, restrict_vocab, case),
            )
            words = (word for pair in loaded.pairs for word in pair[:2])
            zeros = [word for word in dict.fromkeys(words) if match.row(word) is None]
            rows = [self.vectors[: len(keys)], np.zeros((len(zeros), self.vector_size))]
            vectors = WordVectors(keys + zeros, np.vstack(rows).astype(np.float32))
            rated = evaluate_similarity(vectors, loaded.pairs, case=case)
        if rated.covered < 2:
            raise ValueError(f"{pairs} has fewer than two pairs whose words are among the vectors")
        both = (np.nan if r is None else r for r in (rated.pearson, rated.spearman))
        pearson, spearman = ((r, p_value(r, rated.covered)) for r in both)
        return pearson, spearman, unknown


def load_facebook_vectors(path: Any, encoding: str = "utf-8") -> KeyedVectors:
    """gensim's loader for fastText's .bin (gensim.models.fasttext); words must be UTF-8."""
    return KeyedVectors.load_word2vec_format(path)


def _listed(keys: Any) -> list[Any]:
    if keys is None:
        return []
    single = is_key(keys) or (isinstance(keys, np.ndarray) and keys.ndim == 1)
    return [keys] if single else list(keys)


def _case(case_insensitive: bool) -> str:
    return "fold" if case_insensitive else "exact"


def _unit(vector: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vector)
    return np.asarray(vector / length, np.float32) if length > 0 else vector


def _scaled(vector: np.ndarray) -> np.ndarray:
    """Returns the vector at length 1, unchanged if that is its length but for rounding."""
    return vector if abs(np.linalg.norm(vector) - 1) < 1e-6 else _unit(vector)


def _cosine(x: np.ndarray, y: np.ndarray) -> float:
    """Returns the cosine, 0 if a vector is zeros."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    return float(x @ y / (np.sqrt((x @ x) * (y @ y)) or 1.0))


def p_value(r: float, n: int) -> float:
    """Returns the two-sided p of a correlation r of n pairs. If the true correlation is 0, the
    density of arcsin r is proportional to cos^(n-3)."""
    power, areas = max(0, n - 3), []
    for start in (np.arcsin(abs(r)), 0.0):
        fall = power * np.tan(start) + np.sqrt(power)  # within 40 / fall, heights fall to nothing
        t = np.linspace(start, min(np.pi / 2, start + 40 / max(1, fall)), 20001)
        heights = np.cos(t) ** power
        areas.append(float((heights[1:] + heights[:-1]).sum() * (t[1] - t[0])))  # by trapezoids
    return areas[0] / areas[1] if n > 2 or np.isnan(r) else 1.0
