"""Checkpoints as files: what is written can be read by the safetensors library, and nothing damaged
is believed."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from w2v.errors import RunError
from w2v.runs.checkpoint import (
    Checkpoint,
    DamagedCheckpoint,
    checkpoints_of,
    load_checkpoint,
    newest_checkpoint,
    prune,
    save_checkpoint,
)
from w2v.settings.interval import Interval, parse_interval

BOUNDS = np.array([0, 5, 9], np.int64)


def tensors() -> dict[str, np.ndarray]:
    padded = np.arange(700 * 16, dtype=np.float32).reshape(700, 16)
    return {
        "input": padded[:, :11],
        "a": np.float64([1.5, -2]),
        "steps": np.array(7),
        "mask": np.array([1, 0], np.uint8),
        "none": np.zeros((0, 3), np.float32),
        "ids": np.array([[-1]], np.int32),
    }


def make(folder: Path, step: int = 3, **values: object) -> Path:
    return save_checkpoint(
        folder, Checkpoint(step, tensors(), BOUNDS, {"x": 1, **values}, ['{"a": 1}', '{"a": 2}'])
    )


def test_what_is_saved_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr("w2v.runs.checkpoint.CHUNK", 1000)
    path = make(tmp_path, name="caf\udce9")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["step-3"]
    found = load_checkpoint(path)
    assert (found.step, found.state["x"], found.state["name"], found.path) == (
        3,
        1,
        "caf\udce9",
        path,
    )
    assert found.metrics == ['{"a": 1}', '{"a": 2}']
    assert found.bounds.tolist() == [0, 5, 9]
    assert set(found.tensors) == set(tensors())
    for name, array in tensors().items():
        assert found.tensors[name].dtype == array.dtype
        assert np.array_equal(found.tensors[name], array)
    library = load_file(path / "tensors.safetensors")
    assert set(library) == {*tensors(), "trainer.bounds"}
    assert all(np.array_equal(library[name], array) for name, array in tensors().items())


def change(path: Path, name: str, content: bytes) -> None:
    """Other content for a file of a checkpoint, with a manifest that vouches for it."""
    import hashlib

    (path / name).write_bytes(content)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (path / "manifest.json").write_text(json.dumps(manifest))


def tensor_file(header: object, content: bytes = bytes(64)) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content


BOUNDS_ENTRY = {"trainer.bounds": {"dtype": "I64", "shape": [2], "data_offsets": [0, 16]}}
LIES = {
    "no manifest": lambda path: (path / "manifest.json").unlink(),
    "no tensors": lambda path: (path / "tensors.safetensors").unlink(),
    "a folder instead": lambda path: (
        (path / "state.json").unlink(),
        (path / "state.json").mkdir(),
    ),
    "cut": (
        lambda path: (path / "tensors.safetensors").write_bytes(
            (path / "tensors.safetensors").read_bytes()[:-1]
        )
    ),
    "manifest is a list": lambda path: (path / "manifest.json").write_text("[]"),
    "manifest of another kind": (
        lambda path: (path / "manifest.json").write_text('{"format_version": 1, "files": 3}')
    ),
    "newer": lambda path: (path / "manifest.json").write_text('{"format_version": 2, "files": {}}'),
    "manifest is deep": lambda path: (path / "manifest.json").write_text("[" * 100_000),
    "manifest of megabytes": lambda path: (path / "manifest.json").write_bytes(b" " * (17 << 20)),
    "manifest without end": lambda path: (
        (path / "manifest.json").unlink(),
        (path / "manifest.json").symlink_to("/dev/zero"),
    ),
    "a pipe": lambda path: (
        change(path, "metrics.jsonl", b""),
        (path / "metrics.jsonl").unlink(),
        os.mkfifo(path / "metrics.jsonl"),
    ),
    "not utf-8": lambda path: (path / "manifest.json").write_bytes(b'{"\xff": 1}'),
    "state is text": lambda path: change(path, "state.json", b'"x"'),
    "no step": lambda path: change(path, "state.json", b"{}"),
    "step is infinite": lambda path: change(path, "state.json", b'{"step": 1e999}'),
    "step below 0": lambda path: change(path, "state.json", b'{"step": -1}'),
    "step is a text": lambda path: change(path, "state.json", b'{"step": "3"}'),
    "step is true": lambda path: change(path, "state.json", b'{"step": true}'),
    "state is deep": lambda path: change(path, "state.json", b"[" * 100_000),
    "metrics not utf-8": lambda path: change(path, "metrics.jsonl", b"\xff"),
    "metadata only": lambda path: change(
        path, "tensors.safetensors", tensor_file({"__metadata__": {"a": "b"}})
    ),
    "empty tensors": lambda path: change(path, "tensors.safetensors", b""),
    "header beyond the end": lambda path: change(
        path, "tensors.safetensors", (1 << 62).to_bytes(8, "little")
    ),
    "header is a list": lambda path: change(path, "tensors.safetensors", tensor_file([])),
    "no bounds": lambda path: change(path, "tensors.safetensors", tensor_file({})),
    "bounds fall": lambda path: change(path, "tensors.safetensors", tensor_file(BOUNDS_ENTRY)),
    "outside": lambda path: change(
        path,
        "tensors.safetensors",
        tensor_file({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}),
    ),
    "shape too large": lambda path: change(
        path,
        "tensors.safetensors",
        tensor_file({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 8]}}),
    ),
    "odd type": lambda path: change(
        path,
        "tensors.safetensors",
        tensor_file({"a": {"dtype": "O", "shape": [1], "data_offsets": [0, 8]}}),
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_is_damaged_is_not_believed(tmp_path, lie):
    path = make(tmp_path)
    LIES[lie](path)
    with pytest.raises(DamagedCheckpoint):
        load_checkpoint(path)


def test_every_changed_byte_is_noticed(tmp_path):
    path = make(tmp_path)
    for name in ("tensors.safetensors", "state.json", "metrics.jsonl"):
        content = (path / name).read_bytes()
        for place in (0, len(content) // 2, len(content) - 1):
            (path / name).write_bytes(
                content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
            )
            with pytest.raises(DamagedCheckpoint, match=rf"{name} does not have the checksum"):
                load_checkpoint(path)
        (path / name).write_bytes(content)
    load_checkpoint(path)


def test_the_latest_sound_one_is_used_and_damaged_ones_are_named(tmp_path):
    assert newest_checkpoint(tmp_path) == (None, [])
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for step in (9, 10, 200):
        make(folder, step)
    (folder / "step-x").mkdir()
    (folder / "step-11.old").mkdir()
    assert [path.name for path in checkpoints_of(tmp_path)] == ["step-200", "step-10", "step-9"]
    (folder / "step-200" / "state.json").write_text("{}")
    found, damaged = newest_checkpoint(tmp_path)
    assert found is not None and found.step == 10
    assert damaged == [
        f"the checkpoint {folder}/step-200 is damaged: state.json has 2 bytes instead of 48"
    ]


def test_pruning_keeps_the_latest_up_to_the_one_just_written(tmp_path):
    for step in (5, 30, 100, 200):
        make(tmp_path, step)
    (tmp_path / ".step-7.abcd1234.tmp").mkdir()
    (tmp_path / "notes").mkdir()
    prune(tmp_path, 100, 2)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["notes", "step-100", "step-30"]


def test_a_checkpoint_of_the_same_step_is_replaced_or_stays(tmp_path, monkeypatch):
    make(tmp_path, x=1)
    path = make(tmp_path, x=2)
    assert load_checkpoint(path).state["x"] == 2
    monkeypatch.setattr(
        "os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(RunError, match="No space left on device"):
        make(tmp_path, x=3)
    assert load_checkpoint(path).state["x"] == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["step-3"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", Interval(30)),
        ("5m", Interval(300)),
        ("2h", Interval(7200)),
        ("1.5 s", Interval(1.5)),
        ("500k", Interval(500_000, of_words=True)),
        ("2M", Interval(2_000_000, of_words=True)),
        ("0.5G", Interval(500_000_000, of_words=True)),
        ("3K", Interval(3000, of_words=True)),
    ],
)
def test_intervals(text, expected):
    assert parse_interval(text) == expected


@pytest.mark.parametrize(
    "text", ["", "5", "m", "-1s", "0s", "0M", "0.0001k", "1e3s", "infs", "5 minutes", "٣s", "1d"]
)
def test_what_is_no_interval(text):
    with pytest.raises(ValueError, match="is not an interval: give a time such as 30s"):
        parse_interval(text)


def test_when_an_interval_is_over():
    assert [Interval(2).is_over(seconds, 10**9) for seconds in (1.9, 2.0)] == [False, True]
    assert [Interval(20, of_words=True).is_over(10**9, words) for words in (19, 20)] == [
        False,
        True,
    ]
    assert not Interval(math.inf).is_over(10**9, 10**9)
