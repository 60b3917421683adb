"""Queries and evaluations against figures that gensim 4.4 gave for the same vectors.

`dummy4unknown` of gensim (an unknown word counts as a wrong answer) is not an option here, but the
counts say the same.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from w2v.errors import InputError
from w2v.evaluation.analogies import Section, evaluate_analogies
from w2v.evaluation.sets import AnalogySet, SimilaritySet, load_set, parse_set
from w2v.evaluation.similarity import evaluate_similarity
from w2v.vectors import WordVectors, load_vectors
from w2v.vectors.queries import added, nearest

GOLDEN = Path(__file__).parents[1] / "golden" / "gensim_eval"


def stored(file: str, key: str):
    with np.load(GOLDEN / file) as z:
        return json.loads(str(z[key]))


def run_name(run: dict) -> str:
    return f"{run['restrict_vocab']}-{run['case_insensitive']}-{run['dummy4unknown']}"


VECTORS = load_vectors(GOLDEN / "vectors.txt")
QUERIES = list(
    zip(
        stored("most_similar.npz", "queries_json"),
        stored("most_similar.npz", "most_similar_json"),
        stored("most_similar.npz", "cosmul_json"),
        strict=True,
    )
)


@pytest.mark.parametrize(("query", "expected", "_"), QUERIES)
def test_most_similar(query, expected, _):
    vectors = VECTORS
    if query["restrict_vocab"]:
        # gensim looks the query's words up in the whole vocabulary, but answers from its beginning.
        n = query["restrict_vocab"]
        rows = [VECTORS.index(word) for word in query["positive"] + query["negative"]]
        keep = sorted({*range(n), *rows})
        vectors = WordVectors([VECTORS.words[i] for i in keep], VECTORS.matrix[keep])
    terms = [(1, word) for word in query["positive"]] + [(-1, word) for word in query["negative"]]
    (found,) = nearest(vectors, [added(vectors, terms)], k=query["topn"])
    assert [neighbour.word for neighbour in found] == [word for word, _ in expected]
    assert [neighbour.similarity for neighbour in found] == pytest.approx(
        [score for _, score in expected], abs=2e-6
    )


ANALOGY_QUERIES = [q for q in QUERIES if len(q[0]["positive"]) == 2 and len(q[0]["negative"]) == 1]


@pytest.mark.parametrize(("query", "_", "expected"), ANALOGY_QUERIES)
def test_cosmul_answers(query, _, expected):
    b, c = query["positive"]
    (a,) = query["negative"]
    for word in VECTORS.words:
        result = evaluate_analogies(
            VECTORS,
            [Section("s", ((a, b, c, word),))],
            method="mul",
            restrict_vocab=0,
            case="exact",
        )
        assert result.tally().correct == (word == expected[0][0])


def test_pair_similarity():
    with np.load(GOLDEN / "similarity.npz") as z:
        pairs, expected = json.loads(str(z["pairs_json"])), z["similarity"]
    for (a, b), value in zip(pairs, expected, strict=True):
        x, y = VECTORS.unit([VECTORS.index(a), VECTORS.index(b)])
        assert float(x @ y) == pytest.approx(float(value), abs=1e-6)


def test_a_malformed_question_is_an_error_here():
    """gensim leaves it out with no more than a line in its log."""
    with pytest.raises(InputError, match=r"analogies\.txt: line 46 has 3 words"):
        load_set(GOLDEN / "analogies.txt")


def well_formed_questions() -> tuple[Section, ...]:
    lines = (GOLDEN / "analogies.txt").read_bytes().split(b"\n")
    del lines[45]
    questions = parse_set(b"\n".join(lines), "analogies", "analogies.txt")
    assert isinstance(questions, AnalogySet)
    return questions.sections


def answers_an_input(question: tuple[str, ...], n_rows: int) -> bool:
    """Whether the best answer is one of the question's own words in other capitals (float64
    reference)."""
    matrix = VECTORS.matrix[:n_rows].astype(np.float64)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    folded = [word.upper() for word in VECTORS.words[:n_rows]]
    a, b, c = (folded.index(word.upper()) for word in question[:3])
    scores = matrix @ (matrix[b] - matrix[a] + matrix[c])
    scores[[a, b, c]] = -np.inf
    return folded[int(scores.argmax())] in (folded[a], folded[b], folded[c])


@pytest.mark.parametrize("run", stored("analogies.npz", "results_json"), ids=run_name)
def test_analogies(run):
    """Question by question; gensim, not compute-accuracy.c, passes over answers that are an input
    in other capitals."""
    fold = run["case_insensitive"]
    options = {"restrict_vocab": run["restrict_vocab"], "case": "fold" if fold else "exact"}
    sections = well_formed_questions()
    passed_over = 0
    for section, expected in zip(sections, run["sections"], strict=False):
        assert section.name == expected["section"]
        whole = evaluate_analogies(VECTORS, [section], **options).tally()
        asked = whole.total if run["dummy4unknown"] else whole.covered
        assert asked == expected["correct"] + expected["incorrect"]
        solved = 0
        for question in section.questions:
            line = " ".join(question)
            correct = (
                evaluate_analogies(VECTORS, [Section("s", (question,))], **options).tally().correct
            )
            solved += correct
            if correct != ((line.upper() if fold else line) in expected["correct_list"]):
                assert fold and not correct and answers_an_input(question, run["restrict_vocab"])
                passed_over += 1
        assert solved == whole.correct
    total = evaluate_analogies(VECTORS, sections, **options).tally()
    asked = total.total if run["dummy4unknown"] else total.covered
    assert (total.correct + passed_over) / asked == pytest.approx(run["score"])


@pytest.mark.parametrize(
    "run",
    [r for r in stored("word_pairs.npz", "results_json") if not r["dummy4unknown"]],
    ids=run_name,
)
def test_word_pairs(run):
    pairs = load_set(GOLDEN / "pairs.tsv")
    assert isinstance(pairs, SimilaritySet)
    # the column names and a line of four columns; the comment does not count
    assert pairs.skipped == 2
    result = evaluate_similarity(
        VECTORS,
        pairs.pairs,
        restrict_vocab=run["restrict_vocab"],
        case="fold" if run["case_insensitive"] else "exact",
        skipped=pairs.skipped,
    )
    assert result.spearman == pytest.approx(run["spearman"], abs=1e-6)
    assert result.pearson == pytest.approx(run["pearson"], abs=1e-6)
    assert 100 * (1 - result.covered / result.total) == pytest.approx(run["oov_ratio_percent"])
