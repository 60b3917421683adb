"""Small files of vectors and sets that stand for a gigabyte: refused, in a process that may not
take 700 MB."""

from __future__ import annotations

import functools
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.forks import forked

MEGABYTES = 700
BYTES = 1 << 30
PIECE = 1 << 20

# What is read may not be more than so much beyond what the modules take.
PROGRAM = f"""
import json, resource, sys
import numpy, zstandard
import w2v.vectors, w2v.evaluation.sets
from w2v.compat.gensim.files import LineSentence
from w2v.cli.app import main
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limit = used + ({MEGABYTES} << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
load = {{"vectors": w2v.vectors.load_vectors, "set": w2v.evaluation.sets.load_set,
        "verb": lambda path: main(["nearest", "v.txt", "-"]),
        "gensim": lambda path: sum(map(len, LineSentence(path)))}}
for path in sys.argv[2:]:
    try:
        load[sys.argv[1]](path)
        print(json.dumps([path, "read"]))
    except (w2v.InputError, w2v.RunError) as error:
        print(json.dumps([path, str(error)]))
"""


def repeated(part: bytes) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        piece = part * (PIECE // len(part))
        for _ in range(BYTES // PIECE):
            yield piece

    return pieces


def long_words() -> Iterator[bytes]:
    for i in range(BYTES // PIECE):
        yield b"%d" % i + b"x" * (PIECE - 50) + b" 0.5 0.25\n"


def words_of_a_kilobyte() -> Iterator[bytes]:
    for i in range(BYTES // PIECE):
        yield b"".join(b"%d_%d" % (i, j) + b"x" * 1000 + b" 0.5 0.25\n" for j in range(1000))


BOMBS: dict[str, Callable[[], Iterator[bytes]]] = {
    "blanks": repeated(b" "),
    "lines": repeated(b"\n"),
    "returns": repeated(b"\r"),
    "zeros": repeated(b"\0"),
    "word": repeated(b"word "),
    "same": repeated(b"word 0.5 0.25\n"),
    "pair": repeated(b"old new 0.25\n"),
    "question": repeated(b"a b c d\n"),
    "letters": repeated(b"x"),
    "numbers": repeated(b"1.5 "),
    "commas": repeated(b","),
    "quote": repeated(b'"a'),
    "words": long_words,
    "short": words_of_a_kilobyte,
}
HEADERS = {"none": b"", "text": b"the 0.5 0.25\nof 1.5 2.5\n", "header": b"100000000 2\n"}


def compressed(path: Path, head: bytes, bomb: str, pieces: int = BYTES // PIECE) -> Path:
    """Two members or frames: the head, and what follows."""
    opener = gzip if path.suffix == ".gz" else zstandard
    path.write_bytes(opener.compress(head) + _compressed(opener, bomb, pieces))
    return path


@functools.cache
def _compressed(opener: Any, bomb: str, pieces: int) -> bytes:
    target = io.BytesIO()
    with opener.open(target, "wb", **({"closefd": False} if opener is zstandard else {})) as file:
        for piece in islice(BOMBS[bomb](), pieces):
            file.write(piece)
    return target.getvalue()


def loaded(kind: str, paths: list[Path], folder: Path, stdin: int | None = None) -> dict[str, Any]:
    where: Any = {"folder": folder, "changes": {"TMPDIR": str(folder)}}
    streams = (stdin, None, None)
    with forked(kind, *map(str, paths), code=PROGRAM, streams=streams, **where) as process:
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err[-2000:]
    found = dict(json.loads(line) for line in out.splitlines())
    found["stderr"] = err
    return found


@pytest.mark.parametrize("head", HEADERS)
def test_vectors(head: str, tmp_path: Path) -> None:
    paths = [
        compressed(tmp_path / f"{bomb}.txt.zst", HEADERS[head], bomb)
        for bomb in BOMBS
        if (bomb, head) != ("same", "header")
    ]
    paths.append(compressed(tmp_path / "blanks.txt.gz", HEADERS[head], "blanks"))
    for path, answer in loaded("vectors", paths, tmp_path).items():
        assert answer != "read" and "\n" not in answer.strip(), path


def test_vectors_that_are_a_device(tmp_path: Path) -> None:
    assert loaded("vectors", [Path("/dev/zero")], tmp_path)["/dev/zero"] != "read"


def test_sets(tmp_path: Path) -> None:
    paths = [compressed(tmp_path / f"{bomb}.txt.zst", b"", bomb) for bomb in BOMBS]
    found = loaded("set", [*paths, Path("/dev/zero")], tmp_path)
    for path in (*paths, "/dev/zero"):
        assert "is larger than 16 MiB" in found[str(path)]


def test_sets_of_16_megabytes_of_anything(tmp_path: Path) -> None:
    paths = []
    for bomb in BOMBS:
        paths.append(compressed(tmp_path / f"{bomb}.txt.zst", b"", bomb, 15))
    loaded("set", paths, tmp_path)


def test_a_line_of_a_gigabyte_for_nearest(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_bytes(HEADERS["text"])
    endless = f"import sys\nfor _ in range({BYTES // PIECE}): sys.stdout.write('x' * {PIECE})"
    with subprocess.Popen(
        [sys.executable, "-S", "-c", endless], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as writer:
        assert writer.stdout is not None
        found = loaded("verb", [Path("-")], tmp_path, writer.stdout.fileno())
        writer.stdout.close()
    assert "is longer than 1,048,576 bytes" in found["stderr"]


def test_gensims_sentences_of_a_line_of_a_gigabyte(tmp_path: Path) -> None:
    paths = [
        compressed(tmp_path / "words.gz", b"", "word", 100),  # as many lists would not fit
        compressed(tmp_path / "letters.gz", b"", "letters"),
    ]
    found = loaded("gensim", paths, tmp_path)
    assert found[str(paths[0])] == "read" and "longer than" in found[str(paths[1])]
