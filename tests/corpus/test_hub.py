"""Data sets of a hub, which is a server on this machine, through the command line; and no socket
for what is not named hf://."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.corpus.hub import Hub

if find_spec("datasets") is None:  # which takes a second to import, in each process that collects
    pytest.skip("datasets is not installed", allow_module_level=True)

TEXTS = [None, *(f"the king {n % 7} rules\nthe castle" for n in range(120))]
COLUMNS = {"text": TEXTS, "n": list(range(121)), "tokens": [["a", "b"]] * 121}
PLAIN = "".join(f"{text}\n" for text in TEXTS if text)
TRAIN = "hf://datasets/own/set/train"
# runs verbs in one process, since importing `datasets` takes seconds; socket.socket is poisoned
# where it is told so
VERBS = """
import io, json, os, socket, sys
from w2v.cli.app import main
opened, lines, usual = [], sys.stdin, sys.stdout
if "POISON" in os.environ:
    class Poisoned(socket.socket):
        def __init__(self, *arguments, **named):
            opened.append(str(arguments))
            raise OSError(101, "Network is unreachable")
    socket.socket = Poisoned
for line in lines:
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(3)]
    sys.stdout, sys.stderr, sys.stdin = streams
    status, told = main(json.loads(line)), []
    for stream in streams[:2]:
        stream.flush()
        told.append(stream.buffer.getvalue().decode())
    print(json.dumps([status, *told, len(opened), "datasets" in sys.modules]), file=usual)
    usual.flush()
"""


class Verbs:
    """w2v in a process of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        home = {"HF_HOME": str(folder / "hf"), "W2V_CACHE_DIR": str(folder / "cache")}
        root = str(Path(__file__).parents[2])
        self.process = subprocess.Popen(
            [sys.executable, "-c", VERBS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": root, **home, **environment},
        )

    def __call__(self, *arguments: str) -> tuple[Any, ...]:
        """(status, stdout, stderr, sockets opened so far, whether `datasets` is imported)"""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(arguments) + "\n")
        self.process.stdin.flush()
        return tuple(json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        self.process.communicate(timeout=300)


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    hub = Hub(COLUMNS)
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    (folder / "plain.txt").write_text(PLAIN)
    return folder


@pytest.fixture(scope="module")
def verbs(hub: Hub, folder: Path) -> Iterator[Verbs]:
    verbs = Verbs(folder, HF_ENDPOINT=hub.address)
    yield verbs
    verbs.close()


def test_its_words_are_those_of_a_file(verbs):
    wanted = verbs("vocab", "plain.txt", "--min-count", "1")
    assert not wanted[4]
    status, out, err, *_ = verbs("vocab", f"{TRAIN}#text", "--min-count", "1")
    assert (status, out) == (0, wanted[1])
    assert err == "warning: 1 row without a text (null) left out\n" + wanted[2]
    assert verbs("vocab", TRAIN, "--min-count", "1")[1] == out
    assert verbs("vocab", f"{TRAIN}#tokens", "--min-count", "1")[1] == "a\t121\nb\t121\n"


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (f"{TRAIN}#tekst", "has no column 'tekst'; choose one with --column: text, n, tokens"),
        (f"{TRAIN}#n", "holds int64, not text"),
        ("hf://datasets/own/set/test#text", "Available splits: ['train']"),
        ("hf://datasets/own/set:big/train#text", "Available: ['default']"),
        ("hf://datasets/own/none/train#text", "no such data set"),
        ("hf://datasets/own/gated/train#text", "is gated: accept its terms"),
        ("hf://datasets/own", "hf://datasets/NAME[:CONFIG]/SPLIT#COLUMN"),
        ("hf://models/own/set/train", "hf://datasets/NAME[:CONFIG]/SPLIT#COLUMN"),
    ],
)
def test_what_is_missing_is_told_in_a_line(entry, told, verbs):
    status, out, err, *_ = verbs("vocab", entry)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("w2v vocab: ") and told in err


def test_a_run_keeps_the_commit_and_reads_it_again_from_the_cache(verbs, hub, folder):
    options = ["--dim", "4", "--epochs", "1", "--threads", "1", "--quiet"]
    status, out, err, *_ = verbs("train", f"{TRAIN}#text", "--valid", TRAIN, *options)
    assert (status, out, err.count("\n")) == (0, "set-train-skip-gram-neg\n", 2)
    run = folder / out.strip()
    saved = yaml.safe_load((run / "config.yaml").read_text())
    pinned = TRAIN.replace("/train", f"@{hub.commit}/train")
    assert (saved["corpus"], saved["valid"]) == ([f"{pinned}#text"], pinned)
    asked = len(hub.asked)
    again = ["train", "--config", str(run / "config.yaml"), "--output", "again", "--quiet"]
    assert verbs(*again)[0] == 0
    assert len(hub.asked) == asked
    same = [(place / "vectors.npy").read_bytes() for place in (run, folder / "again")]
    assert same[0] == same[1]
    # another commit is another text
    hub.commit = "b" * 40
    try:
        assert verbs("train", f"{TRAIN}#text", *options, "--output", "newer")[0] == 0
        assert hub.commit in (folder / "newer" / "config.yaml").read_text()
        assert any("/resolve/" in path and hub.commit in path for path in hub.asked[asked:])
    finally:
        hub.commit = "a" * 40


def test_without_hf_no_socket_is_opened(folder):
    verbs = Verbs(folder, POISON="1", HF_ENDPOINT="http://127.0.0.1:9")
    options = ["--dim", "4", "--epochs", "1", "--threads", "1", "--quiet", "--output", "offline"]
    for arguments in (
        ["train", "plain.txt", *options],
        ["vocab", "plain.txt"],
        ["nearest", "offline", "king"],
        ["eval", "offline", "--quiet"],
        ["export", "offline", "-o", "offline.txt"],
    ):
        status, _, err, opened, imported = verbs(*arguments)
        assert (status, opened, imported) == (0, 0, False), err
    status, _, err, opened, _ = verbs("vocab", TRAIN)
    assert status == 1 and opened and err.count("\n") == 1
    assert "cannot be read from the hub: " in err and err.endswith("is there a network?\n")
    verbs.close()
