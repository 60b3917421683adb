"""`vocab`: the words of a file are trained, whatever words the text has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import w2v
from w2v.errors import InputError

CORPUS = [" ".join(f"w{(i * i + j) % 23}" for j in range(12)) for i in range(200)]
SETTINGS: dict[str, Any] = {"dim": 6, "epochs": 2, "threads": 1, "progress": False}
LISTED = {"w7": 90, "never": 50, "w3": 20, "w11": 20, "w19": 3}


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "vocab.tsv"
    path.write_text("".join(f"{word}\t{count}\n" for word, count in LISTED.items()))
    return path


def test_exactly_these_words_are_trained(tmp_path: Path, listed: Path) -> None:
    run = w2v.train(CORPUS, vocab=listed, output=tmp_path / "run", **SETTINGS)
    assert run.vectors.words == list(LISTED)
    assert run.vectors.counts is not None and run.vectors.counts.tolist() == [*LISTED.values()]
    text = (tmp_path / "run" / "config.yaml").read_text()
    assert f"vocab: {listed}" in text and "min_count" not in text
    words = run.summary["words"] if isinstance(run.summary, dict) else None
    inside = sum(word in LISTED for line in CORPUS for word in line.split())
    assert words is None or words["in_vocabulary"] == inside


def test_the_whole_vocabulary_changes_nothing(tmp_path: Path) -> None:
    plain = w2v.train(CORPUS, min_count=1, output=tmp_path / "a", **SETTINGS)
    again = w2v.train(CORPUS, vocab=tmp_path / "a" / "vocab.tsv", output=tmp_path / "b", **SETTINGS)
    assert again.vectors.words == plain.vectors.words
    assert np.array_equal(again.vectors.matrix, plain.vectors.matrix)


def test_a_run_goes_on_with_its_words(tmp_path: Path, listed: Path) -> None:
    (tmp_path / "x.txt").write_text("\n".join(CORPUS))
    options = {**SETTINGS, "vocab": listed, "checkpoint_every": "1h"}
    once = w2v.train(tmp_path / "x.txt", output=tmp_path / "a", **{**options, "epochs": 4})
    run = w2v.train(
        tmp_path / "x.txt",
        output=tmp_path / "b",
        callbacks=[lambda event: "stop" if event.kind == "epoch" else None],
        **{**options, "epochs": 4},
    )
    listed.unlink()  # the run has its own copy
    run = w2v.train(resume=tmp_path / "b", progress=False)
    assert np.array_equal(run.vectors.matrix, once.vectors.matrix)


def test_tokens_of_a_language_model(tmp_path: Path, listed: Path) -> None:
    run = w2v.train(
        CORPUS, model="lm", vocab=listed, output=tmp_path / "lm", dim=6, epochs=1, progress=False
    )
    words = (tmp_path / "lm" / "vocab.tsv").read_text().split()[::2]
    assert set(words) == {*LISTED, "<unk>", "<eos>"}
    assert run.model.unknown_words("w7 w8") == ["w8"]


def test_a_plain_list_takes_its_counts_from_the_text(tmp_path: Path) -> None:
    """If the list holds the text's words in any order, the run is the same as without a list. Words
    that the text lacks are left out, and their number is reported."""
    plain = w2v.train(CORPUS, min_count=1, output=tmp_path / "a", **SETTINGS)
    (tmp_path / "x.txt").write_text("\n".join(CORPUS))
    listed = "\r\n".join([*sorted(plain.vectors.words), "never", "5"])
    (tmp_path / "list.txt").write_text(listed, newline="")
    told = _train(tmp_path, "--dim", "6", "--epochs", "2")
    again = w2v.load(tmp_path / "out")
    assert f"2 of the {len(plain.vectors) + 2} words" in told
    assert isinstance(again, w2v.WordVectors) and again.words == plain.vectors.words
    assert np.array_equal(again.matrix, plain.vectors.matrix)
    assert again.counts is not None and plain.vectors.counts is not None
    assert np.array_equal(again.counts, plain.vectors.counts)


def test_a_plain_list_for_a_language_model(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("\n".join(CORPUS))
    (tmp_path / "list.txt").write_text("w3\nnever\nw7")
    assert "1 of the 3 words" in _train(tmp_path, "--model=lm", "--dim", "4", "--epochs", "1")
    words = (tmp_path / "out" / "vocab.tsv").read_text().split()[::2]
    assert set(words) == {"w3", "w7", "<unk>", "<eos>"}


def _train(folder: Path, *options: str) -> str:
    """Trains on x.txt with the words of list.txt; returns what was reported."""
    from typer.testing import CliRunner

    from w2v.cli.app import app

    files = [str(folder / name) for name in ("x.txt", "list.txt", "out")]
    given = ["train", files[0], "--vocab", files[1], "-o", files[2], "--threads", "1", *options]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0, done.stderr
    return " ".join(done.stderr.split())


def test_the_command_line_reads_what_vocab_writes(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from w2v.cli.app import app

    (tmp_path / "x.txt").write_text("\n".join(CORPUS))
    files = [str(tmp_path / name) for name in ("x.txt", "v.tsv", "v.txt")]
    invoke = CliRunner().invoke
    assert invoke(app, ["vocab", files[0], "--max-vocab", "9", "-o", files[1]]).exit_code == 0
    options = ["--vocab", files[1], "-o", files[2], "--epochs", "1", "--dim", "4", "-q"]
    assert invoke(app, ["train", files[0], *options]).exit_code == 0
    listed = [line.split("\t")[0] for line in Path(files[1]).read_text().splitlines()]
    assert w2v.load(files[2]).words == listed and len(listed) == 9  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "more", "told"),
    [
        ("", {}, "no word"),
        ("x\t3\ny\t2\n", {}, "none of the text's words"),
        ("w1\t3\n", {}, "two"),
        ("w1\t3\nw2\t4\n", {}, "line 2"),
        ("w1 w2\n", {}, "line 1"),
        ("w1\nw2\nw3 4\n", {}, "line 3"),
        ("w1\n\nw2\n", {}, "line 2"),
        ("w1\nw2\nw1\n", {}, "line 3"),
        ("w1\t3\nw2\n", {}, "line 2"),
        ("w1\nnever\n", {}, "two"),
        (None, {}, "none.tsv"),
        ("w1\t3\nw2\t2\n", {"init": "run"}, "`init`"),
    ],
)
def test_what_is_no_list_for_the_text(
    tmp_path: Path, text: str | None, more: dict[str, Any], told: str
) -> None:
    path = tmp_path / ("none.tsv" if text is None else "v.tsv")
    if text is not None:
        path.write_text(text)
    if more:
        w2v.train(CORPUS, output=tmp_path / "run", **SETTINGS)
        more = {"init": tmp_path / "run"}
    with pytest.raises(InputError, match=told):
        w2v.train(CORPUS, vocab=path, output=tmp_path / "out", **more, **SETTINGS)
