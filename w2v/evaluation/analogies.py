"""Analogy questions "a is to b as c is to d": how often the vectors name d first.

On unit vectors, over the first `restrict_vocab` words without a, b and c:
    add: argmax_x  cos(x, b) - cos(x, a) + cos(x, c)          (Mikolov et al. 2013, arXiv:1301.3781)
    mul: argmax_x  s(x, b) s(x, c) / (s(x, a) + 1e-6),  s = (1 + cos) / 2  (ACL W14-1618)

The counting is that of word2vec's compute-accuracy.c: a question with a word outside the vocabulary
is not covered, exactly the three rows of a, b, c are excluded, and an answer is right when its
folded spelling is d's. (gensim instead skips every answer whose folded spelling is one of the
three, and looks at the best five only.) compute-accuracy.c calls the first five sections semantic;
here those are syntactic whose name starts with "gram", which is the same for questions-words.txt
and does not depend on the order. Questions that stand before any section header (Microsoft's set
has none) count in neither total.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from w2v.errors import InputError
from w2v.evaluation.bootstrap import Interval, accuracy_interval
from w2v.evaluation.matching import WordMatcher
from w2v.vectors.word_vectors import WordVectors

METHODS = ("add", "mul")
COSMUL_EPSILON = 1e-6
# Scores of one block of questions: 64 MB; wide enough that the matrix products run at full speed.
BLOCK_SCORES = 16 << 20


@dataclass(frozen=True)
class Section:
    """One section of a set.

    Attributes:
        name: the section's name; of questions before any header the set's name.
        questions: (a, b, c, d) each.
        headed: whether a header in the file names it.
    """

    name: str
    questions: tuple[tuple[str, str, str, str], ...]
    headed: bool = True

    @property
    def kind(self) -> str | None:
        """ "syntactic", "semantic", or None when the file does not say."""
        if not self.headed:
            return None
        return "syntactic" if self.name.lower().startswith("gram") else "semantic"


@dataclass(frozen=True)
class Tally:
    """Questions answered right, asked, and there."""

    correct: int = 0
    covered: int = 0
    total: int = 0

    @property
    def accuracy(self) -> float | None:
        """correct / covered, or None when nothing is covered."""
        return self.correct / self.covered if self.covered else None

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.correct + other.correct, self.covered + other.covered, self.total + other.total
        )


@dataclass(frozen=True)
class AnalogyResult:
    """What came out of one set: for each section its name, its kind and its tally, in the order of
    the file."""

    sections: tuple[tuple[str, str | None, Tally], ...]

    def tally(self, kind: str | None = None) -> Tally:
        """All sections together, or those of one kind ("semantic", "syntactic")."""
        return sum((tally for _, of, tally in self.sections if kind is None or of == kind), Tally())

    def interval(self, kind: str | None = None, name: str | None = None) -> Interval | None:
        """The 95 % interval of the accuracy of all sections, or of those of one kind or one name,
        see `bootstrap`."""
        tallies = [
            t for each, of, t in self.sections if kind in (None, of) and name in (None, each)
        ]
        return accuracy_interval([t.correct for t in tallies], [t.covered for t in tallies])

    def as_dict(self, intervals: bool = False) -> dict[str, object]:
        """Plain values for JSON; an accuracy is a fraction, or None when no question is covered.

        Args:
            intervals: with the 95 % interval [low, high] of every accuracy, under its name and
                `_ci`.
        """
        everything = self.tally()
        sections: dict[str, Tally] = {}
        for name, _, tally in self.sections:
            sections[name] = sections.get(name, Tally()) + tally
        values: dict[str, object] = {
            "accuracy": everything.accuracy,
            "semantic": self.tally("semantic").accuracy,
            "syntactic": self.tally("syntactic").accuracy,
            "correct": everything.correct,
            "covered": everything.covered,
            "total": everything.total,
        }
        if intervals:
            values |= {"accuracy_ci": self.interval(), "semantic_ci": self.interval("semantic")}
            values |= {"syntactic_ci": self.interval("syntactic")}
        parts: dict[str, dict[str, object]] = {
            name: {
                "accuracy": t.accuracy,
                "correct": t.correct,
                "covered": t.covered,
                "total": t.total,
            }
            for name, t in sections.items()
        }
        if intervals:
            for name, part in parts.items():
                part["accuracy_ci"] = self.interval(name=name)
        values["sections"] = parts
        return values


def evaluate_analogies(
    vectors: WordVectors,
    sections: Sequence[Section],
    *,
    method: str = "add",
    restrict_vocab: int = 30000,
    case: str = "fold",
) -> AnalogyResult:
    """Asks every question of `sections`.

    Args:
        method: "add" or "mul", see above.
        restrict_vocab: only so many of the most frequent words are looked up and may answer, 0 =
            all.
        case: "fold" compares words in capitals, "exact" as they stand.

    Raises:
        InputError: an argument is out of range, or a vector holds NaN or infinity.
    """
    if method not in METHODS:
        raise InputError(f"`method` {method} is unknown; use one of {', '.join(METHODS)}")
    matcher = WordMatcher(vectors, restrict_vocab, case)
    asked = [_covered(matcher, section) for section in sections]
    rows = np.concatenate([np.empty((0, 4), np.int64), *asked])
    right = _right(vectors, matcher, rows, method) if len(rows) else np.empty(0, bool)
    results = []
    start = 0
    for section, covered in zip(sections, asked, strict=True):
        stop = start + len(covered)
        tally = Tally(int(right[start:stop].sum()), len(covered), len(section.questions))
        results.append((section.name, section.kind, tally))
        start = stop
    return AnalogyResult(tuple(results))


def _covered(matcher: WordMatcher, section: Section) -> np.ndarray:
    """The questions whose four words are in the vocabulary, as rows [n, 4] int64."""
    looked_up = ([matcher.row(word) for word in question] for question in section.questions)
    return np.array([rows for rows in looked_up if None not in rows], np.int64).reshape(-1, 4)


def _right(vectors: WordVectors, matcher: WordMatcher, rows: np.ndarray, method: str) -> np.ndarray:
    """Whether each question, given as rows [Q, 4], is answered right, [Q] bool."""
    unit = vectors.unit(slice(0, matcher.n_rows))
    same = matcher.representatives()
    answers = np.empty(len(rows), np.int64)
    step = max(1, BLOCK_SCORES // (matcher.n_rows * (1 if method == "add" else 2)))
    score = _score_add
    if method == "mul":
        score = _score_mul
        unit = np.column_stack([unit, np.ones(len(unit), np.float32)])
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        scores = score(unit, *block[:, :3].T)
        np.put_along_axis(scores, block[:, :3], -np.inf, axis=1)
        answers[start : start + step] = scores.argmax(axis=1)
    right: np.ndarray = same[answers] == rows[:, 3]
    return right


def _score_add(unit: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    scores: np.ndarray = np.matmul(unit[b] - unit[a] + unit[c], unit.T)
    return scores


def _score_mul(unit: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """3CosMul without its constant factor 1/2: with t = 1 + cos it is t_b t_c / (t_a + 2e-6).

    `unit` has a last column of ones here, so that the products are 1 + cos without another pass
    over them.
    """
    scores: np.ndarray = np.matmul(unit[b], unit.T)
    other = np.matmul(unit[c], unit.T)
    scores *= other
    subtracted = unit[a]
    subtracted[:, -1] += 2 * COSMUL_EPSILON
    np.matmul(subtracted, unit.T, out=other)
    scores /= other
    return scores
