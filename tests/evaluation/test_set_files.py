"""Sets as people have them: one rule per file for separators and columns; what it cannot decide is
refused, never read as something else."""

import bz2
import csv
import gzip
import io
import lzma

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from w2v.errors import InputError
from w2v.evaluation.sets import AnalogySet, SimilaritySet, load_set, parse_set
from w2v.vectors import WordVectors

PAIRS = (("tiger", "cat", 7.35), ("old", "new", 1.58), ("king", "queen", 8.0))


def parse(text: str) -> AnalogySet | SimilaritySet:
    return parse_set(text.encode(), "name", "set.txt")


def questions(text: str) -> tuple[tuple[str, ...], ...]:
    found = parse(text)
    assert isinstance(found, AnalogySet)
    return tuple(question for section in found.sections for question in section.questions)


TABLES = {
    "tabs": "tiger\tcat\t7.35\nold\tnew\t1.58\nking\tqueen\t8\n",
    "blanks": "tiger   cat  7.35\nold     new  1.58\nking  queen     8\n",
    "commas": "tiger,cat,7.35\nold,new,1.58\nking,queen,8\n",
    "semicolons": "tiger;cat;7.35\nold;new;1.58\nking;queen;8\n",
    "decimal commas": "tiger;cat;7,35\nold;new;1,58\nking;queen;8\n",
    "decimal commas by tabs": "tiger\tcat\t7,35\nold\tnew\t1,58\nking\tqueen\t8,0\n",
    "quoted decimal commas": 'tiger,cat,"7,35"\nold,new,"1,58"\nking,queen,"8,0"\n',
    "colons": "#WORD1:WORD2:SCORE\ntiger:cat:7.35\nold:new:1.58\nking:queen:8\n",
    "quotes": '"tiger","cat",7.35\n"old","new",1.58\n"king","queen",8\n',
    "all quoted": '"w1";"w2";"s"\n"tiger";"cat";"7.35"\n"old";"new";"1.58"\n"king";"queen";"8"\n',
    "names": "word1\tword2\tscore\ntiger\tcat\t7.35\nold\tnew\t1.58\nking\tqueen\t8\n",
    "raters": "W 1,W 2,Human (mean),1,2\ntiger,cat,7.35,7,8\nold,new,1.58,2,1\nking,queen,8,8,8\n",
    "mean last": "a,b,r1,r2,mean\ntiger,cat,7,8,7.35\nold,new,2,1,1.58\nking,queen,8,8,8\n",
    "id": "id\tw1\tw2\tscore\n1\ttiger\tcat\t7.35\n2\told\tnew\t1.58\n3\tking\tqueen\t8\n",
    "id, no names": "17,tiger,cat,7.35\n5,old,new,1.58\n9,king,queen,8\n",
    "speech": "tiger\tcat\tN\t7.35\t1.2\nold\tnew\tA\t1.58\t3\nking\tqueen\tN\t8\t2\n",
    "relation first": "t\ttiger\tcat\t7.35\na\told\tnew\t1.58\ni\tking\tqueen\t8\n",
    "score first": "7.35\ttiger\tcat\n1.58\told\tnew\n8\tking\tqueen\n",
    "notes": "tiger\tcat\t7.35\t\nold\tnew\t1.58\tseen\nking\tqueen\t8\t\n",
    "few notes": "w\tw\ts\tnote\ntiger\tcat\t7.35\nold\tnew\t1.58\tseen\nking\tqueen\t8\t\n",
    "mark, CR LF": "\ufefftiger\tcat\t7.35\r\nold\tnew\t1.58\r\nking\tqueen\t8\r\n",
    "CR": "tiger\tcat\t7.35\rold\tnew\t1.58\rking\tqueen\t8\r",
    "remarks": "# by hand\n#so is this\n\ntiger\tcat\t7.35\nold\tnew\t1.58\n\nking\tqueen\t8\n",
}


NAMED = {"all quoted", "names", "raters", "mean last", "id", "few notes"}


@pytest.mark.parametrize("kind", TABLES)
def test_one_rule_finds_the_pairs_of_every_table(kind):
    found = parse(TABLES[kind])
    assert isinstance(found, SimilaritySet) and found.pairs == PAIRS
    assert found.skipped == found.headed == (kind in NAMED)


def test_words_of_tables():
    quoted = parse('"a ""b""","c, d",3\n"x","y",4\n')
    assert quoted.pairs == (('a "b"', "c, d", 3.0), ("x", "y", 4.0))
    assert parse("new york\tboston\t3\nrome\tparis\t4\n").pairs[0][0] == "new york"
    signs = parse(":)\thappy\t3\n#tag\tx\t4\n:(\tsad\t5\n")
    assert [pair[0] for pair in signs.pairs] == [":)", "#tag", ":("]
    assert parse("a b 1\n1,000 many 3\nc d 4\n").pairs[1] == ("1,000", "many", 3.0)


def test_sentences_and_parts_of_speech_are_no_words():
    rows = [
        f"{i}\tword{i}\tn\tother{i}\tv\ta long sentence with word {i}\tanother one with other {i}"
        f"\t{i / 4}\t1\t9\n"
        for i in range(30)
    ]
    found = parse("".join(rows))
    assert isinstance(found, SimilaritySet) and len(found.pairs) == 30
    assert found.pairs[3] == ("word3", "other3", 0.75)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("p1\ttiger\tcat\t7.3\np2\told\tnew\t1.3\n", "columns of words"),
        ("tiger,cat,7,35\nold,new,1,58\n", "decimal commas"),
        ("1\ttiger\tcat\n2\told\tnew\n", "neither"),
        ("the\t100\nof\t90\n", "neither"),
        ("tiger cat 7.35\nold,new,1.58\nking;queen;8\n", "neither"),
        ("a b c d\ne f g h\ni j k\n", "line 3 has 3 words"),
        (": s\n:) happy :( sad\na b c\n", "line 3 has 3 words"),
        ("a\tb\nc\td\te\nf\tg\n", "line 2 has 3 fields"),
        ("a|b|3\nc|d|4\n", "neither"),
        ("x" * 70_000 + " b 3\n", "not a set"),
    ],
)
def test_what_is_refused(text, said):
    with pytest.raises(InputError, match=r"set\.txt") as caught:
        parse(text)
    assert said in str(caught.value) and len(str(caught.value)) < 400


def test_lines_that_are_no_pair_are_counted():
    found = parse("w\tv\ts\na\tb\t1\nc\td\tnan\ne\tf\t2\ng\t\t3\nh\ti\t4\n")
    assert isinstance(found, SimilaritySet)
    assert (len(found.pairs), found.skipped, found.headed) == (3, 3, True)


def test_questions():
    expected = (("a", "b", "c", "d"), ("e", "f", "g", "h"))
    for mark in ("\t", " ", "  ", ",", ";", ", "):
        text = "\n".join(mark.join(each) for each in expected)
        assert questions(f": s\n{text}\n") == questions(f"\ufeff#remark\n{text}\r\n") == expected
    assert questions('"a","b","c","d"\n"e","f","g","h"\n') == expected
    phrases = "New York\tTimes\tBaltimore\tBaltimore Sun\na\tb\tc\td\n"
    assert questions(f": s\n{phrases}")[0] == ("New York", "Times", "Baltimore", "Baltimore Sun")
    assert questions("one 1 two 2\nthree 3 four 4\n")[0] == ("one", "1", "two", "2")


def test_what_is_a_heading():
    found = parse(": emo\n:) happy :( sad\n:D glad :P silly\n:next\na b c d\n:\ne f g h\n")
    assert isinstance(found, AnalogySet)
    assert [(section.name, len(section.questions)) for section in found.sections] == [
        ("emo", 2),
        ("next", 1),
        ("line 6", 1),
    ]


VECTORS = WordVectors(
    ["man", "king", "woman", "queen", "boy", "prince"],
    np.array([[1, 0, 0], [1, 0, 1], [0, 1, 0], [0, 1, 1], [0.9, 0.2, -0.1], [0.9, 0.2, 0.9]]),
)


def test_each_of_several_answers_is_right():
    result = VECTORS.evaluate(parse(": s\nman king woman lady/queen\nman none/king woman queen\n"))
    assert (result.accuracy, result.covered) == (1.0, 2)
    result = VECTORS.evaluate(parse(": s\nman king woman man/woman\nman king woman x/y\n"))
    assert (result.accuracy, result.covered, result.total) == (0.0, 1, 2)


def test_pairs_are_asked_two_by_two(tmp_path):
    text = "man\tking/emperor\nwoman\tlady/queen\nboy\tprince\n"
    assert len(questions(text)) == 6
    result = VECTORS.evaluate(parse(text))
    assert result.accuracy > 0.7 and result.covered == 6
    (tmp_path / "BATS" / "1_A").mkdir(parents=True)
    (tmp_path / "BATS" / "1_A" / "E01 [male - female].txt").write_text(text)
    (tmp_path / "BATS" / "E02.txt").write_text(text.replace("\t", " "))
    (tmp_path / "BATS" / "readme.md").write_text("what this is")
    found = load_set(tmp_path / "BATS")
    assert isinstance(found, AnalogySet) and found.name == "BATS"
    assert [section.name for section in found.sections] == ["E01 [male - female]", "E02"]
    assert VECTORS.evaluate(found).total == 12
    (tmp_path / "BATS" / "s.tsv").write_text("a\tb\t1\n")
    with pytest.raises(InputError, match=r"s\.tsv is not a set of analogies"):
        load_set(tmp_path / "BATS")
    many = "".join(f"a{i}\tb{i}\n" for i in range(1001))
    with pytest.raises(InputError, match="1,001 pairs"):
        parse(many)


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zst"])
def test_compressed_sets(suffix, tmp_path):
    compress = {
        "gz": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
        "zst": zstandard.compress,
    }
    data = compress[suffix](TABLES["tabs"].encode())
    (tmp_path / f"my.tsv.{suffix}").write_bytes(data)
    found = load_set(tmp_path / f"my.tsv.{suffix}")
    assert isinstance(found, SimilaritySet) and (found.name, found.pairs) == ("my", PAIRS)
    (tmp_path / "cut").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="cut"):
        load_set(tmp_path / "cut")


def test_other_encodings(tmp_path):
    (tmp_path / "s.tsv").write_bytes(TABLES["tabs"].encode("utf-16"))
    with pytest.raises(InputError, match=r"s\.tsv is in UTF-16"):
        load_set(tmp_path / "s.tsv")


WORD = st.text("abcxyzäß日'-.", min_size=1, max_size=8).filter(lambda word: word.strip("-.'"))
PAIR = st.tuples(WORD, WORD, st.integers(0, 1000).map(lambda n: n / 100))


@given(
    st.lists(PAIR, min_size=2, max_size=9),
    st.sampled_from(["\t", ",", ";", " ", ":"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["pair", "id", "notes", "speech", "raters", "names"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
@settings(max_examples=examples(100), deadline=None)
def test_tables_are_read_to_the_same_pairs_or_refused(pairs, mark, quoting, kind, end):
    file = io.StringIO()
    style = csv.QUOTE_MINIMAL if mark in " :" else quoting
    writer = csv.writer(file, delimiter=mark, quoting=style, lineterminator=end)
    if kind == "names":
        writer.writerow(["word1", "word2", "score"])
    for i, (a, b, score) in enumerate(pairs):
        more = {"notes": ["seen"] * (i % 2), "raters": [score / 2, score * 2]}.get(kind, [])
        row = [
            *([i + 1] if kind == "id" else []),
            a,
            b,
            *(["N"] if kind == "speech" else []),
            score,
        ]
        writer.writerow([*row, *more])
    try:
        found = parse_set(file.getvalue().encode(), "name", "set.txt")
    except InputError:
        return
    assert isinstance(found, SimilaritySet) and found.pairs == tuple(pairs)
