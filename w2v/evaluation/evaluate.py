"""One set of either kind, from a file or read before, against one set of vectors."""

from __future__ import annotations

from pathlib import Path

from w2v.evaluation.analogies import AnalogyResult, evaluate_analogies
from w2v.evaluation.matching import Vectors
from w2v.evaluation.sets import AnalogySet, SimilaritySet, load_set
from w2v.evaluation.similarity import SimilarityResult, evaluate_similarity

Result = AnalogyResult | SimilarityResult


def evaluate(
    vectors: Vectors,
    given: str | Path | AnalogySet | SimilaritySet,
    *,
    method: str = "add",
    restrict_vocab: int = 30000,
    case: str = "fold",
    intervals: bool = False,
) -> Result:
    """Returns what came out of the set `given`.

    Args:
        given: a file, "-" for standard input, or a set that was read before.
        method: how analogies are answered, "add" or "mul".
        restrict_vocab: analogies: only so many of the most frequent words take part, 0 = all.
        case: "fold" compares words in capitals, "exact" as they stand.
        intervals: similarities: compute the 95 % intervals as well (those of analogies are computed
            when they are asked for).

    Raises:
        InputError: the set cannot be read, an argument is out of range, or a vector holds NaN.
    """
    chosen = load_set(given) if isinstance(given, (str, Path)) else given
    if isinstance(chosen, AnalogySet):
        return evaluate_analogies(
            vectors, chosen.sections, method=method, restrict_vocab=restrict_vocab, case=case
        )
    return evaluate_similarity(
        vectors, chosen.pairs, case=case, skipped=chosen.skipped, intervals=intervals
    )
