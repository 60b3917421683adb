"""Evaluates analogy questions "a is to b as c is to d": how often is d the vectors' best answer?

On unit vectors, over the first `restrict_vocab` words without a, b and c:
    add: argmax_x  cos(x, b) - cos(x, a) + cos(x, c)          (Mikolov et al. 2013, arXiv:1301.3781)
    mul: argmax_x  s(x, b) s(x, c) / (s(x, a) + 1e-6),  s = (1 + cos) / 2  (ACL W14-1618)

The rules are those of word2vec's compute-accuracy.c: a question with an unknown word is not
covered, only the rows of a, b and c are excluded, and an answer is right if its folded spelling is
that of d. Of alternatives b/b'/…, the first known one is used; each of d/d'/… is a right answer.
Sections whose names start with "gram" are syntactic, the others semantic; questions before any
section header count in neither total.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from w2v.evaluation.bootstrap import Interval, accuracy_interval
from w2v.evaluation.matching import WordMatcher

if TYPE_CHECKING:
    from w2v.vectors.rows import WordRows

METHODS = ("add", "mul")
RIGHT, WRONG, UNCOVERED = 1, 0, -1
COSMUL_EPSILON = 1e-6
BLOCK_SCORES = 16 << 20  # scores per block of questions: 64 MB, large enough for fast products
Question = tuple[str, str, str, str]


class Section(NamedTuple):
    """One section of a set, with its questions (a, b, c, d). Questions before any header form a
    section with the set's name and `headed` False."""

    name: str
    questions: tuple[Question, ...]
    headed: bool = True

    @property
    def kind(self) -> str | None:
        """ "syntactic" or "semantic", or None if the section has no header."""
        kind = "syntactic" if self.name.lower().startswith("gram") else "semantic"
        return kind if self.headed else None


class Tally(NamedTuple):
    """Counts of questions."""

    correct: int = 0  # answered right
    covered: int = 0  # with all words known
    total: int = 0

    @property
    def accuracy(self) -> float | None:
        """correct / covered, or None if no question is covered."""
        return self.correct / self.covered if self.covered else None


@dataclass(frozen=True)
class AnalogyResult:
    """The result on one set: the name, kind and tally of each section, in the order of the file."""

    sections: tuple[tuple[str, str | None, Tally], ...]

    def tally(self) -> Tally:
        """Returns the sums over all sections."""
        return Tally(*map(sum, zip(*(tally for _, _, tally in self.sections), strict=True)))

    @property
    def accuracy(self) -> float | None:
        """The share of right answers among covered questions, or None if none is covered."""
        return self.tally().accuracy

    @property
    def covered(self) -> int:
        """The number of questions whose words all have vectors."""
        return self.tally().covered

    @property
    def total(self) -> int:
        """The number of all questions."""
        return self.tally().total

    def interval(self) -> Interval | None:
        """Returns the 95 % confidence interval of the accuracy, see `bootstrap`."""
        tallies = [tally for _, _, tally in self.sections]
        return accuracy_interval([t.correct for t in tallies], [t.covered for t in tallies])

    def parts(self) -> list[tuple[str, AnalogyResult]]:
        """Returns (name, result) of each section, then of "semantic", "syntactic" and "total"."""
        parts = [(section[0], AnalogyResult((section,))) for section in self.sections]
        for kind in ("semantic", "syntactic"):
            parts.append((kind, AnalogyResult(tuple(s for s in self.sections if s[1] == kind))))
        return [*parts, ("total", self)]

    def as_dict(self, intervals: bool = False) -> dict[str, object]:
        """Returns plain values for JSON. An accuracy is a fraction, or None if no question is
        covered. With `intervals`, key NAME_ci holds the 95 % interval [low, high] of NAME."""
        *parts, semantic, syntactic, _ = self.parts()
        values = self._figures(intervals)
        for kind, part in (semantic, syntactic):
            values[kind] = part.accuracy
            if intervals:
                values[f"{kind}_ci"] = part.interval()
        named: dict[str, AnalogyResult] = {}
        for name, part in parts:
            before = named[name].sections if name in named else ()
            named[name] = AnalogyResult(before + part.sections)
        figures = {name: part._figures(intervals) for name, part in named.items()}
        return {**values, "sections": figures}

    def _figures(self, intervals: bool) -> dict[str, object]:
        ends = {"accuracy_ci": self.interval()} if intervals else {}
        return {"accuracy": self.accuracy, **self.tally()._asdict(), **ends}


def evaluate_analogies(
    vectors: WordRows, sections: Sequence[Section], **options: Any
) -> AnalogyResult:
    """Evaluates all questions of `sections`; the options are those of `answer`."""
    questions = [question for section in sections for question in section.questions]
    marks = answer(vectors, questions, **options)
    results, stop = [], 0
    for section in sections:
        start, stop = stop, stop + len(section.questions)
        part = marks[start:stop]
        tally = Tally(int((part == RIGHT).sum()), int((part != UNCOVERED).sum()), len(part))
        results.append((section.name, section.kind, tally))
    return AnalogyResult(tuple(results))


def answer(
    vectors: WordRows,
    questions: Sequence[Question],
    *,
    method: str = "add",
    restrict_vocab: int = 30000,
    case: str = "fold",
) -> np.ndarray:
    """Returns for each question RIGHT, WRONG, or UNCOVERED if a word is unknown, [Q] int8. The
    options are those of `WordVectors.evaluate`."""
    matcher = WordMatcher(vectors, restrict_vocab, case)
    looked_up = []
    for a, b, c, d in questions:
        first, second, third = matcher.row(a), next(iter(matcher.rows(b)), None), matcher.row(c)
        looked_up.append(((first, second, third), matcher.rows(d)))
    covered = np.array([None not in rows and d != [] for rows, d in looked_up], bool)
    marks = np.where(covered, WRONG, UNCOVERED).astype(np.int8)
    if covered.any():
        known = [q for q, is_covered in zip(looked_up, covered, strict=True) if is_covered]
        rows = np.array([rows for rows, _ in known], np.int64)
        named = _answers(vectors, matcher, rows, method).tolist()
        right = [row in d for row, (_, d) in zip(named, known, strict=True)]
        marks[covered] = np.where(right, RIGHT, WRONG)
    return marks


def _answers(vectors: WordRows, matcher: WordMatcher, rows: np.ndarray, method: str) -> np.ndarray:
    """Answers questions given as rows [Q, 3] of a, b and c. Returns the row of each answer, [Q]
    int64: of equal spellings, their representative; -1 if there are no words except a, b and c."""
    unit = vectors.unit(slice(0, matcher.n_rows))
    same = matcher.representatives()
    answers = np.empty(len(rows), np.int64)
    step, score = BLOCK_SCORES // matcher.n_rows, _score_add
    if method == "mul":
        step, score = step // 2, _score_mul
        unit = np.column_stack([unit, np.ones(len(unit), np.float32)])
    step = max(1, step)
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        scores = score(unit, *block.T)
        np.put_along_axis(scores, block, -np.inf, axis=1)
        answers[start : start + step] = scores.argmax(axis=1)
    if matcher.n_rows <= rows.shape[1]:
        alone = [len({*block}) == matcher.n_rows for block in rows.tolist()]
        return np.where(alone, -1, same[answers])
    right: np.ndarray = same[answers]
    return right


def _score_add(unit: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    scores: np.ndarray = np.matmul(unit[b] - unit[a] + unit[c], unit.T)
    return scores


def _score_mul(unit: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Returns 3CosMul without its constant factor 1/2: t_b t_c / (t_a + 2e-6) with t = 1 + cos. A
    last column of ones in `unit` makes the products 1 + cos without another pass over them."""
    scores, factor = np.matmul(unit[b], unit.T), np.matmul(unit[c], unit.T)
    scores *= factor
    subtracted = unit[a]
    subtracted[:, -1] += 2 * COSMUL_EPSILON
    np.matmul(subtracted, unit.T, out=factor)
    scores /= factor
    return scores  # type: ignore[no-any-return]
