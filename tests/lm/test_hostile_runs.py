"""Run directories that anybody may have made: opened, or refused in a sentence, with little
memory."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import forks
from tests.language_runs import corpus_text, write_run
from w2v.errors import InputError
from w2v.lm.saved import load_language_model

GIGABYTE = 1 << 30
# In a process of its own, with little address space: the sentence, and the peak of memory.
PROGRAM = """
import re, resource, sys
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
from w2v.lm.saved import load_language_model
from w2v.errors import W2VError
try:
    load_language_model(sys.argv[1])
    print("loaded")
except W2VError as error:
    print(error)
with open("/proc/self/status") as facts:
    print(re.search(r"VmHWM:\\s*(\\d+) kB", facts.read())[1])
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run directory with subwords."""
    pytest.importorskip("tokenizers")
    (tmp_path / "text.txt").write_text(corpus_text())
    write_run(tmp_path / "run", tmp_path / "text.txt", subwords=280)
    return tmp_path / "run"


def apart(run: Path) -> tuple[str, int]:
    """What a process says that opens the run, and the most bytes it had."""
    done = forks.run(str(run), str(6 * GIGABYTE), folder=run.parent, code=PROGRAM)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "panicked" not in done.stderr
    *sentence, peak = done.stdout.splitlines()
    return "\n".join(sentence), int(peak) * 1024


def with_model(**values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda found: {**found, "model": {**found["model"], **values}}


def with_merge(merge: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda found: with_model(merges=[*found["model"]["merges"], merge])(found)


def with_piece(piece: Any, number: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda found: with_model(vocab={**found["model"]["vocab"], piece: number})(found)


PIECES = {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}] * 3}
SPLIT = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}
HOSTILE: list[Callable[[dict[str, Any]], Any]] = [
    lambda found: [],
    lambda found: {},
    lambda found: {**found, "model": None},
    lambda found: {**found, "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}},
    lambda found: {**found, "model": {"type": "Unigram", "unk_id": 7, "vocab": [["a", 1e308]] * 9}},
    lambda found: {**found, "padding": {"strategy": {"Fixed": 1 << 62}, "pad_id": 0}},
    lambda found: {**found, "truncation": {"max_length": 0, "stride": 1 << 62}},
    lambda found: {**found, "normalizer": {"type": "Precompiled", "precompiled_charsmap": "/w=="}},
    lambda found: {**found, "normalizer": {"type": "Replace", "pattern": {"String": ""}}},
    lambda found: {**found, "pre_tokenizer": PIECES},
    lambda found: {**found, "pre_tokenizer": SPLIT},
    lambda found: {**found, "pre_tokenizer": None},
    lambda found: {**found, "decoder": {"type": "Strip", "content": "x", "start": 1 << 62}},
    lambda found: {**found, "post_processor": {"type": "TemplateProcessing", "single": []}},
    lambda found: {**found, "added_tokens": [{"id": 1 << 31, "content": "x"}]},
    lambda found: {**found, "version": "9.9"},
    with_model(dropout=1.5),
    with_model(dropout="x"),
    with_model(unk_token="<unk>"),
    with_model(continuing_subword_prefix="x" * 5000),
    with_model(end_of_word_suffix="</w>"),
    with_model(byte_fallback=True),
    with_model(vocab={}),
    with_model(vocab=[]),
    with_model(merges={}),
    with_model(merges=None),
    with_piece("the", 1 << 40),
    with_piece("the", -1),
    with_piece("the", 0),
    with_piece("the", 1.5),
    with_piece("the", True),
    with_piece("the", "0"),
    with_piece("", 280 - 2),
    with_piece("\U0001f600", 280 - 2),
    with_piece("\ud800", 280 - 2),
    with_merge(["a", "nowhere"]),
    with_merge(["a"]),
    with_merge(["a", "b", "c"]),
    with_merge(["", "a"]),
    with_merge([["a"], "b"]),
    with_merge([{}, {}]),
    with_merge("a b c"),
    with_merge(7),
    with_merge(None),
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_a_tokenizer_that_no_run_has(run: Path, number: int) -> None:
    file = run / "tokenizer.json"
    file.write_text(json.dumps(HOSTILE[number](json.loads(file.read_text()))))
    with pytest.raises(InputError) as told:
        load_language_model(run)
    message = str(told.value)
    assert str(file) in message and "\n" not in message and len(message) < 400


def test_tokenizers_of_other_versions_of_the_library(run: Path) -> None:
    """Merges were texts, and some settings did not exist."""
    file = run / "tokenizer.json"
    before = load_language_model(run).vocabulary.encode("w1 w23 new").tolist()
    found = json.loads(file.read_text())
    model = found["model"]
    for name in ("ignore_merges", "byte_fallback"):
        model.pop(name, None)
    model["merges"] = [" ".join(pair) for pair in model["merges"]]
    file.write_text(json.dumps({**found, "of_the_future": None}, indent=2))
    assert load_language_model(run).vocabulary.encode("w1 w23 new").tolist() == before


@pytest.mark.parametrize(
    ("start", "more", "times"),
    [(b"", b"", 0), (b'{"model":', b"[", 100_000), (b'{"model":[', b'{"":0},', 1 << 20)],
    ids=["a gigabyte of nothing", "deep", "many objects"],
)
def test_a_tokenizer_that_is_a_bomb(run: Path, start: bytes, more: bytes, times: int) -> None:
    with open(run / "tokenizer.json", "wb") as file:
        file.write(start + more * times)
        if not start:
            file.truncate(GIGABYTE)
    told, peak = apart(run)
    assert "tokenizer.json" in told and told.count("\n") == 0
    assert peak < 700e6


@pytest.mark.parametrize("name", ["vocab.tsv", "config.yaml", "format_version"])
def test_another_file_that_is_a_bomb(run: Path, name: str) -> None:
    with open(run / name, "r+b") as file:
        file.truncate(GIGABYTE)
    told, peak = apart(run)
    assert name in told and told.count("\n") == 0
    assert peak < 700e6


def _tensors(path: Path, header: bytes, size: int = 0) -> None:
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + size)


def _entry(shape: list[int], size: int) -> dict[str, Any]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}


def _many_tensors(path: Path) -> None:
    _tensors(path, json.dumps({f"t{n}": _entry([0], 0) for n in range(400_000)}).encode())


LARGE = json.dumps({"input.weight": _entry([1 << 20, 1 << 10], 1 << 32)}).encode()
BOMBS: dict[str, Callable[[Path], Any]] = {
    "a header of blanks": lambda path: _tensors(path, b"{}" + b" " * (90 << 20)),
    "many tensors": _many_tensors,
    "a large one": lambda path: _tensors(path, LARGE, 1 << 32),
    "a header beyond the file": lambda path: path.write_bytes(struct.pack("<Q", 1 << 62)),
    "nothing": lambda path: path.write_bytes(b""),
    "no end": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
}


@pytest.mark.parametrize("name", BOMBS)
def test_parameters_that_are_a_bomb(run: Path, name: str) -> None:
    BOMBS[name](run / "model.safetensors")
    told, peak = apart(run)
    assert told != "loaded" and told.count("\n") == 0 and str(run) in told
    assert peak < 700e6


@pytest.mark.parametrize(
    "change",
    [
        ("dim: 8", "dim: 1048576"),
        ("hidden: 8", "hidden: 1000000000"),
        ("layers: 2", "layers: 64"),
        (
            "loss: softmax",
            "loss: adaptive-softmax\ncutoffs: [" + ", ".join(map(str, range(1, 9))) + "]",
        ),
    ],
    ids=str,
)
def test_a_configuration_of_a_giant(run: Path, change: tuple[str, str]) -> None:
    config = (run / "config.yaml").read_text()
    assert change[0] in config
    (run / "config.yaml").write_text(config.replace(*change))
    told, peak = apart(run)
    assert told != "loaded" and told.count("\n") == 0
    assert peak < 700e6
