"""Compressed corpora: every format, however named and concatenated, damaged and cut short."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import random
import threading
import tracemalloc

import pytest
import zstandard

from w2v.errors import InputError, RunError
from w2v.system.compression import Decompressed

COMPRESS = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}
TEXT = (
    "".join(
        random.Random(1).choice(["alpha ", "beta ", "gamma\n", "delta é "]) for _ in range(3000)
    )
    + "end"
)
SKIPPABLE_FRAME = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"

every_compression = pytest.mark.parametrize("suffix", COMPRESS)


@every_compression
@pytest.mark.parametrize("name", ["corpus.txt{}", "corpus", "corpus.txt"])
def test_known_by_content(suffix, name, tmp_path, read, check):
    path = tmp_path / name.format(suffix)
    path.write_bytes(COMPRESS[suffix](TEXT.encode()))
    for chunk_bytes in (100, 1 << 20):
        check(read(path, chunk_bytes=chunk_bytes), TEXT)


@every_compression
def test_a_wrong_or_missing_compression_is_no_matter(suffix, tmp_path, read, check):
    for other in COMPRESS:
        (tmp_path / f"corpus{other}").write_bytes(COMPRESS[suffix](TEXT.encode()))
        check(read(tmp_path / f"corpus{other}"), TEXT)
    (tmp_path / f"plain{suffix}").write_text(TEXT)
    check(read(tmp_path / f"plain{suffix}"), TEXT)


@every_compression
def test_concatenated_members_are_one_text(suffix, tmp_path, read, check):
    data = TEXT.encode()
    cuts = [data[:1000], b"", data[1000:1001], data[1001:]]
    (tmp_path / "corpus").write_bytes(b"".join(COMPRESS[suffix](part) for part in cuts))
    check(read(tmp_path / "corpus", chunk_bytes=500), TEXT)


def test_zstd_skippable_frames(tmp_path, read, check):
    (tmp_path / "corpus.zst").write_bytes(
        SKIPPABLE_FRAME + zstandard.compress(TEXT.encode()) + SKIPPABLE_FRAME
    )
    check(read(tmp_path / "corpus.zst"), TEXT)


@every_compression
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.999])
def test_cut_short(suffix, kept, tmp_path, read):
    data = COMPRESS[suffix](random.Random(1).randbytes(20_000).hex().encode())
    (tmp_path / f"corpus{suffix}").write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(InputError, match=rf"corpus\{suffix} is truncated"):
        read(tmp_path / f"corpus{suffix}")


@every_compression
def test_damaged(suffix, tmp_path, read):
    compress = COMPRESS[suffix]
    if suffix == ".zst":
        compress = zstandard.ZstdCompressor(write_checksum=True).compress
    data = bytearray(compress(random.Random(1).randbytes(20_000).hex().encode()))
    for place in range(len(data) // 2, len(data) // 2 + 50):
        data[place] ^= 0x5A
    (tmp_path / f"corpus{suffix}").write_bytes(data)
    with pytest.raises(InputError, match=rf"corpus\{suffix} is (damaged|truncated)"):
        read(tmp_path / f"corpus{suffix}")


@every_compression
def test_compressed_pipes(suffix, tmp_path, read, check, stdin):
    data = COMPRESS[suffix](TEXT.encode())
    stdin(data)
    check(read("-"), TEXT)
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(data,))
    writer.start()
    check(read(tmp_path / "pipe"), TEXT)
    writer.join()


def test_a_compressed_binary_file(tmp_path, read):
    (tmp_path / "a.gz").write_bytes(gzip.compress(bytes(range(256)) * 100))
    with pytest.raises(InputError, match=r"a\.gz looks like a binary file"):
        read(tmp_path / "a.gz")


def test_an_empty_compressed_file_has_no_words(tmp_path, read):
    (tmp_path / "a.gz").write_bytes(b"")
    with pytest.raises(InputError, match="contains no words"):
        read(tmp_path / "a.gz")


def test_a_device_that_fails_while_reading(read):
    """/proc/self/mem opens like a file and cannot be read from its start."""
    with pytest.raises(RunError, match="reading /proc/self/mem failed: Input/output error"):
        read("/proc/self/mem")


def test_a_closed_standard_input(read, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(
        InputError, match=r"standard input \(-\) is closed; name a file, or pipe the text in"
    ):
        read("-")


def test_garbage_behind_an_xz_stream(tmp_path, read, check):
    (tmp_path / "c.xz").write_bytes(lzma.compress(b"a b\n") + b"\0" * 12)
    check(read(tmp_path / "c.xz"), "a b\n")
    (tmp_path / "c.xz").write_bytes(
        lzma.compress(b"a b\n") + b"\0" * 12 + lzma.compress(b"c\n")[1:]
    )
    with pytest.raises(InputError, match="is damaged: its compressed data cannot be read"):
        read(tmp_path / "c.xz")


def test_a_bomb_takes_little_memory(tmp_path):
    """A kilobyte of zstd can stand for 32 MB; what is asked for comes in pieces of that size."""
    path = tmp_path / "bomb.zst"
    path.write_bytes(zstandard.compress(b"a b c " * (1 << 24)))
    assert path.stat().st_size < 1 << 14
    tracemalloc.start()
    with open(path, "rb") as file:
        stream = Decompressed(file, "bomb.zst")
        sizes = []
        while piece := stream.read(1 << 20):
            sizes.append(len(piece))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(sizes) == 6 << 24 and max(sizes) == 1 << 20
    assert peak < 100 << 20
