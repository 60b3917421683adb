"""Checkpoints of a run: RUN/checkpoints/step-N, N the number of blocks trained. Tensors and plain
JSON, never pickles.

    tensors.safetensors   the engine's `state()` and the bounds of the blocks
    state.json        progress, tallies, schedule, settings, and the identity of the corpus
    metrics.jsonl         the run's metrics so far
    rows-LOW-HIGH.safetensors   with several ranks: rows of sharded tensors, a file for each rank
    manifest.json         size and SHA-256 of each of these

A checkpoint is written under a temporary name, synced and renamed, so that it is either complete or
absent. Reading verifies the checksums; damaged checkpoints are reported and skipped.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from w2v.corpus.store import release_pages
from w2v.system.files import atomic_directory, read_plain
from w2v.system.json import read_object, whole_number

FORMAT_VERSION = 1
FOLDER = "checkpoints"
TENSORS, STATE = "tensors.safetensors", "state.json"
METRICS_BYTES = 64 << 20  # limit on metrics.jsonl, which grows by 300 bytes every few seconds
METRICS, MANIFEST = "metrics.jsonl", "manifest.json"
ROWS = re.compile(r"rows-[0-9]{1,18}-[0-9]{1,18}[.]safetensors")
BOUNDS = "trainer.bounds"  # [blocks + 1] int64, see `schedule.cut_blocks`
LARGEST = 1e18  # limit on the numbers of a sound run
UNSOUND = f"numbers beyond {LARGEST:g}, NaN or infinity"
CHUNK = 16 << 20  # bytes hashed and written at a time
LONGEST_HEADER = 4 << 20  # bytes of JSON; that of a model of 64 layers is 20 times smaller
CODES = ("f8", "f4", "i8", "i4", "u8", "u4", "u1")
DTYPES = {f"{code[0].upper()}{8 * int(code[1])}": np.dtype(f"<{code}") for code in CODES}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
# errors raised for a file with unexpected content
MISFITS = (AttributeError, LookupError, OverflowError, TypeError, ValueError, RecursionError)


class DamagedCheckpoint(Exception):
    """Raised for a damaged checkpoint; the message names the file and the damage."""


@dataclass(frozen=True)
class Rows:
    """Files in `folder` that are already written and hold rows 0 … classes - 1 of the same tensors,
    with their entries in the manifest."""

    folder: Path
    classes: int
    files: dict[str, Any]


@dataclass
class Checkpoint:
    """The state of a run between two blocks.

    step: number of blocks trained. tensors: the engine's `state()`. bounds: of the blocks. state:
    plain values for JSON, see `w2v.runs.checkpointer`. metrics: the lines of metrics.jsonl so far,
    without line ends.
    """

    step: int
    tensors: Mapping[str, np.ndarray]
    bounds: np.ndarray
    state: dict[str, Any]
    metrics: Sequence[str] = field(default_factory=list)
    path: Path | None = None
    rows: Rows | None = None  # while it is written: the sharded rows, which `tensors` omits


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Writes `folder`/step-N, replacing one of that name; returns its path."""
    path = folder / f"step-{checkpoint.step}"
    state = {"format_version": FORMAT_VERSION, "step": checkpoint.step, **checkpoint.state}
    lines = "".join(f"{line}\n" for line in checkpoint.metrics)
    tensors = tensor_chunks({**checkpoint.tensors, BOUNDS: checkpoint.bounds})
    files = {TENSORS: tensors, STATE: [_json(state)], METRICS: [lines.encode()]}
    head: dict[str, Any] = {"format_version": FORMAT_VERSION}
    with atomic_directory(path, replace=True) as temporary:
        manifest = {name: write_file(temporary / name, chunks) for name, chunks in files.items()}
        if (rows := checkpoint.rows) is not None:
            for name in rows.files:
                os.rename(rows.folder / name, temporary / name)
            os.rmdir(rows.folder)
            head, manifest = {**head, "rows": rows.classes}, {**manifest, **rows.files}
        (temporary / MANIFEST).write_bytes(_json({**head, "files": manifest}))
    return path


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads and verifies a checkpoint, whose tensors are memory-mapped. Raises DamagedCheckpoint if
    a file is missing, altered or has unexpected content."""
    reading = MANIFEST
    try:
        manifest = read_object(path / MANIFEST)
        files, version = manifest["files"], manifest["format_version"]
        if version != FORMAT_VERSION:
            raise DamagedCheckpoint(f"it has format_version {version!r}, this w2v reads 1")
        rows = [name for name in files if ROWS.fullmatch(name)]
        for name in (TENSORS, STATE, METRICS, *rows):
            _verify(path / name, int(files[name]["bytes"]), str(files[name]["sha256"]))
        reading = STATE
        state = read_object(path / STATE)
        step = whole_number(state.pop("step"))
        reading = METRICS
        metrics = read_plain(path / METRICS, METRICS_BYTES).decode().splitlines()
        reading = TENSORS
        tensors = map_tensors(path / TENSORS)
        reading = "a file of rows"
        tensors |= _joined(path, rows, whole_number(manifest.get("rows", 0)))
        reading = TENSORS
        bounds = tensors.pop(BOUNDS)
        subject, is_int = f"the blocks' bounds in {TENSORS}", bounds.dtype == np.int64
        if not is_int or bounds.ndim != 1 or len(bounds) < 2 or (bounds[1:] <= bounds[:-1]).any():
            raise DamagedCheckpoint(f"{subject} do not rise")
        if bounds[0] != 0:
            raise DamagedCheckpoint(f"{subject} begin at {bounds[0]:,} instead of 0")
        for name, array in tensors.items():
            if array.dtype.kind == "f" and not all_finite(array):
                raise DamagedCheckpoint(f"{name} in {TENSORS} holds {UNSOUND}")
    except OSError as error:
        name = Path(error.filename).name if error.filename else path.name
        raise DamagedCheckpoint(f"{name}: {error.strerror or error}") from None
    except MISFITS as error:
        problem = f"{type(error).__name__}: {error}"
        raise DamagedCheckpoint(f"{reading} has unexpected content ({problem})") from None
    return Checkpoint(step, tensors, bounds, state, metrics, path)


def checkpoints_of(run: Path) -> list[Path]:
    """Returns the checkpoints of a run, latest first, including damaged ones."""
    try:
        entries = [(_step(entry.name), entry) for entry in (run / FOLDER).iterdir()]
    except OSError:
        return []
    return [path for step, path in sorted(entries, reverse=True) if step >= 0]


def newest_checkpoint(run: Path) -> tuple[Checkpoint | None, list[str]]:
    """Returns the latest sound checkpoint, and a sentence on each later, damaged one."""
    damaged: list[str] = []
    for path in checkpoints_of(run):
        try:
            return load_checkpoint(path), damaged
        except DamagedCheckpoint as error:
            damaged.append(f"the checkpoint {path} is damaged: {error}")
    return None, damaged


def sweep(folder: Path) -> None:
    """Removes unfinished and half-removed checkpoints that a killed run has left."""
    for entry in folder.glob(".step-*"):
        shutil.rmtree(entry, ignore_errors=True)


def prune(folder: Path, last: int, keep: int) -> None:
    """Removes all checkpoints except the `keep` latest of those up to step `last`, and what killed
    runs have left."""
    sweep(folder)
    steps = {entry: _step(entry.name) for entry in folder.iterdir()}
    kept = sorted((step for step in steps.values() if 0 <= step <= last), reverse=True)[:keep]
    for entry, step in steps.items():
        if step >= 0 and step not in kept:
            # renamed first, so that a process killed here leaves no partial one under its name
            grave = Path(tempfile.mkdtemp(prefix=f".{entry.name}.", suffix=".old", dir=folder))
            os.rename(entry, grave / entry.name)
            shutil.rmtree(grave, ignore_errors=True)


def _step(name: str) -> int:
    """Returns N of "step-N", or -1 for another name."""
    match = re.fullmatch(r"step-([0-9]{1,18})", name)
    return int(match[1]) if match else -1


def _json(value: object) -> bytes:
    # a path that is not UTF-8 has lone surrogates, which JSON represents as \u escapes
    return (json.dumps(value, indent=1) + "\n").encode()


def write_file(path: Path, chunks: Iterable[bytes | memoryview]) -> dict[str, Any]:
    """Writes the chunks to a file and returns its entry in the manifest."""
    digest, size = hashlib.sha256(), 0
    with open(path, "wb") as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
            size += len(chunk)
    return {"bytes": size, "sha256": digest.hexdigest()}


def _verify(path: Path, size: int, sha256: str) -> None:
    digest, actual = hashlib.sha256(), os.stat(path).st_size
    if not path.is_file():  # reading a device or a pipe might never end
        raise DamagedCheckpoint(f"{path.name} is not a file")
    if actual != size:
        raise DamagedCheckpoint(f"{path.name} has {actual:,} bytes instead of {size:,}")
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != sha256:
        raise DamagedCheckpoint(f"{path.name} does not have the checksum in the manifest")


def tensor_chunks(tensors: Mapping[str, np.ndarray]) -> Iterator[bytes | memoryview]:
    """Yields a safetensors file in pieces. The library's own writer would hold another copy of it
    in memory."""
    header, offset = {}, 0
    # the format forbids gaps and recommends alignment, hence the largest elements first
    ordered = dict(sorted(tensors.items(), key=lambda entry: (-entry[1].dtype.itemsize, entry[0])))
    for name, array in ordered.items():
        dtype, end = NAMES[array.dtype.newbyteorder("=")], offset + array.nbytes
        header[name] = {"dtype": dtype, "shape": [*array.shape], "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for array in ordered.values():
        for part in _blocks_of(array):
            yield np.ascontiguousarray(part).reshape(-1).view(np.uint8).data


def all_finite(array: np.ndarray) -> bool:
    """Returns whether no number is NaN, infinite or 1e18 or more in absolute value."""
    return all((np.abs(block) < LARGEST).all() for block in _blocks_of(array))


def _blocks_of(array: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the rows in blocks of a few megabytes, so that no full copy is needed; releases the
    pages of memory-mapped ones."""
    array = np.atleast_1d(array)
    step = max(1, CHUNK // max(1, array[:1].nbytes))
    for start in range(0, len(array), step):
        yield array[start : start + step]
        release_pages(array, start, start + step)


def _joined(path: Path, names: Sequence[str], classes: int) -> dict[str, np.ndarray]:
    """Returns the tensors whose rows are in these files; DamagedCheckpoint if some are missing."""
    ranges = {name: [int(edge) for edge in Path(name).stem.split("-")[1:]] for name in names}
    end, parts = 0, []
    for name, (low, high) in sorted(ranges.items(), key=lambda entry: entry[1]):
        if low == end:
            parts.append(map_tensors(path / name))
            if any(len(array) != high - low for array in parts[-1].values()):
                raise DamagedCheckpoint(f"{name} does not hold as many rows as its name says")
            end = high
    if end != classes:
        raise DamagedCheckpoint(f"output rows are missing, from {end:,} of {classes:,} on")
    first = parts[0] if parts else {}
    return {name: np.concatenate([part[name] for part in parts]) for name in first}


def map_tensors(path: Path) -> dict[str, np.ndarray]:
    """Returns the tensors of a safetensors file as read-only memory maps. Raises OSError, or one of
    MISFITS if its header is wrong."""
    size = os.stat(path).st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(LONGEST_HEADER, size - 8):
            raise ValueError(f"a header of {length} bytes in a file of {size}")
        header = json.loads(file.read(length))
    content = np.memmap(path, np.uint8, "r")[8 + length :]
    tensors = {}
    header.pop("__metadata__", None)
    for name, entry in header.items():
        start, end = map(int, entry["data_offsets"])
        if not 0 <= start <= end <= len(content):
            raise ValueError(f"tensor {name!r} lies outside the file")
        if (dtype := DTYPES.get(entry["dtype"])) is None:
            raise ValueError(f"tensor {name!r} is {entry['dtype']}")
        array = content[start:end].view(dtype)
        tensors[name] = array.reshape([int(length) for length in entry["shape"]])
    return tensors
