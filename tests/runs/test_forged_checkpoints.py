"""Checkpoints whose checksums are right and whose content is made up: resumed, or refused in one
sentence."""

import copy
import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.resumption import go_on, steps
from w2v.corpus.cache import load_entry
from w2v.errors import InputError
from w2v.runs.checkpoint import load_checkpoint
from w2v.settings.language_model import ARCHITECTURES

LM = {
    "model": "lm",
    "dim": "8",
    "hidden": "8",
    "batch_size": "4",
    "min_count": "1",
    "heads": "2",
    "epochs": "2",
}


class Forger:
    """A run that was killed after its first epoch, and its one checkpoint, which can be changed and
    put right again."""

    def __init__(self, train: Callable[..., Any], lines: Any, **settings: object) -> None:
        train(lines, output="run", checkpoint_every="1h", keep=2, **settings)
        first, last = steps()
        shutil.rmtree(f"run/checkpoints/step-{last}")
        for name in ("vectors.npy", "summary.json", "metrics.jsonl", "model.safetensors"):
            Path("run", name).unlink(missing_ok=True)
        Path("run").rename("original")
        self.place = Path("run") / "checkpoints" / f"step-{first}"
        self.anew()
        self.state = json.loads((self.place / "state.json").read_text())

    def anew(self) -> None:
        """The run as it was."""
        shutil.rmtree("run", ignore_errors=True)
        shutil.copytree("original", "run")

    def write(self, name: str, content: bytes) -> None:
        """Another content for a file of the checkpoint, for which the manifest vouches."""
        (self.place / name).write_bytes(content)
        manifest = json.loads((self.place / "manifest.json").read_text())
        manifest["files"][name] = {
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        (self.place / "manifest.json").write_text(json.dumps(manifest))

    def tensors(self, change: Callable[[dict[str, np.ndarray]], object]) -> None:
        """Other tensors."""
        arrays = dict(load_file(self.place / "tensors.safetensors"))
        change(arrays)
        save_file(arrays, "changed")
        self.write("tensors.safetensors", Path("changed").read_bytes())


def leaves(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """The places of all values in nested ones, inner and outer; of lists the first."""
    yield path
    inside = (
        value.items()
        if isinstance(value, dict)
        else list(enumerate(value))[:1]
        if isinstance(value, list)
        else ()
    )
    for key, part in inside:
        yield from leaves(part, (*path, key))


def with_value(state: Any, path: tuple, value: object) -> Any:
    """The state with another value in a place."""
    if not path:
        return value
    state = copy.deepcopy(state)
    inner = state
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return state


LIES: list[Any] = [
    None,
    "x",
    -1,
    1 << 63,
    10**400,
    1e308,
    math.nan,
    math.inf,
    [],
    {},
    True,
    [[]],
    0,
    -(10**30),
    {"x": 1},
    "../..",
]


@pytest.mark.parametrize(
    ("settings", "parts", "lies"),
    [
        (
            {"loss": "neg", "sample": 0.01},
            ("corpus", "result", "settings", "schedule", "step", "watchers"),
            1,
        ),
        (
            {**LM, "valid": "corpus.txt", "schedule": "plateau", "lr": "20"},
            ("schedule", "watchers"),
            2,
        ),
    ],
)
def test_whatever_the_state_says(train, zipf_lines, settings, parts, lies):
    forger = Forger(train, zipf_lines, **settings)
    refused = 0
    places = [path for path in leaves(forger.state) if not path or path[0] in parts]
    for number, path in enumerate(places):
        for lie in [LIES[((2 * turn + 1) * number + 3 * turn) % len(LIES)] for turn in range(lies)]:
            forger.anew()
            forger.write("state.json", json.dumps(with_value(forger.state, path, lie)).encode())
            try:
                summary = go_on()
            except InputError as error:
                refused += 1
                assert "\n" not in str(error) and len(str(error)) < 600
                assert not Path("run/vectors.npy").exists()
            else:
                words = summary.words
                assert words.passed == words.trained + words.subsampled + words.passed_left_out
                for line in [
                    Path("run/summary.json").read_text(),
                    *Path("run/metrics.jsonl").read_text().splitlines(),
                ]:
                    json.loads(line, parse_constant=lambda name: pytest.fail(name))
    assert refused > len(places) // 2


def test_blocks_beyond_the_text(train, zipf_lines):
    forger = Forger(train, zipf_lines)
    for change, message in (
        (lambda bounds: bounds + 5, "begin at 5 instead of 0"),
        (
            lambda bounds: np.append(bounds, 1 << 40),
            "its blocks end at 1,099,511,627,776, the text at",
        ),
        (lambda bounds: bounds[:-1], "its blocks end at"),
        (lambda bounds: np.append(-5, bounds), "begin at -5 instead of 0"),
    ):
        forger.anew()
        forger.tensors(
            lambda all, change=change: all.update({"trainer.bounds": change(all["trainer.bounds"])})
        )
        with pytest.raises(InputError, match=message):
            go_on()
    forger.anew()
    forger.write("state.json", json.dumps({**forger.state, "step": 10**9}).encode())
    with pytest.raises(
        InputError, match=r"does not fit this run: it is after block 1,000,000,000 of \d+$"
    ):
        go_on()


@pytest.mark.parametrize("settings", [{}, {"loss": "softmax"}, LM], ids=str)
def test_tensors_that_are_no_numbers(train, zipf_lines, settings):
    forger = Forger(train, zipf_lines, **settings)
    name = "input.weight" if settings is LM else "input"
    for value in (math.nan, math.inf, 1e30):
        forger.anew()
        forger.tensors(lambda arrays, value=value: arrays[name].__setitem__((1, 2), value))
        with pytest.raises(InputError, match=f"{name} in tensors.safetensors holds .*NaN"):
            go_on()
        assert not Path("run/vectors.npy").exists()


def test_tallies_that_do_not_add_up(train, zipf_lines):
    forger = Forger(train, zipf_lines)
    for part, name in (("total", "read"), ("total", "predictions"), ("logged", "trained")):
        result = copy.deepcopy(forger.state["result"])
        result[part][name] += 1
        forger.write("state.json", json.dumps({**forger.state, "result": result}).encode())
        with pytest.raises(
            InputError, match=r"does not fit this run: .*(not the sum|do not add up)"
        ):
            go_on()


@pytest.mark.parametrize("line", [b"[]", b"7", b"{", b"[" * 100_000, b"\xff", b"9" * 5000])
def test_metrics_that_are_none(train, zipf_lines, line):
    forger = Forger(train, zipf_lines)
    forger.write("metrics.jsonl", b'{"words": 1}\n' + line + b"\n")
    with pytest.raises(InputError, match=r"does not fit this run|It is the only one"):
        go_on()


def test_metrics_without_an_end(train, zipf_lines):
    forger = Forger(train, zipf_lines)
    forger.write("metrics.jsonl", b'{"words": 1}\n' * (6 << 20))
    with pytest.raises(InputError, match=r"metrics\.jsonl: it is larger than 64 MiB"):
        go_on()


def test_a_key_that_leads_out_of_the_cache(train, zipf_lines, tmp_path, folder):
    (tmp_path / "cache" / "corpora").mkdir(parents=True)
    (folder / "precious").mkdir()
    (folder / "precious" / "file").write_text("years of work")
    forger = Forger(train, zipf_lines)
    for key in ("../../work/precious", str(folder / "precious"), ".", "", "..", "0" * 31 + "/"):
        corpus = {**forger.state["corpus"], "key": key}
        forger.anew()
        forger.write("state.json", json.dumps({**forger.state, "corpus": corpus}).encode())
        go_on(use_cache=True)
        assert load_entry(key) is None
    assert (folder / "precious" / "file").read_text() == "years of work"
    assert (tmp_path / "cache" / "corpora").is_dir()


def test_a_cached_text_that_is_not_the_checkpoint_s(train, zipf_lines):
    forger = Forger(train, zipf_lines)
    go_on(use_cache=True)
    (entry,) = Path(os.environ["W2V_CACHE_DIR"], "corpora").iterdir()
    corpus = {**forger.state["corpus"], "key": entry.name, "words": 7}
    forger.anew()
    forger.write("state.json", json.dumps({**forger.state, "corpus": corpus}).encode())
    with pytest.raises(
        InputError,
        match=r"run cannot go on: the text is another one: 7 words then, [\d,]+ now; put",
    ):
        go_on(use_cache=True)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_what_a_language_model_carries(train, zipf_lines, arch):
    forger = Forger(train, zipf_lines, **LM, arch=arch)
    changes = (
        lambda arrays: arrays.update({"carry.0": arrays["carry.0"][..., :-1].copy()}),
        lambda arrays: arrays.update({"carry.0": arrays["carry.0"].astype(np.float64)}),
        lambda arrays: arrays.update({"carry.0": arrays["carry.0"][0].copy()}),
        lambda arrays: arrays.update({"carry.9": arrays["carry.0"].copy()}),
        lambda arrays: arrays.update({"input.weight": arrays["input.weight"][1:].copy()}),
    )
    for change in changes:
        forger.anew()
        forger.tensors(change)
        with pytest.raises(InputError, match="does not fit this run: "):
            go_on()
    forger.anew()
    assert go_on().epochs_done == 2


def test_a_best_model_of_another_shape(train, zipf_lines):
    forger = Forger(train, zipf_lines, **LM, valid="corpus.txt")
    kept = "watcher.validation.kept.input.weight"
    assert kept in load_checkpoint(forger.place).tensors
    for change in (
        lambda arrays: arrays.update({kept: arrays[kept][1:].copy()}),
        lambda arrays: arrays.pop(kept),
        lambda arrays: arrays.update({f"{kept}.more": arrays[kept]}),
    ):
        forger.anew()
        forger.tensors(change)
        with pytest.raises(InputError, match="does not fit this run: "):
            go_on()
