"""The kind of a set comes from its content; malformed questions are named by line, lines without a
pair counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2v.errors import InputError
from w2v.evaluation.sets import AnalogySet, SimilaritySet, default_sets, load_set, parse_set


def analogies(text: str) -> AnalogySet:
    found = parse_set(text.encode(), "name", "set.txt")
    assert isinstance(found, AnalogySet)
    return found


def similarities(text: str) -> SimilaritySet:
    found = parse_set(text.encode(), "name", "set.txt")
    assert isinstance(found, SimilaritySet)
    return found


def test_google_format():
    found = analogies(
        "# made by hand\n: capital-world\nAthens Greece Oslo Norway \n\n: gram1-x y\r\na b\tc "
        " d\r\n: empty\n"
    )
    assert [(s.name, s.kind, s.questions) for s in found.sections] == [
        ("capital-world", "semantic", (("Athens", "Greece", "Oslo", "Norway"),)),
        ("gram1-x y", "syntactic", (("a", "b", "c", "d"),)),
        ("empty", "semantic", ()),
    ]


def test_microsoft_format():
    found = analogies("good\tbetter\trough\trougher\r\nbetter\tgood\trougher\trough\r\n")
    (section,) = found.sections
    assert (section.name, section.headed, section.kind, len(section.questions)) == (
        "name",
        False,
        None,
        2,
    )
    assert section.questions[0] == ("good", "better", "rough", "rougher")


def test_questions_before_the_first_header():
    found = analogies("a b c d\n: s\ne f g h\n")
    assert [(s.name, s.headed) for s in found.sections] == [("name", False), ("s", True)]


def test_only_ascii_spaces_separate():
    assert analogies(": s\na\u00a0x b c d\n").sections[0].questions == (
        ("a\u00a0x", "b", "c", "d"),
    )


@pytest.mark.parametrize("line", ["a b c", "a b c d e", "a"])
def test_malformed_question(line):
    with pytest.raises(InputError, match=r"set\.txt: line 3 has \d words"):
        analogies(f": s\na b c d\n{line}\n")


def test_similarity_set():
    found = similarities(
        "# comment\nword1\tword2\tscore\na\tb\t1.5\r\n\nfour\tcolumns\t1.0\textra\nc\td\t2\n"
    )
    assert found.pairs == (("a", "b", 1.5), ("c", "d", 2.0))
    assert (found.skipped, found.headed) == (2, True)


@pytest.mark.parametrize("score", ["1e400", "-inf", "nan", "-", "?", "1,5", "1.2.3"])
@pytest.mark.parametrize("mark", ["\t", ";", " "])
def test_a_first_pair_without_a_finite_score_is_no_line_of_names(score, mark):
    lines = [("a", "b", score), ("c", "d", "1.5"), ("e", "f", "2"), ("g", "h", "7.25")]
    found = similarities("\n".join(map(mark.join, lines)))
    assert (found.skipped, found.headed) == (1, False) or found.pairs[0] == ("a", "b", 1.5)


def test_a_first_line_of_four_columns_does_not_decide():
    assert len(similarities("w1 w2 s extra\na b 1\nc d 2\n").pairs) == 2


@pytest.mark.parametrize(
    "text", ["", "\n\n", "just some words of a text here\n", "a b\nc d\n", "\x00\x01"]
)
def test_neither(text):
    with pytest.raises(InputError, match=r"set\.txt is neither"):
        parse_set(text.encode(), "name", "set.txt")


def test_files(tmp_path):
    path = tmp_path / "my-set.txt"
    path.write_bytes(b"\xef\xbb\xbf: s\na b c d\n")
    found = load_set(path)
    assert isinstance(found, AnalogySet) and found.name == "my-set"
    path.write_bytes(b": s\na b c \xff\n")
    with pytest.raises(InputError, match="byte 10 is not valid UTF-8"):
        load_set(path)
    (tmp_path / "folder").mkdir()
    for wrong in (tmp_path / "missing", tmp_path / "folder"):
        with pytest.raises(InputError, match="cannot read the set"):
            load_set(wrong)


@given(st.binary(max_size=100))
def test_any_bytes(data):
    try:
        found = parse_set(data, "name", "set.txt")
    except InputError as error:
        assert "set.txt" in str(error)
    else:
        assert isinstance(found, AnalogySet | SimilaritySet)


def test_default_sets_are_package_data():
    kinds = {found.name: type(found) for found in default_sets()}
    assert kinds == {"demo-analogies": AnalogySet, "demo-similarity": SimilaritySet}
