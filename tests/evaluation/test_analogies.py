"""Counting as compute-accuracy.c does, on vectors small enough to work out, and against a plain
loop."""

import numpy as np
import pytest

from w2v.errors import InputError
from w2v.evaluation.analogies import Section, Tally, evaluate_analogies
from w2v.evaluation.sets import AnalogySet
from w2v.vectors import WordVectors


def section(name: str, *lines: str, headed: bool = True) -> Section:
    return Section(name, tuple(tuple(line.split()) for line in lines), headed)


@pytest.fixture
def plane():
    """Countries on one axis, capitals beside them: a is to b as c is to d holds by construction."""
    words = ["france", "paris", "germany", "berlin", "italy", "rome", "other"]
    rows = [[1, 0, 0], [1, 1, 0], [-1, 0, 0.5], [-1, 1, 0.5], [0, 0, -1], [0, 1, -1], [0, -1, 0]]
    return WordVectors(words, np.array(rows, np.float32))


def test_sections_totals_and_coverage(plane):
    sections = [
        section(
            "capitals",
            "france paris germany berlin",
            "france paris italy rome",
            "france paris spain madrid",
        ),
        section("gram1-odd", "france paris germany other"),
        section("gram2-empty"),
        section("loose", "germany berlin italy rome", headed=False),
    ]
    assert evaluate_analogies(plane, sections).as_dict() == {
        "accuracy": 0.75,
        "semantic": 1.0,
        "syntactic": 0.0,
        "correct": 3,
        "covered": 4,
        "total": 5,
        "sections": {
            "capitals": {"accuracy": 1.0, "correct": 2, "covered": 2, "total": 3},
            "gram1-odd": {"accuracy": 0.0, "correct": 0, "covered": 1, "total": 1},
            "gram2-empty": {"accuracy": None, "correct": 0, "covered": 0, "total": 0},
            "loose": {"accuracy": 1.0, "correct": 1, "covered": 1, "total": 1},
        },
    }


def test_sections_of_one_name_are_counted_together(plane):
    sections = [
        section("s", "france paris germany berlin"),
        section("s", "france paris germany other"),
    ]
    assert evaluate_analogies(plane, sections).as_dict()["sections"] == {
        "s": {"accuracy": 0.5, "correct": 1, "covered": 2, "total": 2}
    }


@pytest.mark.parametrize("sections", [[], [section("s")], [section("s", "no such words here")]])
@pytest.mark.parametrize("method", ["add", "mul"])
def test_nothing_covered_is_no_accuracy(plane, sections, method):
    result = evaluate_analogies(plane, sections, method=method).as_dict()
    assert result["accuracy"] is result["semantic"] is result["syntactic"] is None
    assert result["covered"] == 0


def test_restrict_vocab_limits_questions_and_answers(plane):
    question = section("s", "france paris germany berlin")
    assert evaluate_analogies(plane, [question], restrict_vocab=3).tally() == Tally(0, 0, 1)
    assert evaluate_analogies(plane, [question], restrict_vocab=4).tally() == Tally(1, 1, 1)
    assert evaluate_analogies(plane, [question], restrict_vocab=0).tally() == Tally(1, 1, 1)
    assert evaluate_analogies(plane, [question], restrict_vocab=10**12).tally() == Tally(1, 1, 1)


def test_case():
    # "Berlin" is the answer; the set spells it in small letters, as it spells everything.
    words = ["France", "PARIS", "germany", "Berlin", "berlin", "france"]
    rows = [[1, 0, 0], [1, 1, 0], [-1, 0, 0.5], [-1, 1, 0.5], [0, 0, 1], [0, 0, -1]]
    vectors = WordVectors(words, np.array(rows, np.float32))
    question = section("s", "france paris germany berlin")
    assert evaluate_analogies(vectors, [question], case="fold").tally() == Tally(1, 1, 1)
    assert evaluate_analogies(vectors, [question], case="exact").tally() == Tally(0, 0, 1)
    right = section("s", "France PARIS germany Berlin")
    assert evaluate_analogies(vectors, [right], case="exact").tally() == Tally(1, 1, 1)


def test_the_most_frequent_spelling_stands_for_a_word():
    # The first "paris" has the right vector, the second one would lead elsewhere.
    words = ["france", "Paris", "germany", "berlin", "PARIS", "else"]
    rows = [[1, 0, 0], [1, 1, 0], [-1, 0, 0.5], [-1, 1, 0.5], [0, -5, 0], [0, -1, 0]]
    vectors = WordVectors(words, np.array(rows, np.float32))
    assert (
        evaluate_analogies(vectors, [section("s", "france PARIS germany berlin")]).tally().correct
        == 1
    )


def test_an_answer_in_other_capitals_is_right_and_an_input_in_other_capitals_is_an_answer():
    words = ["a", "b", "c", "d", "D", "B"]
    # b - a + c is nearest to "D", which folds to the same as "d".
    rows = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [-1, 1, 1, 0], [0, 0, 0, 1]]
    vectors = WordVectors(words, np.array(rows, np.float32))
    assert evaluate_analogies(vectors, [section("s", "a b c d")]).tally() == Tally(1, 1, 1)
    rows[4], rows[5] = rows[5], rows[4]
    vectors = WordVectors(words, np.array(rows, np.float32))
    # Now it is nearest to "B": compute-accuracy.c excludes the row of "b" only.
    assert evaluate_analogies(vectors, [section("s", "a b c d")]).tally() == Tally(0, 1, 1)


def test_words_given_twice_are_one_input(plane):
    assert evaluate_analogies(
        plane, [section("s", "france france germany germany")]
    ).tally() == Tally(0, 1, 1)


@pytest.mark.parametrize("method", ["add", "mul"])
@pytest.mark.parametrize("n_rows", [0, 150])
def test_against_a_plain_loop(method, n_rows, monkeypatch):
    rng = np.random.default_rng(5)
    matrix = rng.standard_normal((200, 8)).astype(np.float32)
    matrix[17] = 0
    words = [f"w{i}" for i in range(200)]
    unit = matrix.astype(np.float64) / np.maximum(
        np.linalg.norm(matrix.astype(np.float64), axis=1, keepdims=True), 1e-300
    )
    stop = n_rows or 200
    lines, expected = [], []
    for a, b, c in rng.integers(0, stop, (300, 3)):
        cos = unit[:stop] @ unit[[a, b, c]].T
        if method == "add":
            scores = cos[:, 1] - cos[:, 0] + cos[:, 2]
        else:
            shifted = (1 + cos) / 2
            scores = shifted[:, 1] * shifted[:, 2] / (shifted[:, 0] + 1e-6)
        scores[[a, b, c]] = -np.inf
        # Every third question asks for something else than the best answer.
        d = int(scores.argmax()) if len(lines) % 3 else int(rng.integers(0, stop))
        lines.append(f"w{a} w{b} w{c} w{d}")
        expected.append(int(scores.argmax()) == d)
    # Blocks of a few questions, so that several are needed.
    monkeypatch.setattr("w2v.evaluation.analogies.BLOCK_SCORES", 2000)
    result = evaluate_analogies(
        WordVectors(words, matrix),
        [section("s", *lines)],
        method=method,
        restrict_vocab=n_rows,
        case="exact",
    )
    assert result.tally() == Tally(sum(expected), 300, 300)


@pytest.mark.parametrize("method", ["add", "mul"])
def test_a_question_whose_words_are_the_whole_vocabulary_has_no_answer(method):
    vectors = WordVectors(["a", "b", "c"], np.eye(3, dtype=np.float32))
    asked = [section("s", "b a c a", "c b a c", "a b a c")]
    found = evaluate_analogies(vectors, asked, method=method)
    assert found.tally() == Tally(1, 3, 3)  # of "a b a" c is left


def test_wrong_arguments(plane):
    question = AnalogySet("s", (section("s", "france paris germany berlin"),))
    with pytest.raises(InputError, match="add, mul"):
        plane.evaluate(question, method="sub")
    with pytest.raises(InputError, match="fold, exact"):
        plane.evaluate(question, case="lower")
    with pytest.raises(InputError, match="`restrict_vocab` -1"):
        plane.evaluate(question, restrict_vocab=-1)


def test_nan_is_said_and_evaluation_leaves_the_vectors_alone(plane):
    before = plane.matrix.copy()
    evaluate_analogies(plane, [section("s", "france paris germany berlin")], method="mul")
    assert np.array_equal(plane.matrix, before)
    broken = WordVectors(
        plane.words, np.where(np.eye(7, 3) > 0, np.nan, before).astype(np.float32), source="run"
    )
    with pytest.raises(InputError, match="run: the vector of 'france' holds NaN"):
        evaluate_analogies(broken, [section("s", "france paris germany berlin")])
