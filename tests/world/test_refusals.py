"""What ranks refuse: in one line, by rank 0 alone, with exit code 2."""

from __future__ import annotations

import pytest

from tests import ranks as processes
from tests.world.conftest import LM


def refused(ends) -> str:
    first, *others = ends
    assert [end.status for end in ends] == [2] * len(ends), first.err
    assert all((end.out, end.err) == ("", "") for end in others)
    (line,) = first.err.splitlines()
    assert line.startswith("w2v train: ")
    return line


def test_a_stream_is_for_one_process(ranks):
    assert "CORPUS - is a stream" in refused(ranks(2, "train", "-", *LM))


@pytest.mark.parametrize("more", [["--checkpoint-every", "5m"], ["--json"]])
def test_what_does_not_go_with_stdout(ranks, corpus, more):
    assert "--output -" in refused(ranks(2, "train", corpus, "--output", "-", *more))


def test_help_is_written_once(ranks):
    first, second = ranks(2, "train", "--help")
    assert "--exchange-words" in first.out and (second.out, second.err) == ("", "")
    assert (first.status, second.status) == (0, 0)


def test_settings_must_be_the_same(ranks, corpus, tmp_path):
    given = ["train", str(corpus), *LM, "--output", str(tmp_path / "run")]
    line = refused(ranks(2, each=[given, [*given, "--seed", "5"]]))
    assert "--seed is 5 on rank 1, 1 on rank 0" in line
    assert not (tmp_path / "run").exists()


def test_texts_must_be_the_same(ranks, corpus, tmp_path):
    other = tmp_path / "corpus.txt"
    other.write_text(corpus.read_text() + "w1 w2\n")
    more = [*LM, "--output", str(tmp_path / "run")]
    each = [["train", str(corpus), *more], ["train", str(other), *more]]
    line = refused(ranks(2, each=each))
    assert "rank 1 sees a different corpus from rank 0" in line


def test_a_corpus_that_only_one_rank_lacks(ranks, corpus, tmp_path):
    more = [*LM, "--output", str(tmp_path / "run")]
    gone = str(tmp_path / "gone.txt")
    line = refused(ranks(2, each=[["train", str(corpus), *more], ["train", gone, *more]]))
    assert "[rank 1]" in line and "gone.txt" in line


def test_more_ranks_than_columns(ranks, corpus, tmp_path):
    given = ["train", corpus, *LM, "--batch-size", 1, "--output", tmp_path / "run"]
    assert "--batch-size 1" in refused(ranks(2, *given))


def test_an_output_that_exists(ranks, corpus, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").touch()
    line = refused(ranks(2, "train", corpus, *LM, "--output", tmp_path / "run"))
    assert "exists" in line


@pytest.mark.parametrize(
    ("name", "value"), [("MASTER_PORT", "here"), ("W2V_PATIENCE", "soon"), ("RANK", "")]
)
def test_an_environment_that_makes_no_sense(ranks, corpus, name, value):
    ends = ranks(
        1 if name == "RANK" else 2,
        "train",
        corpus,
        *LM,
        environment={name: value, **({"WORLD_SIZE": "2"} if name == "RANK" else {})},
    )
    assert name in refused(ends)


def test_an_unknown_option_is_told_once(ranks, corpus):
    assert "--dimm" in refused(ranks(2, "train", corpus, "--dimm", 5))


def test_without_torch_rank_0_says_what_to_install():
    code = """
import sys

class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(name, name="torch")

sys.meta_path.insert(0, Without())
from w2v.__main__ import run
sys.argv = ["w2v", "train", "corpus.txt"]
run()
"""
    assert "PyTorch is not installed: pip install torch" in refused(processes.run(2, "-c", code))


@pytest.mark.parametrize(
    ("more", "told"),
    [(["--loss", "hsigmoid"], "--loss hsigmoid"), (["--tied"], "--tied"), (["--loss", "nce"], "")],
)
def test_output_rows_that_every_rank_holds_are_told(ranks, corpus, more, told):
    size = ["--batch-size", 3, "--bptt", 3, "--dry-run"]  # V > 2 * 9
    first, second = ranks(2, "train", corpus, *LM, *size, *more)
    assert (first.status, second.status, second.err) == (0, 0, "")
    notes = [line for line in first.err.splitlines() if "output rows" in line]
    assert len(notes) == bool(told), first.err
    assert all(told in note for note in notes)
