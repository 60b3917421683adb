"""A terminal obeys some characters, and what stands in files may be from anybody: every verb shows
such characters by their numbers there, and passes them on as they are to a pipe."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests import forks

from .conftest import Run, in_terminal

CLIPBOARD = "\x1b]52;c;ZXZpbA==\x07"  # puts a text of its choice into the clipboard
TURNED = "\u202egnp.exe"
CSI = "\x9b2J"  # clears the screen, as one character
BAD = (CLIPBOARD, TURNED, CSI)
SHOWN = ("\\u001b]52;c;ZXZpbA==\\u0007", "\\u202egnp.exe", "\\u009b2J")
OBEYED = re.compile("[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|\x1b[^\\[]")
QUICK = "--dim|4|--epochs|1|--min-count|1|--threads|1|--sample|0"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files full of such words: vectors, a corpus, sets, a run of either kind."""
    folder = tmp_path_factory.mktemp("terminal")
    rows = "".join(f"{word} {number} 1 0\n" for number, word in enumerate((*BAD, "d")))
    (folder / "v.txt").write_text("4 3\n" + rows)
    (folder / "corpus.txt").write_text(" ".join((*BAD, "d\n")) * 50)
    (folder / "q.txt").write_text(f": {CSI}\n{' '.join((*BAD, 'd'))}\n")
    (folder / "s.tsv").write_text("".join(f"{CSI}\t{word}\t1\n" for word in BAD))
    (folder / f"{CSI}.txt").write_text("a b\n" * 50)
    for arguments in ("--output run", "--model lm --output lm --layers 1 --batch-size 4 --bptt 8"):
        command = ["train", "corpus.txt", *arguments.split(), *QUICK.split("|")]
        done = forks.run(*command, folder=folder)
        assert done.returncode == 0, done.stderr
    summary = json.loads((folder / "run" / "summary.json").read_text())
    (folder / "run" / "summary.json").write_text(json.dumps(summary | {"loss": CLIPBOARD}))
    return folder


@pytest.mark.parametrize(
    ("arguments", "stdin", "named"),
    [
        (f"nearest|v.txt|{CSI}", "", SHOWN),
        (f"nearest|v.txt|{CSI}|--json", "", SHOWN),
        ("nearest|v.txt|-", f"{CSI}\n{TURNED}x\n", SHOWN),
        ("info|v.txt", "", SHOWN),
        ("info|run", "", SHOWN),
        ("info|run|--json", "", SHOWN),
        ("vocab|corpus.txt|--min-count|1", "", SHOWN),
        ("vocab|corpus.txt|--min-count|1|--json", "", SHOWN),
        (f"vocab|{CSI}.txt|--min-count|1|-o|{TURNED}", "", SHOWN[1:2]),
        ("eval|v.txt|q.txt|s.tsv", "", SHOWN[2:]),
        (f"eval|v.txt|{CSI}.txt", "", SHOWN[2:]),
        ("export|v.txt|-o|-", "", SHOWN),
        (f"losses|{CLIPBOARD}", "", ("ZXZpbA",)),
        (f"{CLIPBOARD}", "", ("ZXZpbA",)),
        (f"train|--{CLIPBOARD}|x", "", ("ZXZpbA",)),
        (f"info|{TURNED}", "", SHOWN[1:2]),
        (f"train|corpus.txt|--output|-|--quiet|{QUICK}", "", SHOWN),
        (f"train|corpus.txt|--output|run{TURNED}|--valid|{CSI}.txt|{QUICK}", "", SHOWN[1:]),
        ("generate|lm|--words|40|--seed|1", "", SHOWN[:1]),
        (f"generate|lm|x{TURNED}|--words|1", "", SHOWN[1:2]),
        ("score|lm|--tokens", " ".join(BAD) + "\n", SHOWN),
        (f"eval|lm|--text|{CSI}", "", SHOWN[2:]),
        (f"compare|corpus.txt|--losses|neg|--output|{CSI}|--valid|{TURNED}", "", ()),
    ],
)
def test_no_verb_lets_a_terminal_obey(
    place: Path, arguments: str, stdin: str, named: tuple[str, ...]
) -> None:
    _, text = in_terminal(place, *arguments.split("|"), columns=200, stdin=stdin)
    assert not OBEYED.search(text), repr(text)
    assert all(each in text for each in named), text


def test_the_list_of_the_cache(place: Path, process: Run) -> None:
    assert process("vocab", str(place / f"{CSI}.txt"), "--min-count", "1").returncode == 0
    _, text = in_terminal(place, "cache", columns=300)
    assert not OBEYED.search(text) and SHOWN[2] in text, repr(text)


def test_a_pipe_gets_them_as_they_are(w2v: Run, place: Path) -> None:
    answers = w2v("nearest", str(place / "v.txt"), CSI).stdout
    words = w2v("vocab", str(place / "corpus.txt"), "--min-count", "1").stdout
    exported = w2v("export", str(place / "v.txt"), "-o", "-").stdout
    for text in (answers, words, exported):
        assert all(each in text for each in BAD)
    (line, *_) = w2v("vocab", str(place / "corpus.txt"), "--min-count", "1", "--json").stdout.split(
        "\n"
    )
    assert json.loads(line)["word"] in (*BAD, "d")
